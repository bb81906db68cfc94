"""Several labels per clip: one network for all labels against one network per label.

    python -m benchmarks.several_labels [--seeds 2]

Fits on 400 synthetic scenes of 5 s with two or three overlapping events of ten kinds, or none, and
tests on 300 scenes in other rooms (see `_scenes.py`). Compares `CNNAudioClassifier` on the
indicator of labels with scikit-learn's `MultiOutputClassifier` of the same classifier, both with
default parameters and with those that are best for events at any time, and with an SVC per label on
the mean and the standard deviation of 40 MFCC. These parameters were chosen on other scenes. All
networks share a cache with the spectrograms, so the times are those of training. Requires librosa.
"""

import argparse
import tempfile
import time

import numpy as np
from sklearn.base import clone
from sklearn.metrics import average_precision_score, f1_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import _peers, _scenes
from skdaf import CNNAudioClassifier, SpectrogramTransformer

# An event can be at any time of a scene, and a clip that is zoomed may lose one of its events.
FOR_EVENTS = {"augment": ("shift", "equalize", "mask"), "weight_decay": 1.0}


def models(cache, seed):
    network = CNNAudioClassifier(SpectrogramTransformer(cache=cache), random_state=seed)
    svc = MultiOutputClassifier(SVC(class_weight="balanced"))
    for_events = clone(network).set_params(**FOR_EVENTS)
    return {
        "one network": network,
        "one network, for events": clone(for_events).set_params(max_epochs=100),
        "MFCC + SVC per label": make_pipeline(_peers.MFCCStatistics(), StandardScaler(), svc),
        "one network per label": MultiOutputClassifier(network),
        "one network per label, for events": MultiOutputClassifier(for_events),
    }


def scores_of(model, paths):
    """Return one score per clip and label, higher if the label is more likely."""
    if hasattr(model, "steps"):
        features = model[:-1].transform(paths)
        return np.column_stack([svc.decision_function(features) for svc in model[-1].estimators_])
    probabilities = model.predict_proba(paths)
    if isinstance(probabilities, list):
        return np.column_stack([one[:, 1] for one in probabilities])
    return probabilities


def measure(model, train, test):
    """Return macro average precision, macro F1, seconds and CPU seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(*train)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    paths, indicator = test
    precision = average_precision_score(indicator, scores_of(model, paths), average="macro")
    return precision, f1_score(indicator, model.predict(paths), average="macro"), seconds, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    n_seeds = parser.parse_args().seeds
    train_paths, train_labels, test_paths, test_labels = _scenes.load_overlapping()
    train, test = (train_paths, train_labels.to_numpy()), (test_paths, test_labels.to_numpy())
    print("| model | seed | macro average precision | macro F1 | fit, s | CPU, s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        SpectrogramTransformer(cache=cache, n_jobs=2).fit_transform(train_paths)
        for seed in range(n_seeds):
            for name, model in models(cache, seed).items():
                if seed and name.startswith("MFCC"):
                    continue  # it is not random
                row = measure(model, train, test)
                scores = "{:.3f} | {:.3f} | {:.0f} | {:.0f}".format(*row)
                print(f"| {name} | {seed} | {scores} |", flush=True)


if __name__ == "__main__":
    main()
