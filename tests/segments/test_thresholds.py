"""Thresholds of predict_segments, and tune_thresholds."""

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table, small_pipeline
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skdaf import (
    merge_segments,
    predict_segments,
    predict_stream,
    segment_report,
    tune_thresholds,
)
from skdaf._segments.thresholds import contains, coverage, winners

pytestmark = pytest.mark.filterwarnings("ignore:window=.* is far from the length")

CLASSES = ["high_tone", "low_tone", "white_noise"]


class TestPredict:
    @pytest.fixture
    def predict(self, linear, recording):
        def predict(threshold=None):
            return predict_segments(linear, recording[0], window=0.1, threshold=threshold)

        return predict

    @pytest.mark.parametrize("threshold", [0.4, 0.8, 0.99, 1])
    def test_windows_below_the_threshold_have_no_label(self, predict, threshold):
        every, table = predict(), predict(threshold)
        reached = (every[CLASSES] >= threshold).any(axis=1)
        assert reached.sum() > 0 or threshold == 1
        assert table.label[reached].tolist() == every.label[reached].tolist()
        assert table.label[~reached].isna().all()
        columns = ["start", "end", *CLASSES]
        assert_frame_equal(table[columns], every[columns])

    def test_a_threshold_that_all_windows_reach_changes_nothing(self, predict):
        assert_frame_equal(predict(1e-9), predict())

    def test_merged_detections_cover_the_windows_with_a_label(self, predict):
        table = predict(0.9)
        merged = merge_segments(table)
        assert 0 < len(merged) < len(table)
        kept = table[table.label.notna()]
        assert (merged.end - merged.start).sum() == pytest.approx((kept.end - kept.start).sum())

    def test_labels_of_numbers_stay_numbers(self, sounds, recording):
        model = small_pipeline(DecisionTreeClassifier(max_depth=1, random_state=0))
        model.fit(sounds.filenames, sounds.target)
        table = predict_segments(model, recording[0], window=0.1, threshold={"0": 1.0, 1: 1.0})
        kinds = set(map(type, table.label))
        assert kinds == {int} or kinds == {int, type(None)}
        assert merge_segments(table).label.dtype == sounds.target.dtype

    def test_unknown_classes_are_named(self, predict):
        with pytest.raises(ValueError, match=r"\['dog'\].*its classes are .*'white_noise'"):
            predict({"low_tone": 0.5, "dog": 0.5})

    @pytest.mark.parametrize("value", [0, -0.1, 1.1, np.nan, "0.5", None])
    def test_thresholds_are_probabilities(self, predict, value):
        with pytest.raises(ValueError, match=r"threshold\['low_tone'\] must be a probability"):
            predict({"low_tone": value})
        if value is not None:
            with pytest.raises(ValueError, match="'threshold' parameter"):
                predict(value)

    def test_percent(self, predict):
        with pytest.raises(ValueError, match=r"got 90\. Did you mean 0\.9\?"):
            predict({"low_tone": 90})

    def test_probabilities_are_needed(self, sounds, sound_labels, tmp_path):
        model = small_pipeline(SVC()).fit(sounds.filenames, sound_labels)
        # The error comes before the recording is read.
        with pytest.raises(ValueError, match=r"threshold=0\.5 needs probabilities.*Pipeline"):
            predict_segments(model, tmp_path / "gone.wav", threshold=0.5)


class Judge(ClassifierMixin, BaseEstimator):
    """A classifier whose labels of windows of 1 s need not be the most probable ones."""

    def __init__(self, probabilities, decisions, multilabel_=False):
        self.probabilities, self.decisions = probabilities, decisions
        self.multilabel_ = multilabel_
        self.classes_ = np.array(["a", "b", "quiet"])

    def fit(self, X, y):
        return self

    def predict(self, X):
        found = self.decisions[[round(clip.start) for clip in X]]
        return found if self.multilabel_ else self.classes_[found]

    def predict_proba(self, X):
        return self.probabilities[[round(clip.start) for clip in X]]


