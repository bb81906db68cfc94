"""Recognize files that are often passed in place of a model file, by their first bytes."""

import re
import zipfile

_N_BYTES = 512

# How joblib.dump and pickle.dump begin: protocols 2 to 5, and what joblib compresses them with.
_PICKLES = (
    *(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
    *(b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"),  # zlib
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\0\0", b"\x04\x22\x4d\x18"),  # gzip ... LZ4
)
_SOUNDS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3")
_MP3 = re.compile(rb"\xff[\xe2-\xff]")
_ZIP = b"PK\x03\x04"


def likely_content(path):
    """Return what a file that is not a model contains, and what to do.

    Parameters
    ----------
    path : str
        The path of a file.

    Returns
    -------
    text : str or None
        It follows "the file"; None if the first bytes are not known.
    """
    with open(path, "rb") as file:
        head = file.read(_N_BYTES)
    if not head:
        return "is empty"
    if head.startswith(_ZIP) and not zipfile.is_zipfile(path):
        return "ends too early, as after an interrupted download or copy: get it again"
    if head.startswith(b"version https://git-lfs"):
        return 'is a pointer of Git LFS: "git lfs pull" gets the file itself'
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return "looks like a web page, which a download can return in place of the file"
    if head.startswith(_SOUNDS) or _MP3.match(head):
        return "looks like a recording: load the model first, and pass the recording to predict"
    return None


def looks_like_pickle(path):
    """Return whether a file starts like a pickle, or like one that joblib has compressed."""
    with open(path, "rb") as file:
        return file.read(_N_BYTES).startswith(_PICKLES)
