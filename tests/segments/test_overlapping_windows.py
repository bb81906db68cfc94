"""Overlapping windows give the results of clips that were cut out and saved."""

import numpy as np
import pytest
from helpers import any_length, small_frontend, wait_until_cacheable, write_format
from joblib import parallel_config

from skdaf import Clip, PyAudioAnalysisTransformer, load_audio, predict_segments, transform_segments
from skdaf._audio import adjacent

pytestmark = [pytest.mark.oldest, any_length]

RATE = 16_000
N_SAMPLES = 6 * RATE + 1234


def long_recording(path, format="WAV", subtype=None, rate=RATE):
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(N_SAMPLES, 2)) * np.linspace(0.01, 0.2, N_SAMPLES)[:, None]
    return write_format(path, samples, rate, format, subtype)


def clips_of(path, table):
    return [Clip(path, start, end) for start, end in zip(table.start, table.end, strict=True)]


def cut_out(path, table):
    """Return the windows of a table as (samples, rate) pairs. Their rates are those of the file."""
    return [load_audio(clip) for clip in clips_of(path, table)]


def values_of(table):
    return table.drop(columns=["start", "end"]).to_numpy()


@pytest.fixture
def n_decoded(monkeypatch):
    """How often several windows were decoded together."""
    counts, read_mono = [], adjacent.read_mono

    def counted(*arguments):
        counts.append(1)
        return read_mono(*arguments)

    monkeypatch.setattr(adjacent, "read_mono", counted)
    return counts


@pytest.mark.parametrize("step", [0.5, 0.25, 0.123])
@pytest.mark.parametrize(
    ("format", "subtype", "rate"),
    [("WAV", None, RATE), ("WAV", "FLOAT", 22_050), ("FLAC", None, 44_100), ("MP3", None, RATE)],
)
def test_features_equal_those_of_clips(tmp_path, n_decoded, format, subtype, rate, step):
    path = long_recording(tmp_path / "a", format, subtype, rate)
    frontend = small_frontend(sampling_rate=RATE).fit([(np.ones(RATE), RATE)])
    table = transform_segments(frontend, path, window=0.5, step=step)
    assert n_decoded
    expected = frontend.transform(cut_out(path, table)).reshape(len(table), -1)
    np.testing.assert_array_equal(values_of(table), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_clip_of_a_recording_in_batches(tmp_path, n_jobs):
    path = long_recording(tmp_path / "a.flac", "FLAC")
    frontend = small_frontend(channel=1, n_jobs=n_jobs).fit([path])
    options = {"window": 0.5, "step": 0.05}
    with parallel_config("threading"):
        tables = [
            transform_segments(frontend, Clip(path, 0.3, 5.2), batch_size=size, **options)
            for size in (1000, 7, 1)
        ]
    alone = [frontend.transform([clip]) for clip in clips_of(path, tables[0])]
    expected = np.concatenate(alone).reshape(len(alone), -1)
    for table in tables:
        np.testing.assert_array_equal(values_of(table), expected)


def test_other_features(tmp_path, n_decoded):
    path = long_recording(tmp_path / "a.wav")
    transformer = PyAudioAnalysisTransformer().fit([path])
    table = transform_segments(transformer, path, window=1, step=0.5)
    assert n_decoded
    np.testing.assert_array_equal(values_of(table), transformer.transform(cut_out(path, table)))


def test_predictions_equal_those_of_clips(recording, network):
    path, _ = recording
    segments = predict_segments(network, path, window=0.5, step=0.25)
    clips = cut_out(path, segments)
    assert segments.label.tolist() == network.predict(clips).tolist()
    probabilities = segments[list(network.classes_)].to_numpy()
    np.testing.assert_array_equal(probabilities, network.predict_proba(clips))


@pytest.mark.parametrize("filled", [slice(0, 0), slice(None, None, 3), slice(None)])
def test_the_cache_holds_the_spectrograms_of_clips(tmp_path, filled):
    path = long_recording(tmp_path / "a.flac", "FLAC")
    plain = small_frontend().fit([path])
    cached = small_frontend(cache=tmp_path / "cache").fit([path])
    wait_until_cacheable()
    expected = transform_segments(plain, path, window=0.5, step=0.1)
    clips = clips_of(path, expected)
    for clip in clips[filled]:
        cached.transform([clip])
    found = transform_segments(cached, path, window=0.5, step=0.1)
    np.testing.assert_array_equal(values_of(found), values_of(expected))
    stored = np.concatenate([cached.transform([clip]) for clip in clips])
    np.testing.assert_array_equal(stored.reshape(len(clips), -1), values_of(expected))
