"""Lines of start, end and label, separated by tabs or commas: Audacity and pyAudioAnalysis."""

import csv
import math
import re

from skdaf._segments.tables import COLUMNS

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read_lines(lines):
    """Yield the number of each line, its values, and what is wrong with them (or None).

    The values are start, end and label; files of BirdNET have a fourth one, the confidence.
    """
    with_confidence = has_confidence(lines)
    has_more = is_first = None
    for number, line in enumerate(lines, start=1):
        if not is_segment(line):
            continue
        names = [name.strip().lower() for name in line.split(separator_of(line))]
        if is_first is None and names[:3] == COLUMNS:
            is_first, has_more = False, len(names) > 3
            continue
        is_first = False
        if with_confidence:
            start, end, label, confidence = (field.strip() for field in line.split("\t"))
            # "Turdus merula, Eurasian Blackbird"
            fields = [start, end, label.partition(", ")[2] or label, confidence]
        else:
            fields = _fields(line, has_more)
        problem = _problem(fields, line)
        yield number, fields if problem else values(fields, separator_of(line)), problem


def is_segment(line):
    """Return whether a line is neither empty nor the frequencies of the label above it."""
    return bool(line.strip()) and not line.startswith("\\")


def has_confidence(lines):
    """Return whether all lines have a fourth column, a probability, as BirdNET writes them."""
    rows = [line.split("\t") for line in lines if is_segment(line)]
    return bool(rows) and all(len(row) == 4 and _is_probability(row[3]) for row in rows)


def _is_probability(text):
    try:
        return 0 <= to_number(text) <= 1
    except ValueError:
        return False


def to_number(text, separator="\t"):
    """Return a number; between tabs or semicolons, it may have a decimal comma."""
    has_comma = separator != "," and text.count(",") == 1 and "." not in text
    return float(text.replace(",", ".") if has_comma else text)


def values(fields, separator):
    """Return start, end, label and perhaps confidence, with numbers for all but the label."""
    numbers = [to_number(text or "nan", separator) for text in (*fields[:2], *fields[3:])]
    return [*numbers[:2], fields[2], *numbers[2:]]


def _fields(line, has_more=False):
    """Split a line at tabs if it has any, else at commas, into start, end and label.

    The label may contain further separators, unless the table has more columns.
    """
    separator = separator_of(line)
    fields = line.split(separator, 2)
    is_quoted = separator == "," and _QUOTED.fullmatch(fields[-1].strip())
    if len(fields) == 3 and (has_more or is_quoted):
        rest = csv.reader([fields[2]], delimiter=separator, skipinitialspace=separator == ",")
        fields[2] = [*next(rest), ""][0]
    return [field.strip() for field in fields]


def separator_of(line):
    """Return a tab if the line has any, else a comma."""
    return "\t" if "\t" in line else ","


def _problem(fields, line):
    """Return why fields are not a segment; None if they are."""
    if len(fields) < 3:
        return "expected start, end and label, separated by tabs or by commas"
    problem = problem_of_times(*fields[:2], separator_of(line))
    if problem is None and "\t" in fields[2]:
        return (
            f"expected three columns, got the label {fields[2]!r} with a tab. To ignore further "
            "columns, add a first line with the names of all columns (start, end, label, ...)"
        )
    return problem


def problem_of_times(start_text, end_text, separator):
    """Return why two texts are not the start and the end of a segment; None if they are."""
    try:
        start, end = (to_number(text, separator) for text in (start_text, end_text))
    except ValueError:
        return f"expected numbers of seconds, got start={start_text!r} and end={end_text!r}"
    if not 0 <= start < math.inf:
        return f"expected a start of at least 0 seconds, got {start_text}"
    if not start <= end < math.inf:
        return f"expected an end after the start, got start={start_text} and end={end_text}"
    return None
