"""segment_report: events, background, how much of a recording is scored."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from pandas.testing import assert_frame_equal

from skdaf import merge_segments, segment_report
from skdaf._segments.events import count_hits


def random_events(seed, n=6):
    """Return true events of two classes, and predicted ones that are often near them."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.uniform(0.4, 4, n))
    durations = np.minimum(rng.uniform(0.2, 3, n), np.append(np.diff(starts), 9) - 0.1)
    true = pd.DataFrame(
        {"start": starts, "end": starts + durations, "label": rng.choice([*"ab"], n)}
    )
    moved = true.assign(
        start=np.clip(true.start + rng.normal(0, 0.25, n), 0, None),
        end=true.end + rng.normal(0, 0.4, n),
        label=np.where(rng.random(n) < 0.8, true.label, "c"),
    )
    moved = moved[(moved.end - moved.start > 0.05) & (rng.random(n) < 0.8)]
    return true, merge_segments(moved)


def most_pairs(true, predicted, matches):
    """Return the largest number of pairs that match, by trying all of them."""
    for n in range(min(len(true), len(predicted)), 0, -1):
        for some in combinations(true, n):
            if any(all(map(matches, some, others)) for others in permutations(predicted, n)):
                return n
    return 0


class TestScores:
    @pytest.mark.parametrize("seed", range(50))
    @pytest.mark.parametrize("collar", [0.2, 0.5])
    def test_they_equal_those_of_all_possible_pairs(self, seed, collar):
        true, predicted = random_events(seed)

        def matches(one, other):
            allowed = max(collar, 0.2 * (one[1] - one[0]))
            return abs(one[0] - other[0]) <= collar and abs(one[1] - other[1]) <= allowed

        def overlaps(some, others):
            return [any(a[0] < b[1] and b[0] < a[1] for b in others) for a in some]

        report = segment_report(true, predicted, collar=collar)
        total, n_overlapped = np.zeros(3), np.zeros(2)
        for label in {*true.label, *predicted.label}:
            spans = [
                t.loc[t.label == label, ["start", "end"]].to_numpy() for t in (true, predicted)
            ]
            n_hits, n_true, n_predicted = most_pairs(*spans, matches), *map(len, spans)
            total += n_hits, n_true, n_predicted
            row = report.events.loc[label]
            assert (row.n_true, row.n_predicted) == (n_true, n_predicted)
            assert row.f1 == pytest.approx(2 * n_hits / (n_true + n_predicted))
            for score, whole in ((row.precision, n_predicted), (row.recall, n_true)):
                np.testing.assert_allclose(score, n_hits / whole if whole else np.nan)
            overlapped = overlaps(*spans), overlaps(*spans[::-1])
            n_overlapped += [sum(one) for one in overlapped]
            found, correct = (np.mean(one) if one else np.nan for one in overlapped)
            np.testing.assert_allclose(row.overlap_recall, found)
            np.testing.assert_allclose(row.overlap_precision, correct)
        if len(predicted):
            assert report.event_precision == pytest.approx(total[0] / total[2])
            assert report.overlap_precision == pytest.approx(n_overlapped[1] / total[2])
        assert report.overlap_recall == pytest.approx(n_overlapped[0] / total[1])
        assert report.event_recall == pytest.approx(total[0] / total[1])
        np.testing.assert_allclose(report.event_f1, 2 * total[0] / total[1:].sum())

    def test_loose_boundaries_are_told_from_missed_events(self):
        true = segment_table((10, 12, "a"), (20, 22, "a"), (30, 32, "a"), (40, 41, "b"))
        # Two events in one, a false alarm, and the wrong class.
        predicted = segment_table((9, 25, "a"), (50, 51, "a"), (40, 41, "a"))
        report = segment_report(true, predicted, background="none")
        assert report.event_f1 == 0
        assert (report.overlap_precision, report.overlap_recall) == (1 / 3, 2 / 4)
        assert report.events.overlap_recall.tolist() == [2 / 3, 0]
        text = str(report)
        assert "a          0.333   0.667\n" in text.split("overlap one of the same class")[1]

    def test_random_tables_have_hits_and_misses(self):
        scores = [segment_report(*random_events(seed)).event_f1 for seed in range(50)]
        assert 0.2 < np.mean(scores) < 0.8

    def test_they_equal_those_of_sed_eval(self):
        sed_eval = pytest.importorskip("sed_eval")
        for seed in range(50):
            tables = random_events(seed)
            lists = [
                [
                    {"event_onset": row.start, "event_offset": row.end, "event_label": row.label}
                    for row in table.itertuples()
                ]
                for table in tables
            ]
            metrics = sed_eval.sound_event.EventBasedMetrics(
                ["a", "b", "c"], t_collar=0.2, percentage_of_length=0.2
            )
            metrics.evaluate(*lists)
            expected = metrics.results_overall_metrics()["f_measure"]["f_measure"]
            np.testing.assert_allclose(segment_report(*tables).event_f1, expected)

    @pytest.mark.parametrize("n", [1, 30])
    def test_matching_is_optimal_where_the_first_match_is_not(self, n):
        # The first true event could take the only prediction that the second one matches.
        true = np.array([[10 * i + shift, 10 * i + 5] for i in range(n) for shift in (0, 0.3)])
        predicted = true - [[0.2, 0.0]]
        assert count_hits(true, predicted, 0.2) == 2 * n

    @pytest.mark.parametrize(
        ("start", "end", "is_hit"),
        [
            (10.2, 20.0, True),
            (10.21, 20.0, False),
            (9.8, 20.0, True),
            (10.0, 22.0, True),
            (10.0, 22.1, False),
            (10.0, 18.0, True),
            (10.0, 17.9, False),
        ],
    )
    def test_tolerances(self, start, end, is_hit):
        true, predicted = segment_table((10, 20, "a")), segment_table((start, end, "a"))
        assert segment_report(true, predicted).event_f1 == is_hit

    def test_short_events_may_end_within_the_collar(self):
        true = segment_table((10, 10.5, "a"))
        assert segment_report(true, segment_table((10, 10.7, "a"))).event_f1 == 1
        assert segment_report(true, segment_table((10, 10.71, "a"))).event_f1 == 0

    def test_true_events_of_different_classes_may_overlap(self):
        true = segment_table((0, 10, "a"), (4, 5, "b"))
        report = segment_report(true, segment_table((4, 5, "b")))
        assert report.events.n_true.tolist() == [1, 1]
        assert report.events.recall.tolist() == [0, 1]

    def test_overlapping_predicted_events_of_different_classes_are_all_events(self):
        # Two species in one window, as BirdNET reports them.
        birds = segment_table((0, 3, "blackbird"), (0, 3, "owl"), (3, 6, "owl"))
        report = segment_report(birds, birds, background="none", duration=60)
        assert report.events.n_predicted.to_dict() == {"blackbird": 1, "owl": 1}
        assert report.event_f1 == report.accuracy == report.boundary_f1 == 1

    @pytest.mark.parametrize("with_probabilities", [False, True])
    @pytest.mark.parametrize("seed", range(10))
    def test_a_table_equals_itself(self, seed, with_probabilities):
        rng = np.random.default_rng(seed)
        starts = rng.uniform(0, 20, 30)
        ends = starts + rng.uniform(0.1, 4, 30)
        table = pd.DataFrame({"start": starts, "end": ends, "label": rng.choice([*"abc"], 30)})
        if with_probabilities:
            table[[*"abc"]] = rng.dirichlet(np.ones(3), 30)
        report = segment_report(table, table, collar=0, background="c")
        assert report.event_f1 == 1
        assert report.false_alarms_per_hour == 0

    def test_overlapping_windows_with_probabilities_are_resolved(self):
        windows = segment_table(
            *((0, 2, "a", 0.9, 0.1), (1, 3, "b", 0.2, 0.8), (2, 4, "b", 0.1, 0.9)),
            columns=[*"ab"],
        )
        report = segment_report(segment_table((0, 2, "a"), (2, 4, "b")), windows)
        assert report.event_f1 == 1

    def test_segments_that_touch_are_one_event(self):
        parts = segment_table((0, 1, "a"), (1, 2, "a"), (1.5, 3, "a"), (4, 5, "a"))
        report = segment_report(parts, merge_segments(parts))
        assert report.events.n_true.tolist() == [2]
        assert report.event_f1 == 1

    def test_no_predictions(self):
        report = segment_report(segment_table((0, 1, "a")), segment_table())
        assert (report.event_recall, report.event_f1) == (0, 0)
        assert np.isnan(report.event_precision)
        assert "NaN" in str(report)


