"""The spectrogram of one clip at its own length."""

import numpy as np
import pytest
from helpers import fitted_frontend, write_audio

from skdaf import Clip, SpectrogramTransformer
from skdaf._display.clip_spectrogram import clip_spectrogram, settings_for

pytestmark = pytest.mark.oldest

RATE = 16_000


def test_long_recordings_are_averaged_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._display.clip_spectrogram.MAX_FRAMES", 50)
    monkeypatch.setattr("skdaf._display.clip_spectrogram._SECONDS_PER_PART", 0.7)
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, 3 * RATE + 777) * np.linspace(0.01, 1, 3 * RATE + 777)
    path = tmp_path / "long.wav"
    write_audio(path, samples, subtype="FLOAT")
    frontend = fitted_frontend([path])
    settings = settings_for(frontend, Clip(path))
    for clip in (Clip(path), Clip(path, 0.0, np.inf), samples.astype(np.float32)):
        spectrogram, times = clip_spectrogram(settings, clip)
        unlimited = SpectrogramTransformer(standardize=False, top_db=None, n_frames=305)
        whole = unlimited.fit_transform([path])[0]
        n_together = -(-len(whole) // 50)
        expected = [
            10 * np.log10((10.0 ** (whole[i : i + n_together] / 10)).mean(axis=0))
            for i in range(0, len(whole), n_together)
        ]
        expected -= np.max(expected)
        assert len(spectrogram) == len(expected) <= 50
        np.testing.assert_allclose(spectrogram, expected, atol=2e-3)
        np.testing.assert_allclose(times[[0, -1]], [0, len(samples) / RATE])
        np.testing.assert_allclose(np.diff(times)[1:-1], n_together * 0.01)


@pytest.mark.parametrize("seconds", [0.5, 30.0])
def test_the_channel_of_the_front_end_is_used(tmp_path, seconds):
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, round(seconds * RATE)))
    right[: len(right) // 2] = 0
    both, alone = tmp_path / "both.wav", tmp_path / "right.wav"
    write_audio(both, np.column_stack([left, right]))
    write_audio(alone, right)
    spectrograms = [
        clip_spectrogram(settings_for(frontend, Clip(path)), Clip(path))[0]
        for path, frontend in [
            (both, fitted_frontend([both], channel=1)),
            (alone, fitted_frontend([alone])),
        ]
    ]
    np.testing.assert_array_equal(*spectrograms)
