import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import ROOT
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
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioClassifier,
    SpectrogramTransformer,
    clips_from_segments,
    load_audio,
    make_combined_classifier,
    merge_segments,
    predict_segments,
    read_segments,
    save_model,
    segment_report,
)

pytestmark = pytest.mark.oldest


def flatten(X):
    return X.reshape(len(X), -1)


def spectra(classifier, **parameters):
    """Return a pipeline from files to labels that is trained at once."""
    spectrograms = SpectrogramTransformer(n_mels=8, n_frames=4, **parameters)
    return make_pipeline(spectrograms, FunctionTransformer(flatten), classifier)


class Lengths(TransformerMixin, BaseEstimator):
    """Reads every clip; its features are the number of samples and the mean."""

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
    """Says of each clip whether its mean is above zero; without probabilities."""

    def fit(self, X, y=None):
        self.classes_ = np.array(["high", "low"])
        return self

    def predict(self, X):
        return self.classes_[[int(load_audio(clip)[0].mean() <= 0) for clip in X]]


@pytest.fixture(scope="module")
def recording(sounds, tmp_path_factory):
    """Nine clips of three kinds one after another, and where each of them is."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    order = [0, 25, 45, 1, 46, 26, 2, 3, 27]
    parts = [load_audio(sounds.filenames[i])[0] for i in order]
    sf.write(path, np.concatenate(parts), 16000)
    edges = np.cumsum([0, *map(len, parts)]) / 16000
    labels = [sounds.target_names[sounds.target[i]] for i in order]
    return str(path), pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": labels})


@pytest.fixture(scope="module")
def network(sounds, sound_labels):
    return CNNAudioClassifier(
        SpectrogramTransformer(n_mels=16, n_frames=12),
        channels=(4, 8),
        hidden_units=(8,),
        max_epochs=8,
        learning_rate=1e-2,
        random_state=0,
    ).fit(sounds.filenames, sound_labels)


@pytest.fixture(scope="module")
def linear(sounds, sound_labels):
    return spectra(LogisticRegression(max_iter=1000)).fit(sounds.filenames, sound_labels)


MODELS = {
    "network": lambda network: network,
    "frozen": FrozenEstimator,
    "linear": lambda network: spectra(LogisticRegression(max_iter=1000)),
    "without probabilities": lambda network: spectra(SVC()),
    "spectrograms first": lambda network: make_pipeline(
        SpectrogramTransformer(n_mels=16, n_frames=12),
        CNNAudioClassifier(channels=(4,), hidden_units=(), max_epochs=2, random_state=0),
    ),
    "search": lambda network: GridSearchCV(
        spectra(KNeighborsClassifier()), {"kneighborsclassifier__n_neighbors": [1, 3]}, cv=2
    ),
    "bare pipeline": lambda network: make_pipeline(network),
    "combined": lambda network: make_combined_classifier(FrozenEstimator(network), n_components=4),
    "calibrated": lambda network: CalibratedClassifierCV(spectra(SVC()), ensemble=False),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, network, sounds, sound_labels):
    made = MODELS[request.param](network)
    fitted = request.param in ("network", "frozen", "bare pipeline")
    return made if fitted else made.fit(sounds.filenames, sound_labels)


def cut_out(path, segments, folder):
    """Write what each segment covers to a file of its own."""
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
        table = predict_segments(linear, io.BytesIO(content), window=0.01, batch_size=4)
        assert len(table) > 10
        assert len(written) == 1
        assert os.listdir(tmp_path) == []

    def test_errors_name_the_sound(self, linear):
        with pytest.raises(AudioReadError, match=r"^'BytesIO': not readable as audio"):
            predict_segments(linear, io.BytesIO(b"no sound"))
        with pytest.raises(
            TypeError, match=r"path must be one recording .* \(samples, sampling_rate"
        ):
            predict_segments(linear, np.zeros(9))

    def test_clips_of_their_segments(self, sounds):
        path = sounds.filenames[0]
        segments = pd.DataFrame({"start": [0, 0.1], "end": [0.1, 0.15], "label": ["a", "b"]})
        with open(path, "rb") as file:
            for sound in (load_audio(path), io.BytesIO(file.read())):
                for window in (None, 0.04):
                    clips, labels = clips_from_segments(sound, segments, window=window)
                    expected, same = clips_from_segments(path, segments, window=window)
                    np.testing.assert_array_equal(labels, same)
                    assert len({id(clip.path) for clip in clips}) == 1
                    for clip, wanted in zip(clips, expected, strict=True):
                        np.testing.assert_array_equal(load_audio(clip)[0], load_audio(wanted)[0])


def test_segments_without_a_label_are_no_class(tmp_path):
    (tmp_path / "labels.txt").write_text("0\t1\tdog\n1\t2\t\n")
    segments = read_segments(tmp_path / "labels.txt")
    assert segments.label.tolist() == ["dog", ""]
    for use in (
        lambda table: clips_from_segments("a.wav", table),
        lambda table: merge_segments(table),
        lambda table: segment_report(table, segments[:1]),
    ):
        with pytest.raises(ValueError, match="row 1: expected a label that is not empty"):
            use(segments)
    clips, labels = clips_from_segments("a.wav", segments[segments.label != ""])
    assert (clips, labels.tolist()) == ([Clip("a.wav", 0, 1)], ["dog"])


class TestEqualsPredict:
    def test_on_files_that_were_cut_out(self, model, recording, tmp_path):
        path, _ = recording
        segments = predict_segments(model, path, window=0.25, step=0.1, batch_size=7)
        cuts = cut_out(path, segments, tmp_path)
        assert segments.label.tolist() == model.predict(cuts).tolist()
        columns = list(segments.columns[3:])
        if hasattr(model, "predict_proba"):
            assert columns == [str(label) for label in model.classes_]
            np.testing.assert_allclose(segments[columns], model.predict_proba(cuts), atol=1e-5)
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

    def test_where_predict_has_its_own_threshold(self, sounds, sound_labels, recording):
        is_noise = sound_labels == "white_noise"
        wary = FixedThresholdClassifier(
            DecisionTreeClassifier(max_depth=1, random_state=0), threshold=0.0
        )
        model = spectra(wary).fit(sounds.filenames, is_noise)
        segments = predict_segments(model, recording[0], window=0.2)
        assert segments.label.all()
        assert (segments["False"] > segments["True"]).any()

    def test_at_another_rate_than_that_of_training(self, linear, recording, tmp_path):
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
    def test_batches_do_not_show(self, linear, recording, batch_size):
        segments = predict_segments(linear, recording[0], window=0.2, batch_size=batch_size)
        assert_frame_equal(segments, predict_segments(linear, recording[0], window=0.2))

    def test_batches_are_as_large_as_asked_and_read_once(self, recording, tmp_path):
        reader = Lengths([])
        path = tmp_path / "a.wav"
        sf.write(path, np.linspace(-0.5, 0.5, 10_500), 1000)
        model = make_pipeline(reader, LogisticRegression(max_iter=10_000))
        model.fit([Clip(path, 0, 1), Clip(path, 9, 10)], [0, 1])
        reader.calls.clear()
        predict_segments(model, path, batch_size=4)
        assert reader.calls == [4, 4, 3]

    def test_of_a_part_have_the_times_of_the_recording(self, linear, recording):
        path, _ = recording
        whole = predict_segments(linear, path, window=0.25)
        part = predict_segments(linear, Clip(path, 0.5, 1.25), window=0.25)
        assert_frame_equal(part, whole[2:5].reset_index(drop=True))

    def test_labels_keep_their_type(self, sounds, recording):
        model = spectra(DecisionTreeClassifier(random_state=0)).fit(sounds.filenames, sounds.target)
        segments = predict_segments(model, recording[0])
        assert segments.label.dtype == sounds.target.dtype
        assert list(segments.columns) == ["start", "end", "label", "0", "1", "2"]

    def test_classes_may_be_called_like_the_other_columns(self, sounds, sound_labels, recording):
        names = {"low_tone": "start", "high_tone": "start_", "white_noise": "label"}
        labels = [names[label] for label in sound_labels]
        model = spectra(DecisionTreeClassifier(random_state=0)).fit(sounds.filenames, labels)
        segments = predict_segments(model, recording[0], window=0.2)
        assert list(segments.columns) == ["start", "end", "label", "label_", "start__", "start_"]
        largest = segments.columns[3 + segments.iloc[:, 3:].to_numpy().argmax(axis=1)]
        assert largest.tolist() == [
            {"label": "label_", "start": "start__"}.get(label, label) for label in segments.label
        ]

    def test_a_saved_model_will_do(self, network, recording, tmp_path):
        save_model(network, tmp_path / "m.skops")
        assert_frame_equal(
            predict_segments(tmp_path / "m.skops", recording[0]),
            predict_segments(network, recording[0]),
        )

    def test_progress_shows_when_asked_for(self, linear, recording, capsys):
        predict_segments(linear, recording[0], window=0.2)
        assert capsys.readouterr().err == ""
        predict_segments(linear, recording[0], window=0.2, verbose=1)
        assert "Predicting" in capsys.readouterr().err


class TestErrors:
    @pytest.mark.parametrize("name", ["window", "step"])
    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1"])
    def test_times_must_be_positive(self, linear, recording, name, value):
        with pytest.raises(ValueError, match=rf"'{name}' parameter of predict_segments .* Got"):
            predict_segments(linear, recording[0], **{name: value})

    @pytest.mark.parametrize("value", [0, -3, 2.5, None])
    def test_a_batch_holds_a_window_at_least(self, linear, recording, value):
        with pytest.raises(ValueError, match=r"'batch_size' parameter of predict_segments"):
            predict_segments(linear, recording[0], batch_size=value)

    @pytest.mark.parametrize("path", [["a.wav"], None, 3, np.zeros(4), pd.Series(["a.wav"])])
    def test_one_recording_is_asked_for(self, linear, path):
        with pytest.raises(TypeError, match=r"path must be one recording .* got a "):
            predict_segments(linear, path)

    @pytest.mark.parametrize("estimator", [None, SVC, 3, len])
    def test_an_estimator_is_asked_for(self, recording, estimator):
        with pytest.raises(TypeError, match="estimator must be a fitted classifier"):
            predict_segments(estimator, recording[0])

    def test_no_regressor(self, sounds, recording):
        model = spectra(SVR()).fit(sounds.filenames, sounds.target)
        with pytest.raises(TypeError, match=r"must be a classifier .* got Pipeline"):
            predict_segments(model, recording[0])

    def test_no_transformer(self, recording):
        model = spectra(PCA()).fit([recording[0]] * 3)
        with pytest.raises(TypeError, match="must be a classifier"):
            predict_segments(model, recording[0])

    def test_no_several_outputs(self, sounds, recording):
        model = spectra(DecisionTreeClassifier())
        model.fit(sounds.filenames, np.column_stack([sounds.target, sounds.target]))
        with pytest.raises(ValueError, match="one label a clip"):
            predict_segments(model, recording[0])

    @pytest.mark.parametrize(
        "model",
        [CNNAudioClassifier(), spectra(SVC()), FrozenEstimator(SVC()), GridSearchCV(SVC(), {})],
    )
    def test_it_must_be_fitted(self, model, recording):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            predict_segments(model, recording[0])

    def test_a_recording_must_be_there(self, linear, tmp_path):
        with pytest.raises(AudioReadError, match=r"gone\.wav'?: no such file"):
            predict_segments(linear, tmp_path / "gone.wav")

    def test_a_damaged_recording_is_named(self, linear, recording, tmp_path):
        samples, rate = load_audio(recording[0])
        path = tmp_path / "nan.wav"
        samples[-10] = np.nan
        sf.write(path, samples, rate, subtype="FLOAT")
        with pytest.raises(AudioReadError, match=r"nan\.wav'?: the sample at .* is NaN"):
            predict_segments(linear, path, window=0.3, batch_size=2)


class TestClips:
    SEGMENTS = pd.DataFrame({"start": [2.0, 0.0], "end": [2.5, 1.1], "label": ["b", "a"]})

    def test_are_the_segments_in_the_order_of_time(self):
        clips, labels = clips_from_segments("gone.wav", self.SEGMENTS)
        assert clips == [Clip("gone.wav", 0.0, 1.1), Clip("gone.wav", 2.0, 2.5)]
        assert labels.tolist() == ["a", "b"]
        assert labels.dtype.kind == "U"

    @pytest.mark.parametrize("labels", [[1, 0], [True, False]])
    def test_labels_keep_their_type(self, labels):
        _, found = clips_from_segments("a.wav", self.SEGMENTS.assign(label=labels))
        assert found.dtype == np.array(labels).dtype
        assert found.tolist() == labels[::-1]

    def test_can_be_cut_into_windows(self, tmp_path):
        path = tmp_path / "a.wav"
        sf.write(path, np.zeros(24_000), 8000)
        clips, labels = clips_from_segments(path, self.SEGMENTS, window=0.5)
        times = [(clip.start, clip.end) for clip in clips]
        assert times == [(0, 0.5), (0.5, 1), (1, 1.1), (2, 2.5)]
        assert labels.tolist() == ["a", "a", "a", "b"]

    def test_windows_are_those_of_predict_segments(self, linear, recording):
        path, _ = recording
        segments = predict_segments(linear, path, window=0.3, step=0.1)
        whole = pd.DataFrame({"start": [0], "end": [segments.end.max()], "label": "x"})
        clips, _ = clips_from_segments(path, whole, window=0.3, step=0.1)
        assert [clip.start for clip in clips] == segments.start.tolist()
        assert [clip.end for clip in clips] == segments.end.tolist()

    def test_a_table_without_rows_gives_none(self):
        clips, labels = clips_from_segments("gone.wav", self.SEGMENTS[:0], window=1)
        assert clips == []
        assert len(labels) == 0

    def test_a_step_needs_a_window(self):
        with pytest.raises(ValueError, match=r"step=1 is that of windows"):
            clips_from_segments("a.wav", self.SEGMENTS, step=1)

    def test_a_point_is_no_clip(self):
        segments = self.SEGMENTS.assign(end=self.SEGMENTS.start)
        with pytest.raises(ValueError, match=r"segments, row 0: expected a duration"):
            clips_from_segments("a.wav", segments)

    @pytest.mark.parametrize("path", [["a.wav"], None, Clip("a.wav")])
    def test_one_recording_is_asked_for(self, path):
        with pytest.raises(TypeError, match="path"):
            clips_from_segments(path, self.SEGMENTS)

    def test_a_recording_too_short_for_its_annotations_is_named(self, tmp_path):
        path = tmp_path / "short.wav"
        sf.write(path, np.zeros(8000), 8000)
        with pytest.raises(AudioReadError, match=r"short\.wav.* starts at 2 s"):
            clips_from_segments(path, self.SEGMENTS, window=0.5)


def test_from_annotations_to_a_report(recording):
    """A model that was trained on the annotated segments finds them again."""
    path, true = recording
    model = spectra(LogisticRegression(max_iter=1000))
    model.fit(*clips_from_segments(path, true, window=0.1))
    found = predict_segments(model, path, window=0.1, step=0.02)
    found = merge_segments(found, smooth=0.1, min_duration=0.1)
    report = segment_report(true, found, resolution=0.01, tolerance=0.1)
    assert report.accuracy > 0.9
    assert report.boundary_f1 > 0.8


@pytest.mark.slow
def test_the_guide_runs_from_top_to_bottom(tmp_path):
    guide = (ROOT / "docs" / "long_recordings.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "Accuracy 0.9" in run.stdout


# --- memory ------------------------------------------------------------------------------------

MEASURE = """
import json, resource, sys
import numpy as np
import soundfile as sf
from skdaf import CNNAudioClassifier, SpectrogramTransformer, predict_segments

