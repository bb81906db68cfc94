"""transform_segments: recordings are transformed window by window."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import flatten, noise, peak_memory, small_classifier, small_embedder, small_frontend
from pandas.testing import assert_frame_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdaf import (
    AudioReadError,
    Clip,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    load_audio,
    predict_segments,
    save_model,
    transform_segments,
)

pytestmark = [
    pytest.mark.oldest,
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
    pytest.mark.filterwarnings("ignore:step=.* is longer than window="),
]


class Samples(TransformerMixin, BaseEstimator):
    """Return the number, the first and the last of the samples of each clip, as `form` says."""

    def __init__(self, form=np.array, calls=None):
        self.form = form
        self.calls = [] if calls is None else calls

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.calls.append(len(X))
        samples = [load_audio(clip)[0] for clip in X]
        return self.form([[len(x), x[0], x[-1]] for x in samples])

    def __sklearn_is_fitted__(self):
        return True


def extractor(network, **options):
    return CNNFeatureExtractor(FrozenEstimator(network), **options)


MODELS = {
    "extractor": extractor,
    "conv layer": lambda network: extractor(network, layers_dropped=2),
    "extractor with windows": lambda network: extractor(network, window=0.05),
    "embedder": lambda network: small_embedder(max_epochs=1),
    "pyAudioAnalysis": lambda network: PyAudioAnalysisTransformer(),
    "pipeline": lambda network: make_pipeline(
        make_union(extractor(network), PyAudioAnalysisTransformer(deltas=False)),
        StandardScaler(),
        PCA(4),
    ),
    "tables": lambda network: PyAudioAnalysisTransformer().set_output(transform="pandas"),
    "spectrograms": lambda network: small_frontend(),
    "without names": lambda network: make_pipeline(
        small_frontend(), FunctionTransformer(flatten), StandardScaler()
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def transformer(request, network, sounds):
    return MODELS[request.param](network).fit(sounds.filenames[::6])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, recording):
    """Recordings of several rates; the first one is shorter than a window."""
    folder = tmp_path_factory.mktemp("rates")
    paths = [str(folder / "short.wav"), recording[0]]
    sf.write(paths[0], noise(0, 1200), 8000)
    for rate in (11025, 44100):
        paths.append(str(folder / f"{rate}.flac"))
        sf.write(paths[-1], noise(rate, round(1.03 * rate)), rate)
    return paths


def windows_of(table, path):
    return [Clip(path, *span) for span in zip(table.start, table.end, strict=True)]


def features_of(table):
    return table.drop(columns=["start", "end"])


class TestEqualsTransform:
    @pytest.mark.parametrize(
        ("window", "step"), [(0.2, None), (0.25, 0.1), (0.1, 0.25)], ids=["", "overlap", "gaps"]
    )
    def test_on_clips_of_the_windows(self, transformer, recordings, window, step):
        for path in recordings:
            table = transform_segments(transformer, path, window=window, step=step, batch_size=3)
            expected = np.asarray(transformer.transform(windows_of(table, path)))
            found = features_of(table).to_numpy()
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, flatten(expected), rtol=1e-5, atol=1e-5)
            # The features tell the windows apart, so that a wrong order would be found.
            assert len(np.unique(found, axis=0)) == len(table)

    @pytest.mark.parametrize(("window", "step"), [(0.2, None), (0.25, 0.1), (0.1, 0.25)])
    def test_windows_are_those_of_predict_segments(self, linear, recordings, window, step):
        for path in recordings:
            options = {"window": window, "step": step}
            predicted = predict_segments(linear, path, **options)
            table = transform_segments(linear[:-1], path, **options)
            assert_frame_equal(table[["start", "end"]], predicted[["start", "end"]])
            found = linear[-1].predict(features_of(table).to_numpy())
            assert found.tolist() == predicted.label.tolist()

    def test_of_a_saved_or_frozen_transformer(self, network, recording, tmp_path):
        transformer = extractor(network).fit([recording[0]])
        expected = transform_segments(transformer, recording[0], window=0.3)
        save_model(transformer, tmp_path / "m.skops")
        for same in (FrozenEstimator(transformer), tmp_path / "m.skops", str(tmp_path / "m.skops")):
            assert_frame_equal(transform_segments(same, recording[0], window=0.3), expected)

    def test_for_sounds_in_memory(self, recording):
        path = recording[0]
        expected = transform_segments(Samples(), path, window=0.3)
        content = io.BytesIO(Path(path).read_bytes())
        for sound in (load_audio(path), content, Clip(load_audio(path))):
            assert_frame_equal(transform_segments(Samples(), sound, window=0.3), expected)

    def test_for_a_part_with_the_times_of_the_recording(self, recording):
        whole = transform_segments(Samples(), recording[0], window=0.25)
        part = transform_segments(Samples(), Clip(recording[0], 0.5, 1.25), window=0.25)
        assert_frame_equal(part, whole[2:5].reset_index(drop=True))


class TestWindows:
    def test_contain_exactly_their_samples(self, tmp_path):
        path, rate = tmp_path / "a.wav", 1000
        sf.write(path, np.arange(2500, dtype=np.int16), rate)
        table = transform_segments(Samples(), path, window=0.7, step=0.9)
        first, last = (np.round(table[f"feature_{i}"] * 2**15) for i in (1, 2))
        assert table.start.tolist() == [0.0, 0.9, 1.8]
        assert table.end.tolist() == [0.7, 1.6, 2.5]
        assert first.tolist() == [0, 900, 1800]
        assert last.tolist() == [699, 1599, 2499]

    def test_a_recording_shorter_than_a_window_is_one_row(self, tmp_path):
        sf.write(tmp_path / "a.wav", np.full(100, 0.5), 1000)
        table = transform_segments(Samples(), tmp_path / "a.wav", window=9)
        row = {"start": 0.0, "end": 0.1, "feature_0": 100.0, "feature_1": 0.5, "feature_2": 0.5}
        assert_frame_equal(table, pd.DataFrame([row]), atol=1e-4)

    def test_batches_have_the_given_size_and_are_read_once(self, tmp_path):
        sf.write(tmp_path / "a.wav", noise(0, 10_500), 1000)
        reader = Samples()
        transform_segments(reader, tmp_path / "a.wav", window=1, batch_size=4)
        assert reader.calls == [4, 4, 3]

    def test_memory_does_not_grow_with_the_recording(self, tmp_path):
        peaks = []
        for minutes in (1, 10):
            path = tmp_path / f"{minutes}.wav"
            sf.write(path, np.zeros(minutes * 60 * 8000, dtype=np.int16), 8000)
            peak, table = peak_memory(
                partial(transform_segments, Samples(), path, window=1, batch_size=8)
            )
            assert len(table) == 60 * minutes
            peaks.append(peak)
        # Ten minutes take 19 MB in float32.
        assert peaks[1] - peaks[0] < 2e6

    def test_verbose_shows_progress(self, recording, capsys):
        transform_segments(Samples(), recording[0], window=0.5)
        assert capsys.readouterr().err == ""
        transform_segments(Samples(), recording[0], window=0.5, verbose=1)
        assert "Transforming" in capsys.readouterr().err


class TestColumns:
    def test_have_the_names_of_the_features(self, transformer, recording):
        table = transform_segments(transformer, recording[0], window=0.5)
        assert list(table.columns[:2]) == ["start", "end"]
        try:
            names = list(transformer.get_feature_names_out())
        except AttributeError:
            names = [f"feature_{i}" for i in range(table.shape[1] - 2)]
        assert list(table.columns[2:]) == names

    @pytest.mark.parametrize("form", [list, np.array, csr_array, pd.DataFrame])
    def test_can_come_in_any_form(self, recording, form):
        table = transform_segments(Samples(form), recording[0], window=0.5)
        expected = transform_segments(Samples(), recording[0], window=0.5)
        np.testing.assert_array_equal(table, expected)
        assert all(isinstance(name, str) for name in table.columns)

    def test_can_have_the_names_of_times(self, recording):
        def named(rows):
            return pd.DataFrame(rows, columns=["end", "end_", "start"])

        table = transform_segments(Samples(named), recording[0], window=0.5)
        assert list(table.columns) == ["start", "end", "end__", "end_", "start_"]


class TestErrors:
    @pytest.mark.parametrize("name", ["window", "step"])
    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1"])
    def test_times_must_be_positive(self, recording, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            transform_segments(Samples(), recording[0], **{"window": 1, name: value})

    @pytest.mark.parametrize("path", [["a.wav"], None, 3, np.zeros(4)])
    def test_path_must_be_one_recording(self, path):
        with pytest.raises(TypeError, match="path must be one recording"):
            transform_segments(Samples(), path, window=1)

    @pytest.mark.parametrize("transformer", [None, Samples, 3, len])
    def test_transformer_must_be_an_instance(self, recording, transformer):
        with pytest.raises(TypeError, match="transformer must be a fitted transformer"):
            transform_segments(transformer, recording[0], window=1)

    def test_classifiers_are_refused_with_advice(self, network, linear, recording):
        with pytest.raises(TypeError, match=r"CNNAudioClassifier.*CNNFeatureExtractor\(Frozen"):
            transform_segments(network, recording[0], window=1)
        with pytest.raises(TypeError, match=r"got Pipeline.*pipeline\[:-1\]"):
            transform_segments(linear, recording[0], window=1)

    @pytest.mark.parametrize(
        "transformer",
        [
            ConvAutoencoderEmbedder(),
            CNNFeatureExtractor(small_classifier()),
            make_pipeline(small_frontend(), PCA()),
            FrozenEstimator(PCA()),
        ],
    )
    def test_transformer_must_be_fitted(self, transformer, recording):
        with pytest.raises(NotFittedError, match="not fitted"):
            transform_segments(transformer, recording[0], window=1)

    def test_a_transformer_must_return_one_row_per_window(self, recording):
        with pytest.raises(ValueError, match=r"Samples.*one row per window.*\(0,\) for 4 windows"):
            transform_segments(Samples(lambda rows: []), recording[0], window=0.5, batch_size=4)

    def test_all_windows_must_have_the_same_features(self, tmp_path):
        sf.write(tmp_path / "a.wav", noise(0, 2500), 1000)

        def growing(rows):
            return np.zeros((len(rows), len(rows)))

        with pytest.raises(ValueError, match=r"same number of features.*\[\(1,\), \(2,\)\]"):
            transform_segments(Samples(growing), tmp_path / "a.wav", window=1, batch_size=2)

    def test_a_bad_recording_is_named(self, recording, tmp_path):
        with pytest.raises(AudioReadError, match=r"gone\.wav.*no such file"):
            transform_segments(Samples(), tmp_path / "gone.wav", window=1)
        with pytest.raises(AudioReadError, match="BytesIO"):
            transform_segments(Samples(), io.BytesIO(b"no sound"), window=1)
        samples, rate = load_audio(recording[0])
        samples[-10] = np.nan
        sf.write(tmp_path / "nan.wav", samples, rate, subtype="FLOAT")
        with pytest.raises(AudioReadError, match=r"nan\.wav.*NaN"):
            transform_segments(Samples(), tmp_path / "nan.wav", window=0.3, batch_size=2)
