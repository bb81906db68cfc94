"""Segments of which several with different labels can cover the same time."""

import numpy as np
import pandas as pd

from skdaf._segments.pieces import (
    coverage,
    highest_values,
    joined,
    numeric_columns,
    smoothed,
    without_short,
)
from skdaf._segments.tables import COLUMNS

# What is between the labels in the name of a set of labels.
_SEPARATOR = " + "


def one_row_per_label(windows, present, labels):
    """Return a table with a row for each label of each window.

    Parameters
    ----------
    windows : DataFrame
        One row per window.
    present : ndarray of shape (n_windows, n_labels), bool
        Which labels a window has. A window without any keeps one row, whose label is missing.
    labels : ndarray of shape (n_labels,)
    """
    counts = present.sum(axis=1)
    rows, columns = np.nonzero(present)
    names = np.full(np.maximum(counts, 1).sum(), None, dtype=object)
    # Windows without a label shift the rows of those that follow.
    names[np.arange(len(rows)) + np.cumsum(counts == 0)[rows]] = labels[columns]
    table = windows.loc[windows.index.repeat(np.maximum(counts, 1))].reset_index(drop=True)
    table.insert(2, "label", pd.Series(names, dtype=object))
    return table


def merge_by_label(table, smooth, min_duration):
    """Join the segments of each label, and only these, as `merge_segments` does.

    Parameters
    ----------
    table : DataFrame
        Sorted by time. Rows without a label are time in which no label was found.
    smooth, min_duration : float
        As in `merge_segments`, for the two cases that a label is present or absent.
    """
    table = table[[*COLUMNS, *numeric_columns(table)]]
    if not table.label.notna().any():
        return table.iloc[:0]
    edges = np.unique(table[["start", "end"]])
    covers = _coverage_of(table, edges)
    names = numeric_columns(table)
    of_all = highest_values(table, covers)
    spans = pd.DataFrame({"start": edges[:-1], "end": edges[1:]})
    is_covered = covers.sum(axis=1) > 0
    merged = []
    for label in table.label.dropna().unique():
        is_present = covers @ (table.label == label).to_numpy(float) > 0
        pieces = spans.assign(label=is_present)
        pieces[names] = _values_of_label(table, edges, of_all, label)
        pieces = _present(pieces[is_covered].reset_index(drop=True), smooth, min_duration)
        merged.append(pieces.assign(label=label))
    merged = pd.concat(merged)
    return merged.iloc[np.lexsort([merged.end, merged.start])].reset_index(drop=True)


def _values_of_label(table, edges, of_all, label):
    """Return the highest values of the numeric columns over the segments of a label, by piece.

    Pieces without any have the values in `of_all`.
    """
    own = table[table.label == label]
    covers = _coverage_of(own, edges)
    has_own = covers.sum(axis=1) > 0
    return np.where(has_own[:, None], highest_values(own, covers), of_all)


def _coverage_of(table, edges):
    return coverage(edges, table.start.to_numpy(), table.end.to_numpy())


def _present(pieces, smooth, min_duration):
    """Return the merged pieces whose label is True."""
    if smooth:
        pieces = pieces.assign(label=smoothed(pieces, smooth))
    pieces = joined(pieces)
    if min_duration:
        pieces = joined(pieces.assign(label=without_short(pieces, min_duration)))
    return pieces[pieces.label]


def label_sets(table):
    """Return consecutive pieces whose labels are sets of labels, as text, and the sets by text.

    Parameters
    ----------
    table : DataFrame
        Sorted by time, with labels as text.
    """
    if len(table) == 0:
        return table[COLUMNS], {}
    edges = np.unique(table[["start", "end"]])
    covers = _coverage_of(table, edges)
    labels = sorted(table.label.unique())
    present = np.column_stack([covers @ (table.label == x).to_numpy(float) > 0 for x in labels])
    combinations, codes = np.unique(present, axis=0, return_inverse=True)
    sets = [[x for x, is_in in zip(labels, row, strict=True) if is_in] for row in combinations]
    names = [_SEPARATOR.join(one) for one in sets]
    found = np.array(names, dtype=object)[codes.reshape(-1)]
    pieces = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": found})
    pieces = pieces[present.any(axis=1)].reset_index(drop=True)
    return joined(pieces), dict(zip(names, sets, strict=True))
