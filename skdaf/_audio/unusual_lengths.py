"""Warn of clips that are shorter than their times, or far shorter or longer than those of `fit`.

`fit` knows lengths from headers. Predictions only use the lengths of samples that they read anyway.
"""

from contextlib import contextmanager
from contextvars import ContextVar

from skdaf._audio.clips import Clip
from skdaf._core.parallel import is_in_worker
from skdaf._core.user_warnings import warn_user

# A clip that is shorter by more than this many seconds because its file ends is worth a warning.
_MAX_ROUNDING = 0.1

# A clip so many times shorter or longer than all clips of `fit` has little in common with them.
_MAX_FACTOR = 10

# A warning lists the first few clips.
_N_LISTED = 3

_report: ContextVar["LengthReport | None"] = ContextVar("_report", default=None)


class LengthReport:
    """The clips of one call with unusual lengths, as text; `warn` gives one warning per kind.

    Attributes
    ----------
    first_row : int
        The row of the first clip that `add` gets next, if it gets the clips in batches.
    """

    def __init__(self):
        self.first_row = 0
        self._late, self._short, self._long = [], {}, {}
        self._may_be_transposed = False

    def add(self, clips, seconds, known=None):
        """Look for unusual lengths.

        Parameters
        ----------
        clips : sequence of Clip or of waveforms
        seconds : list of float or None
            Their lengths; None if a length is not known.
        known : tuple of float, default=None
            The shortest and the longest clip of `fit`, in seconds; None to accept any length.
        """
        shortest, longest = known or (0.0, float("inf"))
        shape = getattr(clips, "shape", ())  # of waveforms in one array
        self._may_be_transposed |= len(shape) == 2 and shape[0] > _MAX_FACTOR * shape[1]
        for row, (clip, length) in enumerate(zip(clips, seconds, strict=True), self.first_row):
            if length is None:
                continue
            if isinstance(clip, Clip) and clip.end is not None:
                self._add_if_late(clip, length)
            if length * _MAX_FACTOR < shortest:
                self._short.setdefault(shortest, []).append(_described(clip, row, length))
            elif length > longest * _MAX_FACTOR:
                self._long.setdefault(longest, []).append(_described(clip, row, length))

    def _add_if_late(self, clip, length):
        found = clip.start + length
        # Infinity means the end of the file.
        if clip.end - found > _MAX_ROUNDING and clip.end != float("inf"):
            # Rounded, because it differs by a sample at another rate.
            self._late.append(
                f"{clip.name!r}, end={clip.end:g} (seconds), but the file ends at "
                f"{round(found, 3):g} s"
            )

    def warn(self):
        """Issue the warnings."""
        if self._late:
            warn_user(
                f"{_subject(self._late, 'ends', 'end')} after the end of the file, and so "
                f"{'is' if len(self._late) == 1 else 'are'} shorter than expected: "
                f"{_listed(self._late)}."
            )
        rows = " X has a row per clip: if yours has a column per clip, pass X.T."
        advice = rows if self._may_be_transposed else ""
        if is_in_worker():
            # Workers do not know whether clips are windows of a recording, of any length.
            return
        for shortest, clips in self._short.items():
            warn_user(
                f"{_subject(clips, 'is', 'are')} more than {_MAX_FACTOR} times shorter than every "
                f"training clip of the front end ({shortest:.3g} s or more), so that "
                f"results may be poor: {_listed(clips)}.{advice}"
            )
        for longest, clips in self._long.items():
            warn_user(
                f"{_subject(clips, 'is', 'are')} more than {_MAX_FACTOR} times longer than every "
                f"training clip of the front end ({longest:.3g} s or less), so that "
                f"results may be poor: {_listed(clips)}. To predict a recording window by window, "
                "use predict_segments (for features, transform_segments)."
            )


def _subject(clips, singular, plural):
    return f"A clip {singular}" if len(clips) == 1 else f"{len(clips)} clips {plural}"


def _described(clip, row, seconds):
    name = repr(clip.name) if isinstance(clip, Clip) else f"X[{row}]"
    return f"{name} with {seconds:.3g} s"


def _listed(texts):
    n_more = len(texts) - _N_LISTED
    return "; ".join(texts[:_N_LISTED]) + (f"; and {n_more} more" if n_more > 0 else "")


def report_lengths(clips, seconds, known=None):
    """Warn of unusual lengths, at once or at the end of the call that collects them.

    The parameters are those of `LengthReport.add`.
    """
    collecting = _report.get()
    report = collecting or LengthReport()
    report.add(clips, seconds, known)
    if collecting is None:
        report.warn()


def current_report():
    """Return the report that collects the lengths of this call; None if there is none."""
    return _report.get()


@contextmanager
def reporting_to(report):
    """Return a context in which `report_lengths` only adds to a report."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


@contextmanager
def one_report():
    """Return a context that collects unusual lengths, and warns at the end of the outermost one."""
    if _report.get() is not None:
        yield
        return
    report = LengthReport()
    with reporting_to(report):
        yield
    report.warn()


def any_length():
    """Return a context without warnings of lengths, for the windows of a recording."""
    return reporting_to(LengthReport())
