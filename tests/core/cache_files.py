"""The files of a cache, for the tests that look at them."""

from pathlib import Path

from skdaf._core.cache import Cache, make_key, reset_index

KEY, OTHER = make_key("a"), make_key("b")


def files(folder):
    """Return the files of a cache."""
    return sorted(Path(folder).glob("*.cache"))


def only_file(folder):
    """Return the file of a cache that has only one."""
    (file,) = files(folder)
    return file


def reopen(folder):
    """Return the cache as a new process would find it."""
    reset_index()
    return Cache(folder)
