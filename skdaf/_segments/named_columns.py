"""Tables whose first line names the columns: Raven selection tables, BirdNET results, CSV."""

import csv
import difflib
import math
from dataclasses import dataclass

from skdaf._segments.label_lines import problem_of_times, to_number, values
from skdaf._segments.tables import find_value_columns

_BIRDNET_LABELS = ("common name", "scientific name", "species code")
# The same in the tables for R and Kaleidoscope.
_BIRDNET_NAMES = ("common_name", "scientific_name")
# What BirdNET writes into the table of a recording without detections.
_NO_DETECTION = "nocall"
# Columns with the recording that a row belongs to.
_RECORDINGS = ("begin path", "begin file", "file", "filepath", "path", "filename")


@dataclass(frozen=True)
class Format:
    """A kind of table: the names of its columns, in lower case."""

    title: str
    start: str
    # Tables for Kaleidoscope have a duration instead of an end.
    end: str | None
    labels: tuple[str, ...]
    duration: str | None = None
    # Columns that distinguish the format from another one.
    needs: tuple[str, ...] = ()
    recordings: tuple[str, ...] = _RECORDINGS
    confidence: str | None = None
    # Raven writes a row for each view of a selection, with the same number.
    selection: str | None = None
    # In tables of several files, Raven counts the start from the beginning of the first file, and
    # has another column for the start within the file.
    offset: str | None = None


FORMATS = [
    Format(
        title="a Raven selection table",
        start="begin time (s)",
        end="end time (s)",
        labels=("annotation", "annotations", "label", "species", *_BIRDNET_LABELS),
        confidence="confidence",
        selection="selection",
        offset="file offset (s)",
    ),
    Format(
        title="BirdNET results",
        start="start (s)",
        end="end (s)",
        labels=(*_BIRDNET_LABELS, "label"),
        confidence="confidence",
    ),
    Format(
        title="BirdNET results for R",
        start="start",
        end="end",
        labels=("label", *_BIRDNET_NAMES),
        needs=(*_BIRDNET_NAMES, "confidence"),
        confidence="confidence",
    ),
    Format(
        title="a table of Kaleidoscope",
        start="offset",
        end=None,
        duration="duration",
        labels=(*_BIRDNET_NAMES, "manual id"),
        needs=("in file",),
        recordings=("indir", "folder", "in file"),
        confidence="confidence",
    ),
    Format(title="a table of segments", start="start", end="end", labels=("label",)),
]


