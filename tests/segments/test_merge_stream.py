"""merge_stream: the segments are those of merge_segments, and come as early as they can."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdaf import merge_segments, merge_stream

# Durations on a grid, and one between its points.
DURATIONS = st.sampled_from([0.0, 0.5, 1.0, 1.3, 2.0, 3.0, 5.0])
LABELS = st.sampled_from(["a", "b", "c", None])


@st.composite
def free_rows(draw):
    """Rows with any overlaps and gaps, with or without probabilities and another number."""
    n = draw(st.integers(1, 25))
    gaps = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0, 1.3, 2.5])
    durations = st.sampled_from([0.5, 1.0, 1.0, 1.3, 2.0, 4.0])
    with_probabilities, with_number = draw(st.booleans()), draw(st.booleans())
    start, rows = 0.0, []
    for _ in range(n):
        start += draw(gaps)
        row = {"start": start, "end": start + draw(durations), "label": draw(LABELS)}
        if with_probabilities:
            row |= {x: draw(st.sampled_from([0.0, 0.2, 0.25, 0.5, 0.9])) for x in "abc"}
        if with_number:
            row["confidence"] = draw(st.sampled_from([1, 2, 5]))
        rows.append(row)
    return rows


@st.composite
def windows(draw):
    """Rows as predict_stream yields them: windows of the same length, the last one shorter."""
    length, step = draw(st.sampled_from([(1.0, 1.0), (1.0, 0.5), (1.0, 0.3), (0.5, 1.0)]))
    labels = draw(st.lists(LABELS, min_size=1, max_size=40))
    times = [(i * step, i * step + length) for i in range(len(labels))]
    times[-1] = (times[-1][0], times[-1][0] + draw(st.sampled_from([length, length / 3])))
    return [
        {"start": start, "end": end, "label": label}
        for (start, end), label in zip(times, labels, strict=True)
    ]


def assert_same(rows, **options):
    """Check that a stream of rows gives the table of merge_segments."""
    found = pd.DataFrame(merge_stream(iter(rows), **options))
    expected = merge_segments(pd.DataFrame(rows), **options)
    assert len(found) == len(expected)
    if len(found) == 0:
        return
    if options.get("multilabel"):
        order = ["start", "end", "label"]
        found, expected = (t.sort_values(order, ignore_index=True) for t in (found, expected))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


@settings(max_examples=70, deadline=None)
@given(free_rows() | windows(), DURATIONS, DURATIONS, st.booleans())
def test_segments_are_those_of_the_whole_table(rows, smooth, min_duration, multilabel):
    assert_same(rows, smooth=smooth, min_duration=min_duration, multilabel=multilabel)


# Halves of windows, in samples. At 16 kHz, an odd number of samples ends with half a microsecond.
HALF_WINDOWS = st.sampled_from([(7350, 44_100), (2667, 16_000), (1, 3), (1001, 48_000)])


@settings(max_examples=70, deadline=None)
@given(
    st.lists(LABELS, min_size=1, max_size=30),
    HALF_WINDOWS,
    st.integers(0, 500),
    st.fixed_dictionaries(
        {name: st.integers(0, 9) for name in ("smooth", "min_duration", "drop_shorter_than")}
    ),
    st.booleans(),
)
def test_rounding_decides_nothing(labels, half_window, first, halves, multilabel):
    """Windows of a third of a second, for example, are joined like windows of 2 s."""
    n_samples, rate = half_window
    starts = first + 2 * np.arange(len(labels))
    ends = np.append(starts[1:], starts[-1] + 1)  # the last one has half the length
    expected = merge_segments(
        pd.DataFrame({"start": starts, "end": ends, "label": labels}),
        multilabel=multilabel,
        **halves,
    )
    table = pd.DataFrame({"start": starts * n_samples / rate, "end": ends * n_samples / rate})
    rows = table.assign(label=labels).to_dict("records")
    options = {name: value * n_samples / rate for name, value in halves.items()}
    for found in (
        merge_segments(pd.DataFrame(rows), multilabel=multilabel, **options),
        pd.DataFrame(
            merge_stream(rows, multilabel=multilabel, **options), columns=expected.columns
        ).sort_values(["start", "end"], kind="stable", ignore_index=True),
    ):
        found[["start", "end"]] = (found[["start", "end"]] * rate / n_samples).round()
        order = ["start", "end", "label"]
        pd.testing.assert_frame_equal(
            found.sort_values(order, ignore_index=True),
            expected.sort_values(order, ignore_index=True),
            check_dtype=False,
        )


@pytest.mark.filterwarnings("ignore:No segment has the background label")
@settings(max_examples=10, deadline=None)
@given(windows(), st.sampled_from(["a", ["a", "c"]]), st.booleans())
def test_background_is_dropped(rows, background, multilabel):
    assert_same(rows, smooth=1.5, background=background, multilabel=multilabel)


def rows_of(labels, step=1.0):
    return [
        {"start": i * step, "end": (i + 1) * step, "label": None if x == "." else x}
        for i, x in enumerate(labels)
    ]


def times_of(labels, **options):
    """Return when each segment comes: the number of rows until then, and its label."""
    n_rows, found = 0, []

    def source():
        nonlocal n_rows
        for row in rows_of(labels):
            n_rows += 1
            yield row

    for segment in merge_stream(source(), **options):
        found.append((n_rows, segment["label"], segment["start"], segment["end"]))
    return found


def test_a_segment_comes_as_soon_as_it_has_ended():
    found = times_of("aaabbb..cc")
    # The rows of one start are complete when the next start is known.
    assert found == [(5, "a", 0, 3), (8, "b", 3, 6), (10, "c", 8, 10)]


def test_smoothing_delays_by_half_of_its_window():
    without = [n for n, *_ in times_of("a" * 10 + "b" * 20)]
    assert [n for n, *_ in times_of("a" * 10 + "b" * 20, smooth=5.0)] == [without[0] + 2, 30]


def test_min_duration_waits_until_the_next_segment_is_long_enough():
    found = times_of("a" * 10 + "b" * 20, min_duration=4.0)
    assert found == [(15, "a", 0, 10), (30, "b", 10, 30)]
    # The short one in between belongs to the longer neighbor, which is not known before.
    found = times_of("aaaaa" + "bb" + "c" * 20 + "aaaaaa", min_duration=4.0)
    assert found[:2] == [(32, "a", 0, 5), (32, "c", 5, 27)]


def test_a_gap_ends_all_waiting():
    found = times_of("aabcaa.....bbb", min_duration=10.0)
    assert found[0] == (8, "a", 0, 6)


def test_several_labels_come_when_they_end():
    wind = [{"start": float(i), "end": i + 1.0, "label": "wind"} for i in range(20)]
    birds = [row | {"label": "bird"} for row in wind[3:5]]
    rows = sorted(wind + birds, key=lambda row: row["start"])
    found = [row["label"] for row in merge_stream(rows, multilabel=True)]
    assert found == ["bird", "wind"]
    assert_same(rows, multilabel=True)


def test_rows_are_not_kept():
    rows = ({"start": i, "end": i + 2, "label": "ab"[i // 2000 % 2], "x": 1} for i in range(20_000))
    merger = merge_stream(rows, smooth=9.0, min_duration=5.0)
    assert len(list(merger)) == 10


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"start": 0, "end": 1, "value": 2.0}], r"rows\[0\] .*numbers of a regressor"),
        ([{"start": 0, "end": 1}], r"rows\[0\] must have start, end and label"),
        (rows_of("ab") + rows_of("a"), r"rows\[2\] starts at 0.* before the previous row at 1"),
        ([{"start": 1, "end": 1, "label": "a"}], "0 <= start < end"),
        ([{"start": 1, "end": float("nan"), "label": "a"}], "0 <= start < end"),
        ([{"start": 0, "end": 1, "label": " "}], r"rows\[0\]: .*not empty"),
        ([*rows_of("a"), {"start": 2, "end": 3, "label": "a", "x": 1}], r"rows\[1\] has the keys"),
        (
            [row | {"x": x} for row, x in zip(rows_of("ab"), [1, None], strict=True)],
            r"rows\[1\]: expected a number as 'x'",
        ),
    ],
)
def test_bad_rows_are_named(rows, message):
    with pytest.raises(ValueError, match=message):
        list(merge_stream(rows))


def test_what_is_not_a_row_is_refused():
    with pytest.raises(TypeError, match="use merge_segments"):
        merge_stream(pd.DataFrame(rows_of("ab")))
    with pytest.raises(TypeError, match="expected an iterable"):
        merge_stream(None)
    with pytest.raises(TypeError, match=r"rows\[0\]: expected one label or None, got \['a'\]"):
        list(merge_stream([{"start": 0, "end": 1, "label": ["a"]}]))
    with pytest.raises(TypeError, match=r"rows\[0\] is 3: expected a dict"):
        list(merge_stream([3]))
    with pytest.raises(ValueError, match="smooth"):
        merge_stream([], smooth=-1)


def test_named_tuples_and_series_are_rows():
    table = pd.DataFrame(rows_of("aab"))
    expected = list(merge_stream(rows_of("aab")))
    assert list(merge_stream(table.itertuples(index=False))) == expected
    assert list(merge_stream(row for _, row in table.iterrows())) == expected


def test_labels_without_a_probability_after_overlaps_were_resolved_are_refused():
    rows = [
        {"start": 0.5 * i, "end": 0.5 * i + 1, "label": "aab"[i % 3] if i < 6 else "new"}
        | {"a": 0.5, "b": 0.25}
        for i in range(9)
    ]
    with pytest.raises(ValueError, match="'new' has no column of probabilities"):
        list(merge_stream(rows))
    # Without overlaps, probabilities decide nothing.
    assert_same([row | {"end": row["start"] + 0.5} for row in rows])


def test_an_unknown_background_warns_at_the_end():
    with pytest.warns(UserWarning, match=r"background label \['x'\]"):
        assert len(list(merge_stream(rows_of("ab"), background="x"))) == 2
    assert list(merge_stream([], background="x")) == []


def test_labels_keep_their_type():
    rows = [row | {"label": int(row["label"])} for row in rows_of("1122211")]
    labels = [row["label"] for row in merge_stream(rows, smooth=3.0, min_duration=2.0)]
    assert labels == [1, 2, 1]
    assert {type(label) for label in labels} == {int}


def test_an_endless_stream_yields():
    labels = itertools.cycle("aaaaabbbbb")
    rows = ({"start": i, "end": i + 1, "label": x} for i, x in enumerate(labels))
    first = list(itertools.islice(merge_stream(rows, smooth=3.0, min_duration=2.0), 3))
    assert [row["end"] for row in first] == list(np.arange(1, 4) * 5.0)
