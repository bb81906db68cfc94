"""merge_segments: overlaps, smoothing, minimum duration."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from pandas.testing import assert_frame_equal
from scipy.signal import medfilt

from skdaf import merge_segments, merge_stream


def even(labels, *, step=1.0, window=None, rate=16000):
    """Return windows of equal length with these labels."""
    firsts = round(step * rate) * np.arange(len(labels))
    ends = firsts + round((window or step) * rate)
    return pd.DataFrame({"start": firsts / rate, "end": ends / rate, "label": list(labels)})


def as_text(segments, step=1.0):
    """Return the labels as text, one letter per step; a period is a gap."""
    text = ""
    for start, end, label in zip(segments.start, segments.end, segments.label, strict=True):
        text += "." * round(start / step - len(text)) + label * round((end - start) / step)
    return text


def random_segments(seed, n=60, *, overlaps=True, gaps=True):
    """Return segments with times in tenths, which floats cannot represent exactly."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.integers(1, 5, n))
    ends = starts + rng.integers(1, 9, n) if overlaps else np.append(starts[1:], starts[-1] + 3)
    kept = rng.random(n) < (0.8 if gaps else 1)
    segments = pd.DataFrame({"start": starts * 0.1, "end": ends * 0.1})
    probabilities = rng.dirichlet(np.ones(3), n)
    segments["label"] = np.array(["a", "b", "c"])[probabilities.argmax(axis=1)]
    segments[["a", "b", "c"]] = probabilities
    return segments[kept]


def label_at(segments, instant):
    inside = segments[(segments.start <= instant) & (instant < segments.end)]
    return inside.label.iloc[0] if len(inside) else None


OPTIONS = [
    {},
    {"smooth": 0.5},
    {"min_duration": 0.7},
    {"smooth": 1.1, "min_duration": 0.5},
    {"min_duration": 30.0},
]


class TestAlways:
    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_time_is_covered_without_overlaps(self, seed, options):
        segments = random_segments(seed)
        merged = merge_segments(segments, **options)
        assert (merged.start < merged.end).all()
        assert (merged.start.to_numpy()[1:] >= merged.end.to_numpy()[:-1] - 1e-9).all()
        for instant in np.arange(0.05, segments.end.max() + 1, 0.1):
            assert (label_at(merged, instant) is None) == (label_at(segments, instant) is None)

    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("seed", range(5))
    def test_neighbors_that_touch_have_different_labels(self, seed, options):
        merged = merge_segments(random_segments(seed), **options)
        touch = np.abs(merged.start.to_numpy()[1:] - merged.end.to_numpy()[:-1]) < 1e-6
        same = merged.label.to_numpy()[1:] == merged.label.to_numpy()[:-1]
        assert not (touch & same).any()

    @pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[2], OPTIONS[4]])
    @pytest.mark.parametrize("seed", range(5))
    def test_merging_again_changes_nothing(self, seed, options):
        merged = merge_segments(random_segments(seed), **options)
        assert_frame_equal(merge_segments(merged, **options), merged)

    @pytest.mark.parametrize("options", OPTIONS)
    def test_the_order_of_the_rows_does_not_matter(self, options):
        segments = random_segments(0)
        assert_frame_equal(
            merge_segments(segments.sample(frac=1, random_state=0), **options),
            merge_segments(segments, **options),
        )

    @pytest.mark.parametrize("options", OPTIONS)
    def test_probabilities_are_the_highest_of_the_rows(self, options):
        segments = random_segments(1, overlaps=False)
        merged = merge_segments(segments, **options)
        for row in merged.itertuples():
            inside = (segments.start > row.start - 1e-9) & (segments.end < row.end + 1e-9)
            assert [row.a, row.b, row.c] == segments.loc[inside, [*"abc"]].max().tolist()

    @pytest.mark.parametrize("step", [1.0, 0.25])
    @pytest.mark.parametrize("options", [{}, {"smooth": 0.75}, {"min_duration": 1.5}])
    @pytest.mark.parametrize("multilabel", [False, True])
    def test_probabilities_of_events_reach_their_threshold(self, step, options, multilabel):
        """A background without a threshold overlaps the events."""
        rng = np.random.default_rng(0)
        a = rng.uniform(0.3, 1, 300)
        labels = np.where(a >= 0.8, "a", "nothing")
        segments = even(labels, step=step, window=1.0).assign(a=a, nothing=1 - a)
        found = merge_segments(segments, background="nothing", multilabel=multilabel, **options)
        assert found.a.min() >= 0.8
        assert found.a.max() == a.max()

    def test_the_input_is_not_changed(self):
        segments = random_segments(2)
        before = segments.copy()
        merge_segments(segments, smooth=1.0, min_duration=1.0)
        assert_frame_equal(segments, before)

    @pytest.mark.parametrize("options", OPTIONS)
    def test_an_empty_table_stays_empty(self, options):
        merged = merge_segments(random_segments(0)[:0], **options)
        assert list(merged.columns) == ["start", "end", "label", "a", "b", "c"]
        assert len(merged) == 0

    @pytest.mark.parametrize("labels", [[1, 1, 0], [True, True, False]])
    def test_labels_keep_their_type(self, labels):
        segments = even("xxy").assign(label=labels)
        merged = merge_segments(segments, smooth=1.0, min_duration=0.5)
        assert merged.label.dtype == segments.label.dtype
        assert merged.label.tolist() == [labels[0], labels[2]]

    def test_columns_of_text_are_dropped(self):
        merged = merge_segments(even("aab").assign(note="x", loudness=[1, 3, 5]))
        assert list(merged.columns) == ["start", "end", "label", "loudness"]
        assert merged.loudness.tolist() == [3, 5]


