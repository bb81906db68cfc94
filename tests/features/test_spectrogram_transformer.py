"""SpectrogramTransformer: output, fit, independence of workers, short clips, progress."""

import io
import pickle
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import silence
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from spectrograms import DB, SD, decaying_noise, write_decaying

from skdaf import AudioReadError, Clip, SpectrogramTransformer, load_audio
from skdaf._features.spectrogram import SpectrogramSettings, compute_spectrograms

pytestmark = pytest.mark.oldest

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]


@pytest.fixture(scope="module")
def write():
    return write_decaying


# --- output ---


@pytest.mark.parametrize(
    ("features", "n_bins"), [("mel", 20), ("mfcc", 3 * 13), ("mel+chroma", 20 + 12)]
)
@pytest.mark.parametrize("length", ["resize", "tile", "pad"])
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


def test_values_are_those_of_compute_spectrograms(paths):
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


@silence
def test_silence_and_single_samples_are_finite():
    clips = [np.zeros(4000), np.zeros(1), np.ones(1), np.array([0.0, 1e-30]), decaying_noise(0, 7)]
    for features in ("mel", "mfcc", "mel+chroma"):
        X = SpectrogramTransformer(features, sampling_rate=16000).fit_transform(clips)
        assert np.isfinite(X).all()
        np.testing.assert_array_equal(X[:2], 0.0)


def test_transform_before_fit_is_refused(paths):
    with pytest.raises(NotFittedError):
        SpectrogramTransformer().transform(paths)


# --- fit ---


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([8000, 16000, 16000], 16000),
        ([8000, 8000, 44100], 8000),
        ([16000, 8000], 8000),
        ([44100, 22050, 16000, 44100, 22050], 22050),
    ],
)
def test_sampling_rate_is_the_most_common_or_lowest_one(tmp_path, rates, expected):
    files = [write_decaying(tmp_path / f"{i}.wav", i, 2000, rate) for i, rate in enumerate(rates)]
    assert SpectrogramTransformer(n_mels=16).fit(files).sampling_rate_ == expected


def test_sampling_rate_of_waveforms_is_16_khz():
    assert SpectrogramTransformer().fit(np.zeros((2, 400))).sampling_rate_ == 16000
    given = SpectrogramTransformer(sampling_rate=8000).fit(np.zeros((2, 400)))
    assert given.sampling_rate_ == 8000


def test_files_of_other_rates_are_resampled(tmp_path):
    files = [
        write_decaying(tmp_path / "a.wav", 0, 4000, 8000),
        write_decaying(tmp_path / "b.wav", 1, 9000, 22050),
    ]
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
    # The loudest bands: others only contain rounding noise of 16 bits and of the filter.
    loud = a > -40
    assert loud.any(axis=1).all()
    np.testing.assert_allclose(b[loud], a[loud], atol=1.0)
    np.testing.assert_allclose(b[5:-5][loud[5:-5]], a[5:-5][loud[5:-5]], atol=0.02)


@pytest.mark.parametrize(
    ("length", "tenths", "expected"),
    [
        ("resize", [1, 2, 3, 4, 5, 6, 7], 41),
        ("resize", [1, 2, 3, 20], 31),
        ("pad", [1] * 19 + [5], 51),
        ("pad", [1] * 29 + [5], 11),
        ("pad", [1, 2, 3], 31),
    ],
)
def test_n_frames_is_the_median_or_the_95th_percentile(length, tenths, expected):
    clips = [np.zeros(1600 * n) for n in tenths]
    assert SpectrogramTransformer(length=length).fit(clips).n_frames_ == expected


