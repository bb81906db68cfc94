"""The columns of a metadata table: which ones to use, by name or by a pattern of several."""

import difflib
import os
import re
from string import Formatter

from skdaf._audio.columns import interval_problem
from skdaf._audio.folders import has_audio_extension
from skdaf._audio.metadata.table import first_cell
from skdaf._audio.times import is_missing

# Names of such columns in published datasets, without case, spaces and punctuation. The first one
# that a table has is suggested.
_LIKELY = {
    "path": [
        *("path", "filepath", "filename", "file", "fname", "slicefilename", "audiopath"),
        *("audiofile", "audiofilename", "audio", "wav", "wavfile", "recording", "beginpath"),
        *("clip", "sound", "name", "id"),
    ],
    "label": [
        *("label", "labels", "class", "classname", "category", "species", "speciescode"),
        *("ebirdcode", "primarylabel", "commonname", "scientificname", "emotion", "genre"),
        *("event", "instrument", "diagnosis", "tag", "tags", "target", "classid", "y", "true"),
    ],
    "group": [
        *("group", "speaker", "speakerid", "patient", "patientid", "subject", "subjectid"),
        *("recordist", "author", "rec", "srcfile", "fsid", "site", "location", "device"),
    ],
    "fold": ["fold", "split", "set", "subset", "partition"],
    "target": ["target", "value", "y", "score", "rating", "label"],
}
# The times of segments of one recording, in lower case: tables of Raven, BirdNET, and others.
_TIMES_OF_SEGMENTS = (
    ("begin time (s)", "end time (s)"),
    ("start (s)", "end (s)"),
    ("start", "end"),
)
# What probably separates columns if the header has no usual separator.
_OTHER_SEPARATOR = re.compile(r"\w *[|:^~] *\w|\w +\w")
_OPTIONAL = ("group", "fold", "start", "end")

# How similar names must be to be confused: "file" is to "silent" by 0.6, "klass" to "class" by 0.8.
_MIN_SIMILARITY = 0.7


def choose_columns(metadata, wanted):
    """Return the columns to use.

    Parameters
    ----------
    metadata : Metadata
        The table.
    wanted : dict of str to str, tuple or None
        For each parameter, the name of a column, a pattern such as "fold{fold}/{name}", a tuple of
        these, "auto" for an optional column that has the name of the parameter, or None.

    Returns
    -------
    chosen : dict of str to str, tuple or None
        The same without "auto".
    """
    chosen = {parameter: _resolved(metadata, parameter, name) for parameter, name in wanted.items()}
    fields = {parameter: _fields(metadata, name) for parameter, name in chosen.items()}
    missing = {
        parameter: [field for field in names if field not in metadata.columns]
        for parameter, names in fields.items()
    }
    if any(missing.values()):
        raise ValueError(_missing_message(metadata, chosen, missing))
    for field in (field for names in fields.values() for field in names):
        if metadata.columns.count(field) > 1:
            raise ValueError(f"{metadata.title} has several columns called {field!r}.")
    _check_times(metadata, wanted, chosen)
    return chosen


def _resolved(metadata, parameter, name):
    if parameter in _OPTIONAL and name == "auto":
        return parameter if parameter in metadata.columns else None
    return name


def _is_pattern(metadata, name):
    return "{" in name and name not in metadata.columns


def _fields(metadata, name):
    """Return the names of the columns that a name, a pattern or a tuple of these refers to."""
    if name is None:
        return []
    if isinstance(name, tuple):
        return [field for one in name for field in _fields(metadata, one)]
    if not _is_pattern(metadata, name):
        return [name]
    try:
        return [field for _, field, _, _ in Formatter().parse(name) if field is not None]
    except ValueError as error:
        raise ValueError(
            f"{name!r} is not a pattern of column names such as 'fold{{fold}}/{{name}}': {error}."
        ) from None


# --- missing columns -------------------------------------------------------------------------


def _missing_message(metadata, chosen, missing):
    fields = dict.fromkeys(str(field) for names in missing.values() for field in names)
    message = (
        f"{metadata.title} has no column {' or '.join(map(repr, fields))}. Its columns are "
        f"{metadata.columns}."
    )
    if any(has_audio_extension(str(name)) for name in metadata.columns):
        return f"{message} The first line of the table must contain the names of the columns."
    if (
        metadata.is_file
        and len(metadata.columns) == 1
        and _OTHER_SEPARATOR.search(metadata.columns[0])
    ):
        return f"{message} Separate them by commas, semicolons or tabs."
    likely = {
        parameter: _likely_column(metadata, parameter, _missing_name(chosen[parameter], names))
        for parameter, names in missing.items()
        if names
    }
    if "path" in likely and likely["path"] is None and _has_segments(metadata):
        return (
            f"{message} It lists segments of one recording. To train on them, write a table with "
            "the columns path (the recording), label, start and end (in seconds), or cut clips in "
            "Python with clips_from_segments."
        )
    spelling = metadata.spelling
    hints = [spelling.given(*pair) for pair in likely.items() if pair[1] is not None]
    return f"{message} Did you mean {spelling.separator.join(hints)}?" if hints else message


def _has_segments(metadata):
    names = {str(column).strip().lower() for column in metadata.columns}
    return any(names.issuperset(times) for times in _TIMES_OF_SEGMENTS)


def _missing_name(name, missing):
    """Return the name that a hint should replace: of a tuple, the first one that is missing."""
    return missing[0] if isinstance(name, tuple) else name


