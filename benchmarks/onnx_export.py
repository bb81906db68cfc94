"""Whether exported models predict what skdaf predicts, for all test clips of two data sets.

    python -m benchmarks.onnx_export [fsdd-official] [esc10] [--features mel mfcc mel+chroma]

Trains `CNNAudioClassifier` with default parameters on the first split of each set, exports it, and
runs the file with onnxruntime on every test clip. Times are medians per clip, with one thread:
"onnxruntime" from samples to probabilities, "skdaf" from the same samples, "file" from reading the
file. The two kinds of runs alternate, clip by clip.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _sets
from skdaf import CNNAudioClassifier, SpectrogramTransformer, export_onnx, load_audio

NAMES = ("fsdd-official", "esc10")


def session_of(path):
    """Return a session that runs an ONNX file with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def seconds(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def samples_of(path, rate):
    """Return the samples of a file as float32, at a sampling rate."""
    samples, _ = load_audio(path, sampling_rate=rate)
    return np.asarray(samples, dtype=np.float32)


def compare(classifier, session, paths):
    """Return the probabilities of both, and the median times per clip of three ways."""
    rate = int(session.get_modelmeta().custom_metadata_map["sampling_rate"])
    rows, times = [], []
    for path in paths:
        samples = samples_of(path, rate)
        feed = {"waveform": samples[None]}
        onnx_time, (found,) = seconds(session.run, ["probabilities"], feed)
        own_time, _ = seconds(classifier.predict_proba, [(samples, rate)])
        file_time, expected = seconds(classifier.predict_proba, [path])
        rows.append((found[0], expected[0]))
        times.append((onnx_time, own_time, file_time))
    found, expected = map(np.array, zip(*rows, strict=True))
    return found, expected, [statistics.median(column) for column in zip(*times, strict=True)]


def measure(name, features):
    sounds = _sets.load(name)
    split = sounds.splits[0]
    classifier = CNNAudioClassifier(SpectrogramTransformer(features), random_state=0)
    classifier.fit(sounds.paths[split.train], sounds.labels[split.train])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        export_time, _ = seconds(export_onnx, classifier, path)
        size, session = path.stat().st_size, session_of(path)
    found, expected, times = compare(classifier, session, sounds.paths[split.test])
    labels = sounds.labels[split.test]
    return [
        *(name, features, len(split.test)),
        f"{(found.argmax(1) == expected.argmax(1)).sum()}",
        f"{np.abs(found - expected).max():.1e}",
        f"{(classifier.classes_[found.argmax(1)] == labels).mean():.3f}",
        *(f"{1e3 * value:.2f}" for value in times),
        f"{1e3 * export_time:.0f}",
        f"{size / 1e6:.2f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--features", nargs="+", default=["mel"], metavar="FEATURES")
    arguments = parser.parse_args()
    unknown = set(arguments.sets) - set(NAMES)
    if unknown:
        parser.error(f"unknown set {unknown.pop()!r}; choose from {', '.join(NAMES)}")
    print(
        "| set | features | test clips | same label | largest difference of probabilities ", end=""
    )
    print("| accuracy | onnxruntime (ms) | skdaf (ms) | file (ms) | export (ms) | file (MB) |")
    print("|---" * 11 + "|")
    for name in arguments.sets:
        for features in arguments.features:
            print("|", " | ".join(map(str, measure(name, features))), "|", flush=True)


if __name__ == "__main__":
    main()
