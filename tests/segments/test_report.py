"""segment_report: frames, boundaries, errors."""

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from pandas.testing import assert_frame_equal
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from skdaf import merge_segments, segment_report
from skdaf._segments.boundaries import count_matches


def even(labels, step=0.1):
    """Return segments of equal length with these labels; a period is a gap."""
    times = np.arange(len(labels) + 1) * step
    segments = pd.DataFrame({"start": times[:-1], "end": times[1:], "label": list(labels)})
    return segments[segments.label != "."]


def random_labels(seed, alphabet="abc", n=300):
    rng = np.random.default_rng(seed)
    return "".join(np.repeat(rng.choice([*alphabet], n), rng.integers(1, 9, n)))[:n]


class TestFrames:
    @pytest.mark.parametrize("resolution", [0.1, 0.05, 0.01, 0.025])
    @pytest.mark.parametrize("seed", range(3))
    def test_scores_equal_those_of_scikit_learn(self, seed, resolution):
        true, predicted = random_labels(seed), random_labels(seed + 100)
        report = segment_report(even(true), even(predicted), resolution=resolution)
        y_true, y_pred = list(true), list(predicted)
        times = round(0.1 / resolution)
        assert report.accuracy == pytest.approx(accuracy_score(y_true, y_pred))
        np.testing.assert_array_equal(
            report.confusion_matrix, times * confusion_matrix(y_true, y_pred)
        )
        expected = precision_recall_fscore_support(y_true, y_pred)
        columns = ["precision", "recall", "f1"]
        np.testing.assert_allclose(report.per_class[columns].T, expected[:3])
        np.testing.assert_array_equal(report.per_class.support, times * expected[3])
        assert report.macro_f1 == pytest.approx(expected[2].mean())

    @pytest.mark.parametrize("resolution", [0.1, 1 / 3, 0.007])
    def test_frames_are_in_the_middle_of_intervals_that_start_at_zero(self, resolution):
        true = segment_table((0.123, 3.21, "a"), (3.21, 7.77, "b"))
        predicted = segment_table((0.5, 4.004, "a"), (4.2, 9, "b"))
        report = segment_report(true, predicted, resolution=resolution)
        middles = (np.arange(2000) + 0.5) * resolution
        counts = np.zeros((2, 3), dtype=int)
        for middle in middles:
            pair = [
                [i for i, row in enumerate(t.itertuples()) if row.start <= middle < row.end]
                for t in (true, predicted)
            ]
            if pair[0]:
                counts[pair[0][0], pair[1][0] if pair[1] else 2] += 1
        np.testing.assert_array_equal(report.confusion_matrix, counts)

    def test_frames_do_not_drift_over_a_day(self):
        n = 864_000
        true = segment_table((0, n * 0.1 / 2, "a"), (n * 0.1 / 2, n * 0.1, "b"))
        report = segment_report(true, true, resolution=0.1)
        assert report.per_class.support.tolist() == [n // 2, n // 2]
        report = segment_report(true, true, resolution=1e-3)
        assert report.per_class.support.tolist() == [50 * n, 50 * n]

    def test_the_number_of_frames_does_not_depend_on_splits(self):
        rng = np.random.default_rng(0)
        edges = np.append(0, np.cumsum(rng.uniform(0.01, 0.3, 500)))
        true = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": "a"})
        report = segment_report(true, true.assign(label=rng.choice([*"ab"], 500)))
        assert report.confusion_matrix.to_numpy().sum() == round(edges[-1] / 0.1)

    @pytest.mark.parametrize("seed", range(3))
    def test_overlapping_predictions_are_merged(self, seed):
        true, predicted = even(random_labels(seed)), even(random_labels(seed + 1))
        predicted["end"] += 0.35
        probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), len(predicted))
        predicted[["a", "b", "c"]] = probabilities
        one = segment_report(true, predicted)
        other = segment_report(true, merge_segments(predicted))
        assert str(one) == str(other)

    def test_frames_and_boundaries_of_overlapping_segments_are_those_of_merged_ones(self):
        true, predicted = even(random_labels(0)), even(random_labels(1))
        predicted["end"] += 0.35
        one = segment_report(true, predicted)
        other = segment_report(true, merge_segments(predicted))
        assert_frame_equal(one.confusion_matrix, other.confusion_matrix)
        assert one.boundary_f1 == other.boundary_f1
        assert one.events.n_predicted.sum() < other.events.n_predicted.sum()


