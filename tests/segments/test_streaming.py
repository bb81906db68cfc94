"""predict_stream: the rows are those of predict_segments, whatever the sizes of the blocks."""

import gc
import io
import itertools
import queue
import weakref

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from helpers import peak_memory, small_pipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skdaf import (
    AudioReadError,
    Clip,
    SpectrogramTransformer,
    load_audio,
    make_combined_classifier,
    merge_segments,
    merge_stream,
    predict_segments,
    predict_stream,
    save_model,
)

pytestmark = pytest.mark.filterwarnings("ignore:step=.* is longer than window=")

RATE = 1000


class Reads(BaseEstimator):
    """Read every clip; keep its times, and how many clips came together."""

    def __init__(self, log=None, channel=None):
        self.log, self.channel = log, channel

    def fit(self, X=None, y=None):
        self.classes_, self.multilabel_ = np.array(["a", "b", "c"]), False
        return self

    def values(self, X):
        if self.log is not None:
            self.log.append([(clip.start, clip.end) for clip in X])
        return np.array([_facts(*load_audio(clip, channel=self.channel)) for clip in X])

    def __sklearn_is_fitted__(self):
        return True


def _facts(samples, rate):
    return len(samples), np.sum(samples, dtype=float), rate


class Shares(ClassifierMixin, Reads):
    """A classifier whose probabilities depend on all samples of a clip."""

    def predict_proba(self, X):
        facts = self.values(X)
        angles = np.column_stack([facts[:, 1] + i + facts[:, 0] / 7 for i in range(3)])
        return np.exp(np.sin(angles)) / np.exp(np.sin(angles)).sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Several(Shares):
    """The same for several labels per clip."""

    def fit(self, X=None, y=None):
        super().fit()
        self.multilabel_, self.label_names_ = True, np.array(["a", "b", "c"])
        return self

    def predict(self, X):
        return (self.predict_proba(X) > 0.4).astype(int)


class Numbers(RegressorMixin, Reads):
    """A regressor of two numbers."""

    def predict(self, X):
        return self.values(X)[:, :2]


def cut(samples, sizes):
    """Yield a recording in blocks of the given sizes, repeatedly; zero gives an empty block."""
    first, sizes = 0, itertools.cycle([*sizes, 1])
    while first < len(samples):
        size = next(sizes)
        yield samples[first : first + size]
        first += size


def assert_same(estimator, samples, blocks, rate=RATE, whole=None, **options):
    """Check the rows against the table of predict_segments, which they must equal exactly."""
    found = list(predict_stream(estimator, blocks, rate, **options))
    whole = (samples, rate) if whole is None else whole
    expected = predict_segments(estimator, whole, **options)
    assert list(found[0]) == list(expected.columns)
    values = expected.astype(object).where(expected.notna(), None).to_numpy().tolist()
    assert [list(row.values()) for row in found] == values
    if expected.notna().all(axis=None):
        pd.testing.assert_frame_equal(pd.DataFrame(found), expected)
    return found


def signal(n_samples, n_channels=None, seed=0):
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


lengths = st.integers(1, 60) | st.sampled_from([999, 1000, 1001, 2000, 2500])
times = st.sampled_from([0.001, 0.01, 0.0125, 0.02, 0.5, 1.0])


@settings(max_examples=25)
@given(
    lengths,
    st.sampled_from([Shares, Several, Numbers]),
    times,
    st.none() | times,
    st.lists(st.integers(0, 40) | st.just(3000), max_size=4),
    st.sampled_from([1, 2, 256]),
)
def test_rows_are_those_of_the_whole_recording(n, kind, window, step, sizes, batch_size):
    samples = signal(n)
    options = {"window": window, "step": step, "batch_size": batch_size}
    assert_same(kind().fit(), samples, cut(samples, [*sizes, 7]), **options)


