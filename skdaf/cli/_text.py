"""Text for terminals, files and other programs; names and labels can contain any character.

On most systems, file names are bytes, and labels can contain any character. Terminals interpret
some of these characters as commands, and UTF-8 cannot encode others.
"""

import errno
import json
import os
import re
import sys

import click

# Control characters, characters that reorder or hide text, and surrogates, with which Python
# represents bytes that are not UTF-8. Some scripts need the joiners U+200C and U+200D.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

# Surrogates that do not represent bytes.
_NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def visible(text, keep=""):
    r"""Return a text with unsafe characters as Python escapes, such as ``\n`` or ``\x1b``."""
    return _UNSAFE.sub(
        lambda match: match[0] if match[0] in keep else ascii(match[0])[1:-1], str(text)
    )


def to_json(facts):
    r"""Return JSON in valid UTF-8, with unsafe characters as JSON escapes.

    A byte of a name that is not UTF-8, such as ff, becomes ``\udcff``. Python's json module decodes
    this to a name that Python can open.
    """
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    # Only strings contain unsafe characters, apart from the line breaks between them.
    return _UNSAFE.sub(lambda match: "\n" if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def to_bytes(text):
    """Return UTF-8 in which file names have the same bytes as on disk."""
    text = _NOT_A_BYTE.sub(lambda match: visible(match[0]), text)
    return text.encode(errors="surrogateescape")


def is_for_terminal():
    """Return whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def echo(text, end="\n"):
    """Write results to standard output, without delay.

    Raises BrokenPipeError for a closed pipe, and OSError with a clear message for other failures.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        text = f"{text}{end}"
        click.echo(_for_terminal(text) if is_for_terminal() else to_bytes(text), nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"Standard output could not be written: {error.strerror}."
        raise OSError(message) from error


def _for_terminal(text):
    encoding = sys.stdout.encoding or "utf-8"
    return visible(text, keep="\n").encode(encoding, "backslashreplace").decode(encoding)


def discard_unwritten_output():
    """Discard results that cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _discard(sys.stdout)


def echo_error(text):
    """Write a message, which may have several lines, to standard error."""
    try:
        click.echo(visible(text, keep="\n"), err=True)
    except OSError:  # a message that cannot be shown does not stop the work
        _discard(sys.stderr)


def _discard(stream):
    """Discard the buffer of a stream, so that Python does not fail to write it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
