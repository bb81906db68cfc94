"""Warnings of clips that are silent, shorter than their times, or unlike those of fit."""

import warnings

import numpy as np
import pytest
import soundfile as sf
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
    predict_stream,
    save_model,
    transform_segments,
)
from skdaf._audio.formats.mp3.header import header_at
from skdaf._audio.unusual_clips import (
    ClipFacts,
    ClipReport,
    each_clip_named_once,
    one_report,
    report_clips,
    windows_of_recordings,
)

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
    assert messages(fitted.transform, late) == [first]  # from the cache


def test_saved_models_know_the_lengths(classifier, tmp_path):
    path = tmp_path / "model.skops"
    save_model(classifier, path)
    loaded = load_model(path)
    assert loaded.frontend_._clip_lengths == classifier.frontend_._clip_lengths
    del loaded.frontend_._clip_lengths  # as in files of earlier releases
    assert messages(loaded.predict, [SHORT, LONG]) == []


# --- silence ---

SILENT = (np.zeros(2000, np.float32), RATE)
SILENCE = (
    "silent (the peak of the mono signal is more than 80 dB below full scale; check_audio or "
    "skdaf check may say why), so that results may be poor: "
)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_warn_of_silent_clips(calls, name):
    assert messages(calls[name], [*X, SILENT, SILENT]) == [f"2 clips are {SILENCE}'X[8]'; 'X[9]'."]


def test_silence_in_fit():
    labels = [*Y, "owl"]
    for model in small_classifier(channels=(2,), max_epochs=1), PyAudioAnalysisTransformer():
        fit = getattr(model, "fit_transform", model.fit)
        assert messages(fit, [*X, SILENT], labels) == [f"A clip is {SILENCE}'X[8]'."]


def test_silence_in_a_further_fit():
    model = small_classifier(channels=(2,), max_epochs=1).fit(X, Y)
    assert messages(model.partial_fit, [X[0], SILENT], Y[:2]) == [f"A clip is {SILENCE}'X[1]'."]


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_the_peak_decides(subtype, tmp_path):
    levels = {"above": 1.3e-4, "below": 0.9e-4, "negative": -1.3e-4}
    for name, level in levels.items():
        samples = np.zeros(2000, np.float32)
        samples[1000] = level
        sf.write(tmp_path / f"{name}.wav", samples, RATE, subtype=subtype)
    front = SpectrogramTransformer(sampling_rate=RATE)
    paths = [tmp_path / f"{name}.wav" for name in levels]
    (message,) = messages(front.fit_transform, paths)
    assert message == f"A clip is {SILENCE}{str(paths[1])!r}."


def test_channels_that_cancel_each_other_are_silent(tmp_path):
    path = tmp_path / "stereo.wav"
    sf.write(path, np.stack([noise(0, 2000), -noise(0, 2000)], axis=1), RATE)
    (message,) = messages(SpectrogramTransformer().fit_transform, [path])
    assert "is silent" in message
    assert messages(SpectrogramTransformer(channel=0).fit_transform, [path]) == []


def test_parts_of_a_recording_may_be_silent_unless_all_are(tmp_path):
    path = tmp_path / "a.wav"
    sf.write(path, np.r_[noise(0, 4000), np.zeros(4000)], RATE)
    parts = [Clip(path, start, end) for start, end in ((0, 0.5), (0.5, 0.75), (0.75, None))]
    front = SpectrogramTransformer()
    assert messages(front.fit_transform, parts) == []
    (message,) = messages(front.fit_transform, parts[1:])
    name = repr(str(path))
    assert message.endswith(f"poor: {name} from 0.5 s to 0.75 s; {name} from 0.75 s.")


def test_commands_name_each_clip_once(tmp_path):
    paths = [str(tmp_path / f"{number}.wav") for number in range(4)]
    for path in paths[:3]:
        sf.write(path, np.zeros(2000), RATE)
    write_noise(paths[3], 0, 2000)
    transform = SpectrogramTransformer().fit(paths).transform
    with each_clip_named_once():
        found = [messages(transform, part) for part in (paths[1:], paths[::2], paths[:1], paths)]
    assert found == [[f"2 clips are {SILENCE}{paths[1]!r}; {paths[2]!r}."], *found[1:]]
    assert found[1:] == [[f"A clip is {SILENCE}{paths[0]!r}."], [], []]


@pytest.mark.parametrize("kind", [SpectrogramTransformer, PyAudioAnalysisTransformer])
def test_silence_is_known_to_workers_and_caches(kind, tmp_path):
    paths = [write_noise(tmp_path / f"{seed}.wav", seed, 2000) for seed in range(70)]
    sf.write(paths[66], np.zeros(2000), RATE)
    wait_until_cacheable()
    fitted = kind(n_jobs=2, cache=tmp_path / "cache").fit(paths)
    expected = [f"A clip is {SILENCE}{str(paths[66])!r}."]
    for _ in range(2):
        assert messages(fitted.transform, paths) == expected


