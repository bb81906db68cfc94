"""Errors of X name what is wrong and what to pass."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import OwnPath
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from skdaf import Clip, SpectrogramTransformer
from skdaf._audio.inputs import validate_clips
from skdaf._audio.recordings import as_clips

pytestmark = pytest.mark.oldest


NAMES = ["b.wav", "a.wav", "c d.flac"]
CLIPS = [Clip(name) for name in NAMES]


class Estimator(BaseEstimator):
    """An estimator whose attributes validate_clips may set."""


def validate(X, estimator=None, reset=True):
    return validate_clips(estimator or Estimator(), X, reset=reset)


@pytest.mark.parametrize(
    "X", ["a.wav", np.str_("a.wav"), Path("a.wav"), Clip("a.wav"), OwnPath("")]
)
def test_a_single_path_must_be_put_in_a_list(X):
    with pytest.raises(TypeError, match=r"pass \[path\]"):
        validate(X)


@pytest.mark.parametrize(
    ("X", "name"),
    [
        (None, "None"),
        (b"a.wav", "a bytes"),
        ({"a.wav": 1}, "a dict"),
        ({"a.wav", "b.wav"}, "a set"),
        (frozenset(["a.wav"]), "a frozenset"),
        ((name for name in NAMES), "a generator"),
        (map(str, NAMES), "a map"),
    ],
)
def test_what_has_no_order_or_count_is_refused(X, name):
    with pytest.raises(TypeError, match=f"Expected a list, an array or a table of .*got {name}:"):
        validate(X)


@pytest.mark.parametrize(
    "X",
    [
        [],
        (),
        np.array([], dtype=str),
        np.array([], dtype=object),
        np.empty((0, 1), dtype=str),
        pd.Series([], dtype=object),
        pd.DataFrame({"path": []}),
        np.empty((0, 5)),
        np.empty((0, 5, 5)),
    ],
    ids=str,
)
def test_nothing_at_all(X):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        validate(X)


@pytest.mark.parametrize("X", [np.arange(3.0), [1.0, 2.0], [1, 2], (0.5,), range(3)])
def test_numbers_in_one_dimension(X):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        validate(X)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_series_of_numbers(library):
    column = pytest.importorskip(library).Series([1.0, 2.0])
    with pytest.raises(ValueError, match=r"a column of numbers .*a column 'path'"):
        validate(column)


@pytest.mark.parametrize(
    "X", [np.ones((3, 1)), np.ones((3, 1), dtype=object), [[1.0], [2.0]], torch.ones(3, 1)], ids=str
)
def test_one_number_for_each_clip(X):
    with pytest.raises(ValueError, match=r"1 feature\(s\) .*a column 'path'.*one recording.*X\.T"):
        validate(X)


@pytest.mark.parametrize("n_channels", [2, 8])
@pytest.mark.parametrize(
    "kind",
    [
        np.ones,
        torch.ones,
        lambda shape: np.ones(shape, dtype=np.int16),
        lambda shape: np.ones(shape).tolist(),
        lambda shape: pd.DataFrame(np.ones(shape)),
    ],
)
def test_the_samples_of_one_recording_are_not_clips(kind, n_channels):
    X = kind((1000, n_channels))
    expected = re.escape(
        f"X has shape (1000, {n_channels}), but rows are clips (n_clips, n_samples)"
    )
    with pytest.raises(
        ValueError, match=rf"{expected}.*{n_channels} channels, pass \[\(X, s.*pass X\.T\."
    ):
        validate(X)


def test_a_block_of_live_audio_is_no_clips():
    with pytest.raises(ValueError, match=r"X has shape \(512, 2\).*2 channels"):
        validate(np.ones((512, 2)))
    with pytest.raises(ValueError, match=r"X\[0\] has shape \(512, 2\).*a pair \(samples, samp"):
        validate([np.ones((512, 2))])


@pytest.mark.parametrize("kind", [list, tuple, torch.unbind])
def test_a_list_of_the_samples_of_one_recording(kind):
    X = kind(torch.ones(1000, 2))
    with pytest.raises(ValueError, match=r"list of 1000 waveforms of at most 8.*numpy\.asarray"):
        validate(X)
    assert validate([*X, torch.ones(9)])[0] == "waveforms"


def test_what_the_errors_recommend_for_one_recording():
    stereo = np.linspace(-1, 1, 4000).reshape(2000, 2)
    frontend = SpectrogramTransformer(sampling_rate=16000).fit([(stereo, 16000)])
    expected = frontend.transform([(stereo, 16000)])
    assert np.array_equal(frontend.transform([(np.asarray(list(stereo)), 16000)]), expected)
    left = stereo[:, :1]
    assert np.allclose(frontend.transform(left.T), frontend.transform([(left, 16000)]), atol=1e-3)


@pytest.mark.parametrize(
    "shape", [(499, 2), (999, 3), (999, 8), (1000, 9), (20, 2), (1, 8), (8, 1000)]
)
def test_many_or_short_waveforms_are_clips(shape):
    assert validate(np.ones(shape))[0] == "waveforms"
    assert validate(list(np.ones(shape)))[0] == "waveforms"


@pytest.mark.parametrize("columns", [["age"], ["age1"], ["age", "weight"], ["t0", "t1", "label"]])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_table_of_measurements(library, columns):
    module = pytest.importorskip(library)
    table = {name: [1.0, 2.0, 3.0] for name in columns}
    table = module.table(table) if library == "pyarrow" else module.DataFrame(table)
    with pytest.raises(ValueError, match=r"a column 'path' \(rename .*ColumnTransformer"):
        validate(table)


def test_a_numeric_column_in_a_column_transformer():
    table = pd.DataFrame({"path": ["a.wav"] * 3, "age": [20, 30, 40]})
    columns = ColumnTransformer([("audio", SpectrogramTransformer(), ["age"])])
    with pytest.raises(ValueError, match="a single number for each clip"):
        columns.fit(table)


@pytest.mark.parametrize("wrong", [3, None, np.nan, pd.NA, b"c.wav", ["c.wav"], np.zeros(2)])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_not_a_path_is_named_by_its_position(wrong, position):
    X = list(NAMES)
    X[position] = wrong
    with pytest.raises(TypeError, match=rf"^X\[{position}\] is .*: expected a path"):
        validate(X)


@pytest.mark.parametrize("dtype", [object, "string"])
def test_a_missing_path_is_named_by_its_position(dtype):
    paths = pd.Series(["a.wav", None], dtype=dtype, index=[5, 9])
    with pytest.raises(TypeError, match=r"^X\[1\] is .*: expected a path"):
        validate(paths)
    with pytest.raises(TypeError, match=r"^X\[1\] is .*: expected a path"):
        validate(pd.DataFrame({"path": paths}))


@pytest.mark.parametrize("value", ["a.wav", Path("a.wav"), Clip("a.wav")])
def test_a_table_of_files_needs_a_column_path(value):
    table = pd.DataFrame({"file": [value], "label": [1]})
    with pytest.raises(ValueError, match=r"needs a column 'path', got .*'file', 'label'"):
        validate(table)


def test_the_times_of_a_table_are_checked():
    table = pd.DataFrame({"path": ["a.wav", "b.wav"], "start": [0, 2], "end": [1, 1]})
    with pytest.raises(ValueError, match=r"'b\.wav': end=1\S* must be greater than start=2"):
        validate(table)
    with pytest.raises(TypeError, match=r"'a\.wav': start and end must be numbers"):
        validate(table.astype({"start": str}))


@pytest.mark.parametrize("dtype", [str, object])
def test_two_columns_of_text(dtype):
    with pytest.raises(ValueError, match=r"\(n_clips,\) or \(n_clips, 1\), got \(2, 2\)"):
        validate(np.array([["a.wav", "b.wav"], ["c.wav", "d.wav"]], dtype=dtype))


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_waveforms_that_are_not_finite(value, name):
    with pytest.raises(ValueError, match=rf"X contains {name}"):
        validate(np.array([[0.0, value]]))
    with pytest.raises(ValueError, match=rf"X\[1\] contains {name}"):
        validate([np.zeros(3), np.array([0.0, value])])
    with pytest.raises(ValueError, match=rf"X contains {name}"):
        validate(np.full((1, 2, 3), value))


@pytest.mark.filterwarnings("ignore:.* waveforms should be between -1 and 1")
@pytest.mark.parametrize("value", [1e12, -1e30])
def test_waveforms_whose_power_would_overflow(value):
    with pytest.raises(
        ValueError, match=rf"X contains a sample of {re.escape(f'{abs(value):.3g}')}:"
    ):
        validate(np.array([[0.0, value]]))
    with pytest.raises(ValueError, match=r"X\[1\] contains a sample of 1e"):
        validate([np.zeros(3), np.array([0.0, value])])
    assert validate(np.array([[0.0, -9e11]]))[0] == "waveforms"


def test_a_waveform_with_channels():
    with pytest.raises(ValueError, match=r"X\[1\] has shape \(2, 3\): a waveform is one-dim"):
        validate([np.zeros(3), np.zeros((2, 3))])


def test_a_waveform_without_samples():
    with pytest.raises(ValueError, match=r"X\[1\] contains no samples"):
        validate([np.zeros(3), np.zeros(0)])
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        validate(np.empty((3, 0)))


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 3, 0)])
def test_empty_spectrograms(shape):
    with pytest.raises(ValueError, match="X contains empty spectrograms"):
        validate(np.empty(shape))


@pytest.mark.parametrize("shape", [(1, 2, 3, 4), (1, 1, 1, 1, 1)])
def test_too_many_dimensions(shape):
    with pytest.raises(ValueError, match=r"X has shape \(1, .*: expected waveforms .* or spectro"):
        validate(np.zeros(shape))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_tables(kind):
    with pytest.raises(TypeError, match="Sparse data was passed"):
        validate(kind(np.eye(3)))


@pytest.mark.parametrize(
    "X", [np.eye(3) * 1j, [np.ones(3) * 1j, np.ones(2)], np.ones((1, 2, 2)) * 1j]
)
def test_complex_numbers(X):
    with pytest.raises(ValueError, match="Complex data not supported"):
        validate(X)


@pytest.mark.parametrize("name", ["Path", "START", "End"])
def test_columns_in_another_case_are_not_ignored(name):
    table = pd.DataFrame({"path": ["a.wav"], name: [0.5]})
    with pytest.raises(ValueError, match=f"column '{name}' must be called '{name.lower()}'"):
        as_clips(table)


def test_paths_as_bytes_are_refused_with_a_hint():
    with pytest.raises(TypeError, match=r"os\.fsdecode"):
        as_clips([b"a.wav"])


def test_a_bad_number_is_named_with_its_clip_and_its_place():
    X = np.zeros((3, 50))
    X[1, 17] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN: X\[1\] at sample 17 \(counted from 0\)"):
        validate(X)
    with pytest.raises(ValueError, match=r"X\[1\] contains NaN at sample 17 \(counted from 0\)"):
        validate(list(X))
    with pytest.raises(ValueError, match=r"X contains NaN: X\[1\] at sample 17"):
        validate(pd.DataFrame(X))
    with pytest.raises(ValueError, match=r"X contains infinity .*: X\[1\] at sample 17"):
        validate(torch.tensor(np.where(np.isnan(X), -np.inf, X)))


def test_a_bad_number_in_spectrograms_is_named_across_blocks(monkeypatch):
    monkeypatch.setattr("skdaf._core.arrays._BYTES_PER_BLOCK", 2 * 20 * 8)
    X = np.zeros((7, 5, 4))
    X[5, 3, 2] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN: X\[5\] at frame 3, bin 2"):
        validate(X)


def test_a_wide_table_is_a_table_of_waveforms():
    kind, data = validate(pd.DataFrame(np.zeros((2, 5000))))
    assert kind == "waveforms"
    assert data.shape == (2, 5000)


def test_transformers_accept_all_forms(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    pairs = [(samples, 16000), (torch.tensor(samples)[None, ::2], 8000)]
    transformer = SpectrogramTransformer(n_mels=8, cache=tmp_path).fit(pairs)
    assert transformer.sampling_rate_ == 8000
    expected = transformer.transform(pairs)
    with parallel_config("threading", n_jobs=2):
        of_workers = transformer.transform(pairs * 40)
    np.testing.assert_allclose(of_workers[-2:], expected, atol=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_a_single_waveform_must_be_put_in_a_list():
    with pytest.raises(ValueError, match=r"pass a single waveform as \[waveform\]"):
        validate_clips(BaseEstimator(), np.zeros(10), reset=True)


def test_the_error_for_a_folder_names_load_audio_folders():
    with pytest.raises(TypeError, match="load_audio_folders"):
        as_clips("folder")


@pytest.mark.parametrize("X", [[None], np.array([None])])
def test_none_is_no_clip(X):
    with pytest.raises(TypeError, match=r"X\[0\] is None: expected a path \(str or os.PathLike\)"):
        validate(X)


@pytest.mark.parametrize("X", [[3], (0.5, 0.25), [np.int64(3)]])
def test_lists_of_numbers_say_what_is_expected(X):
    with pytest.raises(ValueError, match=r"X\[0\] is the number .*Pass a list of paths"):
        validate(X)
