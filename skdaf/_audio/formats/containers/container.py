"""What is known about a container, and the result of checking a file."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from skdaf._audio.formats.containers.content import Content

SEVERAL_RECORDINGS = "contains several recordings, of which only the first would be read"


class Structure(NamedTuple):
    """The position where the decodable part of a file ends, and a problem ("" for none)."""

    end: int
    problem: str = ""


@dataclass(frozen=True)
class Container:
    """A container format.

    Attributes
    ----------
    name : str
        Its name in reports and messages.
    demuxer : str
        FFmpeg's name for it.
    check : callable or None
        A function that takes the `Content` of a file and returns its `Structure`.
    has_times : bool
        True if the timestamps of packets show where a part is missing.
    has_length : bool
        True if its header contains the exact number of samples, as in lossless formats.
    """

    name: str
    demuxer: str
    check: Callable | None = None
    has_times: bool = False
    has_length: bool = False


def check_structure(path, container):
    """Return the `Structure` of a file of this container."""
    with open(path, "rb") as file:
        content = Content(file)
        if container.check is None:
            return Structure(len(content))
        try:
            return container.check(content)
        except (struct.error, IndexError):
            return Structure(len(content), "the file is truncated: part of its header is missing")


def truncated(n_promised, n_found, part):
    """Return the message for a part of a file that is shorter than it claims to be."""
    return (
        f"the file is truncated: its {part} promises {n_promised} bytes, but only "
        f"{max(0, n_found)} are present"
    )


def damaged(position):
    """Return the message for bytes that do not belong to the container."""
    return f"the file is damaged: its structure is wrong at byte {position}"
