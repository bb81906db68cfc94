"""predict_segments: recordings are classified window by window."""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import small_pipeline
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioClassifier,
    SpectrogramTransformer,
    clips_from_segments,
    load_audio,
    make_combined_classifier,
    predict_segments,
    save_model,
)

pytestmark = [
    pytest.mark.oldest,
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
]


class Lengths(TransformerMixin, BaseEstimator):
    """Read every clip; the features are the number of samples and the mean."""

    def __init__(self, calls=None):
        self.calls = calls

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if self.calls is not None:
            self.calls.append(len(X))
        samples = [load_audio(clip)[0] for clip in X]
        return np.array([[len(x), np.mean(x, dtype=float)] for x in samples])

    def __sklearn_clone__(self):
        return self

    def __sklearn_is_fitted__(self):
        return True


class Means(ClassifierMixin, BaseEstimator):
    """Predict whether the mean of a clip is above zero, without probabilities."""

    def fit(self, X, y=None):
        self.classes_ = np.array(["high", "low"])
        return self

    def predict(self, X):
        return self.classes_[[int(load_audio(clip)[0].mean() <= 0) for clip in X]]


MODELS = {
    "network": lambda network: network,
    "frozen": FrozenEstimator,
    "linear": lambda network: small_pipeline(LogisticRegression(max_iter=1000)),
    "without probabilities": lambda network: small_pipeline(SVC()),
    "spectrograms first": lambda network: make_pipeline(
        SpectrogramTransformer(n_mels=16, n_frames=12),
        CNNAudioClassifier(channels=(4,), hidden_units=(), max_epochs=2, random_state=0),
    ),
    "search": lambda network: GridSearchCV(
        small_pipeline(KNeighborsClassifier()), {"kneighborsclassifier__n_neighbors": [1, 3]}, cv=2
    ),
    "bare pipeline": lambda network: make_pipeline(network),
    "combined": lambda network: make_combined_classifier(
        FrozenEstimator(network), n_components=4, method="svc"
    ),
    "calibrated": lambda network: CalibratedClassifierCV(small_pipeline(SVC()), ensemble=False),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, network, sounds, sound_labels):
    model = MODELS[request.param](network)
    is_fitted = request.param in ("network", "frozen", "bare pipeline")
    return model if is_fitted else model.fit(sounds.filenames, sound_labels)


def write_parts(path, segments, folder):
    """Write the samples of each segment to a separate file."""
    samples, rate = sf.read(path, dtype="int16")
    paths = []
    for i, (start, end) in enumerate(zip(segments.start, segments.end, strict=True)):
        paths.append(str(folder / f"{i}.wav"))
        sf.write(paths[-1], samples[round(start * rate) : round(end * rate)], rate)
    return paths


class TestSoundsInMemory:
    def test_they_are_classified_like_the_file(self, linear, sounds):
        path = sounds.filenames[0]
        expected = predict_segments(linear, path, window=0.1)
        content = Path(path).read_bytes()
        for sound in (
            load_audio(path),
            sf.read(path, dtype="int16"),
            {"path": None, "bytes": content},
            io.BytesIO(content),
            Clip(load_audio(path)),
        ):
            assert_frame_equal(predict_segments(linear, sound, window=0.1), expected)

    def test_a_file_in_memory_is_written_once(self, linear, sounds, monkeypatch, tmp_path):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        written = []
        make = tempfile.mkstemp
        monkeypatch.setattr(
            "tempfile.mkstemp", lambda *given: written.append(given) or make(*given)
        )
        content = Path(sounds.filenames[0]).read_bytes()
        table = predict_segments(linear, io.BytesIO(content), window=0.04, step=0.01, batch_size=4)
        assert len(table) > 10
        assert len(written) == 1
        assert os.listdir(tmp_path) == []

    def test_errors_name_the_sound(self, linear):
        with pytest.raises(AudioReadError, match="BytesIO"):
            predict_segments(linear, io.BytesIO(b"no sound"))
        with pytest.raises(
            TypeError, match=r"path must be one recording.*\(samples, sampling_rate"
        ):
            predict_segments(linear, np.zeros(9))


