"""Warn of clips that are silent or cut off, end before their times, or are unlike those of `fit`.

`fit` knows lengths from headers. Everything else is found out from samples that are read anyway.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from skdaf._audio.clips import Clip
from skdaf._core.parallel import is_in_worker
from skdaf._core.user_warnings import warn_user

# A clip that is shorter by more than this many seconds because its file ends is worth a warning.
_MAX_ROUNDING = 0.1

# A clip so many times shorter or longer than all clips of `fit` has little in common with them.
_MAX_FACTOR = 10

# A warning lists the first few clips.
_N_LISTED = 3

_report: ContextVar["ClipReport | None"] = ContextVar("_report", default=None)

# What warnings have said about clips, where each clip is named only once.
_told: ContextVar[set | None] = ContextVar("_told", default=None)


class ClipFacts(NamedTuple):
    """What is known about a clip."""

    seconds: float
    is_silent: bool | None = None  # None if only the header was read
    is_cut_off: bool = False


class ClipReport:
    """The unusual clips of one call, as text; `warn` gives one warning per kind.

    Attributes
    ----------
    first_row : int
        The row of the first clip that `add` gets next, if it gets the clips in batches.
    """

    def __init__(self):
        self.first_row = 0
        self._cut_off, self._late, self._short, self._long = [], [], {}, {}
        self._silent = []  # with the names of recordings, if they are parts of them
        self._with_sound = set()  # the names of recordings of which a part is not silent
        self._may_be_transposed = False

    def add(self, clips, facts, known=None):
        """Look for unusual clips.

        Parameters
        ----------
        clips : sequence of Clip or of waveforms
        facts : list of ClipFacts
        known : tuple of float, default=None
            The shortest and the longest clip of `fit`, in seconds; None to accept any length.
        """
        shortest, longest = known or (0.0, float("inf"))
        shape = getattr(clips, "shape", ())  # of waveforms in one array
        self._may_be_transposed |= len(shape) == 2 and shape[0] > _MAX_FACTOR * shape[1]
        found = zip(clips, facts, strict=True)
        for row, (clip, (seconds, is_silent, is_cut_off)) in enumerate(found, self.first_row):
            if is_silent is not None:
                self._add_level(clip, row, is_silent)
            if is_cut_off:
                self._cut_off.append(_described(clip, row))
            if isinstance(clip, Clip) and clip.end is not None:
                self._add_if_late(clip, seconds)
            if seconds * _MAX_FACTOR < shortest:
                self._short.setdefault(shortest, []).append(_with_length(clip, row, seconds))
            elif seconds > longest * _MAX_FACTOR:
                self._long.setdefault(longest, []).append(_with_length(clip, row, seconds))

    def _add_level(self, clip, row, is_silent):
        # Parts of a recording may be silent, such as those of a class for the background.
        is_part = isinstance(clip, Clip) and (clip.start > 0 or clip.end is not None)
        if is_silent:
            self._silent.append((_described(clip, row), clip.name if is_part else None))
        elif is_part:
            self._with_sound.add(clip.name)

    def _add_if_late(self, clip, seconds):
        found = clip.start + seconds
        # Infinity means the end of the file.
        if clip.end - found > _MAX_ROUNDING and clip.end != float("inf"):
            # Rounded, because it differs by a sample at another rate.
            self._late.append(
                f"{clip.name!r}, end={clip.end:g} (seconds), but the file ends at "
                f"{round(found, 3):g} s"
            )

    def add_silent_recordings(self, clips, windows):
        """Add those clips whose windows are all silent, according to a WindowReport."""
        for row, clip in enumerate(clips, self.first_row):
            if (is_silent := windows.is_silent(clip)) is not None:
                self._add_level(clip, row, is_silent)

    def warn(self):
        """Issue the warnings."""
        if self._late:
            warn_user(
                f"{_subject(self._late, 'ends', 'end')} after the end of the file, and so "
                f"{'is' if len(self._late) == 1 else 'are'} shorter than expected: "
                f"{_listed(self._late)}."
            )
        self.warn_of_contents()
        # Workers do not know whether clips are windows of a recording, of any length.
        if not is_in_worker():
            self._warn_of_lengths()

    def warn_of_contents(self):
        """Issue the warnings that do not depend on lengths."""
        if cut_off := _untold("cut off", self._cut_off):
            warn_user(
                f"{_subject(cut_off, 'is', 'are')} cut off (the file ends in the middle of an MP3 "
                f"frame, and any amount may be missing): {_listed(cut_off)}."
            )
        # Workers do not know whether clips are windows of a recording, which may be silent.
        silent = [text for text, name in self._silent if name not in self._with_sound]
        if not is_in_worker() and (silent := _untold("silent", silent)):
            warn_user(
                f"{_subject(silent, 'is', 'are')} silent (the peak of the mono signal is more than "
                "80 dB below full scale; check_audio or skdaf check may say why), so that results "
                "may be poor: "
                f"{_listed(silent)}."
            )

    def _warn_of_lengths(self):
        rows = " X has a row per clip: if yours has a column per clip, pass X.T."
        advice = rows if self._may_be_transposed else ""
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


class WindowReport(ClipReport):
    """Windows of recordings, which may have any length, and may be silent unless all of them are.

    It gives no warnings.
    """

    def __init__(self):
        super().__init__()
        self._spans = {}  # {recording: (start, end, whether it is silent) of each window}

    def add(self, clips, facts, known=None):
        """Note which windows are silent; waveforms have no names."""
        for clip, (_, is_silent, _) in zip(clips, facts, strict=True):
            if isinstance(clip, Clip) and is_silent is not None:
                spans = self._spans.setdefault(clip.name, [])
                spans.append((clip.start, clip.end, is_silent))

    def is_silent(self, clip):
        """Return whether all windows of a clip are silent; None if that is not known."""
        if not isinstance(clip, Clip):
            return None
        stop = float("inf") if clip.end is None else clip.end
        inside = [
            is_silent
            for start, end, is_silent in self._spans.get(clip.name, ())
            if clip.start < end and start < stop
        ]
        return all(inside) if inside else None

    def warn(self):
        """Do nothing."""


def _untold(kind, clips):
    """Return the clips that no warning has named yet, in a context of `each_clip_named_once`."""
    told = _told.get()
    if told is None:
        return clips
    new = [clip for clip in dict.fromkeys(clips) if (kind, clip) not in told]
    told.update((kind, clip) for clip in new)
    return new


@contextmanager
def each_clip_named_once():
    """Return a context in which no clip is named twice as silent or as cut off.

    Otherwise, a cross-validation would repeat the warnings with each of its overlapping parts.
    """
    token = _told.set(set())
    try:
        yield
    finally:
        _told.reset(token)


def _subject(clips, singular, plural):
    return f"A clip {singular}" if len(clips) == 1 else f"{len(clips)} clips {plural}"


def _described(clip, row):
    """Return the name of a clip and its times, if it has any."""
    if not isinstance(clip, Clip):
        return f"X[{row}]"
    start = f" from {clip.start:g} s" if clip.start else ""
    end = "" if clip.end in (None, float("inf")) else f" to {clip.end:g} s"
    return f"{clip.name!r}{start}{end}"


def _with_length(clip, row, seconds):
    name = repr(clip.name) if isinstance(clip, Clip) else f"X[{row}]"
    return f"{name} with {seconds:.3g} s"


def _listed(texts):
    n_more = len(texts) - _N_LISTED
    return "; ".join(texts[:_N_LISTED]) + (f"; and {n_more} more" if n_more > 0 else "")


def report_clips(clips, facts, known=None):
    """Warn of unusual clips, at once or at the end of the call that collects them.

    The parameters are those of `ClipReport.add`.
    """
    with one_report() as report:
        report.add(clips, facts, known)


def report_silent_recordings(clips, windows):
    """Warn of clips whose windows are all silent, as `report_clips` does.

    `windows` is a WindowReport.
    """
    with one_report() as report:
        report.add_silent_recordings(clips, windows)


def current_report():
    """Return the report that collects the clips of this call; None if there is none."""
    return _report.get()


@contextmanager
def reporting_to(report):
    """Return a context in which `report_clips` only adds to a report."""
    token = _report.set(report)
    try:
        yield report
    finally:
        _report.reset(token)


@contextmanager
def one_report():
    """Return a context that collects unusual clips, and warns at the end of the outermost one."""
    collecting = _report.get()
    if collecting is not None:
        yield collecting
        return
    with reporting_to(ClipReport()) as report:
        yield report
    report.warn()


@contextmanager
def known_lengths():
    """Return a context that does not warn of lengths, which were reported before."""
    outer = _report.get()
    with reporting_to(ClipReport()) as report:
        yield
    if outer is None:
        report.warn_of_contents()


def windows_of_recordings():
    """Return a context with a WindowReport, in which clips are windows and nothing warns."""
    outer = _report.get()
    return reporting_to(outer if isinstance(outer, WindowReport) else WindowReport())
