"""Which table of annotations belongs to which recording, by the names of the files."""

import os
import re
import unicodedata
import warnings
from itertools import takewhile
from pathlib import Path

from skdaf._audio.folders import has_audio_name, walk

# The extensions of tables of annotations.
_EXTENSIONS = (".txt", ".csv", ".tsv")

# In the names of the files that `skdaf segments` writes into a folder, one per recording.
_PREDICTED = ".skdaf."

# An error names at most this many files.
_MAX_NAMES = 5

_EXPECTED = (
    "the name of a table is that of its recording and what a program appends: SITE01.txt, "
    "SITE01.csv, SITE01.Table.1.selections.txt or SITE01.BirdNET.results.csv for SITE01.wav"
)


def table_files(paths):
    """Return the files in a list of paths, and all tables in the folders in it.

    Predictions of `skdaf segments` in a folder are left out: a model would be compared with itself.
    """
    files = []
    for path in map(os.fspath, paths):
        if os.path.isdir(path):
            names = (parent / name for parent, _, names in walk(path) for name in names)
            files += sorted(str(file) for file in names if _is_annotation(file))
        else:
            files.append(path)
    return files


def _is_annotation(file):
    return file.suffix.lower() in _EXTENSIONS and _PREDICTED not in file.name.lower()


def with_tables(recordings, tables):
    """Return the recordings that have a table, as `match_tables` finds them, or several."""
    by_name = _by_name(recordings)
    owners = {owner for table in tables for owner in _owners(table, by_name)}
    return [recording for recording in recordings if recording in owners]


def match_tables(recordings, tables, where):
    """Return the table of each recording.

    A table belongs to the recording whose name it begins with, followed by a dot. Of several such
    recordings, it is the one with the longest name. Of recordings with the same name in different
    folders, it is the one whose folders are called like those of the table.

    Parameters
    ----------
    recordings, tables : list of str
        Paths of files.
    where : str
        Where the tables were looked for, for errors.
    """
    by_name, found = _by_name(recordings), {recording: [] for recording in recordings}
    for table in tables:
        owners = _owners(table, by_name)
        if len(owners) > 1:
            raise ValueError(
                f"The table {table!r} fits {len(owners)} recordings, {_names(owners)}: rename it, "
                "or pass a list with the table of each recording."
            )
        for recording in owners:
            found[recording].append(table)
    for recording, own in found.items():
        if len(own) > 1:
            raise ValueError(
                f"The recording {recording!r} has {len(own)} tables, {_names(own)}: keep one of "
                "them, or pass a list with the table of each recording."
            )
    missing = [recording for recording, own in found.items() if not own]
    if missing:
        raise ValueError(
            f"No table found in {where} for {_names(missing)}: {_EXPECTED}. Leave out recordings "
            "that are not annotated; if nothing occurs in one, its table is an empty file."
        )
    return [own[0] for own in found.values()]


def recordings_in(*folders):
    """Return the recordings in folders, by the names with which their tables can begin."""
    names = [name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
    return _by_name([name for name in names if has_audio_name(name)])


def warn_of_other_recording(recording, table, stacklevel, recordings_in=recordings_in):
    """Warn if the name of a table is that of another recording.

    That is one beside the table or the recording; or it has the same form as that of the recording,
    with other digits. For many recordings, pass a cached `recordings_in`.
    """
    if _owners(table, _by_name([recording])):
        return
    folders = dict.fromkeys(os.path.dirname(os.path.abspath(path)) for path in (recording, table))
    owners = sorted(_owners(table, recordings_in(*folders)))
    if owners:
        other = owners[0]
    elif _differ_in_digits(_name(recording), _name(table)):
        other = _name(table).split(".")[0]
    else:
        return
    warnings.warn(
        f"The table {str(os.fspath(table))!r} is named after another recording, {other!r}, "
        f"but it is used for {str(os.fspath(recording))!r}.",
        stacklevel=stacklevel,
    )


def _differ_in_digits(*names):
    first, second = (name.split(".")[0] for name in names)
    forms = {re.sub(r"\d", "0", name) for name in (first, second)}
    return first != second and len(forms) == 1


def _by_name(recordings):
    """Return the recordings for each name with which their tables can begin."""
    found = {}
    for recording in recordings:
        name = _name(recording)
        for beginning in {name, Path(name).stem}:
            found.setdefault(beginning, []).append(recording)
    return found


def _name(path):
    # Operating systems store the same name in different forms of Unicode.
    return unicodedata.normalize("NFC", Path(path).name)


def _owners(table, by_name):
    """Return the recordings that fit a table best; none if none fits."""
    parts = _name(table).split(".")
    for n_parts in range(len(parts) - 1, 0, -1):
        found = by_name.get(".".join(parts[:n_parts]))
        if found:
            return _nearest(table, found)
    return []


def _nearest(path, others):
    """Return those of the other files whose folders are called most like those of a file."""
    counts = [_n_common_folders(path, other) for other in others]
    return [o for o, count in zip(others, counts, strict=True) if count == max(counts)]


def _n_common_folders(*paths):
    """Return how many folders, from the files upwards, are called the same."""
    folders = (Path(os.path.abspath(path)).parts[-2::-1] for path in paths)
    pairs = zip(*folders, strict=False)
    return len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])


def _names(files):
    shown = ", ".join(map(repr, files[:_MAX_NAMES]))
    return shown + (f" and {len(files) - _MAX_NAMES} more" if len(files) > _MAX_NAMES else "")