rng = np.random.default_rng(0)
X = [rng.normal(size=16000).astype(np.float32) * scale for scale in [0.01, 0.3] * 4]
model = CNNAudioClassifier(
    SpectrogramTransformer(n_mels=16, n_frames=16, top_db=None), channels=(2,), hidden_units=(),
    max_epochs=1, random_state=0,
).fit(X, ["quiet", "loud"] * 4)
path, folder = sys.argv[1:]
segments = predict_segments(model, path)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 1 if sys.platform == "darwin" else 1024

some = segments.iloc[:: max(1, len(segments) // 40)]
cuts = []
for start, end in zip(some.start, some.end):
    place = dict(start=round(start * 16000), stop=round(end * 16000))
    samples, rate = sf.read(path, dtype="int16", **place)
    cuts.append(f"{folder}/{start}.wav")
    sf.write(cuts[-1], samples, rate)
assert model.predict(cuts).tolist() == some.label.tolist()
np.testing.assert_allclose(model.predict_proba(cuts), some[["loud", "quiet"]], rtol=0, atol=1e-5)

print(json.dumps([peak * unit, len(segments), segments.end.iloc[-1]]))
"""


def write_noise(path, n_samples):
    """Write noise that swells and fades every 97 seconds."""
    rng = np.random.default_rng(0)
    with sf.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for first in range(0, n_samples, 2**20):
            places = np.arange(first, min(first + 2**20, n_samples))
            level = 5000 + 4900 * np.sin(places * (2 * np.pi / (97 * 16000)))
            file.write((level * rng.uniform(-1, 1, len(places))).astype(np.int16))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
def test_an_hour_needs_no_more_memory_than_a_minute_and_equals_predict_on_cuts(tmp_path):
    peaks = []
    for n_samples in (60 * 16000, 3600 * 16000 + 1):
        path = tmp_path / "noise.wav"
        write_noise(path, n_samples)
        command = [sys.executable, "-W", "error", "-c", MEASURE, str(path), str(tmp_path)]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        peak, n_segments, end = json.loads(run.stdout)
        peaks.append(peak)
        assert n_segments == -(-n_samples // 16000)
        assert round(end * 16000) == n_samples
    print("peak memory in MB, a minute and an hour:", *(round(peak / 1e6) for peak in peaks))
    assert peaks[1] - peaks[0] < 200e6


@pytest.mark.slow
def test_windows_late_in_an_hour_are_exact(tmp_path):
    """Each sample tells where it is, so that one too many or too few would show."""
    path, rate, n_samples = tmp_path / "hour.wav", 16000, 3600 * 16000 + 123
    with sf.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for first in range(0, n_samples, 2**20):
            places = np.arange(first, min(first + 2**20, n_samples))
            file.write((places % 30_011 - 15_000).astype(np.int16))

    def first_samples(clips):
        ends = [load_audio(clip)[0][[0, -1]] for clip in clips]
        return np.round(np.array(ends) * 2**15).astype(int) + 15_000

    class Places(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = y
            return self

        def predict(self, X):
            first, last = first_samples(X).T
            return first + 100_000 * last

    segments = predict_segments(Places().fit(None, np.arange(2)), path, window=0.7, step=1.3)
    starts, ends = (np.round(segments[name].to_numpy() * rate) for name in ("start", "end"))
    np.testing.assert_array_equal(starts, np.arange(0, n_samples, 20_800))
    np.testing.assert_array_equal(ends, np.minimum(starts + 11_200, n_samples))
    np.testing.assert_array_equal(segments.label, starts % 30_011 + 100_000 * ((ends - 1) % 30_011))


# --- one channel ---


def test_the_channel_of_the_front_end_is_the_one_that_is_listened_to(recording, linear, tmp_path):
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
