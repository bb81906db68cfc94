"""Embeddings without labels: an autoencoder's view of a set of sounds, drawn in two dimensions.

    python examples/embeddings.py [--output embeddings.png] [FOLDER]

FOLDER holds one folder a class; without it a small set is made on the spot. The labels only colour
the picture and measure what a linear classifier reads from the embeddings.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import ConvAutoencoderEmbedder
from skdaf.datasets import load_audio_folders, make_audio_dataset


def draw(points, labels, names, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for number, name in enumerate(names):
        of_class = points[labels == name]
        marker = "osD^vP*Xph"[number % 10]
        axes.scatter(*of_class.T, s=22, marker=marker, alpha=0.8, label=name)
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second principal component")
    axes.set_title("Embeddings of a convolutional autoencoder")
    axes.legend(title="class", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=120)


def main(folder, output, workspace):
    if folder is None:
        kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
        recordings = make_audio_dataset(workspace, classes=kinds, n_clips_per_class=40)
    else:
        recordings = load_audio_folders(folder)
    labels = np.asarray(recordings.target_names)[recordings.target]
    train_X, test_X, train_y, test_y = train_test_split(
        recordings.filenames, labels, stratify=labels, random_state=0
    )
    embedder = ConvAutoencoderEmbedder(random_state=0, verbose=1).fit(train_X)
    train_E, test_E = embedder.transform(train_X), embedder.transform(test_X)
    print(f"{len(labels)} clips, {train_E.shape[1]} values each")

    reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    accuracy = reader.fit(train_E, train_y).score(test_E, test_y)
    print(f"A linear classifier reads the class from them with accuracy {accuracy:.3f}")

    points = make_pipeline(StandardScaler(), PCA(2)).fit(train_E).transform(test_E)
    draw(points, test_y, recordings.target_names, output)
    print(f"Drawn in {output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--output", type=Path, default=Path("embeddings.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        main(arguments.folder, arguments.output, workspace)
