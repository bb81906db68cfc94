"""Errors that readers raise. Their messages do not contain the file name yet."""


class DamagedFileError(Exception):
    """Raised for a damaged file. The message continues a sentence that begins with its name."""


class TruncatedHeaderError(DamagedFileError):
    """Raised for a file that ends before its samples begin."""

    def __init__(self):
        super().__init__("the file is truncated: it ends before its samples begin")


def missing_frames(n_expected, n_read):
    """Return the message for a file with fewer frames than expected."""
    return (
        f"the file is truncated or damaged: expected {n_expected} frames, but only {n_read} can be "
        "read"
    )
