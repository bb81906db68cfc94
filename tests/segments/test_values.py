"""Regressors: the numbers of a long recording as curves over time."""

import numpy as np
import pandas as pd
import pytest
from helpers import small_frontend, small_pipeline
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdaf import (
    Clip,
    CNNAudioRegressor,
    clips_from_segments,
    merge_segments,
    predict_segments,
    read_segments,
    save_model,
    segment_report,
    transform_segments,
    tune_thresholds,
    write_segments,
)


@pytest.fixture(scope="module")
def numbers(sounds):
    """One number per clip of `sounds`: about 10, 20 or 30, by kind."""
    return 10.0 * (1 + sounds.target) + np.linspace(0, 1, len(sounds.target))


@pytest.fixture(scope="module")
def ridge(sounds, numbers):
    return small_pipeline(Ridge()).fit(sounds.filenames, numbers)


@pytest.fixture(scope="module")
def network(sounds, numbers):
    model = CNNAudioRegressor(small_frontend(), channels=(4,), max_epochs=2, random_state=0)
    return model.fit(sounds.filenames, np.column_stack([numbers, -numbers]))


def windows_as_clips(table, path):
    return [Clip(path, start, end) for start, end in zip(table.start, table.end, strict=True)]


def test_each_window_has_the_number_of_its_clip(ridge, recording):
    path, _ = recording
    table = predict_segments(ridge, path, window=0.3, step=0.1)
    assert list(table.columns) == ["start", "end", "value"]
    np.testing.assert_allclose(table.value, ridge.predict(windows_as_clips(table, path)))
    batches = predict_segments(ridge, path, window=0.3, step=0.1, batch_size=4)
    pd.testing.assert_frame_equal(batches, table)


def test_windows_are_those_of_classifiers(ridge, linear, recording):
    options = {"window": 0.25, "step": 0.1}
    ours = predict_segments(ridge, recording[0], **options)
    theirs = predict_segments(linear, recording[0], **options)
    pd.testing.assert_frame_equal(ours[["start", "end"]], theirs[["start", "end"]])


def test_several_targets_have_a_column_each(network, recording):
    path, _ = recording
    table = predict_segments(network, path, window=0.3)
    assert list(table.columns) == ["start", "end", "value_0", "value_1"]
    expected = network.predict(windows_as_clips(table, path))
    np.testing.assert_allclose(table[["value_0", "value_1"]], expected, rtol=1e-5)


def test_a_column_of_targets_is_one_target(sounds, numbers, recording):
    column = small_pipeline(Ridge()).fit(sounds.filenames, numbers[:, None])
    assert "value" in predict_segments(column, recording[0], window=0.5)


def test_pipelines_searches_and_files(ridge, network, sounds, numbers, recording, tmp_path):
    path, _ = recording
    table = predict_segments(ridge, path, window=0.3)
    search = GridSearchCV(small_pipeline(Ridge()), {"ridge__alpha": [1.0]}, cv=2)
    search.fit(sounds.filenames, numbers)
    for same in (search, FrozenEstimator(ridge)):
        pd.testing.assert_frame_equal(predict_segments(same, path, window=0.3), table)
    model = CNNAudioRegressor(channels=(4,), max_epochs=1, random_state=0)
    pipeline = Pipeline([("spectrograms", small_frontend()), ("network", model)])
    pipeline.fit(sounds.filenames, numbers)
    table = predict_segments(pipeline, path, window=0.3)
    assert list(table.columns) == ["start", "end", "value"]
    save_model(pipeline, tmp_path / "model.skops")
    same = predict_segments(tmp_path / "model.skops", path, window=0.3)
    pd.testing.assert_frame_equal(same, table)


def test_other_estimators_are_refused(sounds, recording):
    for estimator in (KMeans(2, n_init=1), small_frontend()):
        fitted = small_pipeline(estimator) if isinstance(estimator, KMeans) else estimator
        fitted.fit(sounds.filenames)
        with pytest.raises(TypeError, match=r"a classifier or a regressor.*transform_segments"):
            predict_segments(fitted, recording[0])


def test_thresholds_are_for_classes(ridge, recording):
    with pytest.raises(ValueError, match=r"predicts numbers: omit threshold.*table.value > 1"):
        predict_segments(ridge, recording[0], threshold=0.5)


TABLE = pd.DataFrame({"start": [0.0, 1.0], "end": [1.0, 2.0], "value": [0.1 + 0.2, -5e-20]})


@pytest.mark.parametrize(
    "function",
    [
        merge_segments,
        lambda table: segment_report(table, table),
        lambda table: tune_thresholds(table, table),
        lambda table: clips_from_segments("a.wav", table),
    ],
)
def test_what_needs_labels_says_how_to_add_them(function):
    with pytest.raises(ValueError, match=r"'label'.*assign\(label=numpy.where.*rolling\(5"):
        function(TABLE)
    function(TABLE.assign(label=np.where(TABLE.value > 0, "high", "low"), high=0.5, low=0.5))


def test_the_advice_is_only_for_tables_of_numbers():
    with pytest.raises(ValueError, match=r"not found among \['start', 'end', 'values'\]\.$"):
        merge_segments(TABLE.rename(columns={"value": "values"}))


@pytest.mark.parametrize("columns", [["value"], ["value_0", "value_1"]])
def test_csv_has_all_digits(tmp_path, columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"start": np.arange(20) / 3, "end": np.arange(1, 21) / 3})
    table[columns] = rng.standard_normal((20, len(columns))) * 10.0 ** rng.integers(-9, 9, (20, 1))
    write_segments(table.iloc[::-1], tmp_path / "values.csv")
    read = pd.read_csv(tmp_path / "values.csv", dtype=str).map(float)
    pd.testing.assert_frame_equal(read, table)
    write_segments(table, tmp_path / "values.dat", format="csv")
    same = (tmp_path / "values.dat").read_text()
    assert same == (tmp_path / "values.csv").read_text()


def test_only_csv_contains_numbers(tmp_path):
    for path, options in [("a.txt", {}), ("a.csv", {"format": "raven"})]:
        with pytest.raises(ValueError, match=r"numbers \(value\).*pass format='csv'"):
            write_segments(TABLE, tmp_path / path, **options)
    with pytest.raises(ValueError, match="row 0: expected 0 <= start"):
        write_segments(TABLE.assign(start=-1.0), tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_read_segments_says_how_to_read_numbers(tmp_path):
    write_segments(TABLE, tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"use pandas\.read_csv"):
        read_segments(tmp_path / "a.csv")


def test_a_label_column_makes_a_table_of_segments(tmp_path):
    write_segments(TABLE.assign(label=["a", "b"]), tmp_path / "a.csv")
    assert read_segments(tmp_path / "a.csv").label.tolist() == ["a", "b"]


def test_features_of_regressors_are_not_their_numbers(ridge, recording):
    features = transform_segments(ridge[:-1], recording[0], window=0.5)
    assert features.shape[1] == 2 + 8 * 4
