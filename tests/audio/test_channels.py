"""Front ends read one channel of files."""

import pickle

import numpy as np
import pytest
import soundfile as sf
from sklearn.utils._param_validation import InvalidParameterError

from skdaf import AudioReadError, PyAudioAnalysisTransformer, SpectrogramTransformer


@pytest.fixture(params=[SpectrogramTransformer, PyAudioAnalysisTransformer])
def transformer(request):
    return request.param


def noise(seed):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, 8000)


@pytest.fixture
def stereo(tmp_path):
    """Files of two channels, and of each channel alone."""
    both = [np.column_stack([noise(i), noise(i + 10)]) for i in range(3)]
    paths = [[tmp_path / f"{i}{name}.wav" for i in range(3)] for name in ("", "left", "right")]
    for files, column in zip(paths, (slice(None), 0, 1), strict=True):
        for path, samples in zip(files, both, strict=True):
            sf.write(path, samples[:, column], 16_000)
    return paths


def test_a_channel_is_what_its_own_file_would_give(transformer, stereo):
    both, *alone = stereo
    for channel, files in enumerate(alone):
        found = transformer(channel=channel).fit_transform(both)
        np.testing.assert_array_equal(found, transformer().fit_transform(files))
    assert not np.array_equal(found, transformer().fit_transform(both))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_channels_have_separate_cache_entries(transformer, stereo, tmp_path, n_jobs):
    both, cache = stereo[0], tmp_path / "cache"
    for _ in range(2):
        for channel in (None, 0, 1):
            expected = transformer(channel=channel).fit_transform(both)
            found = transformer(channel=channel, cache=cache, n_jobs=n_jobs).fit_transform(both)
            np.testing.assert_array_equal(found, expected)


def test_files_without_that_channel_are_named_by_fit_and_transform(transformer, stereo):
    both, left, _ = stereo
    sentence = "there is no channel 1"
    with pytest.raises(AudioReadError, match=sentence) as info:
        transformer(channel=1).fit([both[0], left[1], left[2]])
    assert info.value.paths == [str(left[1]), str(left[2])]
    with pytest.raises(AudioReadError, match=sentence) as info:
        transformer(channel=1).fit(both).transform([left[0], both[1]])
    assert info.value.paths == [str(left[0])]


@pytest.mark.parametrize("kind", [np.array, list])
def test_waveforms_have_channel_0(transformer, kind):
    X = kind([noise(0), noise(1)])
    expected = transformer().fit_transform(X)
    np.testing.assert_array_equal(transformer(channel=0).fit_transform(X), expected)
    with pytest.raises(ValueError, match="channel=1 needs files"):
        transformer(channel=1).fit(X)


def test_waveforms_after_a_fit_on_a_channel_of_files_are_refused(transformer, stereo):
    with pytest.raises(ValueError, match="channel=1 needs files"):
        transformer(channel=1, sampling_rate=8000).fit(stereo[0]).transform(np.stack([noise(0)]))


@pytest.mark.parametrize("channel", [0.5, -1, "left"])
def test_a_channel_is_none_or_a_whole_number(transformer, stereo, channel):
    with pytest.raises(InvalidParameterError, match="'channel' parameter"):
        transformer(channel=channel).fit(stereo[0])


def test_the_channel_of_fit_counts(stereo):
    both, *_ = stereo
    fitted = SpectrogramTransformer(channel=np.int64(0)).fit(both)
    expected = fitted.transform(both)
    copy = pickle.loads(pickle.dumps(fitted)).set_params(channel=1)
    np.testing.assert_array_equal(copy.transform(both), expected)
