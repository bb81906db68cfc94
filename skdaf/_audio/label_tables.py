"""Folders of recordings that are probably no classes, and tables that have the labels instead."""

import os
import re
import shlex
import warnings
from contextlib import suppress
from pathlib import Path

from skdaf._audio.metadata.table import as_metadata

# Folders of tables that have the recordings in other folders beside them.
METADATA_FOLDER = re.compile("meta|csv|table|annotation|label|truth", re.IGNORECASE)

# Those in which this module looks: others beside the recordings belong to other data.
_TABLE_FOLDER = re.compile(
    r"(meta[\W_]*data|meta|csv|tables?|annotations?|labels?|(ground[\W_]*)?truth)", re.IGNORECASE
)

# Folders that divide a dataset, and are no classes if all folders are called so.
_SPLIT = re.compile(
    r"(fold|train|training|test|testing|val|valid|validation|dev|eval|evaluation)[\W_]*\d*",
    re.IGNORECASE,
)

_ENDINGS = (".csv", ".tsv")

# Larger tables are not read for a warning.
_MAX_BYTES = 20_000_000

# So many recordings are looked up in a table.
_N_SEARCHED = 20

# Shorter numbers, such as the 1 of "1.wav", occur in any table.
_SHORTEST_NUMBER = 4

# A warning names at most this many folders.
_MAX_NAMES = 5


def find_table(folder, files):
    """Return the path of a table in a folder, or beside it, that names recordings; or None.

    Parameters
    ----------
    folder : Path
    files : list of Path
        The recordings. A table names them if one of its columns contains most of their names, or
        the ends of their paths, with or without extensions.
    """
    step = -(-len(files) // _N_SEARCHED)
    names = [_names_of(path) for path in files[::step]]
    tables = (
        path
        for parent in (folder, Path(os.path.normpath(folder / os.pardir)))
        for path in _tables_in(parent)
    )
    return next((str(path) for path in tables if _has_names(path, names)), None)


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
        warnings.warn(f"{problem}. {advice}", stacklevel=stacklevel + 1)


def _names_of(path):
    """Return what a table may have for a recording: its name, or the end of its path, as parts."""
    is_short_number = path.stem.isdigit() and len(path.stem) < _SHORTEST_NUMBER
    names = {path.name} if is_short_number else {path.name, path.stem}
    folders = Path(os.path.abspath(path)).parts[1:-1]  # without the root
    return {(*folders[first:], name) for first in range(len(folders) + 1) for name in names}


def _parts_of(cell):
    """Return the parts of a path in a table, without those such as ".."."""
    return tuple(part for part in re.split(r"[/\\]", cell.strip()) if part not in ("", ".", ".."))


def _tables_in(folder):
    """Yield the tables in a folder, and in the folders of tables in it."""
    with suppress(OSError):  # of folders that may not be read
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        yield from (path for path in entries if path.suffix.lower() in _ENDINGS)
        for path in entries:
            if _TABLE_FOLDER.fullmatch(path.name) and path.is_dir():
                yield from (one for one in sorted(path.iterdir()) if one.suffix in _ENDINGS)


def _has_names(table, names):
    """Return whether one column of a table has most of the names."""
    try:
        if table.stat().st_size > _MAX_BYTES:
            return False
        metadata = as_metadata(table)
    except (OSError, ValueError):  # no table, whatever its name
        return False
    for column in metadata.columns:
        cells = {_parts_of(cell) for cell in metadata.values(column) if cell}
        if 2 * sum(not cells.isdisjoint(spellings) for spellings in names) > len(names):
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
    name, folders = next(iter(below.items()))
    inner = _listed(sorted(folders))
    others = ", and use the other folders in the same way" if len(below) > 1 else ""
    folder = repr(str(root / name))
    return f"If the folders {inner} in {folder} are the classes, pass {folder}{others}."


def _listed(names):
    return ", ".join(map(repr, names[:_MAX_NAMES])) + ", ..." * (len(names) > _MAX_NAMES)
