"""Features of pretrained networks: alone, beside a network trained from scratch, and their speed.

    python -m benchmarks.pretrained [--sets esc10 emodb4 ...] [--models silero-vad ...]
                                    [--folds 1 2 ...] [--seeds 1] [--alone]
    python -m benchmarks.pretrained --speed [--models silero-vad ...]

Each model is followed by `StandardScaler` and `LogisticRegression`, whose C (0.01, 0.1 or 1) is
chosen by cross-validation within the training clips. "CNN + ..." is
`make_combined_classifier` with a `CNNAudioClassifier` and the named models, without hand-crafted
features. Everything has default parameters and uses one worker; set `OMP_NUM_THREADS=1` and
`taskset -c 0` for one core. Requires librosa for the baseline `MFCC + SVC`. BirdNET takes 3 s at
48 kHz: `--models` leaves it out where that makes no sense.
"""

import argparse
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import _sets, real_sounds
from skdaf import PretrainedFeatureExtractor, make_combined_classifier

MODELS = ("silero-vad", "resemblyzer", "birdnet")


def alone(model, cache, seed, fitted):
    pipeline = make_pipeline(
        PretrainedFeatureExtractor(model, cache=cache),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )
    return GridSearchCV(pipeline, {"logisticregression__C": [0.01, 0.1, 1.0]})


def beside_cnn(models, cache, seed, fitted):
    pretrained = [PretrainedFeatureExtractor(model, cache=cache) for model in models]
    network = real_sounds.cnn(cache, seed, fitted)
    return make_combined_classifier([network, *pretrained], handcrafted=False)


def methods(models, is_alone):
    """Return {name: function that makes a classifier}, besides those of `real_sounds`."""
    found = {model: partial(alone, model) for model in models}
    if is_alone:
        return found
    groups = [(model,) for model in models] + ([tuple(models)] if len(models) > 1 else [])
    return found | {f"CNN + {' + '.join(group)}": partial(beside_cnn, group) for group in groups}


def noise(folder, name, seconds):
    """Write noise at 16 kHz; return the path."""
    path = Path(folder, name)
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal(seconds * 16_000), 16_000)
    return str(path)


def print_speed(models):
    """Print the seconds that each model takes for an hour of audio."""
    real_sounds.table("model", "720 clips of 5 s: CPU s", "wall s", "one recording: CPU s")
    with tempfile.TemporaryDirectory() as folder:
        clips = [noise(folder, "clip.wav", 5)] * 72
        recording = [noise(folder, "recording.wav", 360)]
        for model in models:
            extractor = PretrainedFeatureExtractor(model).fit(clips[:1])
            extractor.transform(clips[:1])
            cpu, wall = timed(extractor.transform, clips)
            long_cpu, _ = timed(extractor.transform, recording)
            # A tenth of an hour was measured.
            print(
                f"| {model} | {10 * cpu:.1f} | {10 * wall:.1f} | {10 * long_cpu:.1f} |", flush=True
            )


def timed(function, X):
    """Return the medians of CPU and wall seconds of three calls."""
    times = []
    for _ in range(3):
        start = time.process_time(), time.perf_counter()
        function(X)
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    return np.median(times, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=_sets.NAMES, default=["esc10", "emodb4"])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--folds", nargs="+", help="names of folds; default: all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="only the models by themselves")
    parser.add_argument("--speed", action="store_true", help="measure seconds per hour of audio")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", ".*CC BY-NC-SA", UserWarning)
    if arguments.speed:
        print_speed(arguments.models)
        return
    new = methods(arguments.models, arguments.alone)
    real_sounds.METHODS.update(new)
    names = list(new) if arguments.alone else ["MFCC + SVC", "CNN", *new]
    record = real_sounds.recorder(None)
    with tempfile.TemporaryDirectory() as cache:
        results = {
            name: real_sounds.measure_set(
                name, names, arguments.folds, arguments.seeds, cache, record
            )
            for name in arguments.sets
        }
    real_sounds.print_tables(results, names)


if __name__ == "__main__":
    main()
