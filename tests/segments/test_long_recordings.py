"""Recordings of an hour: memory, and windows that are exact to the sample."""

import json
import sys

import numpy as np
import pytest
import soundfile as sf
from helpers import run_python
from sklearn.base import BaseEstimator, ClassifierMixin

from skdaf import (
    load_audio,
    predict_segments,
)

pytestmark = pytest.mark.oldest


MEASURE = """
import json, resource, sys, warnings
import numpy as np
import soundfile as sf
from skdaf import CNNAudioClassifier, SpectrogramTransformer, predict_segments

rng = np.random.default_rng(0)
X = [rng.normal(size=16000).astype(np.float32) * scale for scale in [0.01, 0.3] * 4]
model = CNNAudioClassifier(
    SpectrogramTransformer(n_mels=16, n_frames=16, top_db=None), channels=(2,), hidden_units=(),
    max_epochs=1, random_state=0,
).fit(X, ["quiet", "loud"] * 4)
*paths, folder = sys.argv[1:]
unit = 1 if sys.platform == "darwin" else 1024
found = []
for path in paths:
    segments = predict_segments(model, path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found.append([peak * unit, len(segments), segments.end.iloc[-1]])

some = segments.iloc[:: max(1, len(segments) // 40)]
parts = []
for start, end in zip(some.start, some.end):
    place = dict(start=round(start * 16000), stop=round(end * 16000))
    samples, rate = sf.read(path, dtype="int16", **place)
    parts.append(f"{folder}/{start}.wav")
    sf.write(parts[-1], samples, rate)
warnings.filterwarnings("ignore", ".* training clip")  # the last window is short
assert model.predict(parts).tolist() == some.label.tolist()
np.testing.assert_allclose(model.predict_proba(parts), some[["loud", "quiet"]], rtol=0, atol=1e-5)

print(json.dumps(found))
"""


def write_long_noise(path, n_samples):
    """Write noise whose level rises and falls every 97 seconds."""
    rng = np.random.default_rng(0)
    with sf.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for first in range(0, n_samples, 2**20):
            positions = np.arange(first, min(first + 2**20, n_samples))
            level = 5000 + 4900 * np.sin(positions * (2 * np.pi / (97 * 16000)))
            file.write((level * rng.uniform(-1, 1, len(positions))).astype(np.int16))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
def test_an_hour_needs_as_much_memory_as_a_minute(tmp_path):
    sizes = [60 * 16000, 3600 * 16000 + 1]
    paths = [tmp_path / "minute.wav", tmp_path / "hour.wav"]
    for path, n_samples in zip(paths, sizes, strict=True):
        write_long_noise(path, n_samples)
    # The peak of a process never falls: the second is that of both.
    peaks = []
    found = json.loads(run_python(MEASURE, *paths, tmp_path))
    for n_samples, (peak, n_segments, end) in zip(sizes, found, strict=True):
        peaks.append(peak)
        assert n_segments == -(-n_samples // 16000)
        assert round(end * 16000) == n_samples
    print("peak memory in MB, a minute and an hour:", *(round(peak / 1e6) for peak in peaks))
    assert peaks[1] - peaks[0] < 200e6


@pytest.mark.slow
def test_windows_at_the_end_of_an_hour_are_exact(tmp_path):
    """Each sample contains its position, so that a wrong first or last sample is found."""
    path, rate, n_samples = tmp_path / "hour.wav", 16000, 3600 * 16000 + 123
    with sf.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for first in range(0, n_samples, 2**20):
            positions = np.arange(first, min(first + 2**20, n_samples))
            file.write((positions % 30_011 - 15_000).astype(np.int16))

    def first_samples(clips):
        ends = [load_audio(clip)[0][[0, -1]] for clip in clips]
        return np.round(np.array(ends) * 2**15).astype(int) + 15_000

    class Positions(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = y
            return self

        def predict(self, X):
            first, last = first_samples(X).T
            return first + 100_000 * last

    with pytest.warns(UserWarning, match="step=1.3 s is longer than window=0.7 s"):
        segments = predict_segments(Positions().fit(None, np.arange(2)), path, window=0.7, step=1.3)
    starts, ends = (np.round(segments[name].to_numpy() * rate) for name in ("start", "end"))
    np.testing.assert_array_equal(starts, np.arange(0, n_samples, 20_800))
    np.testing.assert_array_equal(ends, np.minimum(starts + 11_200, n_samples))
    np.testing.assert_array_equal(segments.label, starts % 30_011 + 100_000 * ((ends - 1) % 30_011))
