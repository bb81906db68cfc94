"""Search for similar sounds: the nearest neighbours of a clip among the features of a network.

python examples/similar_sounds.py            a small set of sounds, made on the spot
python examples/similar_sounds.py FOLDER     your own recordings, one folder a class
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdaf import CNNAudioClassifier, CNNFeatureExtractor
from skdaf.datasets import load_audio_folders, make_audio_dataset


def main(folder, workspace):
    if folder is None:
        kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
        recordings = make_audio_dataset(workspace, classes=kinds, n_clips_per_class=40)
    else:
        recordings = load_audio_folders(folder)
    labels = np.asarray(recordings.target_names)[recordings.target]
    library, queries, library_labels, query_labels = train_test_split(
        recordings.filenames, labels, test_size=0.2, stratify=labels, random_state=0
    )
    # Features of unit length: their distance then is that of their directions.
    describe = make_pipeline(
        CNNFeatureExtractor(CNNAudioClassifier(random_state=0, verbose=1)), Normalizer()
    )
    index = NearestNeighbors(n_neighbors=3).fit(describe.fit_transform(library, library_labels))

    distances, neighbours = index.kneighbors(describe.transform(queries))
    for query in range(0, len(queries), max(1, len(queries) // 3)):
        print(f"{Path(queries[query]).name} sounds most like")
        for distance, neighbour in zip(distances[query], neighbours[query], strict=True):
            print(f"  {Path(library[neighbour]).name} (distance {distance:.3f})")
    hits = library_labels[neighbours] == query_labels[:, None]
    print(f"Of the 3 nearest of each of {len(queries)} clips, {hits.mean():.0%} are of its class")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as workspace:
        main(sys.argv[1] if len(sys.argv) > 1 else None, workspace)
