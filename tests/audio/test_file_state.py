"""The state of a file: when its time stamps show that it has not changed."""

import time
from types import SimpleNamespace

import pytest

from skdaf._audio.file_state import is_settled

NOW = 1_700_000_000 * 10**9
SECOND, MILLISECOND = 10**9, 10**6


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (MILLISECOND, False),
        (60 * MILLISECOND, True),
        (SECOND, False),  # a time stamp in whole seconds, and the next two
        (2 * SECOND, False),
        (3 * SECOND, True),
        (-MILLISECOND, False),  # the clock of a file server is ahead
        (-SECOND, False),
        (-1001 * MILLISECOND, False),
        (-3600 * SECOND, True),  # the clock was wrong
    ],
)
def test_a_file_is_settled_some_time_after_its_last_change(monkeypatch, age, expected):
    monkeypatch.setattr(time, "time_ns", lambda: NOW)
    status = SimpleNamespace(st_mtime_ns=NOW - age, st_ctime_ns=NOW - age)
    assert is_settled(status) is expected