@pytest.mark.filterwarnings("ignore:With max_false_alarms")
@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("seed", range(4))
class TestPredictionsThatAreNotTheMostProbableClass:
    N = 40

    @pytest.fixture
    def judge(self, seed, multilabel):
        rng = np.random.default_rng([seed, 7])
        # Few values, so that there are ties.
        probabilities = rng.choice([0.2, 0.4, 0.5, 0.6, 0.8], (self.N, 3))
        size = (self.N, 3) if multilabel else self.N
        return Judge(probabilities, rng.integers(2 if multilabel else 3, size=size), multilabel)

    @pytest.fixture
    def sound(self):
        return np.zeros(100 * self.N), 100

    def test_without_thresholds_they_stay(self, judge, sound, multilabel):
        every = predict_segments(judge, sound)
        assert_frame_equal(predict_segments(judge, sound, threshold={}), every)
        for options in ({}, {"threshold": {}}):
            rows = pd.DataFrame(predict_stream(judge, [sound[0]], 100, **options))
            assert rows.label.fillna("").tolist() == every.label.fillna("").tolist()

    @pytest.mark.parametrize("limit", [None, 0, 300])
    def test_tuning_counts_what_is_predicted(self, judge, sound, multilabel, seed, limit):
        rng = np.random.default_rng(seed)
        starts = rng.choice(self.N, 15, replace=False) + 0.2
        true = pd.DataFrame(
            {"start": starts, "end": starts + 0.5, "label": rng.choice([*"ab"], 15)}
        )
        options = {"background": "quiet", "multilabel": multilabel}
        scoring = {**options, "duration": self.N}
        thresholds, counts = tune_thresholds(
            true,
            predict_segments(judge, sound),
            max_false_alarms_per_hour=limit,
            return_counts=True,
            **options,
        )
        for threshold, when in (({}, "_before"), (thresholds, "")):
            found = predict_segments(judge, sound, threshold=threshold)
            rows = pd.DataFrame(predict_stream(judge, [sound[0]], 100, threshold=threshold))
            assert rows.label.fillna("").tolist() == found.label.fillna("").tolist()
            report = segment_report(true, merge_segments(found, multilabel=multilabel), **scoring)
            expected = counts[f"false_alarms_per_hour{when}"].drop("(all)")
            alarms = report.events.false_alarms_per_hour
            pd.testing.assert_series_equal(alarms, expected, check_names=False)


