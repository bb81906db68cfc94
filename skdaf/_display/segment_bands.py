"""The classes and probabilities in tables of segments, for `SegmentsDisplay`."""

import numpy as np

from skdaf._display.clip_spectrogram import MAX_FRAMES
from skdaf._segments.pieces import without_overlaps
from skdaf._segments.tables import COLUMNS, check_segments, probability_columns


def probability_bands(table):
    """Return the columns with numbers from 0 to 1, if every label has one; else an empty list."""
    if len(table) == 0:
        return []
    numbers = table.drop(columns=COLUMNS, errors="ignore").select_dtypes("number")
    columns = [name for name in numbers if numbers[name].between(0.0, 1.0).all()]
    has_all = {*probability_columns(table.label.dropna().unique())} <= {*columns}
    return columns if has_all else []


def all_classes(columns, tables):
    """Return all classes as text: first those with probabilities, in the order of the columns."""
    texts = sorted({str(label) for table in tables for label in table.label})
    of_column = dict(zip(probability_columns(texts), texts, strict=True))
    classes = [of_column.get(column, column) for column in columns]
    return [*classes, *(text for text in texts if text not in classes)]


def probabilities_over_time(table, columns):
    """Return edges in seconds, and the probabilities between them (NaN in gaps)."""
    # Windows below a threshold have no label, but they do have probabilities.
    pieces = without_overlaps(check_segments(table.assign(label="any"), "predicted"))
    edges = np.unique(np.concatenate([pieces.start, pieces.end]))
    values = np.full((len(edges) - 1, len(columns)), np.nan)
    values[np.searchsorted(edges, pieces.start)] = pieces[columns]
    return edges, values


def mean_probabilities(segments, classes, edges, values):
    """Return the mean probability of the label of each segment, over the time that it covers.

    Parameters
    ----------
    segments : DataFrame
        Within the edges.
    classes : list of str
        The labels as text, in the order of the columns of `values`.
    edges, values : ndarray
        From `probabilities_over_time`.
    """
    starts, ends = segments.start.to_numpy(float), segments.end.to_numpy(float)
    labels = segments.label.astype(str).to_numpy()
    sums = np.cumsum(np.nan_to_num(values) * np.diff(edges)[:, None], axis=0)
    means = np.zeros(len(segments))
    for column, label in enumerate(classes):
        rows = labels == label
        before = np.append(0.0, sums[:, column])
        total = np.interp(ends[rows], edges, before) - np.interp(starts[rows], edges, before)
        means[rows] = total / (ends[rows] - starts[rows])
    return means.clip(0.0, 1.0)


def in_few_bands(edges, values):
    """Return the edges and probabilities to draw: means of several if there are very many."""
    n_together = -(-len(values) // MAX_FRAMES)
    if n_together == 1:
        return edges, values
    firsts = np.arange(0, len(values), n_together)
    counts = np.add.reduceat(~np.isnan(values), firsts, axis=0)
    sums = np.add.reduceat(np.nan_to_num(values), firsts, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.append(edges[firsts], edges[-1]), means
