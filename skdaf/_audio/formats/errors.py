"""Errors of readers, which do not name the file yet."""


class DamagedFileError(Exception):
    """Say what is wrong with a file. The message continues a sentence that begins with its name."""


class TruncatedHeaderError(DamagedFileError):
    """The file ends before its samples begin."""

    def __init__(self):
        super().__init__("the file is truncated: it ends before its samples begin")


def missing_frames(n_expected, n_read):
    """Return the message for a file with fewer frames than expected."""
    return (
        f"the file is truncated or damaged: expected {n_expected} frames, but only {n_read} can be "
        "read"
    )
