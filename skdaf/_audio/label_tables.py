"""Folders of recordings that are probably no classes, and tables that have the labels instead."""

import csv
import os
import re
import shlex
import warnings
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path

from skdaf._audio.metadata.table import first_rows

# Folders of tables that have the recordings in other folders beside them.
METADATA_FOLDER = re.compile("meta|csv|table|annotation|label|truth", re.I)

# Those in which this module looks: others beside the recordings belong to other data.
_TABLE_FOLDER = re.compile(
    r"(meta[\W_]*data|meta|csv|tables?|annotations?|labels?|(ground[\W_]*)?truth)", re.I
)

# Parts of a dataset that a model is not trained on.
_HELD_OUT = re.compile(r"(test|testing|val|valid|validation|dev|eval|evaluation)[\W_]*\d*", re.I)

# Folders that divide a dataset, and are no classes if all folders are called so.
_SPLIT = re.compile(rf"(fold|train|training)[\W_]*\d*|{_HELD_OUT.pattern}", re.I)

_ENDINGS = (".csv", ".tsv")

# A warning must not take long: only so many tables of a folder are read, and only so much of each.
_MAX_TABLES = 10
_MAX_BYTES = 64_000
_MAX_ROWS = 200

# The first rows of a table can name only some of many recordings: more than half of so many do.
_N_EXPECTED = 20

# Shorter numbers, such as the 1 of "1.wav", occur in any table.
_SHORTEST_NUMBER = 4

# A warning names at most this many folders.
_MAX_NAMES = 5


class FoldersWarning(UserWarning):
    """The folders that classes are named after are probably no classes."""


def find_table(folder, files):
    """Return the path of a table in a folder, or beside it, that names recordings; or None.

    Parameters
    ----------
    folder : Path
    files : list of Path
        The recordings. A table names them if most cells in the first rows of one of its columns
        are their names, or the ends of their paths, with or without extensions.
    """
    recordings = _Recordings(files)
    tables = (
        path
        for parent in (folder, Path(os.path.normpath(folder / os.pardir)))
        for path in _tables_in(parent)
    )
    return next((str(path) for path in tables if _has_names(path, recordings)), None)


def about_table(table):
    """Return the advice to use the labels of a table; "" for None."""
    return f"The table {table!r} names the recordings: {_how_to_use(table)}" if table else ""


def about_tables_in(folder):
    """Return the same advice for a folder with a table and without recordings; "" for others."""
    table = next(map(str, _tables_in(folder)), None)
    return f"It contains the table {table!r}: {_how_to_use(table)}" if table else ""


def _how_to_use(table):
    return (
        f"if it has the labels, use skdaf.datasets.load_audio_table({table!r}), or --table "
        f"{shlex.quote(table)} of the command."
    )


def warn_about_folders(root, audio, stacklevel):
    """Warn if the folders below a root are probably no classes.

    Parameters
    ----------
    root : Path
    audio : dict of str to list of Path
        The recordings by class.
    stacklevel : int
        As for `warnings.warn`, counted from the caller.
    """
    names = _listed([*audio])
    if len(audio) == 1:
        problem = f"All recordings in {str(root)!r} are of one class, {names}"
    elif all(map(_SPLIT.fullmatch, audio)):
        problem = f"The folders in {str(root)!r} are used as classes: {names}"
    else:
        return
    table = find_table(root, [path for paths in audio.values() for path in paths])
    advice = about_table(table) or _about_folders_below(root, audio)
    if advice:
        warnings.warn(f"{problem}. {advice}", FoldersWarning, stacklevel=stacklevel + 1)


class _Recordings:
    """The names of recordings, and the ends of their paths, as a table may have them."""

    def __init__(self, files):
        self._files, self._ends = files, {}

    def named_in(self, cells):
        """Return those of some cells that name a recording."""
        return [cell for cell in cells if self._is_named(_parts_of(cell))]

    def are_mostly_in(self, cells):
        """Return whether cells that name recordings are enough, among the first of a table."""
        return 2 * len({*cells}) > min(len({path.name for path in self._files}), _N_EXPECTED)

    def _is_named(self, parts):
        # The sets of longer ends take more time, and are needed for few tables.
        return parts[-1:] in self._of_length(1) and parts in self._of_length(len(parts))

    def _of_length(self, n_parts):
        if n_parts not in self._ends:
            ends = (_ends_of(path, n_parts) for path in self._files)
            self._ends[n_parts] = {end for some in ends for end in some}
        return self._ends[n_parts]


def _ends_of(path, n_parts):
    """Return the last parts of the path of a recording, with and without its extension."""
    is_short_number = path.stem.isdigit() and len(path.stem) < _SHORTEST_NUMBER
    names = [path.name] if is_short_number else [path.name, path.stem]
    if n_parts == 1:
        return [(name,) for name in names]
    folders = Path(os.path.abspath(path)).parts[1:-1]  # without the root
    if n_parts > len(folders) + 1:
        return []
    return [(*folders[1 - n_parts :], name) for name in names]


def _parts_of(cell):
    """Return the parts of a path in a table, without those such as ".."."""
    return tuple(part for part in re.split(r"[/\\]", cell.strip()) if part not in ("", ".", ".."))


def _tables_in(folder):
    """Yield the first tables in a folder, and in each of the folders of tables in it."""
    entries = _visible_in(folder)
    yield from _tables_among(entries)
    for path in entries:
        if _TABLE_FOLDER.fullmatch(path.name):
            yield from _tables_among(_visible_in(path))


def _visible_in(folder):
    """Return the paths in a folder that are not hidden; none for a file."""
    with suppress(OSError):  # of folders that may not be read
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []


def _tables_among(paths):
    tables = (path for path in paths if path.suffix.lower() in _ENDINGS and path.is_file())
    return islice(tables, _MAX_TABLES)


def _has_names(table, recordings):
    """Return whether one column of a table has the names of recordings."""
    try:
        _, *rows = first_rows(table, _MAX_BYTES, _MAX_ROWS + 1)
    except (OSError, ValueError, csv.Error):  # no table, whatever its name
        return False
    for column in zip_longest(*rows, fillvalue=""):
        cells = [cell for cell in column if cell.strip()]
        named = recordings.named_in(cells)
        if 2 * len(named) > len(cells) and recordings.are_mostly_in(named):
            return True
    return False


def _about_folders_below(root, audio):
    """Return advice if every class has its recordings in folders, which may be the classes."""
    below = {}
    for name, paths in audio.items():
        parts = [path.relative_to(root).parts[1:-1] for path in paths]
        below[name] = {part[0] for part in parts if part}
        if not all(parts) or len(below[name]) < 2:
            return ""
    first, *others = sorted(below, key=_rank_for_training)
    inner, folder = _listed(sorted(below[first])), repr(str(root / first))
    advice = f"If the folders {inner} in {folder} are the classes, pass {folder}"
    scored = [str(root / name) for name in others if _HELD_OUT.fullmatch(name)]
    if scored and not _HELD_OUT.fullmatch(first):
        advice += f" to train, and {_listed(scored)} to score the model"
        others = others[: -len(scored)]  # they are the last ones
    return f"{advice}{', and use the other folders in the same way' * bool(others)}."


def _rank_for_training(name):
    """Return a key that sorts folders of training recordings first, and held-out ones last."""
    return bool(_HELD_OUT.fullmatch(name)), not name.lower().startswith("train"), name


def _listed(names):
    return ", ".join(map(repr, names[:_MAX_NAMES])) + ", ..." * (len(names) > _MAX_NAMES)