@settings(max_examples=12)
@given(
    st.sampled_from([Shares, Several]),
    st.sampled_from([0.3, 0.4, 0.9, {"a": 0.4}, {"b": 0.35, "c": 0.5}]),
    st.integers(1, 9),
)
def test_thresholds(kind, threshold, size):
    samples = signal(200)
    options = {"window": 0.02, "step": 0.015, "threshold": threshold}
    assert_same(kind().fit(), samples, cut(samples, [size]), **options)


@pytest.mark.parametrize("dtype", ["int16", ">i2", "int32", "uint8", "int8", "float32", "float64"])
def test_samples_are_scaled_and_mixed_as_those_of_a_file(dtype, tmp_path):
    wave = signal(330, 3)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        wave = np.round((wave + 1) / 2 * (limits.max - limits.min) + limits.min).astype(dtype)
    wave = wave.astype(dtype)
    for channel in (None, 2):
        model = Shares(channel=channel).fit()
        assert_same(model, wave, cut(wave, [5, 17, 0]), window=0.1)
    if dtype in ("int16", "int32", "float32"):
        file = tmp_path / "wave.wav"
        sf.write(
            file, wave, RATE, subtype={"int16": "PCM_16", "int32": "PCM_32"}.get(dtype, "FLOAT")
        )
        assert_same(model, wave, cut(wave, [5, 17]), whole=file, window=0.1)


def test_a_last_window_of_fewer_samples_than_channels():
    wave = signal(102, 4)
    found = assert_same(Shares().fit(), wave, cut(wave, [10]), whole=_file(wave), window=0.1)
    assert found[-1]["end"] == 0.102


def _file(wave):
    content = io.BytesIO()
    sf.write(content, wave, RATE, format="WAV", subtype="FLOAT")
    return content


def test_blocks_are_arrays_tensors_or_lists():
    wave = signal(55)
    blocks = [
        wave[:10, None],
        torch.from_numpy(wave[10:20]),
        [],
        wave[20:30].astype(float).tolist(),
    ]
    blocks += [np.zeros((0, 5), dtype=np.int16), wave[30:40].astype(np.float64), wave[40:]]
    assert_same(Shares().fit(), wave, blocks, window=0.01)


def test_a_block_can_be_used_again():
    wave, block = signal(100), np.empty(10, dtype=np.float32)

    def source():
        for first in range(0, 100, 10):
            block[:] = wave[first : first + 10]
            yield block

    assert_same(Shares().fit(), wave, source(), window=0.025)


@pytest.fixture(scope="module")
def samples(recording):
    return sf.read(recording[0], dtype="int16")[0]


def assert_close(estimator, samples, rate=16_000, **options):
    """Check the rows against predict_segments; the output of a network may be rounded."""
    found = pd.DataFrame(predict_stream(estimator, cut(samples, [700, 0, 16_001]), rate, **options))
    expected = predict_segments(estimator, (samples, rate), **options)
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)
    return found


def test_a_network(network, samples, recording, tmp_path):
    found = assert_close(network, samples, window=0.25, step=0.1)
    of_file = predict_segments(network, recording[0], window=0.25, step=0.1)
    pd.testing.assert_frame_equal(found, of_file, rtol=0, atol=1e-6)
    assert found.label.nunique() > 1
    # Windows are resampled one by one, as those of a file with this rate.
    assert_close(network, samples, 11_025, window=0.25)
    path = tmp_path / "model.skops"
    save_model(network, path)
    rows = list(predict_stream(path, [samples], 16_000, window=0.25, step=0.1))
    pd.testing.assert_frame_equal(pd.DataFrame(rows), found, rtol=0, atol=1e-6)


