"""The spoken digits that the benchmarks share, and two ways to split them."""

import os
from pathlib import Path

import numpy as np

from skdaf.datasets import load_audio_folders

DATA = Path(os.environ.get("SKDAF_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Speakers that occur only in the test set.
UNHEARD = ["theo", "yweweler"]


def load():
    """Return paths, digits, speakers and takes of the Free Spoken Digit Dataset."""
    folder = DATA / "fsdd"
    if not folder.is_dir():
        raise SystemExit(
            f"There is no folder {folder}. Put the recordings of the Free Spoken Digit Dataset "
            "there, one folder a digit, or set SKDAF_DATA to the folder above."
        )
    paths = np.array(load_audio_folders(folder).filenames)
    parts = [Path(path).stem.split("_") for path in paths]
    digits, speakers, takes = map(np.array, zip(*parts, strict=True))
    return paths, digits, speakers, takes.astype(int)


def splits():
    """Yield (name, train paths, train digits, test paths, test digits)."""
    paths, digits, speakers, takes = load()
    for name, is_test in (
        ("official", takes < 5),
        ("speakers", np.isin(speakers, UNHEARD)),
    ):
        yield name, paths[~is_test], digits[~is_test], paths[is_test], digits[is_test]
