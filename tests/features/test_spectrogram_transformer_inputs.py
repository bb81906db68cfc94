"""SpectrogramTransformer: forms of X, wrong parameters, bad files."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError
from spectrograms import SD, decaying_noise, write_decaying

from skdaf import AudioReadError, Clip, SpectrogramTransformer, load_audio

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def write():
    return write_decaying


# --- forms of X ---------------------------------------------------------


FORMS = {
    "array": np.array,
    "objects": lambda paths: np.array(paths, dtype=object),
    "column": lambda paths: np.array(paths)[:, None],
    "series": lambda paths: pd.Series(paths, index=range(10, 10 + len(paths))),
    "paths": lambda paths: [Path(path) for path in paths],
    "clips": lambda paths: [Clip(path) for path in paths],
    "whole clips": lambda paths: [Clip(path, 0.0, np.inf) for path in paths],
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


def test_files_and_their_samples_differ_by_16_bit_rounding(tmp_path):
    path = write_decaying(tmp_path / "a.wav", 3, 8000)
    transformer = SpectrogramTransformer(sampling_rate=16000, standardize=False).fit([path])
    # The sound is far above the rounding of 16 bits nearly everywhere. Measured: 0.07 dB at most.
    np.testing.assert_allclose(
        transformer.transform([path]), transformer.transform([decaying_noise(3, 8000)]), atol=0.2
    )
    exact = write_decaying(tmp_path / "b.wav", 3, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(
        transformer.transform([exact]), transformer.transform([decaying_noise(3, 8000)])
    )


def test_rows_of_an_array_are_waveforms():
    waveforms = np.stack([decaying_noise(i, 3000) for i in range(5)])
    transformer = SpectrogramTransformer().fit(waveforms)
    assert transformer.n_features_in_ == 3000
    expected = SpectrogramTransformer().fit_transform(list(waveforms))
    for X in (waveforms, waveforms.astype(float), np.asfortranarray(waveforms)):
        np.testing.assert_array_equal(transformer.transform(X), expected)


def test_clips_are_parts_of_their_file(tmp_path):
    path = write_decaying(tmp_path / "a.wav", 0, 16000)
    whole = load_audio(path)[0]
    table = pd.DataFrame({"path": path, "start": [0.0, 0.25, 0.5], "end": [0.25, 0.75, None]})
    parts = [whole[:4000], whole[4000:12000], whole[8000:]]
    transformer = SpectrogramTransformer(sampling_rate=16000).fit(table)
    np.testing.assert_array_equal(transformer.transform(table), transformer.transform(parts))
    assert transformer.n_frames_ == 51


def test_channels_are_averaged(tmp_path):
    left, right = decaying_noise(0), decaying_noise(1)
    sf.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    transformer = SpectrogramTransformer(sampling_rate=16000).fit([tmp_path / "a.wav"])
    np.testing.assert_allclose(
        transformer.transform([tmp_path / "a.wav"]),
        transformer.transform([(left + right) / 2]),
        atol=SD,
    )


# --- waveforms without a rate ---


def test_waveforms_after_a_fit_on_files_warn_once(tmp_path):
    paths = [write_decaying(tmp_path / f"{i}.wav", i, sampling_rate=8000) for i in range(2)]
    transformer = SpectrogramTransformer(n_mels=8).fit(paths)
    with pytest.warns(UserWarning, match="8000 Hz"):
        of_arrays = transformer.transform([decaying_noise(0), decaying_noise(1)])
    np.testing.assert_array_equal(
        of_arrays, transformer.transform([(decaying_noise(0), 8000), (decaying_noise(1), 8000)])
    )
    # Warnings are errors in these tests, so there is no second one.
    transformer.transform(np.stack([decaying_noise(0), decaying_noise(1)]))
    with pytest.warns(UserWarning, match="8000 Hz"):
        pickle.loads(pickle.dumps(transformer)).transform([decaying_noise(0)])


def test_no_warning_if_the_rate_is_known(tmp_path):
    path, waves = (
        write_decaying(tmp_path / "a.wav", 0),
        [decaying_noise(0), decaying_noise(1)],
    )
    SpectrogramTransformer(n_mels=8, sampling_rate=8000).fit([path]).transform(waves)
    SpectrogramTransformer(n_mels=8).fit(waves).transform(waves)
    SpectrogramTransformer(n_mels=8).fit(waves).transform([path])
    SpectrogramTransformer(n_mels=8).fit([path]).transform([(waves[0], 44100), path])


# --- wrong parameters and inputs ---

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
    "mean_subtraction": 1.5,
    "n_frames": 0,
    "length": "cut",
    "channel": -1,
    "cache": 3,
    "n_jobs": 1.5,
    "verbose": -1,
}


def test_every_parameter_is_in_this_table():
    assert set(BAD_PARAMETERS) == set(SpectrogramTransformer().get_params())


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_errors_name_the_bad_parameter(name):
    transformer = SpectrogramTransformer().set_params(**{name: BAD_PARAMETERS[name]})
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter") as caught:
        transformer.fit(np.zeros((2, 400)))
    assert repr(BAD_PARAMETERS[name]) in str(caught.value)


@pytest.mark.parametrize("name", ["sampling_rate", "fmin", "fmax"])
def test_errors_about_frequencies_name_the_unit(name):
    transformer = SpectrogramTransformer().set_params(**{name: -4})
    with pytest.raises(InvalidParameterError, match=r"in the range .* \(Hz\)( or None)?\. Got -4"):
        transformer.fit(np.zeros((2, 400)))


def test_a_length_in_frames_belongs_to_another_parameter():
    with pytest.raises(InvalidParameterError, match=r"`n_frames` frames.*Got 2000 instead"):
        SpectrogramTransformer(length=2000).fit(np.zeros((2, 400)))


@pytest.mark.parametrize("name", ["window_length", "hop_length"])
def test_frames_are_given_in_seconds(name):
    with pytest.raises(InvalidParameterError, match=r"\(0\.0, 1\.0\] \(seconds\)\. Got 25"):
        SpectrogramTransformer(**{name: 25}).fit(np.zeros((2, 400)))


@pytest.mark.parametrize("name", ["window_length", "hop_length"])
def test_times_in_milliseconds_or_samples_are_refused(name):
    for value in (25, 512):
        with pytest.raises(InvalidParameterError, match=name):
            SpectrogramTransformer(**{name: value}).fit(np.zeros((2, 400)))


@pytest.mark.parametrize(
    ("fmin", "fmax"), [(100.0, 100.0), (300.0, 200.0), (0.0, 8000.5), (9000.0, None)]
)
def test_errors_contain_bands_outside_the_spectrum(fmin, fmax):
    expected = f"16000 Hz, got fmin={fmin!r} and fmax={fmax!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        SpectrogramTransformer(fmin=fmin, fmax=fmax).fit(np.zeros((2, 400)))


def test_fmax_of_half_the_rate_is_allowed():
    X = SpectrogramTransformer(fmax=8000, fmin=0).fit_transform([decaying_noise()])
    np.testing.assert_array_equal(X, SpectrogramTransformer().fit_transform([decaying_noise()]))


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match=r"n_mfcc=21.*n_mels=20"):
        SpectrogramTransformer("mfcc", n_mfcc=21, n_mels=20).fit(np.zeros((2, 400)))
    # Without cepstra the number of coefficients does not matter.
    SpectrogramTransformer("mel", n_mfcc=21, n_mels=20).fit(np.zeros((2, 400)))


def test_spectrograms_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 5, 8\)"):
        SpectrogramTransformer().fit(np.zeros((2, 5, 8)))
    transformer = SpectrogramTransformer().fit(np.zeros((2, 400)))
    with pytest.raises(ValueError, match=r"\(2, 5, 8\)"):
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


# --- bad files ---


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


def test_the_error_of_one_bad_file_starts_with_its_path(paths, tmp_path):
    missing = str(tmp_path / "missing.wav")
    with pytest.raises(AudioReadError, match="no such file") as caught:
        SpectrogramTransformer().fit([*paths, missing])
    assert caught.value.paths == [missing]
    assert str(caught.value).startswith(repr(missing))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("cached", [False, True])
def test_truncated_file_is_found_by_transform(paths, tmp_path, cached):
    damaged = write_decaying(tmp_path / "damaged.flac", 0, 32000)
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