class TestEqualsPredict:
    def test_on_files_of_the_windows(self, model, recording, tmp_path):
        path, _ = recording
        segments = predict_segments(model, path, window=0.25, step=0.1, batch_size=7)
        parts = write_parts(path, segments, tmp_path)
        assert segments.label.tolist() == model.predict(parts).tolist()
        columns = list(segments.columns[3:])
        if hasattr(model, "predict_proba"):
            assert columns == [str(label) for label in model.classes_]
            np.testing.assert_allclose(segments[columns], model.predict_proba(parts), atol=1e-5)
        else:
            assert columns == []

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("a.wav", {"subtype": "FLOAT"}),
            ("a.flac", {}),
            ("a.mp3", {"format": "MP3"}),
            ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
            ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ],
    )
    def test_on_stereo_files_of_any_format(self, linear, tmp_path, name, options):
        rng = np.random.default_rng(0)
        tone = 0.3 * np.sin(2 * np.pi * 400 * np.arange(5 * 16000) / 16000)
        noise = 0.05 * rng.standard_normal((len(tone), 2))
        noise[:, 0] += tone * (np.arange(len(tone)) > 40000)
        path = tmp_path / name
        sf.write(path, noise, 16000, **options)
        segments = predict_segments(linear, path, window=0.3, step=0.2, batch_size=5)
        samples, rate = load_audio(path)
        windows = [
            (samples[round(s * rate) : round(e * rate)], rate)
            for s, e in zip(segments.start, segments.end, strict=True)
        ]
        assert segments.label.tolist() == linear.predict(windows).tolist()
        found = segments[list(linear.classes_)].to_numpy()
        np.testing.assert_allclose(found, linear.predict_proba(windows), rtol=0, atol=1e-5)

    def test_with_a_classifier_that_has_its_own_threshold(self, sounds, sound_labels, recording):
        is_noise = sound_labels == "white_noise"
        always = FixedThresholdClassifier(
            DecisionTreeClassifier(max_depth=1, random_state=0), threshold=0.0
        )
        model = small_pipeline(always).fit(sounds.filenames, is_noise)
        segments = predict_segments(model, recording[0], window=0.2)
        assert segments.label.all()
        assert (segments["False"] > segments["True"]).any()

    def test_at_another_rate_than_in_training(self, linear, recording, tmp_path):
        samples, _ = load_audio(recording[0], sampling_rate=11025)
        path = tmp_path / "slow.wav"
        sf.write(path, samples, 11025)
        segments = predict_segments(linear, path, window=0.3)
        clips, labels = clips_from_segments(path, segments)
        assert labels.tolist() == linear.predict(clips).tolist()


