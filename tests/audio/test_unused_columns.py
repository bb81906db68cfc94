"""Numbers in a table of recordings: which ones lead to a warning."""

import numpy as np
import pandas as pd
import pytest
from helpers import noise, small_classifier, tone, write_audio
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import (
    CNNAudioRegressor,
    PretrainedFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    make_combined_classifier,
)
from skdaf._audio.unused_columns import warn_of_unused_numbers

pytestmark = pytest.mark.oldest

N = 6
LABELS = ["dog", "rain"] * 3


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    return [write_audio(folder / f"{i}.wav", tone(300 + 100 * i, 0.2)) for i in range(N)]


@pytest.fixture(scope="module")
def table(paths):
    return pd.DataFrame({"path": paths, "age": [3, 7, 3, 9, 5, 1], "label": LABELS})


def levels(waveforms):
    return np.abs(waveforms).mean(axis=1, keepdims=True)


ESTIMATORS = {
    "classifier": small_classifier(channels=(2,), max_epochs=1),
    "regressor": CNNAudioRegressor(channels=(2,), max_epochs=1),
    "front end": SpectrogramTransformer(),
    "hand-crafted": PyAudioAnalysisTransformer(),
    "pretrained": PretrainedFeatureExtractor(levels, sampling_rate=16_000),
    "combined": make_combined_classifier([], handcrafted=PyAudioAnalysisTransformer()),
    "columns": ColumnTransformer([("audio", PyAudioAnalysisTransformer(), ["path", "age"])]),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit_names_numbers_that_are_not_used(name, table):
    y = range(N) if name == "regressor" else LABELS
    expected = (
        r"The columns \['age'\] of X are not used: .* from the columns \['path'\]\. .* a "
        r"ColumnTransformer that gives \['path'\] .* and \['age'\] to another"
    )
    with pytest.warns(UserWarning, match=expected) as caught:
        fitted = ESTIMATORS[name].fit(table, y)
    assert [warning.filename for warning in caught] == [__file__]
    if hasattr(fitted, "predict"):
        fitted.predict(table)  # warnings are errors in these tests


def test_the_remedy_works(table):
    audio = make_pipeline(PyAudioAnalysisTransformer(), StandardScaler())
    both = ColumnTransformer([("audio", audio, ["path"]), ("numbers", StandardScaler(), ["age"])])
    fitted = make_pipeline(both, LogisticRegression()).fit(table, LABELS)
    assert fitted[0].transform(table).shape == (N, 137)
    ESTIMATORS["classifier"].fit(table[["path"]], LABELS)


USUAL = ["label", "target", "class_id", "fold", "split", "group", "speaker", "subject_id"]
USUAL += ["duration", "sampling_rate", "sample rate", "channels", "peak", "confidence", "number"]
USUAL += ["start", "end", "length", "Unnamed: 0"]
USUAL += ["src_file", "salience", "num_channels", "actor", "speakerid", "spk", "person", "cv"]
USUAL += ["fold1", "batch", "timestamp", "seed", "score"]


@pytest.mark.parametrize("name", USUAL)
def test_labels_groups_folds_and_facts_about_files_are_no_features(name):
    warn_of_unused_numbers(pd.DataFrame({"path": ["a.wav"] * 3, name: [1.0, 1.0, 2.0]}))


@pytest.mark.parametrize(
    "values",
    [["a", "b"], [True, False], [None, None], pd.to_datetime(["2024-01-01"] * 2)],
)
def test_other_values_are_no_features(values):
    warn_of_unused_numbers(pd.DataFrame({"path": ["a.wav", "b.wav"], "note": values}))


@pytest.mark.parametrize("name", ["temperature", "age", "heart_rate", "weight", "size", "latitude"])
def test_numbers_with_other_names_look_like_features(name):
    table = pd.DataFrame({"path": ["a.wav"] * 3, "end": 1.0, name: [None, 1.0, 2.0]})
    with pytest.warns(UserWarning, match=rf"columns \['{name}'\] .* X\[\['path', 'end'\]\]"):
        warn_of_unused_numbers(table)


AGES = [3, 7, 3, 7, 3, 7]


@pytest.mark.parametrize(
    "y",
    [
        AGES,
        np.array(AGES, dtype=float),
        pd.Series(AGES),
        np.array(LABELS),  # the same classes
        np.array([0, 1] * 3),  # as meta-estimators number them
        np.column_stack([AGES, range(N)]),
    ],
)
def test_targets_are_no_features(y):
    warn_of_unused_numbers(pd.DataFrame({"path": ["a.wav"] * N, "age": AGES}), y)


YEARS = np.random.default_rng(0).permutation(np.arange(20, 70))


@pytest.mark.parametrize(
    "y",
    [
        np.log(YEARS),
        -YEARS / 3,
        (YEARS - YEARS.mean()) / YEARS.std(),
        (YEARS / 7).astype("float32"),
        YEARS > 40,
        np.where(YEARS > 40, "old", "young"),
        np.digitize(YEARS, [30, 50]),
        np.column_stack([YEARS % 3, np.sqrt(YEARS)]),
    ],
)
def test_numbers_from_which_the_targets_were_computed_are_no_features(y):
    table = pd.DataFrame({"path": ["a.wav"] * len(YEARS), "age": YEARS})
    warn_of_unused_numbers(table, y)
    table["age"] = (YEARS / 7).astype("float32")  # rounded
    warn_of_unused_numbers(table, y)


@pytest.mark.parametrize("y", [YEARS % 7, YEARS[::-1], [f"{age % 4}!" for age in YEARS]])
def test_targets_that_do_not_follow_the_order_of_a_column_do_not_matter(y):
    table = pd.DataFrame({"path": ["a.wav"] * len(YEARS), "age": YEARS})
    with pytest.warns(UserWarning, match="age"):
        warn_of_unused_numbers(table, y)


def test_only_some_rows_of_large_tables_are_compared(monkeypatch):
    n_rows, n_compared = 5_000, []
    monkeypatch.setattr(
        "skdaf._audio.unused_columns._is_same",
        lambda values, targets, *_: n_compared.append((len(values), len({*targets}))),
    )
    table = pd.DataFrame({"path": ["a.wav"] * n_rows, "age": range(n_rows)})
    with pytest.warns(UserWarning, match="age"):
        warn_of_unused_numbers(table, np.repeat(["dog", "rain"], n_rows // 2))
    assert n_compared == [(500, 2)]  # from everywhere in the table


@pytest.mark.parametrize("y", [None, AGES[::-1][:3], [1, 1, 2, 2, 3, 3], range(N), [0] * N])
def test_other_targets_do_not_matter(y):
    table = pd.DataFrame({"path": ["a.wav"] * N, "age": AGES})
    with pytest.warns(UserWarning, match="age"):
        warn_of_unused_numbers(table, y)


def test_a_number_per_clip_is_no_class():
    table = pd.DataFrame({"path": ["a.wav"] * N, "age": range(N)})
    with pytest.warns(UserWarning, match="age"):
        warn_of_unused_numbers(table, [f"class {i}" for i in range(N)])


def test_only_tables_have_columns():
    for X in (["a.wav"], [noise()], np.zeros((2, 100)), pd.Series(["a.wav"]), None):
        warn_of_unused_numbers(X)
    frame = pytest.importorskip("polars").DataFrame({"path": ["a.wav"], "age": [1]})
    with pytest.warns(UserWarning, match="age"):
        warn_of_unused_numbers(frame)
