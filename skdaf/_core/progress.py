"""Progress bars on a terminal or in a notebook, and lines in log files."""

import sys
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from importlib.util import find_spec

# Seconds between two lines in a log file.
_LINE_INTERVAL = 30.0

# A bar of epochs also shows parts of them, with two decimals at most.
_EPOCHS = "{l_bar}{bar}| {n:g}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"

_is_short_work_logged: ContextVar = ContextVar("is_short_work_logged", default=True)


@contextmanager
def progress_bar(total, description, unit, verbose, initial=0, delay=0.0):
    """Show a tqdm progress bar if `verbose` is true.

    Yields a function `advance(n, **figures)`, which counts `n` more items as done. The figures,
    such as a loss, are shown next to the bar. Bytes (unit "B") are shown in kB, MB and so on, and
    epochs (unit "epoch") with fractions of 0.01. The total can be None if it is not known.
    `initial` items were done earlier: they are in the bar, but not in its estimate of the remaining
    time. Work that takes less than `delay` seconds is not shown.

    If standard error is neither a terminal nor a notebook, the bar is a line at the beginning, at
    the end, and every 30 seconds. The description of work that continues, with `initial` items, is
    a line in any case.
    """
    joined = _joined.get()
    if joined is not None:
        yield joined.advance_of(description, unit, verbose)
        return
    if not verbose or sys.stderr is None:
        yield lambda n, **figures: None
        return
    tqdm, place = _tqdm_and_place(delay)
    options = {"bar_format": _EPOCHS if unit == "epoch" else None, "unit_scale": unit == "B"}
    options |= {"delay": delay, **place}
    if initial and options["delay"] and isinstance(place.get("file"), _Lines):
        # The bar, which says that the work goes on, may come later than the end of the work.
        place["file"].write(description)
    with tqdm(total=total, desc=description, unit=unit, initial=initial, **options) as bar:

        def advance(n, **figures):
            if figures:
                bar.set_postfix(figures, refresh=False)
            # Sums of fractions would exceed the total by rounding, and tqdm would warn.
            bar.n = round(bar.n + n, 2)
            bar.update(0)

        yield advance


@contextmanager
def no_log_of_short_work():
    """Leave out of log files the progress of work that takes less time than between two lines."""
    token = _is_short_work_logged.set(False)
    try:
        yield
    finally:
        _is_short_work_logged.reset(token)


def _tqdm_and_place(delay):
    """Return the class of the bar, and its options that depend on where it is shown."""
    # Not tqdm.auto in a notebook without widgets, which would warn that they are missing.
    if _is_in_notebook() and find_spec("ipywidgets") is None:
        from tqdm.std import tqdm

        return tqdm, {"file": _Output(), "position": 0}
    from tqdm.auto import tqdm

    return tqdm, {} if _is_in_notebook() or _is_in_terminal() else _log_options(delay)


def _log_options(delay):
    """Return the options of tqdm that turn a bar into lines in a log file."""
    return {
        "file": _Lines(),
        "mininterval": _LINE_INTERVAL,
        "miniters": 0,  # only the time counts
        "delay": delay if _is_short_work_logged.get() else _LINE_INTERVAL,
        "position": 0,  # tqdm need not move between the lines of several bars
    }


def _is_in_notebook():
    return type(sys.stderr).__module__.startswith("ipykernel.")


def _is_in_terminal():
    with suppress(AttributeError, ValueError):  # it may be any object, and may be closed
        return sys.stderr.isatty()
    return False


class _Output:
    """An output of a notebook as a file for tqdm, with the last state of a bar only.

    Standard error would keep all states when a notebook is run and converted without a browser.
    """

    encoding = "utf-8"  # tqdm draws blocks

    def __init__(self):
        self._display = None

    def write(self, text):
        # tqdm overwrites a state by a carriage return, and clears it with spaces.
        if not text.strip():
            return
        from IPython.display import display

        content = {"text/plain": text.strip()}
        if self._display is None:
            self._display = display(content, raw=True, display_id=True)
        else:
            self._display.update(content, raw=True)

    def flush(self):
        """Do nothing, because `write` has shown the text."""


class _Lines:
    """Standard error as a file for tqdm, with each state of a bar on its own line."""

    def write(self, text):
        # tqdm overwrites a state by a carriage return, and clears it with spaces.
        if text.strip():
            # Work goes on when nobody reads the log any more.
            with suppress(AttributeError, OSError, ValueError):
                sys.stderr.write(f"{text.strip()}\n")
                sys.stderr.flush()

    def flush(self):
        """Do nothing, because `write` has flushed."""


_joined: ContextVar = ContextVar("joined", default=None)


class JoinedProgress:
    """Let the progress bars of successive parts of the same work be one.

    Bars that are shown inside `active()` are joined by their description. The bars stay on the
    screen until the end of the context of this object.

    Parameters
    ----------
    total : int
        The total of each joined bar.
    """

    def __init__(self, total):
        self._total = total
        self._bars = {}

    def __enter__(self):
        self._stack = ExitStack()
        return self

    def __exit__(self, *exception):
        self._stack.close()

    @contextmanager
    def active(self):
        """Join the bars that this thread shows inside the context."""
        token = _joined.set(self)
        try:
            yield
        finally:
            _joined.reset(token)

    def advance_of(self, description, unit, verbose):
        """Return the function that advances the joined bar with a description."""
        token = _joined.set(None)
        try:
            if description not in self._bars:
                bar = progress_bar(self._total, description, unit, verbose)
                self._bars[description] = self._stack.enter_context(bar)
        finally:
            _joined.reset(token)
        return self._bars[description]