class TestJoining:
    @pytest.mark.parametrize("step", [0.1, 1 / 3, 0.7])
    def test_ends_are_exact(self, step):
        segments = even("aabbbac", step=step)
        merged = merge_segments(segments)
        assert merged.label.tolist() == ["a", "b", "a", "c"]
        assert merged.start.tolist() == segments.start[[0, 2, 5, 6]].tolist()
        assert merged.end.tolist() == segments.end[[1, 4, 5, 6]].tolist()

    def test_gaps_are_kept(self):
        segments = even("aaabb")[lambda table: table.start != 1]
        assert as_text(merge_segments(segments)) == "a.abb"
        assert len(merge_segments(segments)) == 3

    def test_rounding_makes_no_gap(self):
        merged = merge_segments(
            segment_table((0, 0.3, "a"), (0.1 + 0.2, 1, "a"), (1 - 1e-12, 2, "a"))
        )
        assert_frame_equal(merged, segment_table((0.0, 2.0, "a")))

    def test_a_gap_of_a_few_samples_is_one(self):
        assert len(merge_segments(segment_table((0, 1, "a"), (1 + 2 / 192_000, 2, "a")))) == 2


class TestOverlaps:
    def test_the_most_probable_label_wins(self):
        segments = segment_table(
            (0, 2, "a", 0.9, 0.1),
            (1, 3, "b", 0.3, 0.7),
            (2, 4, "b", 0.1, 0.9),
            (3, 5, "a", 0.95, 0.05),
            columns="ab",
        )
        merged = merge_segments(segments)
        assert as_text(merged) == "aabaa"
        assert merged.a.tolist() == [0.9, 0.3, 0.95]
        assert merged.b.tolist() == [0.1, 0.9, 0.05]

    def test_without_probabilities_the_majority_wins(self):
        segments = segment_table((0, 3, "a"), (1, 4, "b"), (2, 5, "b"), (3, 6, "a"))
        assert as_text(merge_segments(segments)) == "aabbaa"

    def test_labels_come_from_the_segments_that_cover_an_instant(self):
        segments = segment_table(
            (0, 2, "a", 0.5, 0.05, 0.45),
            (1, 3, "b", 0.05, 0.5, 0.45),
            (3, 4, "c", 0.0, 0.0, 1.0),
            columns="abc",
        )
        assert as_text(merge_segments(segments)) == "aabc"

    def test_a_probability_of_zero_still_gives_a_label(self):
        segments = segment_table(
            (0, 1, "b", 1, 1), (1, 3, "a", 0, 1), (2, 4, "a", 0, 1), columns="ab"
        )
        assert as_text(merge_segments(segments)) == "baaa"

    def test_with_missing_probabilities_the_majority_wins(self):
        segments = segment_table(
            (0, 3, "a", 0.1), (1, 4, "b", np.nan), (2, 5, "b", 0.9), columns="a"
        )
        segments["b"] = 1 - segments.a
        assert as_text(merge_segments(segments)) == "aabbb"

    def test_a_segment_inside_another(self):
        segments = segment_table((0, 9, "a"), (2, 3, "b"), (2, 3, "b"), (11, 12, "a"))
        assert as_text(merge_segments(segments)) == "aabaaaaaa..a"

    @pytest.mark.parametrize("seed", range(5))
    def test_each_instant_follows_the_rule(self, seed):
        segments = random_segments(seed)
        merged = merge_segments(segments)
        for instant in np.arange(0.05, segments.end.max(), 0.1):
            covering = segments[(segments.start <= instant) & (instant < segments.end)]
            if len(covering):
                means = covering[[*"abc"]].mean()[covering.label.unique()]
                assert label_at(merged, instant) == means.idxmax()

    def test_renamed_columns_of_probabilities_are_found(self):
        segments = segment_table(
            (0, 2, "start", 0.9, 0.1), (1, 3, "b", 0.3, 0.7), columns=["start_", "b"]
        )
        assert merge_segments(segments).end.tolist() == [2, 3]

    def test_windows_with_one_label_become_one_segment(self):
        merged = merge_segments(even("a" * 500, step=0.01, window=0.25))
        assert_frame_equal(merged, segment_table((0.0, 4.99 + 0.25, "a")))


