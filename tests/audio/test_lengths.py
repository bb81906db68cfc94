"""Rates and lengths of clips, from headers."""

import numpy as np
import soundfile as sf

from skdaf import Clip
from skdaf._audio.lengths import read_headers


def test_headers_give_rates_lengths_and_errors(tmp_path):
    first, second, missing = (str(tmp_path / f"{name}.wav") for name in ("a", "b", "missing"))
    sf.write(first, np.zeros(1500), 16_000)
    sf.write(second, np.zeros(800), 8000)
    clips = [Clip(first), Clip(second), Clip(missing), Clip(first, 0.0, 0.05)]
    infos, errors = read_headers(clips)
    rates_and_lengths = [(info.sampling_rate, info.n_frames) for info in infos]
    assert rates_and_lengths == [(16_000, 1500), (8000, 800), (16_000, 800)]
    assert [error.paths for error in errors] == [[missing]]
