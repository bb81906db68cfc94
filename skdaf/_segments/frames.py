"""Scores of frames: the confusion matrix of true and predicted labels, and scores per class."""

import numpy as np
import pandas as pd

from skdaf._segments.tables import N_DECIMALS, unused_name

_NO_LABEL = "(none)"
_TIMES = ["start", "end"]


def confusion_matrix(true, predicted, resolution):
    """Count the frames of each pair of labels, from the times between all boundaries."""
    edges = np.unique(np.concatenate([t[name] for t in (true, predicted) for name in t[_TIMES]]))
    counts = np.diff(_first_frames(edges, resolution))
    classes = sorted({*true.label, *predicted.label})
    rows, columns = (_classes_at(edges[:-1], table, classes) for table in (true, predicted))
    counts[rows < 0] = 0
    # Pieces without a prediction have class -1: the last column.
    matrix = np.zeros((len(classes), len(classes) + 1), dtype=int)
    np.add.at(matrix, (rows, columns), counts)
    if not matrix.any():
        raise ValueError(
            f"true has {len(true)} segments, but none of them contains a frame: expected segments "
            f"longer than resolution={resolution} (seconds)."
        )
    n_columns = len(classes) + bool(matrix[:, -1].any())
    return pd.DataFrame(
        matrix[:, :n_columns],
        pd.Index(classes, name="true"),
        pd.Index([*classes, unused_name(_NO_LABEL, classes)][:n_columns], name="predicted"),
    )


def sum_of_matrices(matrices):
    """Return the confusion matrix of several recordings together."""
    if len(matrices) == 1:
        return matrices[0]
    classes = sorted({label for matrix in matrices for label in matrix.index})
    # The column without a class has different names if its name is a class in some of them.
    names = [*classes, unused_name(_NO_LABEL, classes)]
    matrices = [x.set_axis([*x.index, names[-1]][: x.shape[1]], axis="columns") for x in matrices]
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total.add(matrix, fill_value=0)
    columns = [name for name in names if name in classes or name in total.columns]
    total = total.reindex(index=classes, columns=columns).fillna(0).astype(int)
    return total.rename_axis(index="true", columns="predicted")


def _first_frames(instants, resolution):
    """Return the number of the first frame whose middle is at or after each instant."""
    # Rounded, because 0.15 / 0.1 is not 1.5.
    return np.ceil(np.round(instants / resolution - 0.5, N_DECIMALS)).astype(int)


def _classes_at(instants, table, classes):
    """Return the index in `classes` of the label at each instant, -1 if there is none."""
    if len(table) == 0:
        return np.full(len(instants), -1)
    segments = np.searchsorted(table.start, instants, side="right") - 1
    is_inside = (segments >= 0) & (instants < table.end.to_numpy()[segments])
    return np.where(is_inside, np.searchsorted(classes, table.label)[segments], -1)


def class_scores(confusion, sets):
    """Return precision, recall, F1 and support of each class.

    Parameters
    ----------
    confusion : DataFrame
        As returned by `confusion_matrix`.
    sets : dict of str to list of str
        The classes that a label stands for, unless it stands for itself.
    """
    matrix = confusion.to_numpy()
    members = [sets.get(label, [label]) for label in confusion.columns]
    classes = sorted({name for label in confusion.index for name in sets.get(label, [label])})
    contains = np.array([[name in names for name in classes] for names in members], dtype=int)
    in_true, in_predicted = contains[: len(matrix)], contains
    support, n_predicted = matrix.sum(axis=1) @ in_true, matrix.sum(axis=0) @ in_predicted
    hits = np.einsum("ij,ik,jk->k", matrix, in_true, in_predicted)
    return pd.DataFrame(
        {
            "precision": hits / np.maximum(n_predicted, 1),
            "recall": hits / np.maximum(support, 1),
            "f1": 2 * hits / np.maximum(n_predicted + support, 1),
            "support": support,
        },
        index=classes,
    )
