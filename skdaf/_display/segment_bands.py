"""The classes and probabilities in tables of segments, for `SegmentsDisplay`."""

import numpy as np

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


def mean_probabilities(segments, table, columns, classes):
    """Return the mean probability of the label of each segment, over the time that it covers.

    Only windows with this label count, because the probability of an event's label should not be
    below the threshold. Where there is none, because the label was changed by smoothing, all do.

    Parameters
    ----------
    segments, table : DataFrame
        The merged segments, and what they were made of.
    columns, classes : list of str
        The columns of probabilities, and the labels as text that belong to them.
    """
    rows = check_segments(table, "predicted", unlabeled=True)
    edges, of_all = probabilities_over_time(table, columns)
    labels, of_segments = (t.label.astype(str).to_numpy() for t in (rows, segments))
    means = np.zeros(len(segments))
    for number, (column, label) in enumerate(zip(columns, classes, strict=True)):
        chosen = segments[of_segments == label]
        if len(chosen):
            own = rows[(labels == label) & rows.label.notna()]
            values = _means(own, edges, own[[column]].to_numpy(float))[:, 0]
            values = np.where(np.isnan(values), of_all[:, number], values)
            means[of_segments == label] = _means_over_time(chosen, edges, values)
    return means.clip(0.0, 1.0)


def _means(rows, edges, values):
    """Return the means of the values of the rows that cover each piece between two edges."""
    covers = coverage(edges, rows.start.to_numpy(), rows.end.to_numpy())
    counts = covers.sum(axis=1)[:, None]
    sums = covers @ values
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _means_over_time(segments, edges, values):
    sums = np.append(0.0, np.cumsum(np.nan_to_num(values) * np.diff(edges)))
    starts, ends = segments.start.to_numpy(float), segments.end.to_numpy(float)
    return (np.interp(ends, edges, sums) - np.interp(starts, edges, sums)) / (ends - starts)


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
