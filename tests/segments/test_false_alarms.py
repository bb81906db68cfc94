"""tune_thresholds(max_false_alarms_per_hour=...): few false alarms of all classes together."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table

from skdaf import merge_segments, segment_report, tune_thresholds
from skdaf._segments.multilabel import one_row_per_label
from skdaf._segments.thresholds import check_threshold, winners

CLASSES = ["a", "b", "quiet"]
N_WINDOWS = 30
# No limit in these tests is too small for the recordings, unless it is 0.
LIMITS = [0, 200, 500, 100_000]


def random_recording(seed, step=1.0):
    """Return windows of 1 s with probabilities of three classes, and the true events."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, N_WINDOWS, p=[0.2, 0.2, 0.6])
    logits = rng.normal(size=(N_WINDOWS, 3)) + 1.2 * np.eye(3)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    starts = np.arange(N_WINDOWS) * step
    windows = pd.DataFrame({"start": starts, "end": starts + 1})
    windows[CLASSES] = np.round(probabilities, 2).astype("float32")
    true = windows[["start", "end"]].assign(label=np.array(CLASSES)[truth])
    # Events whose windows do not touch.
    true = true[true.label != "quiet"].assign(end=lambda table: table.start + min(step, 1) / 2)
    return with_labels(windows, None), true.reset_index(drop=True)


def with_labels(windows, thresholds):
    """Return windows with the labels of `predict_segments(threshold=thresholds)`."""
    limits = check_threshold(thresholds or {}, CLASSES)
    probabilities = windows[CLASSES].to_numpy()
    found = winners(probabilities, limits, probabilities.argmax(axis=1))
    return windows.assign(label=[CLASSES[i] if i >= 0 else None for i in found])


def with_several_labels(windows, thresholds):
    """Return a row for each label of each window, as for a classifier of several labels."""
    limits = [thresholds.get(label, 0.5) for label in ("a", "b")]
    windows = windows[["start", "end", "a", "b"]].drop_duplicates(ignore_index=True)
    present = windows[["a", "b"]].to_numpy() >= np.array(limits, "float32")
    return one_row_per_label(windows, present, np.array(["a", "b"], dtype=object))


def tune(recordings, limit, **options):
    windows, true = zip(*recordings, strict=True)
    return tune_thresholds(
        [*true],
        [*windows],
        background="quiet",
        max_false_alarms_per_hour=limit,
        return_counts=True,
        **options,
    )


def score(recordings, thresholds, multilabel, **merging):
    """Predict, merge and score as users do."""
    relabel = with_several_labels if multilabel else with_labels
    options = {"background": "quiet", "multilabel": multilabel}
    found = [
        merge_segments(relabel(windows, thresholds), **merging, **options)
        for windows, _ in recordings
    ]
    true = [true for _, true in recordings]
    return segment_report(true, found, duration=[w.end.max() for w, _ in recordings], **options)


def as_multilabel(recordings):
    return [(with_several_labels(windows, {}), true) for windows, true in recordings]


pytestmark = pytest.mark.filterwarnings("ignore:.*(found any more|No segment has the background)")


@cache
def tuned(case, limit):
    """Return two recordings, and the result for a limit, which several tests use."""
    seed, step, multilabel = case
    recordings = [random_recording([seed, i], step) for i in range(2)]
    recordings = as_multilabel(recordings) if multilabel else recordings
    return recordings, *tune(recordings, limit, multilabel=multilabel)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize(
    "merging", [{"min_duration": 1.6}, {"drop_shorter_than": 1.6}, {"smooth": 1.5}]
)
def test_merged_as_after_a_prediction(merging, multilabel):
    recordings, *_ = tuned((5, 0.5, multilabel), LIMITS[-1])
    thresholds, counts = tune(recordings, 300, multilabel=multilabel, **merging)
    report = score(recordings, thresholds, multilabel, **merging)
    total = counts.loc["(all)"]
    assert report.false_alarms_per_hour == pytest.approx(total.false_alarms_per_hour)
    assert total.false_alarms_per_hour <= 300
    assert report.overlap_recall == pytest.approx(total.n_found / total.n_true)
    before = score(recordings, {}, multilabel, **merging)
    assert before.false_alarms_per_hour == pytest.approx(total.false_alarms_per_hour_before)
    # Without merging, other events would be counted.
    assert (
        total.n_false_alarms_before
        != tuned((5, 0.5, multilabel), LIMITS[-1])[2].loc["(all)", "n_false_alarms_before"]
    )


