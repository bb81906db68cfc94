"""Transfer: what a network learned about one task helps with another that has few clips.

python examples/transfer.py            tones, chirps and noises first, then kinds of energy
python examples/transfer.py FOLDER     recordings named <digit>/<digit>_<speaker>_<take>.wav,
                                       as in the Free Spoken Digit Dataset: digits first, then
                                       speakers
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skdaf import CNNAudioClassifier, SpectrogramTransformer
from skdaf.datasets import load_audio_folders, make_audio_dataset


def labels_of(recordings):
    return np.asarray(recordings.target_names)[recordings.target]


def made_tasks(workspace):
    first = make_audio_dataset(
        Path(workspace, "first"),
        classes=["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"],
        n_clips_per_class=60,
    )
    second = make_audio_dataset(
        Path(workspace, "second"),
        classes=["low_energy", "medium_energy", "high_energy", "white_noise"],
        n_clips_per_class=60,
    )
    return (first.filenames, labels_of(first)), (second.filenames, labels_of(second))


def tasks_of_names(folder):
    recordings = load_audio_folders(folder)
    speakers = np.array([Path(path).stem.split("_")[1] for path in recordings.filenames])
    return (recordings.filenames, labels_of(recordings)), (recordings.filenames, speakers)


def main(folder, workspace):
    first, second = tasks_of_names(folder) if folder else made_tasks(workspace)
    n_new_clips = 60 if folder else 12
    # Both tasks see the same clips through the same front end: the cache computes them once.
    front_end = SpectrogramTransformer(cache=Path(workspace, "spectrograms"))

    print(f"First task: {len(first[0])} clips of {len(set(first[1]))} classes")
    source = CNNAudioClassifier(front_end, random_state=0, verbose=1).fit(*first)

    train_X, test_X, train_y, test_y = train_test_split(
        *second, train_size=n_new_clips, stratify=second[1], random_state=0
    )
    print(f"New task: {len(train_X)} clips to learn {len(set(train_y))} classes from")
    frozen = FrozenEstimator(source)
    models = {
        "from scratch": CNNAudioClassifier(front_end, random_state=0),
        "all layers learn on": CNNAudioClassifier(pretrained=frozen, random_state=0),
        "conv layers frozen": CNNAudioClassifier(
            pretrained=frozen, frozen_layers="conv", random_state=0
        ),
    }
    for name, model in models.items():
        accuracy = model.fit(train_X, train_y).score(test_X, test_y)
        print(f"  {name:20} accuracy {accuracy:.3f} on {len(test_X)} other clips")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as workspace:
        main(sys.argv[1] if len(sys.argv) > 1 else None, workspace)
