"""Warnings of clips that are shorter than their times, or unlike those of fit."""

import warnings

import numpy as np
import pytest
from helpers import noise, small_classifier, small_embedder, wait_until_cacheable, write_noise
from joblib import parallel_config
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from skdaf import (
    Clip,
    CNNFeatureExtractor,
    LegacySpectrogramTransformer,
    PretrainedFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    load_model,
    make_combined_classifier,
    predict_segments,
    save_model,
    transform_segments,
)
from skdaf._audio.unusual_lengths import LengthReport, any_length, one_report, report_lengths

pytestmark = pytest.mark.oldest

RATE = 8000
X = [(noise(seed, 2000 + 100 * seed), RATE) for seed in range(8)]  # 0.25 to 0.34 s
Y = np.array(["owl", "rain"] * 4)

LATE = Clip((noise(9, 2000), RATE), 0.05, 0.4)
SHORT, LONG = (noise(0, 3), RATE), (noise(0, 4 * RATE), RATE)


@pytest.fixture(scope="module")
def classifier():
    return small_classifier(channels=(2,), max_epochs=1).fit(X, Y)


def levels(waveforms):
    return np.abs(waveforms).mean(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def calls(classifier):
    """What returns predictions or features, by name."""
    network = FrozenEstimator(classifier)
    embedder = small_embedder(channels=(2,), max_epochs=1).fit(X)
    hand = make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression()).fit(X, Y)
    extractor = CNNFeatureExtractor(network).fit(X)
    windows = CNNFeatureExtractor(network, window=0.1).fit(X)
    pretrained = PretrainedFeatureExtractor(levels, sampling_rate=RATE).fit(X)
    legacy = LegacySpectrogramTransformer().fit(X)
    return {
        "predict": classifier.predict,
        "predict_proba": classifier.predict_proba,
        "decision_function": classifier.decision_function,
        "embedder": embedder.transform,
        "pipeline": hand.predict,
        "extractor": extractor.transform,
        "windows": windows.transform,
        "pretrained": pretrained.transform,
        "legacy": legacy.transform,
        "front end": SpectrogramTransformer().fit(X).transform,
    }


NAMES = [
    *("predict", "predict_proba", "decision_function", "embedder", "pipeline", "extractor"),
    *("windows", "pretrained", "legacy", "front end"),
]


def messages(call, *arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments, **options)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", NAMES)
def test_predictions_warn_of_clips_that_end_after_their_files(calls, name):
    (message,) = messages(calls[name], [*X, LATE, LATE])
    expected = "2 clips end after the end of the file, and so are shorter than expected: "
    assert message.startswith(
        f"{expected}'tuple', end=0.4 (seconds), but the file ends at 0.25 s; "
    )
    assert messages(calls[name], X) == []


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("windows", "pretrained")])
def test_predictions_warn_of_clips_unlike_those_of_fit(calls, name):
    short, long = messages(calls[name], [X[0], SHORT, LONG, LONG])
    assert short.startswith(
        "A clip is more than 10 times shorter than every training clip of the front end (0.25 s "
    )
    assert "'X[1]' with 0.000375 s" in short
    assert long.startswith(
        "2 clips are more than 10 times longer than every training clip of the front end (0.338 s"
    )
    assert "'X[2]' with 4 s; 'X[3]' with 4 s. To predict a recording window by window" in long


def test_models_that_take_any_length_do_not_warn(calls):
    for name in ("windows", "pretrained"):
        assert messages(calls[name], [SHORT, LONG]) == []


def test_waveforms_have_no_names(classifier):
    fitted = SpectrogramTransformer(sampling_rate=RATE).fit([x for x, _ in X])
    (message,) = messages(fitted.transform, [noise(0, 3), noise(1, 2000)])
    assert "X[0] with 0.000375 s" in message


def test_transposed_waveforms_are_recognized():
    waveforms = np.array([noise(seed, 2000) for seed in range(20)])
    fitted = SpectrogramTransformer(sampling_rate=RATE).fit([*waveforms])
    (message,) = messages(fitted.transform, waveforms.T)
    assert message.startswith("2000 clips are more than 10 times shorter")
    advice = "if yours has a column per clip, pass X.T."
    assert message.endswith(advice)
    (message,) = messages(fitted.transform, waveforms[:, :30])
    assert advice not in message


def test_windows_of_a_recording_may_be_short(classifier):
    recording = (noise(0, 2 * RATE + 3), RATE)
    assert messages(predict_segments, classifier, recording, window=0.25) == []
    hand = PyAudioAnalysisTransformer().fit(X)
    assert messages(transform_segments, hand, recording, window=0.25) == []
    (message,) = messages(predict_segments, classifier, LATE)
    assert message.startswith("A clip ends after the end of the file")


