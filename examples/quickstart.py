"""Train a CNN on class folders, evaluate, save and load it, and predict one file.

python examples/quickstart.py             use a small set of synthetic sounds
python examples/quickstart.py FOLDER      use your recordings, one folder per class
"""

import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split

from skdaf import CNNAudioClassifier
from skdaf.datasets import load_audio_folders, make_audio_dataset


def main(folder, workspace):
    if folder is None:
        folder = Path(workspace, "sounds")
        classes = [
            "low_tone",
            "high_tone",
            "rising_chirp",
            "falling_chirp",
            "pink_noise",
        ]
        make_audio_dataset(folder, classes=classes, n_clips_per_class=40)
    recordings = load_audio_folders(folder)
    labels = np.asarray(recordings.target_names)[recordings.target]
    n_classes = len(recordings.target_names)
    print(f"{len(labels)} recordings of {n_classes} classes in {folder}")

    train_paths, test_paths, train_labels, test_labels = train_test_split(
        recordings.filenames,
        labels,
        test_size=0.25,
        stratify=labels,
        random_state=0,
    )
    classifier = CNNAudioClassifier(random_state=0, verbose=1)
    classifier.fit(train_paths, train_labels)
    print(classification_report(test_labels, classifier.predict(test_paths)))

    model_path = Path(workspace, "model.joblib")
    joblib.dump(classifier, model_path)
    loaded = joblib.load(model_path).set_params(verbose=0)
    probabilities = loaded.predict_proba(test_paths[:1])[0]
    best = probabilities.argmax()
    size = model_path.stat().st_size / 1e3
    print(f"The saved model takes {size:.0f} kB. Its prediction for")
    print(f"  {test_paths[0]}")
    print(f"is {loaded.classes_[best]} (probability {probabilities[best]:.2f}).")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as workspace:
        main(sys.argv[1] if len(sys.argv) > 1 else None, workspace)