@pytest.mark.parametrize(
    "case", [(0, 1.0, False), (1, 0.5, False), (2, 0.5, False), (3, 0.5, True), (4, 1.0, True)]
)
class TestProperties:
    @pytest.mark.parametrize("limit", LIMITS)
    def test_the_limit_is_for_all_classes_together(self, case, limit):
        recordings, thresholds, counts = tuned(case, limit)
        total = counts.loc["(all)"]
        report = score(recordings, thresholds, case[-1])
        assert report.false_alarms_per_hour <= limit
        assert total.false_alarms_per_hour == pytest.approx(report.false_alarms_per_hour)
        assert total.n_found == pytest.approx(report.overlap_recall * total.n_true)
        before = score(recordings, {}, case[-1])
        assert total.false_alarms_per_hour_before == pytest.approx(before.false_alarms_per_hour)
        assert total.n_found_before == pytest.approx(before.overlap_recall * total.n_true)

    @pytest.mark.parametrize("limit", LIMITS)
    def test_thresholds_only_make_a_prediction_stricter(self, case, limit):
        recordings, thresholds, _ = tuned(case, limit)
        relabel = with_several_labels if case[-1] else with_labels
        assert all(0.5 <= threshold <= 1 for threshold in thresholds.values())
        for windows, _ in recordings:
            before, after = (
                {*zip(table.start, table.label, strict=True)}
                for table in (relabel(windows, t).dropna() for t in ({}, thresholds))
            )
            assert after <= before

    def test_a_larger_limit_never_finds_fewer_events(self, case):
        counts = [tuned(case, limit)[2].loc["(all)"] for limit in LIMITS]
        found = [one.n_found for one in counts]
        assert found == sorted(found)
        assert found[0] < found[-1] >= counts[0].n_found_before

    def test_the_order_of_recordings_and_classes_does_not_matter(self, case):
        recordings, expected, expected_counts = tuned(case, LIMITS[1])
        order = ["b", "a"] if case[-1] else ["quiet", "b", "a"]
        turned = [(w[["start", "end", "label", *order]], t) for w, t in recordings[::-1]]
        found, counts = tune(turned, LIMITS[1], multilabel=case[-1])
        assert found == expected
        pd.testing.assert_frame_equal(counts, expected_counts)


def windows_of(*rows, **columns):
    """Return windows from rows of start, label and probability of "a"."""
    starts, labels, probabilities = zip(*rows, strict=True)
    table = pd.DataFrame({"start": np.array(starts, float), "label": labels, "a": probabilities})
    return table.assign(end=table.start + 1, **columns)


TRUE = segment_table((0, 1, "a"), (10, 11, "a"))
# Hits at 0 and 10 s, false alarms at 4 and 6 s; 20 s in all.
WINDOWS = windows_of(
    *[(0, "a", 0.9), (4, "a", 0.7), (6, "a", 0.8), (10, "a", 0.75), (19, "quiet", 0.1)]
)


def tune_one(limit, windows=WINDOWS, true=TRUE, **options):
    """Tune on 20 s; `limit` is a number of false alarms."""
    options = {"background": "quiet", **options}
    return tune_thresholds(true, windows, max_false_alarms_per_hour=limit * 180, **options)


@pytest.mark.parametrize(
    ("limit", "expected"), [(5, {}), (2, {}), (1, {"a": 0.75}), (0, {"a": 0.9})]
)
def test_no_threshold_is_raised_without_need(limit, expected):
    assert tune_one(limit) == expected


def test_no_threshold_is_lowered():
    windows = WINDOWS.assign(a=WINDOWS.a - 0.5)  # all labels are those of the most probable class
    assert tune_one(2, windows) == {}
    with pytest.warns(UserWarning, match=r"no event of the classes \['a'\] is found"):
        assert tune_one(1, windows) == {"a": 0.5}


def test_the_class_that_loses_the_fewest_events_gets_stricter():
    b = windows_of((2, "b", 0), (8, "b", 0), b=[0.6, 0.9])
    windows = pd.concat([WINDOWS.assign(b=0.0), b])
    true = pd.concat([TRUE, segment_table((8, 9, "b"))])
    # The false alarm of "b" and one of "a" cost nothing, the other one of "a" costs an event.
    assert tune_one(2, windows, true) == {"a": 0.75}
    assert tune_one(1, windows, true) == {"a": 0.75, "b": 0.9}
    assert tune_one(0, windows, true) == {"a": 0.9, "b": 0.9}