def test_a_warning_names_clips_that_are_much_longer_than_most(tmp_path):
    usual = [write_decaying(tmp_path / f"{i}.wav", i, 8000) for i in range(3)]
    longer = write_decaying(tmp_path / "longer.wav", 0, 88_000)
    transformer = SpectrogramTransformer(n_mels=8, sampling_rate=8000)
    transformer.fit([*usual, write_decaying(tmp_path / "ok.wav", 0, 60_000)])
    with pytest.warns(
        UserWarning, match=r"1 of 4 clips .* \(0\.5 s\).*longer\.wav with 5\.5 s"
    ) as w:
        transformer.fit([*usual, longer])
    assert w[0].filename == __file__
    with pytest.warns(UserWarning, match=r"1 of 4 clips .* \(0\.1 s\).* clip 3 with 3 s"):
        transformer.fit([np.zeros(800)] * 3 + [np.zeros(24_000)])
    with pytest.warns(UserWarning, match=r"Squeezed .* little is left"):
        transformer.set_params(length="resize").fit([*usual, longer])
    with pytest.warns(UserWarning, match=r"1 of 4 clips .* short piece in their middle"):
        transformer.set_params(length="tile").fit([*usual, longer])
    transformer.set_params(length="pad").fit([*usual, longer])


def test_a_warning_names_clips_of_a_single_frame(tmp_path):
    clips = [np.zeros(8000)] * 3 + [np.zeros(50)]
    transformer = SpectrogramTransformer(n_mels=8, sampling_rate=8000)
    for length in ("auto", "pad"):
        with pytest.warns(
            UserWarning, match=r"1 of 4 clips is so short .* 1 s\), .* clip 3\."
        ) as w:
            transformer.set_params(length=length).fit(clips)
        assert len(w) == 1
    transformer.fit([np.zeros(50)] * 2)  # alike, and meant so
    sound = (np.zeros(8000), 8000)
    transformer.fit([Clip(sound), Clip(sound, 0.99, 1.0)])  # the rest of a segment


def test_clips_of_very_different_lengths_are_tiled():
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal(n) for n in (1600, 1600, 16_000, 16_000, 16_000)]
    transformer = SpectrogramTransformer().fit(clips)
    assert (transformer.length_, transformer.n_frames_) == ("tile", 101)
    short, _, long, *_ = transformer.transform(clips)
    np.testing.assert_array_equal(short[11:22], short[:11])
    assert len(np.unique(long, axis=0)) == 101
    similar = SpectrogramTransformer().fit(clips[2:])
    assert similar.length_ == "resize"


def test_tile_keeps_the_middle_of_long_clips():
    rng = np.random.default_rng(0)
    long, *others = (rng.standard_normal(n).astype(np.float32) for n in (16_000, 4800, 4800))
    options = {"mean_subtraction": 0.0, "standardize": False}
    tiled = SpectrogramTransformer(length="tile", **options).fit([long, *others])
    whole = SpectrogramTransformer(length="resize", **options).fit_transform([long])[0]
    assert tiled.n_frames_ == 31
    np.testing.assert_array_equal(tiled.transform([long])[0], whole[35:66])


@pytest.mark.parametrize("n_frames", [None, 20, 100, 501])
def test_tile_shows_the_whole_of_a_clip_of_median_length(n_frames):
    clips = np.random.default_rng(0).standard_normal((3, 80_000)).astype(np.float32)
    options = {"n_frames": n_frames, "mean_subtraction": 0.0}
    tiled, resized = (
        SpectrogramTransformer(length=length, **options).fit_transform(clips)
        for length in ("tile", "resize")
    )
    np.testing.assert_array_equal(tiled, resized)


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_full_mean_subtraction_leaves_bins_without_mean(paths, features):
    transformer = SpectrogramTransformer(features, mean_subtraction=1.0)
    [spectrogram] = transformer.fit_transform(paths[:1]).astype(float)
    np.testing.assert_allclose(spectrogram.mean(axis=0), 0.0, atol=1e-4)
    assert transformer.mean_subtraction_ == 1.0


@pytest.mark.parametrize(("seconds", "share"), [(0.5, 1 / 7), (3.0, 0.5), (9.0, 0.75)])
def test_mean_subtraction_follows_the_median_length(seconds, share):
    clips = [np.zeros(int(8000 * seconds * factor)) for factor in (0.9, 1.0, 1.1)]
    transformer = SpectrogramTransformer(sampling_rate=8000).fit(clips)
    assert transformer.mean_subtraction_ == pytest.approx(share, abs=1e-3)