class TestSmoothing:
    @pytest.mark.parametrize("k", [1, 3, 5, 9])
    @pytest.mark.parametrize("step", [0.1, 1 / 3])
    def test_it_is_a_median_filter_for_two_labels(self, k, step):
        bits = np.random.default_rng(k).integers(0, 2, 200)
        merged = merge_segments(even(bits, step=step), smooth=k * step)
        middles = (np.arange(200) + 0.5) * step
        found = [label_at(merged, middle) for middle in middles]
        inner = slice(k, -k)
        assert found[inner] == medfilt(bits, k).astype(int).tolist()[inner]

    @pytest.mark.parametrize(
        ("before", "smooth", "after"),
        [
            ("aabaa", 3, "aaaaa"),
            ("aabaa", 1, "aabaa"),
            ("aabaa", 0, "aabaa"),
            ("aabbaa", 3, "aabbaa"),
            ("abc", 3, "abc"),
            ("aabcc", 3, "aabcc"),
            ("aa.b.aa", 5, "aa.a.aa"),
            ("ab", 3, "ab"),
            ("baaa", 3, "baaa"),
            ("baaa", 5, "aaaa"),
        ],
    )
    def test_examples(self, before, smooth, after):
        segments = even(before)[lambda table: table.label != "."]
        assert as_text(merge_segments(segments, smooth=smooth)) == after

    def test_labels_are_weighted_by_time(self):
        segments = segment_table(
            (0, 1, "a"), (1, 1.1, "b"), (1.1, 1.2, "c"), (1.2, 1.3, "b"), (1.3, 2, "a")
        )
        assert merge_segments(segments, smooth=0.3).label.tolist() == ["a", "b", "a"]
        assert merge_segments(segments, smooth=1.0).label.tolist() == ["a"]


class TestRowsWithoutALabel:
    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("seed", range(3))
    def test_they_are_gaps(self, seed, options):
        segments = random_segments(seed)
        is_missing = np.random.default_rng(seed).random(len(segments)) < 0.5
        sparse = segments.assign(label=segments.label.astype(object).mask(is_missing, None))
        merged = merge_segments(sparse, **options)
        assert_frame_equal(merged, merge_segments(segments[~is_missing], **options))

    def test_a_detection_lasts_as_long_as_its_windows(self):
        segments = even("..aa....a..", window=2.0)
        segments["label"] = segments.label.where(segments.label != ".", None)
        assert as_text(merge_segments(segments)) == "..aaa...aa"

    def test_labels_get_their_type_back(self):
        labels = pd.Series([2, None, 3], dtype=object)
        merged = merge_segments(even("xyz").assign(label=labels))
        assert merged.label.tolist() == [2, 3]
        assert merged.label.dtype == int

    def test_a_table_without_labels_has_no_segments(self):
        segments = random_segments(0).assign(label=None)
        merged = merge_segments(segments, smooth=1.0, min_duration=1.0, background="a")
        assert list(merged.columns) == list(segments.columns)
        assert len(merged) == 0


