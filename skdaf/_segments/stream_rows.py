"""Rows of segments that arrive one by one: check them, and put them in order."""

from collections.abc import Hashable, Mapping
from numbers import Real

import numpy as np
import pandas as pd

from skdaf._audio.times import is_missing
from skdaf._core.arrays import plain_scalar
from skdaf._segments.tables import COLUMNS, find_value_columns, probability_columns


class Row:
    """A segment: its times, its label (None if it has none), and its other numbers.

    The steps of `merge_stream` use the same class for the pieces of segments.
    """

    __slots__ = ("end", "label", "start", "values")

    def __init__(self, start, end, label, values):
        self.start, self.end, self.label, self.values = start, end, label, values

    @property
    def duration(self):
        return self.end - self.start


class RowReader:
    """Checks rows, and remembers what the whole table would show: its columns and its labels.

    Attributes
    ----------
    numbers : list of str
        The names of the numeric columns.
    labels : dict
        The number of each label, in order of appearance.
    """

    def __init__(self):
        self.numbers, self.labels = [], {}
        self.names = self.now = None
        self._n_rows = 0
        self._by_probabilities = None

    def read(self, item):
        """Return a Row."""
        name = f"rows[{self._n_rows}]"
        self._n_rows += 1
        row = _as_dict(item, name)
        self._check_names(row, name)
        start, end, label = (row[column] for column in COLUMNS)
        label = None if is_missing(label) else label
        if not (_is_number(start) and _is_number(end) and 0 <= start < end < np.inf):
            raise ValueError(
                f"{name}: expected 0 <= start < end < infinity (seconds), got "
                f"start={plain_scalar(start)!r}, end={plain_scalar(end)!r}, "
                f"label={plain_scalar(label)!r}."
            )
        if not isinstance(label, Hashable):
            raise TypeError(f"{name}: expected one label or None, got {label!r:.100}.")
        if isinstance(label, str) and not label.strip():
            raise ValueError(
                f"{name}: expected None or a label that is not empty, got {str(label)!r}."
            )
        if self.now is not None and start < self.now:
            raise ValueError(
                f"{name} starts at {start} s, before the previous row at {self.now} s: expected "
                "rows sorted by start."
            )
        self.now = float(start)
        return Row(self.now, float(end), label, self._values(row, name))

    def _check_names(self, row, name):
        if self.names is None:
            missing = [column for column in COLUMNS if column not in row]
            if missing:
                numbers = find_value_columns(list(row))
                advice = (
                    " These are numbers of a regressor, which has no labels." if numbers else ""
                )
                raise ValueError(
                    f"{name} must have start, end and label; {missing} not found among "
                    f"{list(row)}.{advice}"
                )
            self.names = list(row)
            others = (column for column in row if column not in COLUMNS)
            self.numbers = [column for column in others if _is_number(row[column])]
        elif row.keys() != {*self.names}:
            raise ValueError(f"{name} has the keys {list(row)}, but the first row {self.names}.")

    def _values(self, row, name):
        for column in self.numbers:
            if not _is_number(row[column]):
                raise ValueError(
                    f"{name}: expected a number as {column!r}, as in the first row, got "
                    f"{row[column]!r}."
                )
        return [float(row[column]) for column in self.numbers]

    def add_label(self, label):
        """Give a label that has no number yet the next one."""
        self.labels.setdefault(label, len(self.labels))

    def columns_of_labels(self):
        """Return the position of each label's probability among the numbers, by label.

        None if a label has no probability. If labels had probabilities when this was called first,
        all later ones must have them: it decides between labels that cover the same time.
        """
        if self._by_probabilities is not False:
            names = dict(zip(self.labels, probability_columns(self.labels), strict=True))
            without = [label for label, column in names.items() if column not in self.numbers]
            if without and self._by_probabilities:
                raise ValueError(
                    f"The label {plain_scalar(without[0])!r} has no column of probabilities, "
                    "but labels in earlier rows have, by which overlaps were resolved."
                )
            self._by_probabilities = not without
            if not without:
                return {label: self.numbers.index(column) for label, column in names.items()}
        return None

    def unknown(self, texts):
        """Return the texts that are neither labels nor names of columns; none without labels."""
        labels = {str(label) for label in self.labels}
        columns = dict(zip(texts, probability_columns(texts), strict=True))
        is_known = labels.union(map(str, self.names or ()))
        return [x for x in texts if labels and x not in labels and columns[x] not in is_known]


def _as_dict(item, name):
    if hasattr(item, "_asdict"):
        return item._asdict()
    if isinstance(item, pd.Series):
        return item.to_dict()
    if not isinstance(item, Mapping):
        raise TypeError(
            f"{name} is {item!r:.100}: expected a dict with start, end and label, as "
            "predict_stream yields them."
        )
    return item


def _is_number(value):
    """Return whether a value is a number other than NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def by_start(rows, reader):
    """Yield (rows that start at the same time, when the next ones start), sorted by end.

    Parameters
    ----------
    rows : iterable
    reader : RowReader
    """
    together = []
    for item in rows:
        row = reader.read(item)
        if together and row.start > together[0].start:
            yield sorted(together, key=lambda one: one.end), row.start
            together = []
        together.append(row)
    if together:
        yield sorted(together, key=lambda one: one.end), np.inf