def test_other_estimators(sounds, sound_labels, network, linear, samples):
    files, labels = sounds.filenames, sound_labels
    indicator = pd.get_dummies(labels).astype(int).to_numpy()
    combined = make_combined_classifier(FrozenEstimator(network))
    for model in (
        linear,
        combined.fit(files[::3], labels[::3]),
        CalibratedClassifierCV(small_pipeline(RidgeClassifier()), cv=2).fit(files, labels),
        small_pipeline(RidgeClassifier()).fit(files, labels),
        small_pipeline(OneVsRestClassifier(LogisticRegression())).fit(files, indicator),
    ):
        assert_close(model, samples[:24_000], window=0.5)


def test_the_channel_of_the_front_end(sounds, sound_labels, samples):
    parts = SpectrogramTransformer(n_mels=8, n_frames=8, channel=1), _Flat(), LogisticRegression()
    stereo = np.column_stack([samples, samples[::-1]])
    clips = [(stereo[i : i + 4000], 16_000) for i in range(0, 40_000, 4000)]
    model = make_pipeline(*parts).fit(clips, ["a", "b"] * 5)
    assert_close(model, stereo[:30_000], window=0.3)
    with pytest.raises(AudioReadError, match="there is no channel 1"):
        list(predict_stream(model, [samples], 16_000))


class _Flat(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)

    def __sklearn_is_fitted__(self):
        return True


# When rows come, and what is kept.


def test_a_row_comes_with_the_last_sample_of_its_window():
    n_read = 0

    def source():
        nonlocal n_read
        for sample in signal(100):
            n_read += 1
            yield [sample]

    rows = predict_stream(Shares().fit(), source(), RATE, window=0.02, step=0.015)
    assert n_read == 0
    assert [n_read for _ in rows] == [20, 35, 50, 65, 80, 95, 100]


def test_windows_that_are_complete_are_predicted_together():
    log = []
    list(predict_stream(Numbers(log).fit(), [signal(1000)], RATE, window=0.1, batch_size=4))
    assert [len(batch) for batch in log] == [4, 4, 2]
    assert log[0][3] == (0.3, 0.4)
    log.clear()
    # A block that completes a single window does not wait for others.
    list(predict_stream(Numbers(log).fit(), cut(signal(1000), [99]), RATE, window=0.1))
    assert [len(batch) for batch in log] == [1] * 10


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_memory_is_that_of_a_window(step):
    def source(n_blocks):
        return (np.zeros(500, dtype=np.int16) for _ in range(n_blocks))

    def consume(n_blocks):
        for _ in predict_stream(Shares().fit(), source(n_blocks), 8000, step=step):
            pass

    consume(100)
    short, long = (peak_memory(lambda n=n: consume(n))[0] for n in (100, 1600))
    assert long < short + 20_000


def test_a_long_block_is_taken_apart():
    block = np.zeros(2_000_000, dtype=np.int16)
    rows = predict_stream(Shares().fit(), [block], 8000, batch_size=4)
    assert peak_memory(lambda: [*rows])[0] < block.nbytes / 4


def test_closing_early_releases_everything():
    def source():
        while True:
            yield signal(50)

    blocks = source()
    alive = weakref.ref(blocks)
    rows = predict_stream(Shares().fit(), blocks, RATE, window=0.1)
    del blocks
    next(rows)
    rows.close()
    del rows
    gc.collect()
    assert alive() is None


def test_an_interruption_of_the_source_leaves_the_generator():
    def source():
        yield signal(150)
        raise KeyboardInterrupt

    rows = predict_stream(Shares().fit(), source(), RATE, window=0.1)
    assert next(rows)["end"] == 0.1
    with pytest.raises(KeyboardInterrupt):
        next(rows)


def test_rows_can_be_merged_while_they_arrive():
    samples = signal(600)
    options = {"window": 0.02, "step": 0.01, "threshold": 0.36}
    rows = predict_stream(Shares().fit(), cut(samples, [13]), RATE, **options)
    found = pd.DataFrame(merge_stream(rows, smooth=0.03, min_duration=0.04))
    windows = predict_segments(Shares().fit(), (samples, RATE), **options)
    expected = merge_segments(windows, smooth=0.03, min_duration=0.04)
    assert len(expected) > 3
    pd.testing.assert_frame_equal(found, expected)


