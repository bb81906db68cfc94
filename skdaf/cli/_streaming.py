"""The command segments for raw samples on standard input: rows are printed as they come."""

import re
import time

from skdaf.cli._csv import csv_line, csv_start
from skdaf.cli._program import Interrupted
from skdaf.cli._raw_audio import RawAudio
from skdaf.cli._tables import aligned_cell, json_rows
from skdaf.cli._text import echo, is_for_terminal, visible

_COLUMNS = ["start", "end", "label"]

# An output file is replaced at most once in this many seconds, and at the end.
_SECONDS_PER_WRITE = 2.0

# Cells of numbers and times in a table whose later rows are not known.
_WIDTH = 9


class Stream:
    """The windows of standard input, and what is known about them at the end.

    Parameters
    ----------
    rate, channels, sample_format
        The options of the command.

    Attributes
    ----------
    names : list of str
        The columns of the windows.
    """

    def __init__(self, rate, channels, sample_format):
        self._rate = rate
        self._audio = RawAudio(channels or 1, sample_format or "s16le")
        self._error = self._writer = None
        self.names, self._n_frames = _COLUMNS, 0

    @property
    def end(self):
        """Return how many seconds of samples were read."""
        return self._n_frames / self._rate

    def rows(self, estimator, **options):
        """Yield the rows of `predict_stream`; an error in the samples ends them."""
        from skdaf import AudioReadError, predict_stream

        try:
            for row in predict_stream(estimator, self._blocks(), self._rate, **options):
                self.names = list(row)
                yield row
        except AudioReadError as error:
            self._error = error

    def _blocks(self):
        for block in self._audio.blocks():
            yield block
            self._n_frames += len(block)
            if self._writer is not None:
                # Found rows are written even if no other ones follow for a long time.
                self._writer.write_if_due()

    def consume(self, rows, write=None):
        """Yield the same rows, which a signal ends; write all of them from time to time.

        Nothing is written if the samples failed before there was a row.

        Parameters
        ----------
        rows : iterable of dict
            Rows of this stream, merged or smoothed.
        write : callable, default=None
            It writes a list of rows to a file; the second argument is true for the last time.
        """
        with self._audio.ended_by_signals():
            yield from rows if write is None else self._written(rows, write)

    def _written(self, rows, write):
        self._writer = _Writer(write)
        for row in rows:
            self._writer.add(row)
            yield row
        if self._writer.rows or self._error is None:
            write(self._writer.rows, True)

    def show(self, rows, names, format_, classes=()):
        """Print rows as they come.

        Parameters
        ----------
        rows : iterable of dict
        names : list of str
            The columns of an empty table, which is printed if there are no rows and no error.
        format_ : {"table", "csv", "json"} or None
        classes : sequence, default=()
            The labels that can occur, which set the width of their column.
        """
        line = _csv_line if format_ == "csv" else _aligned_line(classes)
        start = csv_start(is_for_terminal()) if format_ == "csv" else ""
        is_empty = True
        for text in _json_texts(rows) if format_ == "json" else _lines(rows, line):
            echo(f"{start if is_empty else ''}{text}", end="")
            is_empty = False
        if is_empty and self._error is None:
            echo("[]" if format_ == "json" else start + line(names, names))

    def raise_problem(self):
        """Raise what ended the samples too early, after everything found has been written."""
        if self._audio.ended_by:
            raise Interrupted(self._audio.ended_by)
        if self._error is not None:
            # The message begins with the name of the recording, which users do not know.
            problem = re.sub("^'[^']*': ", "", str(self._error))
            raise ValueError(f"Standard input: {problem}.")
        if self._audio.n_extra:
            raise ValueError(
                "Standard input ended in the middle of a sample: the last one has "
                f"{self._audio.n_extra} of {self._audio.n_bytes} bytes (all channels together), so "
                "it was not used. Check --sample-format and --channels."
            )


class _Writer:
    """Collects rows, and writes all of them again when there are new ones, but not too often."""

    def __init__(self, write):
        self._write, self.rows = write, []
        self._n_written, self._last = 0, -float("inf")

    def add(self, row):
        self.rows.append(row)
        self.write_if_due()

    def write_if_due(self):
        has_new = len(self.rows) > self._n_written
        if has_new and time.monotonic() - self._last >= _SECONDS_PER_WRITE:
            self._write(self.rows, False)
            self._n_written, self._last = len(self.rows), time.monotonic()


def _json_texts(rows):
    """Yield the parts of a list in JSON; the comma after a row comes with the next one."""
    is_first = True
    for row in rows:
        yield ("[" if is_first else ",") + json_rows([row]).removeprefix("[").removesuffix("\n]")
        is_first = False
    if not is_first:
        yield "\n]\n"


def _lines(rows, line):
    """Yield a header and a line for each row."""
    has_header = False
    for row in rows:
        header = "" if has_header else line(row, row) + "\n"
        yield f"{header}{line(row, row.values())}\n"
        has_header = True


def _csv_line(names, cells):
    return csv_line(cells, is_for_terminal(), is_header=cells is names)


def _aligned_line(classes):
    """Return a function that returns a line, of the names of columns and of their cells."""
    label_width = max(len(visible(name)) for name in ("label", *classes))

    def line(names, cells):
        shown = []
        for name, cell in zip(names, cells, strict=True):
            if name == "label":
                shown.append(aligned_cell(name, cell).ljust(label_width))
            else:
                shown.append(aligned_cell(name, cell).rjust(max(_WIDTH, len(visible(name)))))
        return "  ".join(shown).rstrip()

    return line