class TestWindows:
    @pytest.mark.parametrize("rate", [8000, 11025, 44100])
    @pytest.mark.parametrize(
        ("n_samples", "window", "step"),
        [(1, 1.0, None), (7999, 1.0, None), (50_001, 0.3, None), (50_001, 1 / 3, 0.07)]
        + [(50_001, 0.1, 0.25), (88_200, 1.0, 0.5)],
    )
    @pytest.mark.filterwarnings("ignore:step=0.25 s is longer than window=0.1 s")
    def test_cover_the_recording_to_the_sample(self, tmp_path, rate, n_samples, window, step):
        path = tmp_path / "a.wav"
        sf.write(path, np.linspace(-0.5, 0.5, n_samples), rate)
        segments = predict_segments(Means().fit(None), path, window=window, step=step)
        starts, ends = (np.array(segments[name] * rate) for name in ("start", "end"))
        np.testing.assert_allclose(starts, np.round(starts), atol=1e-6)
        np.testing.assert_allclose(ends, np.round(ends), atol=1e-6)
        length, hop = round(window * rate), round((step or window) * rate)
        np.testing.assert_array_equal(np.round(starts), hop * np.arange(len(starts)))
        np.testing.assert_array_equal(
            np.round(ends), np.minimum(np.round(starts) + length, n_samples)
        )
        if hop <= length:
            assert round(ends[-1]) == n_samples

    def test_a_recording_shorter_than_a_window_is_one_segment(self, tmp_path):
        path = tmp_path / "a.wav"
        sf.write(path, np.full(100, 0.5), 1000)
        segments = predict_segments(Means().fit(None), path, window=9)
        expected = pd.DataFrame({"start": [0.0], "end": [0.1], "label": ["high"]})
        assert_frame_equal(segments, expected)

    @pytest.mark.parametrize("batch_size", [1, 3, 1000])
    def test_the_batch_size_does_not_affect_the_result(self, linear, recording, batch_size):
        segments = predict_segments(linear, recording[0], window=0.2, batch_size=batch_size)
        assert_frame_equal(segments, predict_segments(linear, recording[0], window=0.2))

    def test_batches_have_the_given_size_and_are_read_once(self, recording, tmp_path):
        reader = Lengths([])
        path = tmp_path / "a.wav"
        sf.write(path, np.linspace(-0.5, 0.5, 10_500), 1000)
        model = make_pipeline(reader, LogisticRegression(max_iter=10_000))
        model.fit([Clip(path, 0, 1), Clip(path, 9, 10)], [0, 1])
        reader.calls.clear()
        predict_segments(model, path, batch_size=4)
        assert reader.calls == [4, 4, 3]

    def test_windows_of_a_part_have_the_times_of_the_recording(self, linear, recording):
        path, _ = recording
        whole = predict_segments(linear, path, window=0.25)
        part = predict_segments(linear, Clip(path, 0.5, 1.25), window=0.25)
        assert_frame_equal(part, whole[2:5].reset_index(drop=True))

    def test_labels_keep_their_type(self, sounds, recording):
        model = small_pipeline(DecisionTreeClassifier(random_state=0)).fit(
            sounds.filenames, sounds.target
        )
        segments = predict_segments(model, recording[0])
        assert segments.label.dtype == sounds.target.dtype
        assert list(segments.columns) == ["start", "end", "label", "0", "1", "2"]

    def test_classes_can_have_the_names_of_other_columns(self, sounds, sound_labels, recording):
        names = {"low_tone": "start", "high_tone": "start_", "white_noise": "label"}
        labels = [names[label] for label in sound_labels]
        model = small_pipeline(DecisionTreeClassifier(random_state=0)).fit(sounds.filenames, labels)
        segments = predict_segments(model, recording[0], window=0.2)
        assert list(segments.columns) == ["start", "end", "label", "label_", "start__", "start_"]
        largest = segments.columns[3 + segments.iloc[:, 3:].to_numpy().argmax(axis=1)]
        assert largest.tolist() == [
            {"label": "label_", "start": "start__"}.get(label, label) for label in segments.label
        ]

    def test_the_path_of_a_saved_model_is_accepted(self, network, recording, tmp_path):
        save_model(network, tmp_path / "m.skops")
        assert_frame_equal(
            predict_segments(tmp_path / "m.skops", recording[0]),
            predict_segments(network, recording[0]),
        )

    def test_verbose_shows_progress(self, linear, recording, capsys):
        predict_segments(linear, recording[0], window=0.2)
        assert capsys.readouterr().err == ""
        predict_segments(linear, recording[0], window=0.2, verbose=1)
        assert "Predicting" in capsys.readouterr().err