def test_levels_that_are_not_standardized_keep_their_mean(paths):
    plain, subtracted = (
        SpectrogramTransformer(standardize=False, mean_subtraction=share).fit_transform(paths)
        for share in (0.0, 1.0)
    )
    np.testing.assert_array_equal(plain, subtracted)


@pytest.mark.parametrize(
    ("length", "expected"), [("auto", 250), ("resize", 250), ("tile", 250), ("pad", 501)]
)
def test_long_clips_are_squeezed_unless_they_are_padded(length, expected):
    clips = np.random.default_rng(0).uniform(-1, 1, (2, 5 * 16000)).astype(np.float32)
    transformer = SpectrogramTransformer(length=length)
    spectrograms = transformer.fit_transform(clips)
    assert transformer.n_frames_ == expected
    same = SpectrogramTransformer(length=length, n_frames=expected).fit_transform(clips)
    np.testing.assert_array_equal(spectrograms, same)


def test_n_frames_counts_frames_at_the_common_rate(tmp_path):
    files = [
        write_decaying(tmp_path / "a.wav", 0, 22050, 44100),
        write_decaying(tmp_path / "b.wav", 1, 8000),
    ]
    files += [write_decaying(tmp_path / "c.wav", 2, 8000)]
    transformer = SpectrogramTransformer(length="pad").fit(files)
    assert (transformer.sampling_rate_, transformer.n_frames_) == (16000, 51)


def test_a_second_fit_replaces_the_first(paths, tmp_path):
    transformer = SpectrogramTransformer(n_mels=16).fit(np.zeros((2, 800)))
    assert transformer.n_features_in_ == 800
    transformer.fit([write_decaying(tmp_path / "low.wav", 0, 4000, 8000)])
    assert not hasattr(transformer, "n_features_in_")
    assert (transformer.sampling_rate_, transformer.n_frames_) == (8000, 51)


# --- results do not depend on workers and other clips ---


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


@pytest.mark.parametrize("length", ["resize", "tile", "pad"])
@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_a_clip_does_not_depend_on_other_clips(paths, features, length):
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


# --- very short and sparse clips ---


def sparse_clips():
    """Return very short clips, and clips with a single moment of sound."""
    click = np.zeros(16000)
    click[8000] = 1.0
    minute = np.zeros(60 * 16000)
    minute[100] = 1.0
    steady = np.random.default_rng(0).standard_normal(400)
    return [np.ones(1), np.ones(2), click, np.zeros(9), minute, np.full(3, 1e-9), steady]


@silence
@pytest.mark.parametrize("top_db", [80.0, None])
@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_padded_clips_stay_within_ten_deviations(features, top_db):
    transformer = SpectrogramTransformer(
        features, length="pad", n_frames=100, top_db=top_db, sampling_rate=16000
    )
    for clip in sparse_clips():
        [spectrogram] = transformer.fit_transform([clip])
        assert np.isfinite(spectrogram).all()
        assert np.abs(spectrogram).max() <= 10.0
    assert spectrogram.min() == -10.0  # silence after steady noise


def test_a_clip_with_one_moment_is_scaled_not_clipped():
    minute = sparse_clips()[4]
    padded, resized = (
        SpectrogramTransformer(length=length, n_frames=6001, sampling_rate=16000).fit_transform(
            [minute]
        )[0]
        for length in ("pad", "resize")
    )
    assert resized.max() > 40.0
    np.testing.assert_allclose(padded, resized * (10.0 / resized.max()), atol=1e-4)


def test_padding_is_standardized_like_the_clip():
    decay = (decaying_noise(0, 12000) * np.exp(-np.arange(12000) / 1000)).astype(np.float32)
    plain, padded = (
        SpectrogramTransformer(
            length="pad",
            n_frames=120,
            standardize=standardize,
            mean_subtraction=0.0,
            sampling_rate=16000,
        ).fit_transform([decay])[0]
        for standardize in (False, True)
    )
    softened = np.maximum(plain, 0.3 * plain - 35.0)
    own = softened[:76]
    np.testing.assert_allclose(padded, (softened - own.mean()) / own.std(), atol=SD)
    assert padded.min() > -10.0


# --- scikit-learn ---


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


# --- empty mel bands ---