class TestRules:
    def test_perfect_predictions(self):
        true = even("aabb.bccca")
        report = segment_report(true, true, tolerance=0)
        assert report.accuracy == report.macro_f1 == report.boundary_f1 == 1
        assert report.boundary_precision == report.boundary_recall == 1

    def test_time_without_a_true_label_does_not_count(self):
        report = segment_report(even("aa..bb"), even("abaabb"))
        assert report.confusion_matrix.to_numpy().tolist() == [[1, 1], [0, 2]]
        assert report.accuracy == 0.75

    def test_time_without_a_prediction_is_wrong(self):
        report = segment_report(even("aabb"), even("aa.b"))
        assert list(report.confusion_matrix.columns) == ["a", "b", "(none)"]
        assert report.confusion_matrix.to_numpy().tolist() == [[2, 0, 0], [0, 1, 1]]
        assert report.accuracy == 0.75
        assert report.per_class.recall.tolist() == [1, 0.5]
        assert report.per_class.precision.tolist() == [1, 1]

    def test_no_prediction_at_all(self):
        report = segment_report(even("aabb"), even(""), tolerance=0.05)
        assert report.accuracy == report.macro_f1 == 0
        assert report.boundary_recall == report.boundary_f1 == 0
        assert np.isnan(report.boundary_precision)

    def test_labels_that_occur_in_only_one_table(self):
        report = segment_report(even("aab"), even("aac"))
        assert report.per_class.index.tolist() == ["a", "b", "c"]
        assert report.per_class.f1.tolist() == [1, 0, 0]
        assert report.macro_f1 == 0.5
        assert report.per_class.support.tolist() == [2, 1, 0]

    def test_labels_are_compared_as_text(self):
        true = even("0011")
        predicted = true.assign(label=[0, 0, 1, 1])
        assert segment_report(true, predicted).accuracy == 1
        assert segment_report(predicted, true).per_class.index.tolist() == ["0", "1"]

    def test_repr(self):
        report = segment_report(even("aabb"), even("abbb"), tolerance=0.05)
        lines = str(report).splitlines()
        assert lines[0] == "Accuracy 0.750, macro F1 0.733, over 4 frames of 0.1 s"
        assert lines[3].split() == ["a", "1.000", "0.500", "0.667", "2"]
        assert repr(report) == str(report)
        assert "precision 0.000, recall 0.000, F1 0.000" in str(report)