@pytest.mark.parametrize(
    ("probabilities", "thresholds", "expected"),
    [
        ((0.6, 0.4), (0.6, 0.6), 0),
        ((0.6, 0.4), (0.7, 0.7), -1),
        ((0.6, 0.4), (0.7, 0.4), 1),
        ((0.6, 0.4), (0.5, 0.2), 1),
        ((0.6, 0.4), (0.5, 0.39), 0),
        ((0.5, 0.5), (0.5, 0.5), 0),
        ((0.4, 0.6), (0.3, np.nan), 0),
        ((0.2, 0.8), (0.3, np.nan), 1),
        ((0.8, 0.2), (0.9, np.nan), -1),
        ((0.3, 0.7), (np.nan, np.nan), 1),
        ((0.4, 0.6), (0.4, 0.6), 0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_which_class_wins(probabilities, thresholds, expected, dtype):
    probabilities = np.array([probabilities], dtype)
    found = winners(probabilities, np.array(thresholds), probabilities.argmax(axis=1))
    assert found.tolist() == [expected]


def random_windows(seed, n=80):
    """Return windows of 1 s with probabilities of "a" and "b", rounded so that some are equal."""
    rng = np.random.default_rng(seed)
    windows = pd.DataFrame({"start": np.arange(n), "end": np.arange(n) + 1.0, "label": "c"})
    is_a = rng.random(n) < 0.3
    windows["a"] = np.round(np.clip(0.3 * is_a + rng.normal(0.4, 0.2, n), 0, 1), 1)
    windows["b"] = np.round(rng.random(n), 1)
    return windows, windows.loc[is_a, ["start", "end"]].assign(label="a")


def slow_coverage(windows, events):
    """Return the covered parts of windows, and which contain the events, by small steps of time."""
    instants = np.arange(0, 40, 0.25) + 0.125
    spans = [(start, end) for start, end in zip(events.start, events.end, strict=True)]
    is_event = np.array([any(s < t < e for s, e in spans) for t in instants])
    covered, is_in = [], []
    for start, end in zip(windows.start, windows.end, strict=True):
        covered.append(0.25 * is_event[(instants > start) & (instants < end)].sum())
        parts = [(min(e, end) - max(s, start)) / (e - s) for s, e in spans]
        is_in.append(covered[-1] >= (end - start) / 2 or max(parts) >= 0.5)
    return covered, is_in


@pytest.mark.parametrize("seed", range(20))
def test_coverage_equals_a_slow_implementation(seed):
    """Also for events that overlap, and for windows of different lengths."""
    rng = np.random.default_rng(seed)
    windows, events = (
        pd.DataFrame({"start": rng.integers(0, 120, n) / 4, "end": rng.integers(1, longest, n) / 4})
        for n, longest in ((60, 9), (15, 30))
    )
    windows["end"] += windows.start
    events["end"] += events.start
    events["label"] = rng.choice([*"aaab"], len(events))
    windows, events = (table.sort_values(["start", "end"]) for table in (windows, events))
    covered, is_in = coverage(windows, events, "a")
    expected, contained = slow_coverage(windows, events[events.label == "a"])
    np.testing.assert_allclose(covered, expected, rtol=0, atol=1e-9)
    assert is_in.tolist() == contained


def test_events_of_a_microsecond_are_in_no_window_that_they_do_not_touch():
    windows = segment_table((0, 1, "a"), (1, 2, "a"), (2, 3, "a"))
    assert contains(windows, segment_table((1.5, 1.500001, "a")), "a").tolist() == [
        False,
        True,
        False,
    ]


class TestTune:
    @pytest.mark.parametrize("seed", range(10))
    def test_no_threshold_has_a_higher_f1(self, seed):
        windows, true = random_windows(seed)
        thresholds = tune_thresholds(true, windows, background="b")
        is_a = windows.start.isin(true.start)
        candidates = np.unique(windows.a[windows.a > 0])
        f1 = [f1_score(is_a, windows.a >= candidate) for candidate in candidates]
        best = candidates[np.flatnonzero(np.isclose(f1, max(f1)))[-1]]
        assert thresholds == {"a": best}

    def test_events_that_two_people_annotated_count_once(self):
        windows = pd.DataFrame({"start": [0.0, 2, 4, 6], "end": [2.0, 4, 6, 8], "label": "a"})
        windows["a"] = [0.8, 0.9, 0.85, 0.6]
        true, shorter = segment_table((1.4, 5.2, "a")), segment_table((1.5, 5.1, "a"))
        assert tune_thresholds(true, windows) == {"a": 0.85}
        assert tune_thresholds(pd.concat([true, true, shorter]), windows) == {"a": 0.85}

    def test_several_recordings_count_like_one(self):
        tables = [random_windows(seed) for seed in range(3)]
        separate = tune_thresholds(
            [true for _, true in tables], [table for table, _ in tables], background="b"
        )
        shifted = [
            [t.assign(start=t.start + 80 * i, end=t.end + 80 * i) for t in pair]
            for i, pair in enumerate(tables)
        ]
        windows, true = (pd.concat(parts) for parts in zip(*shifted, strict=True))
        assert separate == tune_thresholds(true, windows, background="b")

    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            ((1.0, 2.0), [1]),
            ((1.5, 2.5), [1, 2]),
            ((1.2, 1.3), [1]),
            ((0.6, 2.4), [1]),
            ((0.5, 2.5), [0, 1, 2]),
            ((1.9, 2.2), [2]),
        ],
    )
    def test_which_windows_contain_an_event(self, event, expected):
        windows = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3], "label": "a"})
        true = segment_table((*event, "a"))
        for chosen in range(3):
            windows["a"] = 0.1
            windows.loc[chosen, "a"] = 0.9
            found = tune_thresholds(true, windows)["a"] == 0.9
            if chosen not in expected:
                assert not found
            elif len(expected) == 1:
                assert found

    @pytest.mark.parametrize("merging", [{"smooth": 3.0}, {"drop_shorter_than": 1.5}])
    def test_no_threshold_has_a_higher_f1_after_merging(self, merging):
        windows, true = random_windows(1)
        windows["label"] = "b"
        found = tune_thresholds(true, windows, background="b", **merging)
        is_a, f1 = windows.start.isin(true.start), {}
        for candidate in np.unique(windows.a[windows.a > 0]):
            labels = np.where(windows.a >= candidate, "a", "b")
            merged = merge_segments(windows.assign(label=labels), background="b", **merging)
            covered = [((merged.start <= x) & (merged.end > x)).any() for x in windows.start]
            f1[candidate] = f1_score(is_a, covered)
        assert f1[found["a"]] == max(f1.values()) > 0
        assert found["a"] == max(x for x, value in f1.items() if value == max(f1.values()))

    def test_background_gets_no_threshold(self):
        windows, true = random_windows(0)
        everything = pd.concat([true, true.assign(label="b"), true.assign(label="noise")])
        assert set(tune_thresholds(everything, windows, background=["b", "noise"])) == {"a"}

    def test_classes_that_no_window_contains(self):
        windows, true = random_windows(0)
        true = pd.concat([true, segment_table((99, 100, "b"))])
        with pytest.warns(UserWarning, match=r"\['b'\].*no threshold"):
            assert set(tune_thresholds(true, windows)) == {"a"}

    def test_classes_that_never_occur_in_true(self):
        windows, true = random_windows(0)
        windows["end_"], windows["loudness"] = windows.b, -30.0
        with pytest.warns(UserWarning, match=r"\['b'\].*is predicted.*background=") as caught:
            found = tune_thresholds([true] * 2, [windows] * 2, background="end")
        assert len(caught) == 1
        assert set(found) == {"a"}
        # pytest makes warnings errors, so there is none for background.
        assert tune_thresholds(true, windows, background=["b", "end"]) == found

    def test_the_result_is_a_threshold(self, linear, recording):
        path, true = recording
        windows = predict_segments(linear, path, window=0.1)
        thresholds = tune_thresholds(true, windows)
        assert set(thresholds) == set(CLASSES)
        found = predict_segments(linear, path, window=0.1, threshold=thresholds)
        assert found.label.notna().any()

    def test_errors(self):
        windows, true = random_windows(0)
        with pytest.raises(ValueError, match="got 2 and 1 tables"):
            tune_thresholds([true, true], windows)
        with pytest.raises(ValueError, match=r"column of probabilities 'x'.*\['start'"):
            tune_thresholds(true.assign(label="x"), windows)
        with pytest.raises(ValueError, match="no segments"):
            tune_thresholds(true, windows, background="a")
        with pytest.raises(TypeError, match="true must be a table"):
            tune_thresholds(3, windows)


def test_merged_segments_instead_of_windows_give_a_warning():
    true = segment_table((2, 4, "bird"))
    rows = [(0, 2, "wind", 0.1), (2, 4, "bird", 0.8), (4, 6, "wind", 0.2), (6, 8, "wind", 0.1)]
    windows = segment_table(*rows, (8, 9, "wind", 0.1), columns=["bird"])  # the last one is shorter
    assert tune_thresholds(true, windows) == {"bird": 0.8}
    with pytest.warns(UserWarning, match="as after merge_segments"):
        tune_thresholds(true, merge_segments(windows.iloc[1:]))