def test_classes_that_do_not_occur_make_false_alarms():
    windows = WINDOWS.assign(b=0.1)
    windows.loc[windows.start == 6, ["label", "a", "b"]] = ["b", 0.1, 0.8]
    with pytest.warns(UserWarning, match=r"\['b'\].*all of their events are false alarms"):
        found, counts = tune_one(1, windows, return_counts=True)
    assert found == {"a": 0.75}
    assert counts.n_true.to_dict() == {"a": 2, "b": 0, "(all)": 2}
    with pytest.warns(UserWarning, match="false alarms"):
        assert tune_one(0, windows) == {"a": 0.75, "b": 0.9}


def test_recordings_that_are_too_short_for_the_limit():
    with pytest.warns(UserWarning, match=r"0.0056 h long; max.*_hour=90 allows 0 .*0.011 h") as got:
        assert tune_one(0.5) == {"a": 0.9}
    assert got[0].filename.endswith("test_false_alarms.py")


def test_a_limit_that_cannot_be_met():
    windows = WINDOWS.assign(a=1.0)
    with pytest.warns(UserWarning, match=r"_hour=180 cannot be met: 2 false alarms in 0.0056 h"):
        assert tune_one(1, windows) == {}


def test_counts():
    _, counts = tune_one(1, return_counts=True)
    assert counts.index.to_list() == ["a", "(all)"]
    assert counts.loc["a"].to_dict() == {
        **{"threshold": 0.75, "n_true": 2, "n_found": 2, "n_found_before": 2},
        **{"n_false_alarms": 1, "false_alarms_per_hour": 180},
        **{"n_false_alarms_before": 2, "false_alarms_per_hour_before": 360},
    }
    # Also without a limit.
    thresholds, counts = tune_thresholds(TRUE, WINDOWS, background="quiet", return_counts=True)
    assert thresholds == {"a": counts.threshold["a"]}
    assert counts.n_found["a"] == 2


def test_events_that_fall_apart_are_counted_again():
    # At 0.6 and above, the second half of the event is a false alarm.
    windows = windows_of((0, "a", 0.6), (1, "a", 0.9), (19, "a", 0.7))
    found, counts = tune_one(1, windows, TRUE[:1], return_counts=True)
    assert found == {}
    with pytest.warns(UserWarning, match="found any more"):
        found, counts = tune_one(0, windows, TRUE[:1], return_counts=True)
    assert found == {"a": pytest.approx(0.95)}
    assert counts.n_false_alarms["a"] == 0


def test_a_class_that_is_called_like_the_row_of_all():
    windows = WINDOWS.assign(label=WINDOWS.label.replace("a", "(all)"), a_=0.0)
    windows = windows.rename(columns={"a": "(all)"}).drop(columns="a_")
    true = TRUE.assign(label="(all)")
    _, counts = tune_one(1, windows, true, return_counts=True)
    expected = tune_one(1, return_counts=True)[1]
    assert counts.index.to_list() == ["(all)", "(all)_"]
    pd.testing.assert_frame_equal(counts, expected.set_axis(counts.index))
    assert "\n(all)_ " in str(segment_report(true, windows, background="quiet"))


@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("merging", [{}, {"smooth": 3.0}])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_probability_that_is_not_a_number_is_named(value, merging, limit):
    windows = WINDOWS.assign(a=[*WINDOWS.a[:3], value, WINDOWS.a[4]])[::-1]
    message = rf"predicted: .*'a' must be numbers, got {value} for the window from 10 s to 11 s"
    with pytest.raises(ValueError, match=message):
        tune_thresholds(
            TRUE, windows, background="quiet", max_false_alarms_per_hour=limit, **merging
        )


def test_a_negative_limit():
    with pytest.raises(ValueError, match=r"'max_false_alarms_per_hour'.*Got -180"):
        tune_one(-1)


def test_a_class_without_probabilities():
    windows = WINDOWS.assign(label="c")
    with pytest.raises(ValueError, match="column of probabilities 'c' for the class 'c'"):
        tune_one(1, windows)
