"""Text for terminals, files and other programs, whatever names and labels hold.

Names of files are bytes on most systems, and labels may hold any character. A terminal would obey
some of these characters; UTF-8 has no place for others.
"""

import errno
import json
import os
import re
import sys

import click

# Control characters, what reorders or hides text, and surrogates, which Python puts in the place of
# bytes that are not UTF-8. The joiners U+200C and U+200D are left: some scripts need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

# Surrogates that stand for no byte.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def visible(text, keep=""):
    r"""Return a text with unsafe characters as Python escapes them, such as ``\n`` or ``\x1b``."""
    return _UNSAFE.sub(
        lambda match: match[0] if match[0] in keep else ascii(match[0])[1:-1], str(text)
    )


def to_json(facts):
    r"""Return JSON that is valid UTF-8, with unsafe characters as JSON escapes them.

    A byte of a name that is not UTF-8, such as ff, becomes ``\udcff``: Python's json gives back
    the name with which the file can be opened.
    """
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    # Inside strings only: what json itself puts around them are lines and spaces.
    return _UNSAFE.sub(lambda match: "\n" if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def to_bytes(text):
    """Return UTF-8, in which names of files have the bytes that they have on disk."""
    text = _NO_BYTE.sub(lambda match: visible(match[0]), text)
    return text.encode(errors="surrogateescape")


def is_for_terminal():
    """Return whether results go to a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def echo(text):
    """Write results to the standard output; an OSError names it, a closed pipe stays one."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        click.echo(_for_terminal(text) if is_for_terminal() else to_bytes(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"The standard output could not be written: {error.strerror}."
        raise OSError(message) from error


def _for_terminal(text):
    encoding = sys.stdout.encoding or "utf-8"
    return visible(text, keep="\n").encode(encoding, "backslashreplace").decode(encoding)


def drop_unwritten():
    """Drop results that cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def echo_error(text):
    """Write a message to the standard error; it may have several lines."""
    try:
        click.echo(visible(text, keep="\n"), err=True)
    except OSError:  # without a place for messages the work goes on
        _drop(sys.stderr)


def _drop(stream):
    """Drop what a stream still holds: the end of the program would fail when it writes that."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
