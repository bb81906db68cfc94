"""Combine CNN features with hand-crafted ones, and see what each block brings.

    python examples/combine.py            a small set of sounds, made on the spot
    python examples/combine.py FOLDER     your own recordings, one folder a class

`make_combined_classifier` builds such a pipeline in one call; here it is spelled out.
"""

import sys
import tempfile

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    BlockScaler,
    CappedPCA,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
)
from skdaf.datasets import load_audio_folders, make_audio_dataset


def combined(networks):
    """Return a pipeline with one block of features a network, and a hand-crafted one."""
    blocks = [
        (
            name,
            make_pipeline(CNNFeatureExtractor(network), CappedPCA(n_components=50), BlockScaler()),
        )
        for name, network in networks.items()
    ]
    handcrafted = make_pipeline(PyAudioAnalysisTransformer(), StandardScaler(), BlockScaler())
    blocks.append(("handcrafted", handcrafted))
    return Pipeline([("features", FeatureUnion(blocks)), ("svc", SVC(class_weight="balanced"))])


def main(folder, workspace):
    if folder is None:
        recordings = make_audio_dataset(workspace, n_clips_per_class=30)
    else:
        recordings = load_audio_folders(folder)
    labels = np.asarray(recordings.target_names)[recordings.target]
    train_X, test_X, train_y, test_y = train_test_split(
        recordings.filenames, labels, stratify=labels, random_state=0
    )
    # Two networks that see the sounds differently, fitted on the training clips and then frozen.
    recipes = {
        "mel": CNNAudioClassifier(random_state=0, verbose=1),
        "mfcc": CNNAudioClassifier(random_state=0, verbose=1).set_params(frontend__features="mfcc"),
    }
    networks = {
        name: FrozenEstimator(recipe.fit(train_X, train_y)) for name, recipe in recipes.items()
    }
    pipeline = combined(networks)
    names = [name for name, _ in pipeline.named_steps["features"].transformer_list]
    print(f"{'blocks':30} accuracy on {len(test_X)} clips")
    for kept in [
        names,
        *[[name] for name in names],
        *[[n for n in names if n != k] for k in names],
    ]:
        dropped = {f"features__{name}": "drop" for name in names if name not in kept}
        model = clone(pipeline).set_params(**dropped).fit(train_X, train_y)
        print(f"{' + '.join(kept):30} {model.score(test_X, test_y):.3f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as workspace:
        main(sys.argv[1] if len(sys.argv) > 1 else None, workspace)