class TestBackground:
    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("background", ["a", ["c", "a"], []])
    def test_it_is_dropped_at_the_end(self, options, background):
        segments = random_segments(1)
        merged = merge_segments(segments, **options)
        dropped = [background] if isinstance(background, str) else background
        expected = merged[~merged.label.isin(dropped)].reset_index(drop=True)
        assert_frame_equal(merge_segments(segments, **options, background=background), expected)

    def test_it_absorbs_short_events(self):
        merged = merge_segments(even("..aaa..a.."), min_duration=2, background=".")
        assert as_text(merged) == "..aaa"

    def test_labels_are_compared_as_text(self):
        segments = even("xyz").assign(label=[0, 1, 0])
        assert merge_segments(segments, background="0").label.tolist() == [1]
        assert merge_segments(segments, background=1).label.tolist() == [0, 0]

    def test_it_must_be_a_label(self):
        with pytest.raises(TypeError, match="background must be a label or a list of labels"):
            merge_segments(even("ab"), background={"a": 1})
        for missing in (np.nan, ["a", None], [pd.NA]):
            with pytest.raises(ValueError, match="background must be a label that is not missing"):
                merge_segments(even("ab"), background=missing)

    @pytest.mark.parametrize("background", ["none", ["a", "none"]])
    def test_labels_that_occur_nowhere_are_named(self, background):
        with pytest.warns(UserWarning, match=r"label \['none'\]: the labels are \['a', 'b'\]") as w:
            merged = merge_segments(even("aab"), background=background)
        assert [warning.filename for warning in w] == [__file__]
        assert merged.label.tolist() == [x for x in "ab" if x not in background]

    def test_classes_that_no_segment_has_are_known(self):
        # pytest makes warnings errors.
        merge_segments(even("aab").assign(c=0.1, start_=0.1), background=["c", "start"])
        merge_segments(even("aab")[:0], background="none")


class TestMinimumDuration:
    @pytest.mark.parametrize(
        ("before", "min_duration", "after"),
        [
            ("aabaa", 2, "aaaaa"),
            ("aabaa", 1, "aabaa"),
            ("aaabb", 3, "aaaaa"),
            ("aaabccccc", 2, "aaacccccc"),
            ("aaabccc", 2, "aaaaccc"),
            ("baaa", 2, "aaaa"),
            ("aaab", 2, "aaaa"),
            ("a", 9, "a"),
            ("aaa.b.aaa", 2, "aaa.b.aaa"),
            ("aaab.bbcc", 2, "aaaa.bbcc"),
            ("aaabcaaa", 2, "aaaaaaaa"),
            ("aabbcaaaa", 3, "bbbbaaaaa"),
        ],
    )
    def test_examples(self, before, min_duration, after):
        segments = even(before)[lambda table: table.label != "."]
        assert as_text(merge_segments(segments, min_duration=min_duration)) == after

    @pytest.mark.parametrize("seed", range(10))
    @pytest.mark.parametrize("min_duration", [0.1, 0.2, 0.3, 0.8, 3.0])
    def test_only_segments_between_gaps_remain_short(self, seed, min_duration):
        merged = merge_segments(random_segments(seed), min_duration=min_duration)
        starts, ends = merged.start.to_numpy(), merged.end.to_numpy()
        gap_before = np.append(True, starts[1:] - ends[:-1] > 1e-6)
        gap_after = np.append(gap_before[1:], True)
        short = ends - starts < min_duration - 1e-6
        assert (gap_before & gap_after)[short].all()

    def test_rounding_does_not_make_segments_too_short(self):
        segments = even("abababab", step=0.1, rate=10)
        assert len(merge_segments(segments, min_duration=0.1)) == 8

    @pytest.mark.parametrize("name", ["min_duration", "drop_shorter_than"])
    @pytest.mark.parametrize(("n_samples", "rate"), [(14_700, 44_100), (5333, 16_000), (2, 3)])
    def test_segments_of_exactly_this_length_are_long_enough(self, name, n_samples, rate):
        edges = np.arange(9) * n_samples / rate
        segments = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": [*"abababab"]})
        assert len(merge_segments(segments, **{name: n_samples / rate})) == 8
        assert len(merge_segments(segments, **{name: n_samples / rate + 1e-4})) < 8

    @pytest.mark.parametrize("seed", range(5))
    def test_it_equals_a_slow_implementation(self, seed):
        labels = "".join(np.random.default_rng(seed).choice([*"abc."], 80))
        segments = even(labels)[lambda table: table.label != "."]
        assert as_text(merge_segments(segments, min_duration=3)) == slow_implementation(
            labels, 3
        ).rstrip(".")


