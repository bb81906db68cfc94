"""Find the files that a metadata table names."""

import glob
import os
import unicodedata
from collections import deque
from contextlib import suppress
from pathlib import Path

from skdaf._audio.folders import check_folder
from skdaf._audio.label_tables import METADATA_FOLDER
from skdaf._audio.metadata.columns import plain, required_cells

# An error names at most this many files.
_MAX_NAMES = 10

# A missing file is searched for in at most this many folders.
_MAX_FOLDERS = 200


def find_files(metadata, name, root, allow_missing=False):
    """Return the paths of the files that a column or a pattern names.

    Relative paths start from the folder `root`, or from the current one if it is "". Missing files
    are an error, or only if all are missing, with `allow_missing`.
    """
    names = [str(plain(cell)) for cell in required_cells(metadata, "path", name)]
    if root:
        check_folder(Path(root))
    paths = [_existing(root, one) for one in names]
    missing = [position for position, path in enumerate(paths) if path is None]
    if missing and not (allow_missing and len(missing) < len(names)):
        raise FileNotFoundError(_missing_message(metadata, name, names, missing, root))
    return [path or str(Path(root, one)) for one, path in zip(names, paths, strict=True)]


def _existing(root, name):
    """Return the path of a file; None if it does not exist."""
    for spelling in _spellings(name):
        path = Path(root, spelling)
        if os.path.isfile(path):  # False also for names that no file can have
            return str(path)
    return None


def _spellings(name):
    """Yield a file name as it is, and in the forms that other systems and editors give it."""
    yield name
    name = name.strip()
    yield name
    name = name.replace("\\", "/")
    yield name
    yield from (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))


def _missing_message(metadata, column, names, missing, root):
    # Many rows may be parts of one recording.
    rows = {}
    for row in missing:
        rows.setdefault(names[row], []).append(row)
    shown = [_with_rows(metadata, *one) for one in list(rows.items())[:_MAX_NAMES]]
    rest = f" and {len(rows) - _MAX_NAMES} more" if len(rows) > _MAX_NAMES else ""
    start = f"the folder {str(root)!r}" if root else f"the current folder {os.getcwd()!r}"
    n_files = len({*names})
    files = f"{n_files} file{'s' * (n_files > 1)}"
    hint = _hint(metadata, column, names[missing[0]], root)
    return (
        f"{metadata.title}: {len(rows)} of {files} not found: {', '.join(shown)}{rest}. "
        f"Relative paths start from {start}.{hint}"
    )


def _with_rows(metadata, name, rows):
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{name!r} ({metadata.at(rows[0])}{others})"


def _hint(metadata, column, name, root):
    """Return a sentence about where a missing file could be; an empty one if nothing is found."""
    name = name.strip().replace("\\", "/")
    if name.startswith("~"):
        return " A '~' in the table is not replaced by a home folder: write the whole path."
    expected = Path(root, name)
    with suppress(OSError, ValueError):  # of names that no file can have
        for path in sorted(expected.parent.glob(f"{glob.escape(expected.name)}.*")):
            pattern = f"{column if '{' in column else f'{{{column}}}'}{path.suffix}"
            given = metadata.spelling.given("path", pattern)
            return f" There is {str(path)!r}: add the extension with a pattern, {given}."
        # Tables of "skdaf check" and of scripts have paths from the folder in which these ran.
        if os.path.isfile(name):
            given = metadata.spelling.given("root", ".")
            return f" There is {name!r} in the current folder: pass {given} to start there."
        for parent in _likely_folders(metadata, root):
            folder = _search(name, parent)
            if folder is not None:
                root, path = (
                    metadata.spelling.given(*pair)
                    for pair in [("root", str(folder)), ("path", "fold{fold}/{name}")]
                )
                return (
                    f" There is {str(folder / name)!r}: pass {root} or, if files are in several "
                    f"folders, a pattern of column names, as in {path}."
                )
    return ""


def _likely_folders(metadata, root):
    """Yield the folders below which the files could be."""
    folder = Path(root).absolute()
    yield folder
    if metadata.is_file and METADATA_FOLDER.search(folder.name):
        yield folder.parent


def _search(name, folder):
    """Return the folder, at or below another one, that has a file; None if it is not soon found."""
    folders = deque([folder])
    for _ in range(_MAX_FOLDERS):
        if not folders:
            return None
        folder = folders.popleft()
        if os.path.isfile(folder / name):
            return folder
        with suppress(OSError):  # of folders that may not be read
            with os.scandir(folder) as entries:
                below = [e.path for e in entries if e.is_dir() and not e.name.startswith(".")]
            folders += map(Path, sorted(below))
    return None
