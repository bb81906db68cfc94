"""Rates and lengths of clips, from headers."""

import re

import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, Clip
from skdaf._audio.lengths import (
    is_range_in_seconds,
    median_and_range,
    median_seconds,
    rate_and_lengths,
    read_headers,
)
from skdaf._estimators.persistence.outline_values import is_certain

SOUND = np.zeros(16_000), 8000  # 2 s


def test_headers_give_rates_lengths_and_errors(tmp_path):
    first, second, missing = (str(tmp_path / f"{name}.wav") for name in ("a", "b", "missing"))
    sf.write(first, np.zeros(1500), 16_000)
    sf.write(second, np.zeros(800), 8000)
    clips = [Clip(first), Clip(second), Clip(missing), Clip(first, 0.0, 0.05)]
    infos, errors = read_headers(clips)
    rates_and_lengths = [(info.sampling_rate, info.n_frames) for info in infos]
    assert rates_and_lengths == [(16_000, 1500), (8000, 800), (16_000, 800)]
    assert [error.paths for error in errors] == [[missing]]


def test_clips_that_end_after_their_files_are_shorter_and_give_a_warning():
    clips = [Clip(SOUND, 0, 1), Clip(SOUND, 1.5, 3), Clip(SOUND, 1, 3)]
    expected = "2 clips end after .*end=3 (seconds), but the file ends at 2 s"
    with pytest.warns(UserWarning, match=re.escape(expected).replace(r"\.\*", ".*")):
        assert rate_and_lengths(clips, None) == (8000, [8000, 4000, 8000])
    with pytest.warns(UserWarning, match=r"A clip ends after .*end=3 "):
        rate_and_lengths(clips[:2], None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (median_and_range([800, 400, 1600], 8000)[1], True),
        ((0.5, 0.5), True),
        ((0.6, 0.5), False),
        ((0.0, 0.5), False),
        ((0.5, float("inf")), False),
        ((float("nan"), 0.5), False),
        ((0.5,), False),
        ([0.5, 0.5], False),
        ((1, 2), False),
        (None, False),
    ],
)
def test_ranges_from_files_are_checked(value, expected):
    assert is_range_in_seconds(value) is expected
    assert is_certain("SpectrogramTransformer", "_clip_lengths", value, {}) is expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("end", [2.0, 2.09, np.inf, None])
def test_ends_that_are_rounded_or_infinite_are_those_of_the_file(end):
    assert rate_and_lengths([Clip(SOUND, 0.5, end)], None) == (8000, [12_000])


def test_milliseconds_are_an_error_that_names_every_clip():
    clips = [Clip(SOUND, 0, 1), Clip(SOUND, 0, 2000), Clip(SOUND, 0, 1500)]
    with pytest.raises(AudioReadError, match=r"(?s)2 clips .* 2000 s, .* 1500 s, .* at 2 s .*seco"):
        rate_and_lengths(clips, None)


@pytest.mark.parametrize("rate", [None, 8000, 16_000, 22_050])
def test_the_median_length_is_that_of_the_files(rate):
    """Not that of the samples at another rate, which is rounded up."""
    clips = [Clip((np.zeros(n), 44_100)) for n in (14_700, 14_700, 14_701)]
    found, lengths = rate_and_lengths(clips, rate)
    assert median_seconds(lengths, found) == 1 / 3
    assert lengths == [-(-n * found // 44_100) for n in (14_700, 14_700, 14_701)]
    assert median_seconds(rate_and_lengths([np.zeros(5), np.zeros(8)], 10)[1], 10) == 0.65