# Errors.


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ([signal(5), b"1234"], TypeError, r"blocks\[1\] is a bytes of raw bytes.*frombuffer"),
        ([memoryview(b"1234")], TypeError, r"blocks\[0\] is a memoryview of raw bytes"),
        ([signal(5), None], TypeError, r"blocks\[1\] is None"),
        ([0.5, 0.25], TypeError, r"blocks\[0\] is 0.5: expected an array.*pass \[samples\]"),
        ([([0.5], False)], TypeError, r"blocks\[0\] is \(\[0.5\], False\).*only the samples"),
        ([["x"]], TypeError, r"blocks\[0\]"),
        ([[1, [2, 3]]], TypeError, r"blocks\[0\]"),
        ([np.zeros(3, dtype=complex)], TypeError, r"blocks\[0\]"),
        ([signal(5), signal(5, 2)], ValueError, r"blocks\[1\] has 2 channels, but .* have 1"),
        ([signal(40, 40)], ValueError, r"blocks\[0\] has shape \(40, 40\).*block.T"),
        ([np.zeros((2, 3, 4))], ValueError, r"blocks\[0\] has shape \(2, 3, 4\)"),
        ([signal(5), np.ones(4, "i2")], ValueError, r"blocks\[1\] has samples of type int16"),
        ([np.ones(4, "i2"), np.ones(4, "i4")], ValueError, r"blocks\[1\].*int32.*int16"),
        (
            [signal(5), [0.1, np.nan]],
            AudioReadError,
            r"'blocks\[1\]': the sample at 0.006 s is NaN",
        ),
        ([[1e30]], AudioReadError, r"'blocks\[0\]': the sample at 0 s is 1e\+30"),
        ([], AudioReadError, "'the stream': contains no samples"),
        ([[], np.zeros((0, 2))], AudioReadError, "contains no samples"),
    ],
)
def test_bad_blocks_are_named(blocks, error, message):
    with pytest.raises(error, match=message):
        list(predict_stream(Shares().fit(), blocks, RATE))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("a.wav", "blocks is the path 'a.wav'.*predict_segments"),
        ((signal(5), 16_000), r"blocks is a pair \(samples, sampling_rate\)"),
        ({"array": signal(5), "sampling_rate": RATE}, "blocks is a dict.*predict_segments"),
        (Clip("a.wav"), "blocks is a Clip: expected an iterable of arrays"),
        (signal(5), "blocks is a single ndarray"),
        (torch.zeros(2, 5), "blocks is a single Tensor"),
        (b"12", "blocks is a single bytes"),
        (3, "blocks is 3: expected an iterable"),
        (queue.Queue(), "blocks is <queue.Queue.*pass a generator"),
    ],
)
def test_what_is_not_an_iterable_of_blocks_is_refused_at_once(blocks, message):
    with pytest.raises(TypeError, match=message):
        predict_stream(Shares().fit(), blocks, RATE)


@pytest.mark.parametrize("rate", [0, -1, 16_000.5, "16000", None, True])
def test_bad_rates_are_refused_at_once(rate):
    with pytest.raises(ValueError, match="sampling_rate"):
        predict_stream(Shares().fit(), [], rate)


def test_parameters_are_checked_at_once():
    model = Shares().fit()
    with pytest.raises(AudioReadError, match="sampling rate of 10 Hz"):
        predict_stream(model, [], 10)
    for name, value in [("window", 0), ("step", -1), ("batch_size", 0), ("threshold", 2)]:
        with pytest.raises(ValueError, match=name):
            predict_stream(model, [], RATE, **{name: value})
    with pytest.raises(ValueError, match="not classes of the estimator"):
        predict_stream(model, [], RATE, threshold={"x": 0.5})
    with pytest.raises(TypeError, match="estimator must be"):
        predict_stream(_Flat(), [], RATE)
