"""Durations by class."""

import numpy as np
import pytest
import soundfile
from helpers import fitted_frontend, texts

from skdaf import (
    AudioReadError,
    DurationDisplay,
)

pytestmark = pytest.mark.oldest


def test_durations_match_the_files(sounds, sound_labels):
    display = DurationDisplay.from_clips(sounds.filenames, sound_labels)
    durations = np.array([soundfile.info(path).duration for path in sounds.filenames])
    np.testing.assert_allclose(display.durations, durations)
    labels = texts(display.ax_.get_yticklabels())
    assert labels == ["high_tone (20)", "low_tone (20)", "white_noise (20)"]
    for row, (dots, label) in enumerate(zip(display.dots_, np.unique(sound_labels), strict=True)):
        x, y = dots.get_offsets().T
        np.testing.assert_allclose(np.sort(x), np.sort(durations[sound_labels == label]))
        assert np.abs(y - row).max() < 0.5
    assert display.median_line_.get_xdata()[0] == np.median(durations)
    assert display.percentile_line_.get_xdata()[0] == np.quantile(durations, 0.95)
    assert display.ax_.get_xlabel() == "Duration (s)"
    assert display.ax_.get_xscale() == "linear"
    assert display.ax_.get_xlim()[0] == 0
    # The first class is on top.
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_the_lines_are_at_the_lengths_that_the_front_end_chooses(sounds):
    display = DurationDisplay.from_clips(sounds.filenames)
    for length, line in [("resize", display.median_line_), ("pad", display.percentile_line_)]:
        n_frames = fitted_frontend(sounds.filenames, length=length).n_frames_
        assert abs(n_frames * 0.01 - line.get_xdata()[0]) < 0.03


def test_waveforms_have_durations_at_their_rate():
    display = DurationDisplay.from_clips([np.zeros(8000), np.zeros(16000)], sampling_rate=8000)
    np.testing.assert_array_equal(display.durations, [1.0, 2.0])
    assert texts(display.ax_.get_yticklabels()) == ["all clips (2)"]


def test_a_wide_range_of_durations_has_a_logarithmic_axis():
    assert DurationDisplay([1.0, 1.0, 100.0]).plot().ax_.get_xscale() == "log"
    assert DurationDisplay([1.0, 1.0, 100.0]).plot(xscale="linear").ax_.get_xscale() == "linear"


def test_fifty_classes_have_a_row_each():
    names = [f"a class with quite a long name, number {i:02d}, in words" for i in range(50)]
    display = DurationDisplay(np.linspace(1, 2, 100), labels=names * 2).plot()
    assert len(display.dots_) == 50
    assert len({*texts(display.ax_.get_yticklabels())}) == 50
    assert display.figure_.get_figheight() > 10


def test_errors_name_bad_files_and_labels(tmp_path):
    path = tmp_path / "no.wav"
    with pytest.raises(AudioReadError, match=r"no\.wav"):
        DurationDisplay.from_clips([path])
    with pytest.raises(ValueError, match=r"labels.*2 durations"):
        DurationDisplay([1.0, 2.0], labels=["a"]).plot()


@pytest.mark.parametrize("X", [np.zeros((2, 5, 8)), [np.zeros(8), np.zeros((2, 8))], [[]]])
def test_arrays_that_are_not_waveforms_raise(X):
    with pytest.raises(ValueError, match="waveforms"):
        DurationDisplay.from_clips(X)
