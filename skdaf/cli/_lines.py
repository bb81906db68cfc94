"""The lines of a table in errors about clips that start or end after the end of their files."""

from contextlib import contextmanager


class Lines:
    """The lines of the clips of a table; there are none before `remember`."""

    def __init__(self):
        self._metadata, self._rows = None, {}

    def remember(self, metadata, clips):
        """Keep the lines of clips.

        Parameters
        ----------
        metadata : Metadata
            The table.
        clips : iterable of (str, float, float or None)
            The path, the start and the end of the clip in each row.
        """
        self._metadata, self._rows = metadata, {}
        for row, clip in enumerate(clips):
            self._rows.setdefault(clip, []).append(row)

    def of(self, *clip):
        """Return the table and the line of a clip, as text; None if it is not in a table."""
        rows = self._rows.get(clip)
        return rows and f"{self._metadata.title}, {self._metadata.at(*rows)}"


@contextmanager
def errors_name_lines(lines):
    """Let errors about starts and ends of clips name the lines of a table."""
    try:
        yield
    except ValueError as error:
        # Only now, because it takes time; without it, nothing can have been read.
        from skdaf import AudioReadError
        from skdaf._audio.clips import with_rows

        if not isinstance(error, AudioReadError):
            raise
        raise with_rows(error, lines.of) from error