def count_empty(X):
    """Count the bands that are at the minimum in all frames."""
    return int(np.isclose(X, X.min()).all(axis=(0, 1)).sum())


@pytest.mark.parametrize(
    ("window_length", "n_mels", "rate"), [(0.008, 64, 16000), (0.032, 200, 8000)]
)
def test_bands_that_the_window_cannot_resolve_warn(window_length, n_mels, rate):
    transformer = SpectrogramTransformer(
        window_length=window_length,
        hop_length=0.008,
        n_mels=n_mels,
        sampling_rate=rate,
        standardize=False,
    )
    white = np.random.default_rng(0).standard_normal((3, 8000))
    with pytest.warns(UserWarning, match="always silent") as warned:
        transformer.fit(white)
    message = str(warned[0].message)
    n_empty = count_empty(transformer.transform(white))
    assert n_empty > 0
    assert message.startswith(f"{n_empty} of n_mels={n_mels} mel bands")
    assert f"window_length={window_length} (seconds) at {rate} Hz" in message
    assert "fewer mel bands or a longer window" in message
    assert len(warned) == 1


def test_frequencies_in_kilohertz_are_refused():
    transformer = SpectrogramTransformer(fmin=0.2, fmax=16, sampling_rate=44100)
    with pytest.raises(ValueError, match=r"fmin=0\.2 and fmax=16 Hz .* Frequencies are in Hz"):
        transformer.fit(np.zeros((3, 8000)))


@pytest.mark.parametrize("rate", RATES)
def test_defaults_have_no_empty_band_at_any_usual_rate(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer = SpectrogramTransformer(sampling_rate=rate, standardize=False)
        X = transformer.fit_transform(np.random.default_rng(0).standard_normal((2, rate // 4)))
    assert count_empty(X) == 0


# --- progress ---


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


def test_parameters_set_after_fit_apply_to_the_next_fit(sounds):
    files = sounds.filenames[:3]
    transformer = SpectrogramTransformer(n_mels=20).fit(files)
    expected = transformer.transform(files)
    transformer.set_params(n_mels=30, fmin=200.0)
    np.testing.assert_array_equal(transformer.transform(files), expected)
    assert transformer.fit_transform(files).shape[2] == 30


def test_fit_names_files_with_bad_headers_and_bad_samples(sounds, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "empty.wav").touch()
    sf.write(tmp_path / "cut.flac", rng.uniform(-0.5, 0.5, 16000), 16000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:5000])
    sf.write(tmp_path / "nan.wav", np.full(100, np.nan), 16000, subtype="FLOAT")
    bad = [str(tmp_path / name) for name in ("empty.wav", "cut.flac", "nan.wav")]
    with pytest.raises(AudioReadError) as info:
        SpectrogramTransformer().fit([*sounds.filenames[:3], *bad])
    assert info.value.paths == bad


@pytest.mark.parametrize("share", [True, False, np.True_])
def test_the_share_of_the_mean_is_not_a_switch(paths, share):
    with pytest.raises(ValueError, match="'mean_subtraction' parameter"):
        SpectrogramTransformer(mean_subtraction=share).fit(paths)


def test_the_length_of_clips_is_their_median_at_any_rate():
    clips = [(np.zeros(n), rate) for n, rate in ((4000, 8000), (8000, 8000), (66_150, 22_050))]
    assert SpectrogramTransformer().fit(clips).clip_length_ == 1.0
    assert SpectrogramTransformer(sampling_rate=4000).fit(clips[:1]).clip_length_ == 0.5
    assert SpectrogramTransformer().fit(np.zeros((2, 4000))).clip_length_ == 0.25


def test_a_hop_that_skips_audio_gives_a_warning():
    transformer = SpectrogramTransformer(window_length=0.03, hop_length=0.04, n_mels=8)
    expected = r"hop_length=0\.04 is longer than window_length=0\.03 \(seconds\)"
    with pytest.warns(UserWarning, match=expected) as caught:
        transformer.fit(np.ones((1, 8000)))
    assert [warning.filename for warning in caught] == [__file__]
    transformer.set_params(hop_length=0.03).fit(np.ones((1, 8000)))