class NamedColumns:
    """The first line of a table: its format and its columns.

    Raises
    ------
    ValueError
        If there is no column of labels. The message continues a text such as the name of a file.
    """

    def __init__(self, format_, separator, names, label_column):
        self.format, self.separator, self.names = format_, separator, names
        self.places = {name.lower(): place for place, name in enumerate(names)}
        wanted = format_.labels if label_column is None else (label_column.strip().lower(),)
        self.label = next((name for name in wanted if name in self.places), None)
        if self.label is None:
            which = "of labels" if label_column is None else repr(label_column)
            remedy = "set label_column to the one that has the labels"
            close = difflib.get_close_matches(wanted[0], self.places, n=1)
            if label_column is not None and close:
                remedy = f"did you mean {names[self.places[close[0]]]!r}?"
            if find_value_columns(self.places):
                remedy = "it contains numbers that a regressor predicted: use pandas.read_csv"
            raise ValueError(
                f"found {format_.title} without a column {which}: its columns are {names}; {remedy}"
            )
        self.has_confidence = format_.confidence in self.places
        self.has_offset = format_.offset in self.places

    def value(self, row, name):
        """Return the text in a column; empty if the row or the table ends before it."""
        place = self.places.get(name, len(row))
        return row[place].strip() if place < len(row) else ""

    def rows(self, lines):
        """Yield the number of each line below the first one, and its values."""
        options = {"quoting": csv.QUOTE_NONE} if self.separator == "\t" else {}
        reader = csv.reader(
            [f"{line}\n" for line in lines], delimiter=self.separator, strict=True, **options
        )
        rows = (row for row in reader if any(field.strip() for field in row))
        next(rows)
        for row in rows:
            yield reader.line_num, row

    def fields(self, row):
        """Return start, end, label and, if there is one, confidence; None without a detection."""
        names = [self.format.start, self.format.end or self.format.duration, self.label]
        names += ["confidence"] if self.has_confidence else []
        fields = [self.value(row, name) for name in names]
        if self.format.end is None:
            fields[1] = self._end(*fields[:2])
        is_of_birdnet = self.label in (*_BIRDNET_LABELS, *_BIRDNET_NAMES)
        return None if is_of_birdnet and fields[2].lower() == _NO_DETECTION else fields

    def _end(self, start, duration):
        """Return the end for a start and a duration, as text; wrong texts remain as they are."""
        try:
            end = to_number(start, self.separator) + to_number(duration, self.separator)
        except ValueError:
            return duration
        # Rounded, because 0.1 + 0.2 is not 0.3.
        return str(round(end, 9))

    def problem(self, row, fields):
        """Return why a row is not a segment; None if it is."""
        if any(field.strip() for field in row[len(self.names) :]):
            return f"expected {len(self.names)} columns as in the first line, got {len(row)}"
        problem = problem_of_times(*fields[:2], self.separator)
        if problem is None and self.has_offset:
            problem = self._problem_of_offset(row)
        if problem is None and self.has_confidence:
            try:
                to_number(fields[3] or "nan", self.separator)
            except ValueError:
                return f"expected a number, got the confidence {fields[3]!r}"
        return problem

    def _problem_of_offset(self, row):
        text = self.value(row, self.format.offset)
        try:
            is_valid = 0 <= to_number(text, self.separator) < math.inf
        except ValueError:
            is_valid = False
        name = self.names[self.places[self.format.offset]]
        return None if is_valid else f"expected a number of at least 0 in {name!r}, got {text!r}"

    def values(self, row, fields):
        """Return the values of a segment, with times from the beginning of its file."""
        start, end, *others = values(fields, self.separator)
        if self.has_offset:
            offset = to_number(self.value(row, self.format.offset), self.separator)
            # Rounded to the decimals that Raven writes, because 3602.3 - 3600.1 is not 2.2.
            start, end = offset, round(offset + (end - start), 9)
        return [start, end, *others]


def find_header(lines, label_column):
    """Return the `NamedColumns` of a table with a known format, else None."""
    first = next((line for line in lines if line.strip()), "")
    for separator in "\t,;":
        names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
        lower = [name.lower() for name in names]
        for format_ in FORMATS:
            needed = format_.start, format_.end or format_.duration, *format_.needs
            if {*needed} <= {*lower}:
                return NamedColumns(format_, separator, names, label_column)
    return None


def read_rows(header, lines):
    """Return the number of the line, the values and the problem (or None) of each segment.

    Raises
    ------
    ValueError
        If the rows belong to several recordings.
    """
    rows, recordings, seen = [], {}, {}
    for number, row in header.rows(lines):
        fields = header.fields(row)
        if fields is None:
            continue
        _add_recording(header, row, recordings)
        selection = header.value(row, header.format.selection)
        key = (selection, *fields[:2])
        if selection and key in seen and _same_label(rows[seen[key]][1], fields):
            continue
        seen[key] = len(rows)
        rows.append((number, fields, header.problem(row, fields), row))
    return [
        (number, fields if problem else header.values(row, fields), problem)
        for number, fields, problem, row in rows
    ]


def _same_label(earlier, fields):
    """Return whether two views of a selection have one label; the earlier one gets it."""
    if earlier[2] and fields[2] and earlier[2] != fields[2]:
        return False
    earlier[2] = earlier[2] or fields[2]
    return True


def _add_recording(header, row, recordings):
    """Note the recording of a row; raise if it is the second one."""
    for name in header.format.recordings:
        value = header.value(row, name)
        first = recordings.setdefault(name, value) if value else value
        if value != first:
            raise ValueError(
                f"found {header.format.title} of several recordings, such as {first!r} and "
                f"{value!r}: expected segments of one recording. Split it by the column "
                f"{header.names[header.places[name]]!r}"
            )
