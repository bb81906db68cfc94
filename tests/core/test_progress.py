import io
import sys
from types import SimpleNamespace

import pytest

from skdaf._core.parallel import map_chunks
from skdaf._core.progress import JoinedProgress, no_log_of_short_work, progress_bar

pytestmark = pytest.mark.oldest


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.fixture
def clock(monkeypatch):
    """Return the time of tqdm, which stands still, as a list of one number."""
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def show_hundred_seconds(clock):
    with progress_bar(100, "Work", "clip", 1) as advance:
        for _ in range(100):
            clock[0] += 1.0
            advance(1)


def test_a_log_file_gets_a_line_every_thirty_seconds(capfd, clock):
    show_hundred_seconds(clock)
    err = capfd.readouterr().err
    assert "\r" not in err
    lines = err.splitlines()
    assert [line.split("|")[-1].split("[")[0].strip() for line in lines] == [
        *("0/100", "30/100", "60/100", "90/100", "100/100")
    ]


def test_terminals_get_a_bar(clock, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    show_hundred_seconds(clock)
    assert shown.getvalue().count("\n") == 1
    assert shown.getvalue().count("\r") > 50


def without_widgets(monkeypatch):
    """Simulate a notebook without ipywidgets; return its outputs, each with all its states."""
    outputs = []

    def display(content, *, raw, display_id):
        assert raw
        assert display_id
        states = [content["text/plain"]]
        outputs.append(states)
        return SimpleNamespace(update=lambda new, raw: states.append(new["text/plain"]))

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setattr("skdaf._core.progress.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "stderr", Notebook())
    return outputs


@pytest.mark.filterwarnings("error")
def test_each_bar_is_one_output_of_a_notebook_without_widgets(clock, monkeypatch):
    outputs = without_widgets(monkeypatch)
    for _ in range(2):
        show_hundred_seconds(clock)
    assert sys.stderr.getvalue() == ""
    assert len(outputs) == 2
    for states in outputs:
        assert len(states) > 50
        assert "0/100" in states[0]
        assert "100%|\u2588" in states[-1]
        assert not any(set("\r\n") & set(state) for state in states)


def test_bars_in_bars_are_two_outputs_of_a_notebook(clock, monkeypatch):
    outputs = without_widgets(monkeypatch)
    with progress_bar(1, "Outer", "clip", 1) as advance:
        show_hundred_seconds(clock)
        clock[0] += 1.0
        advance(1)
    assert [states[-1].split(":")[0] for states in outputs] == ["Outer", "Work"]
    assert all("100%" in states[-1] for states in outputs)


def test_notebooks_with_widgets_get_the_bar_of_tqdm(clock, monkeypatch):
    monkeypatch.setattr("skdaf._core.progress.find_spec", lambda name: name)
    monkeypatch.setattr(sys, "stderr", Notebook())
    show_hundred_seconds(clock)
    assert sys.stderr.getvalue().count("\r") > 50


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_work_is_shown_after_the_delay(seconds, clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(2, "Headers", "clip", 1, delay=2.0) as advance:
        clock[0] += seconds
        advance(2)
    assert ("2/2" in terminal.getvalue()) == (seconds == 3.0)


def test_logs_without_short_work(capfd, clock):
    with no_log_of_short_work():
        with progress_bar(2, "Short", "clip", 1) as advance:
            clock[0] += 29.0
            advance(2)
        assert capfd.readouterr().err == ""
        show_hundred_seconds(clock)
    lines = capfd.readouterr().err.splitlines()
    assert ["30/" in lines[0], "100/100" in lines[-1], len(lines)] == [True, True, 4]


def test_epochs_are_shown_with_fractions(capfd, clock):
    with progress_bar(24, "Training", "epoch", 1) as advance:
        clock[0] = 60.0
        for share in (0.3, 0.1):
            advance(share)
        clock[0] = 120.0
        advance(0.6, loss="0.5")
        clock[0] = 180.0
        advance(0.4)
    shown = [line.split("|")[-1] for line in capfd.readouterr().err.splitlines()]
    assert [text.split("/")[0].strip() for text in shown] == ["0", "0.3", "1", "1.4", "1.4"]
    assert "1/24" in shown[2]
    assert "loss=0.5" in shown[2]


@pytest.mark.filterwarnings("error")
def test_many_fractions_add_up_to_the_total(capfd, clock):
    with progress_bar(3, "Training", "epoch", 1) as advance:
        for _ in range(3 * 100):
            clock[0] += 30.0
            advance(0.01)
    assert "3/3 [" in capfd.readouterr().err.splitlines()[-1]


class BrokenPipe(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [BrokenPipe, closed, object])
def test_work_goes_on_if_progress_cannot_be_written(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    with progress_bar(2, "Work", "clip", 1) as advance:
        advance(2)


def test_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(2, "Work", "clip", 1) as advance:
        advance(2)


@pytest.mark.parametrize("n", [10, 200])
def test_no_bar_without_verbose(capfd, n):
    list(map_chunks(len, range(n), n_jobs=None, description="Work"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("n", [10, 200])
def test_the_bar_is_on_stderr_and_reaches_100_percent(capfd, n):
    list(map_chunks(len, range(n), n_jobs=None, verbose=1, description="Work"))
    out, err = capfd.readouterr()
    assert out == ""
    assert "Work: 100%" in err
    assert f"{n}/{n}" in err


def test_the_bar_shows_figures(capfd):
    with progress_bar(2, "Epochs", "epoch", 1) as advance:
        advance(1)
        advance(1, loss=0.25)
    assert "loss=0.25" in capfd.readouterr().err
    with progress_bar(2, "Epochs", "epoch", 0) as advance:
        advance(1, loss=0.25)
    assert capfd.readouterr() == ("", "")


def test_the_estimate_of_a_bar_leaves_out_what_was_done_earlier(capfd, clock):
    with progress_bar(100, "Epochs", "epoch", 1, initial=90) as advance:
        clock[0] = 10.0
        advance(1)
    assert "91/100 [00:10<01:30, 10.00s/epoch]" in capfd.readouterr().err


@pytest.mark.parametrize("verbose", [0, 1])
def test_the_bars_of_successive_parts_are_one(capfd, verbose):
    with JoinedProgress(200) as progress:
        for _ in range(2):
            with progress.active():
                list(map_chunks(len, range(100), n_jobs=None, verbose=verbose, description="Part"))
            list(map_chunks(len, range(3), n_jobs=None, verbose=verbose, description="Other"))
    err = capfd.readouterr().err
    assert ("200/200" in err) == bool(verbose)
    assert "100/100" not in err
    assert err.count("3/3") == 2 * verbose


def test_a_log_file_says_at_once_that_work_continues(capfd, clock):
    with no_log_of_short_work(), progress_bar(10, "Work, resumed", "clip", 1, initial=4):
        assert capfd.readouterr().err == "Work, resumed\n"
    with no_log_of_short_work(), progress_bar(10, "Work", "clip", 1):
        pass
    with no_log_of_short_work(), progress_bar(10, "Work, resumed", "clip", 0, initial=4):
        pass
    assert capfd.readouterr().err == ""
    # Elsewhere, the bar itself is there at once.
    with progress_bar(10, "Work, resumed", "clip", 1, initial=4):
        assert capfd.readouterr().err.count("Work, resumed") == 1