class TestFalseAlarms:
    def test_they_overlap_no_event_of_their_class(self):
        true = segment_table((10, 20, "a"), (30, 40, "b"))
        predicted = segment_table(
            *((0, 10, "a"), (19, 25, "a"), (29, 31, "b"), (32, 36, "a"), (50, 51, "b"))
        )
        report = segment_report(true, predicted, duration=1800)
        assert report.events.false_alarms_per_hour.tolist() == [4, 2]
        assert report.false_alarms_per_hour == 6

    @pytest.mark.parametrize("seed", range(10))
    def test_they_equal_a_slow_count(self, seed):
        true, predicted = random_events(seed, 20)
        report = segment_report(true, predicted, duration=3600)
        for label, row in report.events.iterrows():
            events, found = (t[t.label == label] for t in (true, predicted))
            alarms = [
                not ((events.start < one.end) & (events.end > one.start)).any()
                for one in found.itertuples()
            ]
            assert row.false_alarms_per_hour == sum(alarms)


class TestHowMuchIsScored:
    TRUE = segment_table((10, 30, "bird"), (100, 130, "frog"))
    PREDICTED = segment_table((12, 30, "bird"), (100, 130, "frog"), (598, 600, "frog"))

    def test_the_first_line_says_it(self):
        report = segment_report(self.TRUE, self.PREDICTED)
        assert (report.annotated_seconds, report.scored_seconds, report.duration) == (50, 50, 600)
        first, *_ = str(report).splitlines()
        assert first == (
            "Accuracy 0.960, macro F1 0.974, over 500 frames of 0.1 s: only the annotated 50 s of "
            "600 s"
        )
        assert report.false_alarms_per_hour == 6

    def test_with_background_everything_is_scored(self):
        report = segment_report(self.TRUE, self.PREDICTED, background="none", duration=700)
        assert (report.annotated_seconds, report.scored_seconds, report.duration) == (50, 700, 700)
        first, *_ = str(report).splitlines()
        assert first.endswith("7000 frames of 0.1 s: 700 s of 700 s, of which 50 s are annotated")
        assert report.confusion_matrix.loc["none"].tolist() == [0, 20, 6480]
        assert report.confusion_matrix.loc["bird"].tolist() == [180, 0, 20]
        assert list(report.events.index) == ["bird", "frog"]
        assert report.events.n_true.tolist() == [1, 1]

    def test_background_equals_segments_with_that_label(self):
        gaps = segment_table((0, 10, "no"), (30, 100, "no"), (130, 700, "no"))
        options = {"background": "no", "duration": 700}
        report = segment_report(self.TRUE, self.PREDICTED, **options)
        explicit = segment_report(pd.concat([self.TRUE, gaps]), self.PREDICTED, **options)
        assert_frame_equal(report.confusion_matrix, explicit.confusion_matrix)
        assert_frame_equal(report.events, explicit.events)
        assert explicit.annotated_seconds == 700
        first, *_ = str(explicit).splitlines()
        assert first.endswith("over 7000 frames of 0.1 s")

    def test_several_background_labels(self):
        true = pd.concat([self.TRUE, segment_table((200, 300, "rain"))])
        report = segment_report(true, self.PREDICTED, background=["no", "rain"])
        assert list(report.events.index) == ["bird", "frog"]
        assert report.confusion_matrix.loc["rain", "no"] == 1000

    def test_a_recording_without_events(self):
        report = segment_report(segment_table(), self.PREDICTED, background="no", duration=3600)
        assert report.false_alarms_per_hour == 3
        assert np.isnan(report.event_recall)
        quiet = segment_report(segment_table(), segment_table(), background="no", duration=10)
        assert quiet.accuracy == 1
        assert "none" in str(quiet)

    def test_windows_without_a_label_are_not_segments(self):
        times = np.arange(0, 600, 5.0)
        windows = pd.DataFrame({"start": times, "end": times + 5, "label": None}).astype(
            {"label": object}
        )
        is_bird = (windows.start >= 10) & (windows.start < 30)
        windows.loc[is_bird, "label"] = "bird"
        report = segment_report(self.TRUE, windows, background="no")
        assert report.duration == 600
        assert report.events.f1.to_dict() == {"bird": 1, "frog": 0}
        assert report.false_alarms_per_hour == 0
        with pytest.raises(ValueError, match=r"true, row 0.*a label"):
            segment_report(windows, self.PREDICTED)

    @pytest.mark.parametrize("name", ["true", "predicted"])
    def test_segments_after_the_end_are_refused(self, name):
        tables = {"true": segment_table((0, 5, "a")), "predicted": segment_table((0, 5, "a"))}
        tables[name] = segment_table((0, 11, "a"))
        with pytest.raises(ValueError, match=rf"{name} has a segment that ends at 11 s.*=10\."):
            segment_report(**tables, duration=10)

    @pytest.mark.parametrize(
        ("name", "value"), [("collar", -1), ("collar", "1"), ("duration", 0), ("duration", np.inf)]
    )
    def test_parameters_are_seconds(self, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            segment_report(self.TRUE, self.PREDICTED, **{name: value})