def slow_implementation(labels, n):
    """Join runs shorter than n with the longer neighbor, the shortest and earliest first."""
    while True:
        edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
        runs = list(pairwise(edges))
        choices = []
        for k, (start, end) in enumerate(runs):
            around = [runs[j] for j in (k - 1, k + 1) if 0 <= j < len(runs)]
            around = [run for run in around if labels[run[0]] != "."]
            if labels[start] != "." and end - start < n and around:
                longer = max(around, key=lambda run: run[1] - run[0])
                choices.append((end - start, start, end, labels[longer[0]]))
        if not choices:
            return labels
        _, start, end, label = min(choices)
        labels = labels[:start] + label * (end - start) + labels[end:]


@pytest.mark.parametrize("name", ["min_duration", "smooth"])
@pytest.mark.parametrize("value", [-1, np.nan, np.inf, "1", None])
def test_parameters_are_seconds(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        merge_segments(even("ab"), **{name: value})


def test_points_are_refused():
    with pytest.raises(ValueError, match=r"segments, row 1.*duration"):
        merge_segments(segment_table((0, 1, "a"), (1, 1, "b")))


def test_a_day_of_windows_takes_seconds():
    """The time grows with the number of windows, not with its square."""
    n = 86_400
    rng = np.random.default_rng(0)
    segments = even(rng.choice([*"abcd"], n), step=1.0, window=4.0)
    merged = merge_segments(segments, smooth=9, min_duration=5)
    assert merged.end.iloc[-1] == n + 3


class TestDropShorterThan:
    ROWS = segment_table((0, 3, "a"), (3, 3.2, "b"), (3.2, 6, "a"), (7, 7.5, "b"), (8, 9, "b"))

    def test_short_segments_are_dropped_and_their_neighbors_do_not_change(self):
        found = merge_segments(self.ROWS, drop_shorter_than=0.5)
        expected = self.ROWS[self.ROWS.index != 1].reset_index(drop=True)
        assert_frame_equal(found, expected, check_dtype=False)
        assert merge_segments(self.ROWS, drop_shorter_than=10).empty

    def test_after_joining_and_min_duration(self):
        found = merge_segments(self.ROWS, min_duration=0.5, drop_shorter_than=0.6)
        assert found.to_numpy().tolist() == [[0, 6, "a"], [8, 9, "b"]]

    def test_each_label_by_itself(self):
        table = segment_table((0, 1, "a"), (0, 1, "b"), (1, 2, "b"))
        found = merge_segments(table, drop_shorter_than=1.5, multilabel=True)
        assert found.to_numpy().tolist() == [[0, 2, "b"]]

    def test_rounding_does_not_decide(self):
        assert len(merge_segments(segment_table((0.1, 0.3, "a")), drop_shorter_than=0.2)) == 1

    @pytest.mark.parametrize("multilabel", [False, True])
    def test_streams_agree(self, multilabel):
        options = {"drop_shorter_than": 0.5, "multilabel": multilabel}
        rows = self.ROWS.to_dict("records")
        assert list(merge_stream(rows, **options)) == merge_segments(self.ROWS, **options).to_dict(
            "records"
        )

    def test_negative(self):
        with pytest.raises(ValueError, match="'drop_shorter_than' parameter"):
            merge_segments(self.ROWS, drop_shorter_than=-1)