class TestErrors:
    @pytest.mark.parametrize("name", ["window", "step"])
    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1"])
    def test_times_must_be_positive(self, linear, recording, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            predict_segments(linear, recording[0], **{name: value})

    @pytest.mark.parametrize("value", [0, -3, 2.5, None])
    def test_a_batch_contains_at_least_one_window(self, linear, recording, value):
        with pytest.raises(ValueError, match="'batch_size' parameter"):
            predict_segments(linear, recording[0], batch_size=value)

    @pytest.mark.parametrize("path", [["a.wav"], None, 3, np.zeros(4), pd.Series(["a.wav"])])
    def test_path_must_be_one_recording(self, linear, path):
        with pytest.raises(TypeError, match="path must be one recording"):
            predict_segments(linear, path)

    def test_a_long_list_of_recordings_is_shortened(self, linear):
        with pytest.raises(TypeError, match=r"\['a\.wav', .*\.\.\.\]\. Call the function once"):
            predict_segments(linear, ["a.wav"] * 1000)

    @pytest.mark.parametrize("estimator", [None, SVC, 3, len])
    def test_estimator_must_be_an_instance(self, recording, estimator):
        with pytest.raises(TypeError, match="estimator"):
            predict_segments(estimator, recording[0])

    def test_a_pair_of_thresholds_and_counts_must_be_unpacked(self, linear, recording):
        with pytest.raises(TypeError, match="so unpack them first: thresholds, counts ="):
            predict_segments(linear, recording[0], threshold=({"low_tone": 0.5}, "counts"))
        with pytest.raises(ValueError, match="an instance of 'dict' or None") as error:
            predict_segments(linear, recording[0], threshold="0.5")
        assert "tuple" not in str(error.value)

    @pytest.mark.parametrize("threshold", [True, np.True_, {"low_tone": True}])
    def test_thresholds_are_not_switches(self, linear, recording, threshold):
        with pytest.raises(ValueError, match=r"threshold.*True"):
            predict_segments(linear, recording[0], threshold=threshold)

    def test_transformers_are_refused(self, recording):
        model = small_pipeline(PCA()).fit([recording[0]] * 3)
        with pytest.raises(TypeError, match="classifier"):
            predict_segments(model, recording[0])

    def test_several_outputs_are_refused(self, sounds, recording):
        model = small_pipeline(DecisionTreeClassifier())
        model.fit(sounds.filenames, np.column_stack([sounds.target, sounds.target]))
        with pytest.raises(ValueError, match="several outputs"):
            predict_segments(model, recording[0])

    @pytest.mark.parametrize(
        "model",
        [
            CNNAudioClassifier(),
            small_pipeline(SVC()),
            FrozenEstimator(SVC()),
            GridSearchCV(SVC(), {}),
        ],
    )
    def test_estimator_must_be_fitted(self, model, recording):
        with pytest.raises(NotFittedError, match="not fitted"):
            predict_segments(model, recording[0])

    def test_a_missing_recording_is_named(self, linear, tmp_path):
        with pytest.raises(AudioReadError, match=r"gone\.wav.*no such file"):
            predict_segments(linear, tmp_path / "gone.wav")

    def test_a_damaged_recording_is_named(self, linear, recording, tmp_path):
        samples, rate = load_audio(recording[0])
        path = tmp_path / "nan.wav"
        samples[-10] = np.nan
        sf.write(path, samples, rate, subtype="FLOAT")
        with pytest.raises(AudioReadError, match=r"nan\.wav.*NaN"):
            predict_segments(linear, path, window=0.3, batch_size=2)


def test_the_channel_of_the_front_end_is_used(recording, linear, tmp_path):
    path, segments = recording
    samples, rate = sf.read(path)
    both = tmp_path / "both.wav"
    sf.write(both, np.column_stack([samples[::-1], samples]), rate)
    # A network reads the recording by its own front end.
    classifier = CNNAudioClassifier(channels=(4,), max_epochs=1, random_state=0)
    times = segments[["start", "end"]].to_numpy()
    alone = clone(classifier).fit([Clip(path, *span) for span in times], segments.label)
    classifier.set_params(frontend=SpectrogramTransformer(channel=1))
    classifier.fit([Clip(both, *span) for span in times], segments.label)
    expected = predict_segments(alone, path, window=0.3)
    assert_frame_equal(predict_segments(classifier, both, window=0.3), expected)
