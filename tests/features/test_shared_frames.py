"""Overlapping clips give the bytes of separate copies, with fewer transforms."""

import numpy as np
import pytest
from helpers import noise

from skdaf._features import shared_frames, spectrogram
from skdaf._features.spectrogram import SpectrogramSettings, compute_spectrograms

pytestmark = pytest.mark.oldest

RATE = 16_000


def settings_of(rate=RATE, features="mel", **changes):
    options = {
        "window_length": 0.032,
        "hop_length": 0.01,
        "n_mels": 30,
        "n_mfcc": 13,
        "fmin": 0.0,
        "fmax": None,
        "top_db": 80.0,
        "channel": None,
    }
    return SpectrogramSettings.from_seconds(rate, features=features, **options | changes)


def cut(samples, length, step):
    """Return windows of this many samples as views; the last one is shorter."""
    return [samples[start : start + length] for start in range(0, len(samples) - step, step)]


@pytest.fixture
def n_transformed(monkeypatch):
    """The numbers of frames that were transformed; few are shared as well as many."""
    monkeypatch.setattr(shared_frames, "_MIN_SHARED_VALUES", 1)
    counts, squares = [], spectrogram._squares

    def counted(frames, *args, **kwargs):
        counts.append(len(frames))
        return squares(frames, *args, **kwargs)

    monkeypatch.setattr(spectrogram, "_squares", counted)
    return counts


def count_shared(windows, settings, n_transformed):
    """Check windows that are views against copies; return how many frames they did not repeat."""
    n_transformed.clear()
    found = compute_spectrograms(windows, settings)
    n_found = sum(n_transformed)
    n_transformed.clear()
    expected = compute_spectrograms([window.copy() for window in windows], settings)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    return sum(n_transformed) - n_found


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
@pytest.mark.parametrize("rate", [8000, 44_100])
@pytest.mark.parametrize(("length", "step"), [(1.0, 0.5), (0.3, 0.01), (0.5, 0.13), (0.08, 0.02)])
def test_spectrograms_equal_those_of_copies(n_transformed, features, rate, length, step):
    settings = settings_of(rate, features)
    samples = noise(n_samples=rate + 77) * np.linspace(0.01, 1, rate + 77, dtype="float32")
    windows = cut(samples, round(length * rate), round(step * rate))
    assert count_shared(windows, settings, n_transformed) > 0


def test_windows_of_16_bit_samples_share_frames(n_transformed):
    samples = (noise(n_samples=4 * RATE) * 2**12).astype(np.int16)
    assert count_shared(cut(samples, RATE, RATE // 2), settings_of(), n_transformed) > 0


def test_half_of_the_frames_are_transformed_at_half_overlap(n_transformed):
    windows = cut(noise(n_samples=30 * RATE), RATE, RATE // 2)
    # Of the 101 frames of a window, the first two and the last two contain silence beyond its ends.
    assert count_shared(windows, settings_of(), n_transformed) >= 47 * (len(windows) - 2)


def test_clips_of_any_lengths_and_places(n_transformed):
    samples, hop = noise(n_samples=5 * RATE), 160
    rng = np.random.default_rng(0)
    starts = np.sort(rng.integers(0, 4 * RATE // hop, 80)) * hop
    windows = [samples[start : start + rng.integers(1, RATE)] for start in starts]
    windows[30:30] = [noise(1), samples[::2], samples[5:], samples]
    assert count_shared(windows, settings_of(), n_transformed) > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda samples: cut(samples, RATE, RATE // 2 + 1),  # not a whole number of hops
        lambda samples: cut(samples, RATE, RATE),  # no overlap
        lambda samples: cut(samples, RATE, RATE // 2)[::-1],
        lambda samples: [samples, samples],
        lambda samples: [samples[:RATE:2], samples[160:RATE:2]],
        lambda samples: [samples[:RATE]],
    ],
)
def test_frames_that_cannot_be_shared(n_transformed, make):
    windows = make(noise(n_samples=4 * RATE))
    assert count_shared(windows, settings_of(), n_transformed) == 0


@pytest.mark.parametrize(
    ("name", "limit"), [("_MAX_VALUES", 101 * 512), ("_MIN_SHARED_VALUES", 47 * 512)]
)
def test_limits(n_transformed, monkeypatch, name, limit):
    windows = cut(noise(n_samples=4 * RATE), RATE, RATE // 2)
    monkeypatch.setattr(shared_frames, name, limit)
    assert count_shared(windows, settings_of(), n_transformed) > 0
    monkeypatch.setattr(shared_frames, name, limit + (1 if name.startswith("_MIN") else -1))
    assert count_shared(windows, settings_of(), n_transformed) == 0