def _likely_column(metadata, parameter, name):
    """Return the column that was probably meant; None if there is no such column."""
    columns = [column for column in metadata.columns if isinstance(column, str) and column]
    if isinstance(name, tuple) or _is_pattern(metadata, name):
        return None
    plain = {re.sub(r"[\W_]", "", column).lower(): column for column in reversed(columns)}
    known = [plain[word] for word in _LIKELY.get(parameter, [parameter]) if word in plain]
    if parameter == "path":
        # Xeno-canto has addresses in "file" and names in "file-name".
        files = [c for c in columns if _is_name_of_file(first_cell(metadata, c))]
        known = [column for column in known if column in files] or files or known
    close = difflib.get_close_matches(name, columns, n=1, cutoff=_MIN_SIMILARITY)
    return next(iter(known + close if name == parameter else close + known), None)


def _is_name_of_file(cell):
    if not isinstance(cell, (str, os.PathLike)):
        return False
    return has_audio_extension(str(os.fspath(cell)).strip())


# --- times -----------------------------------------------------------------------------------


def _check_times(metadata, wanted, chosen):
    """Raise if it is not clear whether rows are whole recordings, or which part of them."""
    automatic = [name for name in ("start", "end") if wanted[name] == "auto"]
    given, named = metadata.spelling.given, metadata.spelling.named
    if any(chosen[name] for name in automatic) and "slice_file_name" in metadata.columns:
        raise ValueError(
            f"{metadata.title} has the columns of UrbanSound8K, where 'start' and 'end' are times "
            f"in longer recordings, not in the files of the dataset. Pass {given('start', None)} "
            f"and {given('end', None)} to use whole files."
        )
    if len(automatic) == 2:
        _check_no_other_times(metadata)
    elif automatic and chosen[automatic[0]] is None:
        (time,), (other,) = {"start", "end"} - {*automatic}, automatic
        if wanted[time] is not None:
            raise ValueError(
                f"Got {given(time, wanted[time])} without {named(other)}. Pass the column of the "
                f"other time too, or {given(other, None)} for the {other} of the recording."
            )


def _check_no_other_times(metadata):
    names, spelling = [n for n in metadata.columns if isinstance(n, str)], metadata.spelling
    problem = interval_problem(
        names,
        lambda name: _with_point(first_cell(metadata, name)),
        with_code=spelling.has_dataframes,
    )
    if problem:
        pair = ("start", "end")
        raise ValueError(
            f"In {metadata.name}, {problem}. If they are in seconds, you can also pass their names "
            f"as {' and '.join(map(spelling.named, pair))}. To use whole recordings, pass "
            f"{' and '.join(spelling.given(name, None) for name in pair)}."
        )


def _with_point(cell):
    return cell.replace(",", ".") if isinstance(cell, str) else cell


# --- cells -----------------------------------------------------------------------------------


def cells(metadata, name):
    """Return a column, or a pattern filled in for each row, as a list; missing cells are None.

    Cells of a column are returned as they are, because names of files may begin with a space. In
    patterns, spaces around the text of cells are removed.
    """
    if not _is_pattern(metadata, name):
        values = metadata.values(name)
        _check_no_lists(metadata, name, values)
        return [None if _is_blank(cell) else cell for cell in values]
    columns = {field: cells(metadata, field) for field in _fields(metadata, name)}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return [None if None in row.values() else _filled(name, row) for row in rows]


def required_cells(metadata, parameter, name):
    """Return the same as `cells`; raise ValueError if a cell is missing."""
    found = cells(metadata, name)
    missing = [row for row, cell in enumerate(found) if cell is None]
    if missing:
        remedy = "Fill them in or remove the rows"
        if parameter not in ("path", "target"):
            remedy += metadata.spelling.without(parameter)
        raise ValueError(
            f"In {metadata.name}, {len(missing)} of {len(found)} rows have no {parameter} (column "
            f"{name!r}): {metadata.at(*missing)}. {remedy}."
        )
    return found


def _check_no_lists(metadata, name, values):
    """Raise ValueError if a cell contains several values: as text, a list would be one value."""
    for row, cell in enumerate(values):
        if isinstance(cell, (list, tuple, set, frozenset)) or getattr(cell, "ndim", 0):
            raise ValueError(
                f"{metadata.title}, {metadata.at(row)}: expected a single value in the column "
                f"{name!r}, got {str(cell)[:60]}. For several labels per clip, join them to one "
                f"text, as in table[{name!r}].str.join(';'), and pass label_separator=';'."
            )


def _is_blank(cell):
    return is_missing(cell) or (isinstance(cell, str) and not cell.strip())


def _filled(pattern, row):
    """Fill in a pattern without looking up attributes, as str.format would."""
    parts = []
    for literal, field, form, _ in Formatter().parse(pattern):
        parts.append(literal)
        if field is not None:
            cell = plain(row[field])
            parts.append(format(cell.strip() if isinstance(cell, str) else cell, form))
    return "".join(parts)


def plain(cell):
    """Return a cell as a str, int or float, without the types of NumPy; 3.0 becomes 3."""
    if isinstance(cell, os.PathLike):
        return str(os.fspath(cell))
    cell = cell.item() if hasattr(cell, "item") else cell
    if isinstance(cell, float) and cell.is_integer():
        # pandas stores integers as floats if one is missing.
        return int(cell)
    return cell if isinstance(cell, (int, float)) and not isinstance(cell, bool) else str(cell)
