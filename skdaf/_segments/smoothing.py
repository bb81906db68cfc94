"""Smooth the numbers that a regressor predicts for the windows of a recording."""

import statistics
from collections import deque

import numpy as np
from pandas.api.indexers import BaseIndexer

from skdaf._segments.tables import SAME_TIME, check_values, find_value_columns


class _Neighborhoods(BaseIndexer):
    """The rows around each row, from `firsts` to before `lasts`."""

    def get_window_bounds(
        self, num_values=0, min_periods=None, center=None, closed=None, step=None
    ):
        """Return the first row of each neighborhood, and the one after its last."""
        return self.firsts, self.lasts


def smooth_values(table, smooth):
    """Replace each number by the median of the windows around it.

    Parameters
    ----------
    table : DataFrame
        As returned by `predict_segments` for a regressor.
    smooth : float
        The windows whose middles are within half of this many seconds count; 0 changes nothing.
        Values are usually an odd multiple of the step, as in `merge_segments`.

    Returns
    -------
    smoothed : pandas.DataFrame
        The same table, sorted by time.
    """
    table = check_values(table, "table")
    columns = find_value_columns(table.columns)
    middles = ((table.start + table.end) / 2).to_numpy()
    order = np.argsort(middles, kind="stable")
    reach = smooth / 2 + SAME_TIME
    firsts = np.searchsorted(middles[order], middles[order] - reach)
    lasts = np.searchsorted(middles[order], middles[order] + reach, side="right")
    around = _Neighborhoods(firsts=firsts.astype(np.int64), lasts=lasts.astype(np.int64))
    if smooth and len(table):
        medians = table.iloc[order][columns].rolling(around, min_periods=1).median()
        table[columns] = medians.loc[table.index]
    return table


def smooth_stream(rows, smooth):
    """Yield rows like those of `smooth_values`, each as soon as the windows around it are there.

    Parameters
    ----------
    rows : iterable of dict
        As `predict_stream` yields them for a regressor.
    smooth : float
        As in `smooth_values`.
    """
    if not smooth:
        yield from rows
        return
    reach = smooth / 2 + SAME_TIME
    near, waiting = deque(), deque()
    for row in rows:
        middle = (row["start"] + row["end"]) / 2
        while waiting and waiting[0][0] + reach < middle:
            yield _median_row(near, *waiting.popleft(), reach)
        near.append((middle, row))
        waiting.append((middle, row))
    while waiting:
        yield _median_row(near, *waiting.popleft(), reach)


def _median_row(near, middle, row, reach):
    """Return a row with the medians of the rows near it; drop those that are too early."""
    while near[0][0] < middle - reach:
        near.popleft()
    columns = find_value_columns(row)
    return row | {x: statistics.median(other[x] for _, other in near) for x in columns}
