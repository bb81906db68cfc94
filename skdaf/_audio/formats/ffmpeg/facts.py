"""What is known about a file before it is decoded."""

import os
from dataclasses import dataclass
from functools import lru_cache

from skdaf._audio.formats.containers.container import Container, check_structure


class DecodingError(Exception):
    """Raised if a file cannot be decoded. The message does not contain the file name yet."""


@dataclass(eq=False)
class Facts:
    """What is known about a file in one state.

    Attributes
    ----------
    path : str
    state : tuple
        See `state_of`.
    container : Container
    end : int
        The position where its decodable part ends.
    problem : str
        What is wrong with its structure; "" if nothing is.
    n_frames : int or None
        Its length in frames; None if it has not been decoded yet.
    """

    path: str
    state: tuple
    container: Container
    end: int
    problem: str
    n_frames: int | None = None


def state_of(status):
    """Return values that change when a file is replaced or modified; the first is its size."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def facts_of(path, status, container):
    """Return the Facts of a file, given its `os.stat`."""
    return _facts(os.path.abspath(path), state_of(status), container)


# Each part of a long recording opens the file again, but its structure is checked only once.
@lru_cache(maxsize=1024)
def _facts(path, state, container):
    return Facts(path, state, container, *check_structure(path, container))


forget_facts = _facts.cache_clear
