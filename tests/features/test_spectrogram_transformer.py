import io
import os
import pickle
import re
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from skdaf import AudioReadError, Clip, SpectrogramTransformer, load_audio
from skdaf._features.spectrogram import SpectrogramSettings, compute_spectrograms

pytestmark = pytest.mark.oldest

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]

# What two float32 computations of one level may differ by, in dB and in standard deviations.
# Measured: 0.
DB, SD = 1e-3, 1e-4


def noise(seed=0, n_samples=4000):
    decay = np.exp(-np.arange(n_samples) / 3000)
    return (0.3 * decay * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def write(path, seed=0, n_samples=4000, sampling_rate=16000, **options):
    sf.write(path, noise(seed, n_samples), sampling_rate, **options)
    return str(path)


@pytest.fixture
def paths(tmp_path):
    """Seven files of 16 kHz, from 0.1 to 0.7 s."""
    return [write(tmp_path / f"{i}.wav", i, 1600 * (i + 1)) for i in range(7)]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Short files, enough for several chunks."""
    folder = tmp_path_factory.mktemp("many")
    return [write(folder / f"{i}.wav", i, 500 + i) for i in range(150)]


# --- what comes out --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "n_bins"), [("mel", 20), ("mfcc", 3 * 13), ("mel+chroma", 20 + 12)]
)
@pytest.mark.parametrize("length", ["resize", "pad"])
def test_shape_type_and_learned_attributes(paths, features, n_bins, length):
    transformer = SpectrogramTransformer(features, n_mels=20, length=length, n_frames=33)
    assert transformer.fit(paths) is transformer
    X = transformer.transform(paths)
    assert X.shape == (7, 33, n_bins)
    assert X.dtype == np.float32
    assert np.isfinite(X).all()
    assert (transformer.n_frames_, transformer.n_bins_) == (33, n_bins)
    assert transformer.sampling_rate_ == 16000
    assert not hasattr(transformer, "n_features_in_")


def test_it_is_the_spectrogram_of_the_samples(paths):
    transformer = SpectrogramTransformer(
        window_length=0.025, hop_length=0.0125, n_mels=30, fmin=50.0, fmax=7000.0, n_frames=25,
        standardize=False, top_db=60.0, length="pad",
    )  # fmt: skip
    settings = SpectrogramSettings("mel", 16000, 400, 200, 30, 13, 50.0, 7000.0, 60.0)
    X = transformer.fit_transform(paths)
    for spectrogram, path in zip(X, paths, strict=True):
        (expected,) = compute_spectrograms([load_audio(path)[0]], settings)
        n = min(25, len(expected))
        np.testing.assert_allclose(spectrogram[:n], expected[:n], atol=DB)
        np.testing.assert_array_equal(spectrogram[n:], -60.0)


def test_standardized_clips_have_zero_mean_and_unit_variance(paths):
    # At its own length: resizing smooths a little.
    X = SpectrogramTransformer().fit_transform(paths[:1])[0].astype(float)
    assert X.mean() == pytest.approx(0.0, abs=1e-4)
    assert X.std() == pytest.approx(1.0, abs=1e-4)


def test_silence_and_single_samples_are_finite():
    clips = [np.zeros(4000), np.zeros(1), np.ones(1), np.array([0.0, 1e-30]), noise(0, 7)]
    for features in ("mel", "mfcc", "mel+chroma"):
        X = SpectrogramTransformer(features, sampling_rate=16000).fit_transform(clips)
        assert np.isfinite(X).all()
        np.testing.assert_array_equal(X[:2], 0.0)


def test_transform_before_fit_is_refused(paths):
    with pytest.raises(NotFittedError):
        SpectrogramTransformer().transform(paths)


# --- what fit learns -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([8000, 16000, 16000], 16000),
        ([8000, 8000, 44100], 8000),
        ([16000, 8000], 8000),
        ([44100, 22050, 16000, 44100, 22050], 22050),
    ],
)
def test_sampling_rate_is_the_commonest_and_the_lower_of_a_tie(tmp_path, rates, expected):
    files = [write(tmp_path / f"{i}.wav", i, 2000, rate) for i, rate in enumerate(rates)]
    assert SpectrogramTransformer(n_mels=16).fit(files).sampling_rate_ == expected


def test_sampling_rate_of_waveforms_is_16_khz():
    assert SpectrogramTransformer().fit(np.zeros((2, 400))).sampling_rate_ == 16000
    given = SpectrogramTransformer(sampling_rate=8000).fit(np.zeros((2, 400)))
    assert given.sampling_rate_ == 8000


def test_files_of_other_rates_are_resampled(tmp_path):
    files = [write(tmp_path / "a.wav", 0, 4000, 8000), write(tmp_path / "b.wav", 1, 9000, 22050)]
    transformer = SpectrogramTransformer(sampling_rate=16000, standardize=False).fit(files)
    resampled = [load_audio(file, sampling_rate=16000)[0] for file in files]
    np.testing.assert_allclose(
        transformer.transform(files), transformer.transform(resampled), atol=DB
    )


def test_one_tone_at_two_rates_gives_one_spectrogram(tmp_path):
    for rate in (16000, 44100):
        t = np.arange(rate // 2) / rate
        sf.write(tmp_path / f"{rate}.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), rate)
    files = [tmp_path / "16000.wav", tmp_path / "44100.wav"]
    a, b = SpectrogramTransformer(standardize=False, sampling_rate=16000).fit_transform(files)
    # The loudest bands: elsewhere there is only what 16 bits and the filter leave.
    loud = a > -40
    assert loud.any(axis=1).all()
    np.testing.assert_allclose(b[loud], a[loud], atol=1.0)
    np.testing.assert_allclose(b[5:-5][loud[5:-5]], a[5:-5][loud[5:-5]], atol=0.02)


@pytest.mark.parametrize(
    ("length", "tenths", "expected"),
    [
        ("resize", [1, 2, 3, 4, 5, 6, 7], 41),
        ("resize", [1, 2, 3, 30], 31),
        ("pad", [1] * 19 + [5], 51),
        ("pad", [1] * 29 + [5], 11),
        ("pad", [1, 2, 3], 31),
    ],
)
def test_n_frames_is_the_median_or_the_95th_percentile(length, tenths, expected):
    clips = [np.zeros(1600 * n) for n in tenths]
    assert SpectrogramTransformer(length=length).fit(clips).n_frames_ == expected


def test_n_frames_counts_frames_at_the_common_rate(tmp_path):
    files = [write(tmp_path / "a.wav", 0, 22050, 44100), write(tmp_path / "b.wav", 1, 8000)]
    files += [write(tmp_path / "c.wav", 2, 8000)]
    transformer = SpectrogramTransformer(length="pad").fit(files)
    assert (transformer.sampling_rate_, transformer.n_frames_) == (16000, 51)


def test_refit_forgets_what_it_learned(paths, tmp_path):
    transformer = SpectrogramTransformer(n_mels=16).fit(np.zeros((2, 800)))
    assert transformer.n_features_in_ == 800
    transformer.fit([write(tmp_path / "low.wav", 0, 4000, 8000)])
    assert not hasattr(transformer, "n_features_in_")
    assert (transformer.sampling_rate_, transformer.n_frames_) == (8000, 51)


# --- the same whatever the way ---------------------------------------------------------------


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_fit_transform_is_fit_then_transform(paths, features):
    together = SpectrogramTransformer(features).fit_transform(paths)
    apart = SpectrogramTransformer(features).fit(paths).transform(paths)
    assert together.tobytes() == apart.tobytes()


def test_number_and_kind_of_workers_change_no_byte(many):
    expected = SpectrogramTransformer(n_mels=16).fit_transform(many).tobytes()
    for n_jobs in (1, 2):
        transformer = SpectrogramTransformer(n_mels=16, n_jobs=n_jobs)
        assert transformer.fit_transform(many).tobytes() == expected
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert SpectrogramTransformer(n_mels=16).fit_transform(many).tobytes() == expected


@pytest.mark.parametrize("length", ["resize", "pad"])
@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_clip_alone_is_as_among_others_in_any_order(paths, features, length):
    for standardize in (False, True):
        transformer = SpectrogramTransformer(features, length=length, standardize=standardize)
        X = transformer.fit_transform(paths)
        order = np.random.default_rng(0).permutation(len(paths))
        assert transformer.transform(np.array(paths)[order]).tobytes() == X[order].tobytes()
        for path, spectrogram in zip(paths, X, strict=True):
            assert transformer.transform([path])[0].tobytes() == spectrogram.tobytes()


def test_global_random_state_is_untouched(paths):
    before = pickle.dumps(np.random.get_state())
    SpectrogramTransformer().fit_transform(paths)
    assert pickle.dumps(np.random.get_state()) == before


# --- the same whatever the form of X ---------------------------------------------------------


FORMS = {
    "array": np.array,
    "objects": lambda paths: np.array(paths, dtype=object),
    "column": lambda paths: np.array(paths)[:, None],
    "series": lambda paths: pd.Series(paths, index=range(10, 10 + len(paths))),
    "paths": lambda paths: [Path(path) for path in paths],
    "clips": lambda paths: [Clip(path) for path in paths],
    "whole clips": lambda paths: [Clip(path, 0.0, 100.0) for path in paths],
    "table": lambda paths: pd.DataFrame({"label": 0, "path": paths}),
    "table of times": lambda paths: pd.DataFrame({"path": paths, "start": 0.0, "end": np.nan}),
    "waveforms": lambda paths: [load_audio(path)[0] for path in paths],
    "doubles": lambda paths: [load_audio(path)[0].astype(float) for path in paths],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_input_gives_the_same(paths, form):
    expected = SpectrogramTransformer().fit_transform(paths)
    X = SpectrogramTransformer().fit_transform(FORMS[form](paths))
    assert X.tobytes() == expected.tobytes()


def test_files_and_their_samples_differ_by_what_16_bits_round(tmp_path):
    path = write(tmp_path / "a.wav", 3, 8000)
    transformer = SpectrogramTransformer(sampling_rate=16000, standardize=False).fit([path])
    # The sound is far above the rounding of 16 bits nearly everywhere. Measured: 0.07 dB at most.
    np.testing.assert_allclose(
        transformer.transform([path]), transformer.transform([noise(3, 8000)]), atol=0.2
    )
    exact = write(tmp_path / "b.wav", 3, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(
        transformer.transform([exact]), transformer.transform([noise(3, 8000)])
    )


def test_rows_of_an_array_are_waveforms():
    waveforms = np.stack([noise(i, 3000) for i in range(5)])
    transformer = SpectrogramTransformer().fit(waveforms)
    assert transformer.n_features_in_ == 3000
    expected = SpectrogramTransformer().fit_transform(list(waveforms))
    for X in (waveforms, waveforms.astype(float), np.asfortranarray(waveforms)):
        np.testing.assert_array_equal(transformer.transform(X), expected)


def test_clips_are_parts_of_their_file(tmp_path):
    path = write(tmp_path / "a.wav", 0, 16000)
    whole = load_audio(path)[0]
    table = pd.DataFrame({"path": path, "start": [0.0, 0.25, 0.5], "end": [0.25, 0.75, None]})
    parts = [whole[:4000], whole[4000:12000], whole[8000:]]
    transformer = SpectrogramTransformer(sampling_rate=16000).fit(table)
    np.testing.assert_array_equal(transformer.transform(table), transformer.transform(parts))
    assert transformer.n_frames_ == 51


def test_channels_are_averaged(tmp_path):
    left, right = noise(0), noise(1)
    sf.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    transformer = SpectrogramTransformer(sampling_rate=16000).fit([tmp_path / "a.wav"])
    np.testing.assert_allclose(
        transformer.transform([tmp_path / "a.wav"]),
        transformer.transform([(left + right) / 2]),
        atol=SD,
    )


# --- waveforms without a rate ----------------------------------------------------------------


def test_waveforms_after_a_fit_on_files_are_warned_of_once(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", i, sampling_rate=8000) for i in range(2)]
    transformer = SpectrogramTransformer(n_mels=8).fit(paths)
    with pytest.warns(UserWarning, match="8000 Hz is assumed, the rate of the files"):
        of_arrays = transformer.transform([noise(0), noise(1)])
    np.testing.assert_array_equal(
        of_arrays, transformer.transform([(noise(0), 8000), (noise(1), 8000)])
    )
    # The suite makes errors of warnings: there is no second one.
    transformer.transform(np.stack([noise(0), noise(1)]))
    with pytest.warns(UserWarning, match="8000 Hz is assumed"):
        pickle.loads(pickle.dumps(transformer)).transform([noise(0)])


def test_no_warning_where_the_rate_is_known(tmp_path):
    path, waves = write(tmp_path / "a.wav", 0), [noise(0), noise(1)]
    SpectrogramTransformer(n_mels=8, sampling_rate=8000).fit([path]).transform(waves)
    SpectrogramTransformer(n_mels=8).fit(waves).transform(waves)
    SpectrogramTransformer(n_mels=8).fit(waves).transform([path])
    SpectrogramTransformer(n_mels=8).fit([path]).transform([(waves[0], 44100), path])


# --- very short and sparse clips -------------------------------------------------------------


def clips_with_little_in_them():
    click = np.zeros(16000)
    click[8000] = 1.0
    minute = np.zeros(60 * 16000)
    minute[100] = 1.0
    steady = np.random.default_rng(0).standard_normal(400)
    return [np.ones(1), np.ones(2), click, np.zeros(9), minute, np.full(3, 1e-9), steady]


@pytest.mark.parametrize("top_db", [80.0, None])
@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_padded_clips_stay_within_ten_deviations(features, top_db):
    transformer = SpectrogramTransformer(
        features, length="pad", n_frames=100, top_db=top_db, sampling_rate=16000
    )
    for clip in clips_with_little_in_them():
        [spectrogram] = transformer.fit_transform([clip])
        assert np.isfinite(spectrogram).all()
        assert np.abs(spectrogram).max() <= 10.0
    assert spectrogram.min() == -10.0  # the silence after steady noise


def test_a_clip_with_one_moment_is_scaled_not_clipped():
    minute = clips_with_little_in_them()[4]
    padded, resized = (
        SpectrogramTransformer(length=length, n_frames=6001, sampling_rate=16000).fit_transform(
            [minute]
        )[0]
        for length in ("pad", "resize")
    )
    assert resized.max() > 40.0
    np.testing.assert_allclose(padded, resized * (10.0 / resized.max()), atol=1e-4)


def test_clips_that_vary_are_padded_as_before():
    decay = (noise(0, 12000) * np.exp(-np.arange(12000) / 1000)).astype(np.float32)
    plain, padded = (
        SpectrogramTransformer(
            length="pad", n_frames=120, standardize=standardize, sampling_rate=16000
        ).fit_transform([decay])[0]
        for standardize in (False, True)
    )
    softened = np.maximum(plain, 0.3 * plain - 35.0)
    own = softened[:76]
    np.testing.assert_allclose(padded, (softened - own.mean()) / own.std(), atol=SD)
    assert padded.min() > -10.0


# --- scikit-learn ----------------------------------------------------------------------------


def test_clone_and_parameters(paths, tmp_path):
    transformer = SpectrogramTransformer("mfcc", n_mfcc=5, cache=tmp_path / "c", fmax=4000.0)
    copy = clone(transformer.fit(paths))
    assert copy.get_params() == transformer.get_params()
    assert not hasattr(copy, "n_frames_")
    copy.set_params(n_mfcc=7, length="pad", n_frames=9)
    assert copy.fit_transform(paths).shape == (7, 9, 21)
    assert transformer.n_mfcc == 5


@pytest.mark.parametrize("cached", [False, True])
def test_dump_and_load_give_the_same_bytes(paths, tmp_path, cached):
    cache = tmp_path / "cache" if cached else None
    transformer = SpectrogramTransformer("mel+chroma", length="pad", cache=cache).fit(paths)
    expected = transformer.transform(paths)
    joblib.dump(transformer, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    assert loaded.transform(paths).tobytes() == expected.tobytes()


def flatten(X):
    assert type(X) is np.ndarray
    return pd.DataFrame(X.reshape(len(X), -1)).add_prefix("value")


def test_spectrograms_stay_an_array_in_a_pipeline_of_tables(paths):
    spectrogram = SpectrogramTransformer(n_mels=8, n_frames=5)
    pipeline = make_pipeline(spectrogram, FunctionTransformer(flatten), StandardScaler())
    table = pipeline.set_output(transform="pandas").fit_transform(paths)
    assert isinstance(table, pd.DataFrame)
    assert table.shape == (7, 40)
    assert type(spectrogram.transform(paths)) is np.ndarray


# --- slips -----------------------------------------------------------------------------------

BAD_PARAMETERS = {
    "features": "chroma",
    "sampling_rate": 99,
    "window_length": 0.0,
    "hop_length": -0.01,
    "n_mels": 0,
    "n_mfcc": 0,
    "fmin": -1.0,
    "fmax": 0.0,
    "top_db": 0.0,
    "standardize": "yes",
    "n_frames": 0,
    "length": "cut",
    "channel": -1,
    "cache": 3,
    "n_jobs": 1.5,
    "verbose": -1,
}


def test_every_parameter_has_a_bad_value_here():
    assert set(BAD_PARAMETERS) == set(SpectrogramTransformer().get_params())


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameter_is_refused_by_name(name):
    transformer = SpectrogramTransformer().set_params(**{name: BAD_PARAMETERS[name]})
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of Spec") as caught:
        transformer.fit(np.zeros((2, 400)))
    assert repr(BAD_PARAMETERS[name]) in str(caught.value)


@pytest.mark.parametrize("name", ["window_length", "hop_length"])
def test_times_in_milliseconds_or_samples_are_refused(name):
    for value in (25, 512):
        with pytest.raises(InvalidParameterError, match=name):
            SpectrogramTransformer(**{name: value}).fit(np.zeros((2, 400)))


@pytest.mark.parametrize(
    ("fmin", "fmax"), [(100.0, 100.0), (300.0, 200.0), (0.0, 8000.5), (9000.0, None)]
)
def test_bands_outside_the_spectrum_are_refused_by_value(fmin, fmax):
    expected = f"rate of 16000 Hz, got fmin={fmin!r} and fmax={fmax!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        SpectrogramTransformer(fmin=fmin, fmax=fmax).fit(np.zeros((2, 400)))


def test_fmax_of_half_the_rate_is_allowed():
    X = SpectrogramTransformer(fmax=8000, fmin=0).fit_transform([noise()])
    np.testing.assert_array_equal(X, SpectrogramTransformer().fit_transform([noise()]))


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match="n_mfcc=21 must not be greater than n_mels=20"):
        SpectrogramTransformer("mfcc", n_mfcc=21, n_mels=20).fit(np.zeros((2, 400)))
    # Without cepstra the number of coefficients does not matter.
    SpectrogramTransformer("mel", n_mfcc=21, n_mels=20).fit(np.zeros((2, 400)))


def test_spectrograms_are_refused():
    with pytest.raises(ValueError, match=r"takes files or waveforms.*\(2, 5, 8\).*already"):
        SpectrogramTransformer().fit(np.zeros((2, 5, 8)))
    transformer = SpectrogramTransformer().fit(np.zeros((2, 400)))
    with pytest.raises(ValueError, match=r"takes files or waveforms.*\(2, 5, 8\).*already"):
        transformer.transform(np.zeros((2, 5, 8)))


@pytest.mark.parametrize(
    "X", [[], np.array([], dtype=str), np.zeros((0, 400)), pd.DataFrame({"path": []})], ids=repr
)
def test_no_clips_are_refused(X, paths):
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        SpectrogramTransformer().fit(X)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        SpectrogramTransformer().fit(np.zeros((2, 400))).transform(X)


def test_one_bare_path_is_refused(paths):
    with pytest.raises(TypeError, match=r"pass \[path\]"):
        SpectrogramTransformer().fit(paths[0])


# --- mel bands that hear nothing -------------------------------------------------------------


def empty(X):
    """Count the bands that are at the floor in every frame of white noise."""
    return int(np.isclose(X, X.min()).all(axis=(0, 1)).sum())


@pytest.mark.parametrize(
    ("window_length", "n_mels", "rate"), [(0.008, 64, 16000), (0.032, 200, 8000)]
)
def test_bands_narrower_than_the_window_resolves_are_warned_of(window_length, n_mels, rate):
    transformer = SpectrogramTransformer(
        window_length=window_length, n_mels=n_mels, sampling_rate=rate, standardize=False
    )
    white = np.random.default_rng(0).standard_normal((3, 8000))
    with pytest.warns(UserWarning, match="always silent") as warned:
        transformer.fit(white)
    message = str(warned[0].message)
    n_empty = empty(transformer.transform(white))
    assert n_empty > 0
    assert message.startswith(f"{n_empty} of n_mels={n_mels} mel bands")
    assert f"window_length={window_length} (seconds) at {rate} Hz" in message
    assert "fewer mel bands or a longer window" in message
    assert len(warned) == 1


@pytest.mark.parametrize("rate", RATES)
def test_defaults_have_no_empty_band_at_any_usual_rate(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer = SpectrogramTransformer(sampling_rate=rate, standardize=False)
        X = transformer.fit_transform(np.random.default_rng(0).standard_normal((2, rate // 4)))
    assert empty(X) == 0


# --- bad files -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_all_bad_files_of_a_call_are_listed_together(many, tmp_path, n_jobs):
    bad = [str(tmp_path / f"bad{i}.wav") for i in range(13)]
    for path in bad[1:]:
        with open(path, "w") as file:
            file.write("this is not audio")
    mixed = [*many[:40], *bad[:6], *many[40:140], *bad[6:]]
    transformer = SpectrogramTransformer(n_mels=8, n_jobs=n_jobs).fit(many)
    for call in (clone(transformer).fit, transformer.transform):
        with pytest.raises(AudioReadError) as caught:
            call(mixed)
        shown = str(caught.value).splitlines()
        assert shown[0] == "13 clips could not be read:"
        for path, line in zip(bad[:10], shown[1:11], strict=True):
            assert repr(path) in line
        assert "no such file" in shown[1]
        assert shown[11:] == ["  ... and 3 more"]
        assert caught.value.paths == bad


def test_one_bad_file_is_one_sentence(paths, tmp_path):
    missing = str(tmp_path / "missing.wav")
    with pytest.raises(AudioReadError, match="no such file") as caught:
        SpectrogramTransformer().fit([*paths, missing])
    assert caught.value.paths == [missing]
    assert str(caught.value).startswith(repr(missing))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("cached", [False, True])
def test_truncated_file_is_found_by_transform(paths, tmp_path, cached):
    damaged = write(tmp_path / "damaged.flac", 0, 32000)
    os.truncate(damaged, os.path.getsize(damaged) // 2)
    cache = tmp_path / "cache" if cached else None
    transformer = SpectrogramTransformer(cache=cache).fit([*paths, damaged])
    with pytest.raises(AudioReadError, match=r"damaged\.flac") as caught:
        transformer.transform([*paths, damaged])
    assert caught.value.paths == [damaged]


@pytest.mark.parametrize("cached", [False, True])
def test_file_that_vanishes_after_fit_is_found_by_transform(paths, tmp_path, cached):
    cache = tmp_path / "cache" if cached else None
    transformer = SpectrogramTransformer(cache=cache).fit(paths)
    transformer.transform(paths)
    os.remove(paths[2])
    with pytest.raises(AudioReadError, match="no such file") as caught:
        transformer.transform(paths)
    assert caught.value.paths == [paths[2]]


# --- what is shown ---------------------------------------------------------------------------


def test_nothing_is_printed_by_default(paths, capsys):
    SpectrogramTransformer().fit_transform(paths)
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_a_bar_on_stderr(paths, monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    SpectrogramTransformer(verbose=1).fit_transform(paths)
    assert out.getvalue() == ""
    assert "Spectrograms" in err.getvalue()
    assert "7/7" in err.getvalue()


def test_spectrogram_parameters_set_after_fit_wait_for_the_next_fit(sounds):
    files = sounds.filenames[:3]
    transformer = SpectrogramTransformer(n_mels=20).fit(files)
    expected = transformer.transform(files)
    transformer.set_params(n_mels=30, fmin=200.0)
    np.testing.assert_array_equal(transformer.transform(files), expected)
    assert transformer.fit_transform(files).shape[2] == 30


def test_files_bad_behind_their_headers_are_named_with_those_bad_in_them(sounds, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "empty.wav").touch()
    sf.write(tmp_path / "cut.flac", rng.uniform(-0.5, 0.5, 16000), 16000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:5000])
    sf.write(tmp_path / "nan.wav", np.full(100, np.nan), 16000, subtype="FLOAT")
    bad = [str(tmp_path / name) for name in ("empty.wav", "cut.flac", "nan.wav")]
    with pytest.raises(AudioReadError) as info:
        SpectrogramTransformer().fit([*sounds.filenames[:3], *bad])
    assert info.value.paths == bad
