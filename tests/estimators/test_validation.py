"""X is validated once per call, unless code of others may change it in between."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import small_classifier, small_embedder, small_frontend
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import CNNFeatureExtractor, SpectrogramTransformer
from skdaf._audio import inputs

N_CLIPS = 24
WAVEFORMS = np.random.default_rng(0).standard_normal((N_CLIPS, 2000))
LABELS = np.arange(N_CLIPS) % 2


class OwnFrontend(TransformerMixin, BaseEstimator):
    """A front end as a user might write it, around one of this package."""

    def fit(self, X, y=None):
        self.frontend_ = small_frontend().fit(X)
        return self

    def transform(self, X):
        return 2 * self.frontend_.transform(X)


def kinds_of_clips(sounds):
    waveforms = WAVEFORMS.astype(np.float32)
    return {
        "files": sounds.filenames[:N_CLIPS],
        "table of files": pd.DataFrame({"path": sounds.filenames[:N_CLIPS]}),
        "pairs": [(waveform, 16_000) for waveform in WAVEFORMS],
        "array": WAVEFORMS,
        "table of samples": pd.DataFrame(WAVEFORMS).rename(columns=str),
        "list of arrays": [waveform[: 1900 + n] for n, waveform in enumerate(waveforms)],
        "spectrograms": np.random.default_rng(0).standard_normal((N_CLIPS, 12, 16)),
    }


@pytest.fixture
def n_validated(monkeypatch):
    """Return a function that counts how often clips were validated since its last call."""
    calls, validate = [], inputs._validate
    monkeypatch.setattr(
        inputs, "_validate", lambda *arguments: calls.append(1) or validate(*arguments)
    )

    def count():
        n_calls = len(calls)
        calls.clear()
        return n_calls

    return count


def check_every_method(estimator, X, y, n_validated):
    estimator.fit(X, y)
    assert n_validated() == 1
    for name in ("predict", "predict_proba", "decision_function", "transform", "score"):
        if hasattr(estimator, name):
            getattr(estimator, name)(*([X, y] if name == "score" else [X]))
            assert n_validated() == 1, name


@pytest.mark.parametrize(
    "kind",
    [
        *("files", "table of files", "pairs", "array", "table of samples", "list of arrays"),
        "spectrograms",
    ],
)
def test_x_is_validated_once(kind, sounds, n_validated):
    X = kinds_of_clips(sounds)[kind]
    check_every_method(small_classifier(max_epochs=1), X, LABELS, n_validated)
    check_every_method(small_embedder(max_epochs=1), X, None, n_validated)
    extractor = CNNFeatureExtractor(small_classifier(max_epochs=1))
    check_every_method(extractor, X, LABELS, n_validated)


@pytest.mark.parametrize(
    "frontend",
    [
        make_pipeline(small_frontend()),
        make_pipeline("passthrough", small_frontend()),
        OwnFrontend(),
    ],
)
@pytest.mark.parametrize("kind", ["files", "array", "list of arrays"])
def test_steps_of_other_front_ends_validate_again(frontend, kind, sounds, n_validated):
    X = kinds_of_clips(sounds)[kind]
    classifier = small_classifier(frontend=frontend, max_epochs=1).fit(X, LABELS)
    n_validated()
    classifier.predict(X)
    assert n_validated() == 2


@pytest.mark.parametrize("kind", ["files", "array", "list of arrays"])
def test_windows_are_not_validated_again(kind, sounds, n_validated):
    X = kinds_of_clips(sounds)[kind]
    classifier = small_classifier(max_epochs=1)
    extractor = CNNFeatureExtractor(classifier, window=0.05, step=0.03)
    check_every_method(extractor, X, LABELS, n_validated)


def test_a_front_end_from_another_network_validates_nothing_again(sounds, n_validated):
    X = sounds.filenames[:N_CLIPS]
    source = small_classifier(max_epochs=1).fit(X, LABELS)
    n_validated()
    changes = {"frontend": None, "channels": None, "pretrained": FrozenEstimator(source)}
    classifier = small_classifier(**changes, max_epochs=1)
    check_every_method(classifier, X, LABELS, n_validated)


def test_clips_that_a_front_end_has_changed_are_validated():
    def with_nan(X):
        return np.where(np.arange(X.shape[1]) == 7, np.nan, X)

    frontend = make_pipeline(FunctionTransformer(with_nan), small_frontend())
    with pytest.raises(ValueError, match="NaN"):
        small_classifier(frontend=frontend, max_epochs=1).fit(WAVEFORMS, LABELS)


def scale_in_place(X):
    with np.errstate(invalid="ignore"):
        for x in X:
            x /= np.abs(x).max()
    return X


class ScaledFrontend(SpectrogramTransformer):
    """A front end that changes its clips before it calls a method of this package."""

    def fit(self, X, y=None):
        return super().fit(scale_in_place(X))

    def transform(self, X):
        return super().transform(scale_in_place(X))


@pytest.mark.parametrize("container", [list, np.array])
@pytest.mark.parametrize(
    "frontend",
    [
        make_pipeline(FunctionTransformer(scale_in_place), small_frontend()),
        ScaledFrontend(**small_frontend().get_params()),
    ],
)
def test_clips_that_a_front_end_changes_in_place_are_validated(frontend, container):
    waveforms = WAVEFORMS.astype(np.float32)
    classifier = small_classifier(frontend=frontend, max_epochs=1)
    classifier.fit(container(waveforms.copy()), LABELS)
    waveforms[3] = 0  # scaling makes NaN of silence
    with pytest.raises(ValueError, match=r"NaN: X\[3\]|X\[3\] contains NaN"):
        classifier.predict(container(waveforms))
    with pytest.raises(ValueError, match=r"NaN: X\[3\]|X\[3\] contains NaN"):
        CNNFeatureExtractor(FrozenEstimator(classifier)).fit(waveforms).transform(waveforms)


def test_clips_that_a_front_end_replaces_are_validated(sounds):
    def replace(X):
        X[0] = sounds.filenames[5]
        return X

    frontend = make_pipeline(FunctionTransformer(replace), small_frontend())
    classifier = small_classifier(frontend=frontend, max_epochs=1)
    classifier.fit(list(sounds.filenames[:N_CLIPS]), LABELS)
    first, second = classifier.predict_proba([sounds.filenames[0], sounds.filenames[5]])
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_nothing_is_remembered_after_a_call(n_validated):
    classifier = small_classifier(max_epochs=1).fit(WAVEFORMS, LABELS)
    n_validated()
    X = WAVEFORMS.astype(np.float32)
    classifier.predict(X)
    X[0, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        classifier.predict(X)
    assert n_validated() == 2


def test_front_ends_know_their_features():
    table = pd.DataFrame(WAVEFORMS).rename(columns=str)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = small_classifier(max_epochs=1).fit(table, LABELS)
        classifier.predict(table)
    assert list(classifier.feature_names_in_) == list(table)
    assert classifier.frontend_.n_features_in_ == classifier.n_features_in_ == 2000
    assert not hasattr(classifier.frontend_, "feature_names_in_")
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(table.iloc[:, :1000])
    with pytest.raises(ValueError, match="expecting 2000 features"):
        classifier.frontend_.transform(WAVEFORMS[:, :1000])


def test_a_front_end_refitted_on_files_has_no_features(sounds):
    classifier = small_classifier(max_epochs=1).fit(WAVEFORMS, LABELS)
    classifier.fit(sounds.filenames[:N_CLIPS], LABELS)
    for estimator in (classifier, classifier.frontend_):
        assert not hasattr(estimator, "n_features_in_")


def test_waveforms_after_files_still_warn_about_their_rate(sounds):
    classifier = small_classifier(max_epochs=1).fit(sounds.filenames[:N_CLIPS], LABELS)
    with pytest.warns(UserWarning, match="16000 Hz"):
        classifier.predict(WAVEFORMS)


def test_spectrograms_are_still_refused_by_front_ends():
    with pytest.raises(ValueError, match="SpectrogramTransformer"):
        SpectrogramTransformer().fit(np.zeros((3, 12, 16), dtype=np.float32))
