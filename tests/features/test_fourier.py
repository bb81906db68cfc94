"""Fourier transforms by SciPy, or by a backend that the user has chosen."""

from types import SimpleNamespace

import fourier_backend
import joblib
import numpy as np
import pytest
import scipy.fft
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdaf import PyAudioAnalysisTransformer, SpectrogramTransformer, transform_segments
from skdaf._features.fourier import transform_frames

TRANSFORMERS = [
    SpectrogramTransformer(n_mels=16, n_frames=20),
    SpectrogramTransformer("mfcc", n_mels=16, n_frames=20, length="pad"),
    PyAudioAnalysisTransformer(),
]


@pytest.fixture(scope="module")
def clips():
    """More clips than fit in a chunk."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(1600 + i).astype(np.float32) for i in range(70)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 255, 256])
def test_spectra_have_the_precision_of_the_frames(dtype, n):
    frames = np.random.default_rng(0).standard_normal((5, n)).astype(dtype)
    expected = np.fft.rfft(frames.astype(np.float64), axis=1)
    spectra = transform_frames(frames.copy())
    np.testing.assert_allclose(spectra, expected, rtol=1e-5, atol=1e-5)
    assert spectra.flags.c_contiguous
    with scipy.fft.set_backend(fourier_backend):
        other = transform_frames(frames.copy())
    assert other.dtype == spectra.dtype == np.result_type(dtype, np.complex64)
    half = spectra.shape[1] // 2
    np.testing.assert_allclose(other[:, :half], spectra[:, :half], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_transformers_use_the_backend_with_any_number_of_workers(transformer, clips):
    default = transformer.set_params(n_jobs=None).fit_transform(clips)
    with scipy.fft.set_backend(fourier_backend):
        expected = transformer.transform(clips)
        assert np.abs(expected - default).max() > 0.1
        transformer.set_params(n_jobs=2)
        assert transformer.transform(clips).tobytes() == expected.tobytes()
        with joblib.parallel_config(backend="threading"):
            assert transformer.transform(clips).tobytes() == expected.tobytes()
    assert transformer.transform(clips).tobytes() == default.tobytes()


def test_windows_of_recordings_use_the_backend(sounds):
    transformer = SpectrogramTransformer(n_mels=16, n_frames=5).fit(sounds.filenames[:4])
    default = transform_segments(transformer, sounds.filenames[0], window=0.2)
    with scipy.fft.set_backend(fourier_backend):
        other = transform_segments(transformer, sounds.filenames[0], window=0.2)
    assert np.abs(other.to_numpy() - default.to_numpy()).max() > 0.1


def test_the_cache_keeps_the_results_of_backends_apart(sounds, tmp_path):
    paths = sounds.filenames[:6]
    plain = PyAudioAnalysisTransformer().fit(paths)
    cached = PyAudioAnalysisTransformer(cache=tmp_path).fit(paths)
    default = plain.transform(paths)
    with scipy.fft.set_backend(fourier_backend):
        expected = plain.transform(paths)
        assert cached.transform(paths[:3]).tobytes() == expected[:3].tobytes()
    for _ in range(2):
        assert cached.transform(paths).tobytes() == default.tobytes()
        with scipy.fft.set_backend(fourier_backend):
            assert cached.transform(paths).tobytes() == expected.tobytes()


def test_padding_does_not_depend_on_the_backend_of_the_first_call():
    from skdaf._features.spectrogram import SpectrogramSettings, silent_frame

    settings = SpectrogramSettings.from_seconds(16000, features="mfcc", n_mels=17)
    with scipy.fft.set_backend(fourier_backend, only=True):
        first = silent_frame(settings)
    silent_frame.cache_clear()
    assert silent_frame(settings).tobytes() == first.tobytes()


def test_results_of_the_wrong_shape_are_an_error(clips):
    def broken(method, args, kwargs):
        return np.zeros((1, 3)) if method.__name__ == "rfft" else NotImplemented

    backend = SimpleNamespace(__ua_domain__="numpy.scipy.fft", __ua_function__=broken)
    with (
        scipy.fft.set_backend(backend),
        pytest.raises(RuntimeError, match=r"backend of scipy.fft returned.*\(1, 3\)"),
    ):
        SpectrogramTransformer().fit_transform(clips[:2])


class Mean(BaseEstimator):
    """Its score is the mean of the features, so that it shows how they were computed."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def score(self, X, y=None):
        return float(X.mean()) + self.offset


def test_searches_use_a_backend_that_their_workers_start_with(clips):
    """The recipe of the documentation: joblib's workers get it from an initializer."""
    model = make_pipeline(PyAudioAnalysisTransformer(), Mean())
    search = GridSearchCV(model, {"mean__offset": [0.0, 1.0]}, cv=2)
    default = search.fit(clips[:8]).cv_results_["mean_test_score"]
    with scipy.fft.set_backend(fourier_backend):
        expected = search.fit(clips[:8]).cv_results_["mean_test_score"]
    with joblib.parallel_config(
        "loky",
        n_jobs=2,
        initializer=scipy.fft.set_global_backend,
        initargs=(fourier_backend,),
    ):
        found = search.fit(clips[:8]).cv_results_["mean_test_score"]
    assert abs(expected - default).max() > 0.01
    np.testing.assert_array_equal(found, expected)
    with joblib.parallel_config("loky", n_jobs=2):
        np.testing.assert_array_equal(search.fit(clips[:8]).cv_results_["mean_test_score"], default)