class TestBoundaries:
    @pytest.mark.parametrize(
        ("true", "predicted", "tolerance", "expected"),
        [
            ("aaaaabbbbb", "aaaaabbbbb", 0.0, (1, 1, 1)),
            ("aaaaabbbbb", "aaaabbbbbb", 0.1, (1, 1, 1)),
            ("aaaaabbbbb", "aaaabbbbbb", 0.05, (0, 0, 0)),
            ("aaaaabbbbb", "aaaaaccccc", 0.1, (1, 1, 1)),
            ("aaaaabbbbb", "aaababbbbb", 0.1, (1 / 3, 1, 1 / 2)),
            ("aaaaabbbbb", "aaaaaaaaaa", 0.1, (np.nan, 0, 0)),
            ("aaaaaaaaaa", "aaaaabbbbb", 0.1, (0, np.nan, 0)),
            ("aaaaaaaaaa", "bbbbbbbbbb", 0.1, (np.nan, np.nan, np.nan)),
            ("aaaaabbbbb", "baaaabbbba", 0.1, (1, 1, 1)),
            ("aaa....bbb", "aaacc.cbbb", 0.0, (2 / 2, 1, 1)),
        ],
    )
    def test_examples(self, true, predicted, tolerance, expected):
        report = segment_report(even(true), even(predicted), tolerance=tolerance)
        found = report.boundary_precision, report.boundary_recall, report.boundary_f1
        np.testing.assert_allclose(found, expected)

    def test_events_in_unlabeled_time(self):
        true = segment_table((10, 12, "bird"), (20, 22, "bird"), (30, 32, "bird"))
        predicted = even(
            "-" * 101 + "b" * 20 + "-" * 79 + "b" * 20 + "-" * 79 + "b" * 20 + "-" * 50
        )
        report = segment_report(true, predicted)
        assert report.boundary_precision == report.boundary_recall == 1
        flicker = even("-" * 101 + "b" * 20 + "-b-b" * 10 + "-" * 39 + "b" * 20 + "-" * 79)
        assert segment_report(true, flicker).boundary_precision < 1
        far = segment_table((0, 14, "x"), (14, 18, "y"), (18, 40, "x"))
        assert np.isnan(segment_report(true, far).boundary_precision)

    @pytest.mark.parametrize("seed", range(20))
    def test_the_number_of_pairs_is_optimal(self, seed):
        rng = np.random.default_rng(seed)
        first, second = (np.unique(rng.integers(0, 60, 25) * 0.1) for _ in range(2))
        near = np.round(np.abs(first[:, None] - second), 6) <= 0.3
        matching = maximum_bipartite_matching(csr_array(near), perm_type="column")
        assert count_matches(first, second, 0.3) == (matching >= 0).sum()


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("resolution", 0), ("resolution", np.nan), ("resolution", "1"), ("tolerance", -1)],
    )
    def test_parameters_are_seconds(self, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            segment_report(even("ab"), even("ab"), **{name: value})

    @pytest.mark.parametrize("name", ["true", "predicted"])
    def test_the_table_is_named(self, name):
        tables = {"true": even("ab"), "predicted": even("ab"), name: 3}
        with pytest.raises(TypeError, match=f"{name} must be a table"):
            segment_report(**tables)
        tables[name] = segment_table((1, 1, "a"))
        with pytest.raises(ValueError, match=f"{name}, row 0.*duration"):
            segment_report(**tables)

    def test_true_segments_without_frames_are_refused(self):
        with pytest.raises(ValueError, match="frame"):
            segment_report(segment_table((0.1, 0.2, "a")), even("aaa"), resolution=1.0)

    @pytest.mark.parametrize("background", [None, []])
    def test_no_true_segments_need_a_background(self, background):
        with pytest.raises(ValueError, match=r"true has no segments: pass background= \(and dur"):
            segment_report(segment_table(), even("aaa"), background=background)


class TestUnknownBackground:
    """A label that occurs nowhere may be misspelled, unless it stands for the gaps."""

    TRUE = segment_table((1, 2, "dog"))
    WINDOWS = segment_table(
        *[(0, 1, "wind", 0.1, 0.9), (1, 2, "dog", 0.8, 0.2), (2, 3, "wind", 0.3, 0.7)],
        columns=["dog", "wind"],
    )

    def test_gives_a_warning(self):
        with pytest.warns(UserWarning, match=r"\['wnid'\]: the labels are \['dog', 'wind'\]"):
            segment_report(self.TRUE, self.WINDOWS, background="wnid")

    @pytest.mark.parametrize(
        ("predicted", "background"),
        [
            (WINDOWS, "wind"),
            (WINDOWS[WINDOWS.label == "dog"], "quiet"),
            (WINDOWS.assign(label=["wind", "dog", None]), "quiet"),
            (WINDOWS[["start", "end", "label"]], "quiet"),
            (WINDOWS[:0], "quiet"),
        ],
    )
    def test_gaps_are_background(self, predicted, background):
        segment_report(self.TRUE, predicted, background=background, duration=3)


class TestSeveralRecordings:
    """Lists of tables: all recordings are counted together."""

    TRUE = segment_table((0, 4, "cat"), (4, 10, "dog")), segment_table((0, 6, "dog"), (6, 9, "owl"))
    FOUND = segment_table((0, 5, "cat"), (5, 8, "dog")), segment_table((0, 9, "dog"))

    def test_one_table_is_like_a_list_of_one(self):
        one = segment_report(self.TRUE[0], self.FOUND[0])
        assert repr(segment_report([self.TRUE[0]], [self.FOUND[0]], duration=[10])) == repr(one)

    def test_counts_are_added(self):
        report = segment_report(self.TRUE, self.FOUND)
        expected = pd.DataFrame(
            [[40, 0, 0, 0], [10, 90, 0, 20], [0, 30, 0, 0]],
            pd.Index(["cat", "dog", "owl"], name="true"),
            pd.Index(["cat", "dog", "owl", "(none)"], name="predicted"),
        )
        pd.testing.assert_frame_equal(report.confusion_matrix, expected)
        assert report.accuracy == 130 / 190
        assert report.events.n_true.to_dict() == {"cat": 1, "dog": 2, "owl": 1}
        assert report.events.n_predicted.to_dict() == {"cat": 1, "dog": 2, "owl": 0}
        # The change at 4 s is not found within 0.5 s, and that at 6 s not at all.
        assert (report.boundary_precision, report.boundary_recall) == (0, 0)
        assert report.duration == report.scored_seconds == report.annotated_seconds == 19

    def test_false_alarms_per_hour_of_all(self):
        true = [segment_table((1, 2, "cat")), segment_table((0, 1, "cat"))[:0]]
        found = [true[0], segment_table((3, 4, "cat"))]
        report = segment_report(true, found, background="none", duration=[600, 1200])
        assert report.false_alarms_per_hour == 2
        assert (report.event_precision, report.event_recall) == (0.5, 1)

    def test_events_do_not_meet_those_of_the_next_recording(self):
        true = segment_table((0, 1, "cat"), (9, 10, "cat"))
        report = segment_report([true] * 2, [true] * 2, background="none")
        assert report.events.n_true["cat"] == 4

    def test_several_labels(self):
        true = segment_table((0, 2, "cat"), (1, 3, "dog"))
        one = segment_report(true, true, multilabel=True)
        both = segment_report([true] * 2, [true] * 2, multilabel=True)
        pd.testing.assert_frame_equal(both.confusion_matrix, 2 * one.confusion_matrix)
        assert both.per_class.support.tolist() == [40, 40]

    def test_an_unknown_background_gives_one_warning(self):
        windows = segment_table(
            (0, 5, "cat", 1.0, 0.0), (5, 10, "dog", 0, 1), columns=["cat", "dog"]
        )
        true = self.TRUE[0]
        with pytest.warns(UserWarning, match=r"background label \['x'\]") as caught:
            segment_report([true] * 2, [windows] * 2, background="x")
        assert len(caught) == 1
        assert caught[0].filename == __file__
        # It is enough that it occurs in one of them.
        named = segment_table((0, 10, "x"))
        segment_report([true, named], [windows] * 2, background="x")

    def test_errors(self):
        with pytest.raises(ValueError, match="got 2 and 1 tables"):
            segment_report(self.TRUE, self.FOUND[:1])
        with pytest.raises(ValueError, match=r"durations of the 2 recordings, got 10"):
            segment_report(self.TRUE, self.FOUND, duration=10)
        with pytest.raises(ValueError, match=r"the 2 recordings, got \[10\]"):
            segment_report(self.TRUE, self.FOUND, duration=[10])
        with pytest.raises(ValueError, match=r"above 0, or None, got -1"):
            segment_report(self.TRUE, self.FOUND, duration=[10, -1])
        with pytest.raises(ValueError, match=r"empty lists"):
            segment_report([], [])
        with pytest.raises(ValueError, match=r"true has no segments"):
            segment_report([self.TRUE[0], self.TRUE[1][:0]], self.FOUND)


@pytest.mark.parametrize("third", [1 / 3, 2 / 3])
def test_rounding_decides_nothing(third):
    """Differences of exactly the tolerance or the collar are allowed, also those of 2/3 s."""
    true = segment_table((0, 20, "a"), (20, 30, "b"), (30, 60, "a"))
    late = true.assign(start=[0, 20 + third, 30 + third], end=[20 + third, 30 + third, 60])
    report = segment_report(true, late, tolerance=third, collar=third)
    assert report.boundary_f1 == report.event_f1 == 1
    report = segment_report(true, late, tolerance=third - 1e-4, collar=third - 1e-4)
    assert report.boundary_f1 == 0
    assert report.event_f1 < 1


def test_a_class_that_is_called_like_the_column_of_no_label():
    true = segment_table((0, 4, "(none)"), (4, 10, "dog"))
    predicted = segment_table((0, 3, "(none)"), (5, 10, "dog"))
    other = segment_table((0, 4, "cat")), segment_table((1, 4, "cat"))
    report = segment_report([true, other[0]], [predicted, other[1]])
    assert list(report.confusion_matrix.columns) == ["(none)", "cat", "dog", "(none)_"]
    assert report.confusion_matrix.to_numpy().tolist() == [
        [30, 0, 0, 10],
        [0, 30, 0, 10],
        [0, 0, 50, 10],
    ]
    assert list(segment_report(*other).confusion_matrix.columns) == ["cat", "(none)"]
