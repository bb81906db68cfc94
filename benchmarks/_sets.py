"""The sets of real sounds that `real_sounds` compares on: clips, labels and how to split them."""

import csv
from dataclasses import dataclass

import numpy as np

from benchmarks import _fsdd, _scenes

TABLES = ("esc10", "emodb4", "heart")


@dataclass(frozen=True)
class Split:
    """The rows of a set to train on, and the rows to test on."""

    name: str
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class SoundSet:
    """Paths and labels, one per clip, the splits of the set, and the group of each clip.

    Groups are speakers, patients or recordings; the scenes have none.
    """

    name: str
    paths: np.ndarray
    labels: np.ndarray
    splits: list[Split]
    groups: np.ndarray | None = None


def load(name):
    """Return a `SoundSet`: a table of clips, one of the splits of FSDD, or the scenes."""
    if name in TABLES:
        return _load_table(name)
    return _load_scenes() if name == "scenes" else _load_fsdd(name)


def _load_table(name):
    """Load a folder with a `clips.csv`, whose column `fold` names the split to test a clip in."""
    table = _fsdd.DATA / name / "clips.csv"
    if not table.is_file():
        raise SystemExit(f"There is no file {table}: see benchmarks/README.md for the sets.")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    folds = np.array([row["fold"] for row in rows])
    return SoundSet(
        name,
        np.array([str(table.parent / row["path"]) for row in rows]),
        np.array([row["label"] for row in rows]),
        [_split(fold, folds == fold) for fold in np.unique(folds)],
        np.array([row["group"] for row in rows]),
    )


def _load_scenes():
    train_paths, train_labels, test_paths, test_labels = _scenes.load()
    is_test = np.arange(len(train_paths) + len(test_paths)) >= len(train_paths)
    paths = np.concatenate([train_paths, test_paths])
    labels = np.concatenate([train_labels, test_labels])
    return SoundSet("scenes", paths, labels, [_split("1", is_test)])


def _load_fsdd(name):
    paths, digits, speakers, takes = _fsdd.load()
    splits = {
        "fsdd-official": [_split("1", takes < 5)],
        "fsdd-speakers": [_split("1", np.isin(speakers, _fsdd.UNHEARD))],
        "fsdd-each": [_split(speaker, speakers == speaker) for speaker in np.unique(speakers)],
    }
    return SoundSet(name, paths, digits, splits[name], np.asarray(speakers))


def _split(name, is_test):
    return Split(str(name), np.flatnonzero(~is_test), np.flatnonzero(is_test))


NAMES = ("fsdd-official", "fsdd-speakers", "fsdd-each", *TABLES, "scenes")