def test_windows_of_a_recording_may_be_silent(classifier):
    loud, silent = noise(0, RATE), np.zeros(RATE, np.float32)
    hand = PyAudioAnalysisTransformer().fit(X)
    means = CNNFeatureExtractor(FrozenEstimator(classifier), window=0.25).fit(X)
    for samples, expected in [
        (np.r_[loud, silent], []),
        (silent, [f"A clip is {SILENCE}'tuple'."]),
    ]:
        recording = (samples, RATE)
        options = {"window": 0.25, "batch_size": 2}
        assert messages(predict_segments, classifier, recording, **options) == expected
        assert messages(transform_segments, hand, recording, **options) == expected
        found = messages(means.transform, [recording])
        assert found == [text.replace("tuple", "X[0]") for text in expected]


def test_a_silent_part_of_a_recording_has_its_times(classifier, tmp_path):
    path = str(tmp_path / "a.wav")
    sf.write(path, np.r_[np.zeros(RATE), noise(0, RATE)], RATE)
    means = CNNFeatureExtractor(FrozenEstimator(classifier), window=0.25).fit(X)
    part = Clip(path, 0, 1)
    expected = [f"A clip is {SILENCE}{path!r} to 1 s."]
    assert messages(predict_segments, classifier, part, window=0.25) == expected
    assert messages(means.transform, [part]) == expected
    assert messages(means.transform, [part, Clip(path, 1, 2)]) == []
    assert messages(predict_segments, classifier, Clip(path, 0.5, 1.2), window=0.25) == []


def test_streams_may_be_silent_for_a_while(classifier):
    blocks = iter([noise(0, RATE), np.zeros(RATE, np.float32)])
    stream = predict_stream(classifier, blocks, sampling_rate=RATE, window=0.25)
    assert messages(list, stream) == []


# --- MP3 files that are cut off ---

CUT_OFF = "cut off (the file ends in the middle of an MP3 frame, and any amount may be missing): "


@pytest.fixture
def cut_mp3(tmp_path):
    path = tmp_path / "cut.mp3"
    sf.write(path, noise(0, 16_000), 16_000)
    frames = path.read_bytes()
    first = header_at(frames)
    # The first frame is a tag that counts the others.
    path.write_bytes(frames[first.n_bytes(0) : len(frames) // 2 + 5])
    return path


@pytest.mark.parametrize("name", NAMES)
def test_predictions_warn_of_files_that_are_cut_off(calls, cut_mp3, name):
    parts = [Clip(cut_mp3, 0.1, 0.4), Clip(cut_mp3, 0.1, np.inf)]
    assert messages(calls[name], [*X, cut_mp3, *parts]) == [
        f"2 clips are {CUT_OFF}{str(cut_mp3)!r}; {str(cut_mp3)!r} from 0.1 s."
    ]


def test_files_that_are_cut_off_in_fit_and_in_caches(cut_mp3, tmp_path):
    paths = [write_noise(tmp_path / f"{seed}.wav", seed, 4000) for seed in range(5)]
    front = SpectrogramTransformer(cache=tmp_path / "cache", n_jobs=2)
    model = small_classifier(frontend=front, channels=(2,), max_epochs=1)
    wait_until_cacheable()
    for _ in range(2):
        found = messages(model.fit, [*paths, cut_mp3], ["owl", "rain"] * 3)
        assert found == [f"A clip is {CUT_OFF}{str(cut_mp3)!r}."]


def test_segments_of_files_that_are_cut_off(classifier, cut_mp3):
    found = messages(predict_segments, classifier, cut_mp3, window=0.3)
    assert found == [f"A clip is {CUT_OFF}{str(cut_mp3)!r}."]


# --- reports ---


@pytest.mark.parametrize("seconds", [0.1, 1.0, 10.0])
def test_ten_times_is_not_too_much(seconds):
    assert messages(report_clips, [LONG], [ClipFacts(seconds)], (1.0, 1.0)) == []


def test_reports_are_joined():
    def call():
        with one_report(), one_report():
            report_clips([noise()], [ClipFacts(0.1)], (2.0, 2.0))
            report_clips([noise()], [ClipFacts(0.1)], (2.0, 2.0))
            report_clips([noise()], [ClipFacts(0.1)], (3.0, 3.0))

    found = messages(call)
    assert ["2 clips are" in found[0], "A clip is" in found[1], len(found)] == [True, True, 2]


def test_windows_may_have_any_length():
    arguments = [LATE, SHORT], [ClipFacts(0.1, True), ClipFacts(0.1)], (2.0, 2.0)
    with windows_of_recordings():
        assert messages(report_clips, *arguments) == []
    assert len(messages(report_clips, *arguments)) == 3


def test_infinity_is_the_end_of_the_file():
    report = ClipReport()
    report.add([Clip(LATE.path, 0, np.inf), Clip(LATE.path, 0, 0.34)], [ClipFacts(0.25)] * 2)
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