def test_fit_warns_once():
    late = [*X, LATE]
    labels = [*Y, "owl"]
    fits = small_classifier(channels=(2,), max_epochs=1).fit, PyAudioAnalysisTransformer().fit
    for fit in fits:
        (message,) = messages(fit, late, labels)
        assert message.startswith("A clip ends after the end of the file, and so is shorter")


def test_parts_of_a_model_say_the_same(classifier):
    combined = make_combined_classifier(FrozenEstimator(classifier)).fit(X, Y)
    found = messages(combined.predict, [LATE, SHORT, LONG])
    assert len(found) == 6
    assert len(set(found)) == 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        combined.predict([LATE, SHORT, LONG])
    assert len(caught) == 3


def test_one_warning_for_several_batches(classifier, monkeypatch):
    monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)
    (message,) = messages(classifier.predict, X * 20 + [LATE] * 2 + X * 20 + [LATE] * 5)
    assert message.startswith("7 clips end after")
    assert message.endswith("; and 4 more.")


@pytest.mark.parametrize("kind", [SpectrogramTransformer, PyAudioAnalysisTransformer])
def test_workers_and_caches(kind, tmp_path):
    paths = [write_noise(tmp_path / f"{seed}.wav", seed, 2000) for seed in range(70)]
    wait_until_cacheable()
    fitted = kind(n_jobs=2, cache=tmp_path / "cache").fit(paths)
    seconds = fitted.clip_length_
    late = [*paths, Clip(paths[0], seconds / 2, seconds + 0.2)]
    (first,) = messages(fitted.transform, late)
    assert first.startswith("A clip ends after the end of the file")
    if kind is SpectrogramTransformer:  # whose results show the length
        (second,) = messages(fitted.transform, late)
        assert second.startswith("A clip ends after the end of the file")


def test_saved_models_know_the_lengths(classifier, tmp_path):
    path = tmp_path / "model.skops"
    save_model(classifier, path)
    loaded = load_model(path)
    assert loaded.frontend_._clip_lengths == classifier.frontend_._clip_lengths
    del loaded.frontend_._clip_lengths  # as in files of earlier releases
    assert messages(loaded.predict, [SHORT, LONG]) == []


# --- reports ---


def test_lengths_that_are_not_known_are_not_reported():
    assert messages(report_lengths, [LATE, LATE], [None, None], (1.0, 1.0)) == []


@pytest.mark.parametrize("seconds", [0.1, 1.0, 10.0])
def test_ten_times_is_not_too_much(seconds):
    assert messages(report_lengths, [LONG], [seconds], (1.0, 1.0)) == []


def test_reports_are_joined():
    def call():
        with one_report(), one_report():
            report_lengths([noise()], [0.1], (2.0, 2.0))
            report_lengths([noise()], [0.1], (2.0, 2.0))
            report_lengths([noise()], [0.1], (3.0, 3.0))

    found = messages(call)
    assert ["2 clips are" in found[0], "A clip is" in found[1], len(found)] == [True, True, 2]


def test_no_length_is_unusual_in_a_quiet_context():
    with any_length():
        assert messages(report_lengths, [LATE, SHORT], [0.1, 0.1], (2.0, 2.0)) == []
    assert len(messages(report_lengths, [LATE, SHORT], [0.1, 0.1], (2.0, 2.0))) == 2


def test_infinity_is_the_end_of_the_file():
    report = LengthReport()
    report.add([Clip(LATE.path, 0, np.inf), Clip(LATE.path, 0, 0.34)], [0.25, 0.25])
    assert messages(report.warn) == []


def test_rows_are_those_of_the_whole_call(monkeypatch):
    classifier = small_classifier(max_epochs=1).fit([noise(i, 2000) for i in range(4)], [0, 1] * 2)
    monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)  # a batch per chunk
    (message,) = messages(classifier.predict, [noise(0, 2000)] * 150 + [noise(1, 30)])
    assert "X[150] with" in message


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_do_not_know_what_is_a_window(backend):
    hand = make_union(PyAudioAnalysisTransformer(), PyAudioAnalysisTransformer(), n_jobs=2).fit(X)
    recording = (noise(0, 2 * RATE + 3), RATE)
    with parallel_config(backend=backend), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(transform_segments(hand, recording, window=0.25)) == 9


def test_rates_of_numpy_can_be_saved(tmp_path):
    front = SpectrogramTransformer(sampling_rate=np.int64(RATE)).fit([x for x, _ in X])
    save_model(front, tmp_path / "front.skops")
    assert load_model(tmp_path / "front.skops").sampling_rate == RATE
