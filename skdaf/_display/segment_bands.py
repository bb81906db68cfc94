"""The classes and probabilities in tables of segments, for `SegmentsDisplay`."""

import numpy as np
import pandas as pd

from skdaf._display.clip_spectrogram import MAX_FRAMES
from skdaf._segments.pieces import coverage
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
    """Return edges in seconds, and the probabilities between them (NaN in gaps).

    Where windows overlap, these are means, as those that `merge_segments` compares.
    """
    # Windows with several labels have as many rows. Those without a label have probabilities, too.
    rows = check_segments(table, "predicted", unlabeled=True).drop_duplicates(["start", "end"])
    edges = np.unique(np.concatenate([rows.start, rows.end]))
    return edges, _means(rows, edges, rows[columns].to_numpy(float))


def label_probabilities(segments, table, columns, classes, multilabel):
    """Return for each segment edges in seconds, and the probability of its label between them.

    Where windows overlap, these are means, too, but windows without a label do not count, nor, if
    there can be several labels, windows without this one: a detection should not look as if it were
    below the threshold. Where no window counts, because smoothing changed the label, all do.

    Parameters
    ----------
    segments, table : DataFrame
        The merged segments, and what they were made of.
    columns, classes : list of str
        The columns of probabilities, and the labels as text that belong to them.
    multilabel : bool
    """
    edges, of_all = probabilities_over_time(table, columns)
    values = _labeled_means(table, edges, columns, classes, multilabel)
    values = np.where(np.isnan(values), of_all, values)
    # Segments can contain gaps of less than a microsecond.
    values = pd.DataFrame(values).ffill().to_numpy().clip(0.0, 1.0)
    numbers = {label: number for number, label in enumerate(classes)}
    steps = []
    for start, end, label in zip(segments.start, segments.end, segments.label, strict=True):
        first = np.searchsorted(edges, start, side="right") - 1
        last = np.searchsorted(edges, end)
        of_segment = np.concatenate([[start], edges[first + 1 : last], [end]])
        heights = values[first:last, [numbers[str(label)]]]
        borders, heights = in_few_bands(of_segment, heights, n_together(values))
        steps.append((borders, heights[:, 0]))
    return steps


def _labeled_means(table, edges, columns, classes, multilabel):
    """Return means like those of `probabilities_over_time`, only of the windows that count."""
    rows = check_segments(table, "predicted", unlabeled=True)
    rows = rows[rows.label.notna()]
    if not multilabel:
        rows = rows.drop_duplicates(["start", "end"])
        return _means(rows, edges, rows[columns].to_numpy(float))
    labels = rows.label.astype(str).to_numpy()
    of_labels = [rows[labels == label] for label in classes]
    means = [
        _means(own, edges, own[[column]].to_numpy(float))
        for own, column in zip(of_labels, columns, strict=True)
    ]
    return np.concatenate(means, axis=1)


def _means(rows, edges, values):
    """Return the means of the values of the rows that cover each piece between two edges."""
    covers = coverage(edges, rows.start.to_numpy(), rows.end.to_numpy())
    counts = covers.sum(axis=1)[:, None]
    sums = covers @ values
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def n_together(values):
    """Return how many neighbors `in_few_bands` joins, so that few enough are drawn."""
    return -(-len(values) // MAX_FRAMES)


def in_few_bands(edges, values, n_joined):
    """Return the edges and probabilities to draw: means of `n_joined` neighbors each."""
    if n_joined == 1:
        return edges, values
    firsts = np.arange(0, len(values), n_joined)
    counts = np.add.reduceat(~np.isnan(values), firsts, axis=0)
    sums = np.add.reduceat(np.nan_to_num(values), firsts, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.append(edges[firsts], edges[-1]), means
