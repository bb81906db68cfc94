"""Segments on a timeline."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import segment_table, texts
from matplotlib.colors import to_hex
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdaf import (
    Clip,
    CNNAudioClassifier,
    PyAudioAnalysisTransformer,
    SegmentsDisplay,
    predict_segments,
    write_segments,
)

pytestmark = pytest.mark.oldest

RATE = 16_000


@pytest.fixture(scope="module")
def recording(sounds, sound_labels, tmp_path_factory):
    """Return the path of a recording of six clips, and its true segments."""
    rows = np.arange(0, 60, 10)
    parts = [soundfile.read(sounds.filenames[row])[0] for row in rows]
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.concatenate(parts), RATE)
    ends = np.cumsum([len(part) for part in parts]) / RATE
    true = pd.DataFrame({"start": [0, *ends[:-1]], "end": ends, "label": sound_labels[rows]})
    return path, true


def bars(collection):
    """Return (start, end) of each bar."""
    return [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in collection.get_paths()
    ]


def test_segments_are_drawn_at_their_times_in_their_lanes(classifier, recording):
    path, true = recording
    display = SegmentsDisplay.from_estimator(classifier, path, true=true, window=0.2, step=0.1)
    spectrogram, bands, lanes = display.ax_
    assert texts(lanes.get_yticklabels()) == ["true", "predicted"]
    assert (spectrogram.get_ylabel(), lanes.get_xlabel()) == ("Frequency (Hz)", "Time (s)")
    duration = true.end.iloc[-1]
    for ax in display.ax_:
        np.testing.assert_allclose(ax.get_xlim(), (0, duration))
    for label, rows in true.groupby("label"):
        spans = bars(display.bars_["true", label])
        np.testing.assert_allclose(spans, rows[["start", "end"]].to_numpy())
        heights = display.bars_["true", label].get_paths()[0].vertices[:, 1]
        assert (heights.min() + heights.max()) / 2 == pytest.approx(0)
    assert texts(bands.get_yticklabels()) == list(classifier.classes_)
    assert set(texts(display.legend_.get_texts())) >= set(true.label)


def test_windows_without_a_label_have_bands_but_no_bars(classifier, recording):
    path, true = recording
    windows = predict_segments(classifier, path, window=0.2)
    sparse = windows.assign(label=windows.label.astype(object).where(windows.start < 0.3, None))
    display = SegmentsDisplay.from_predictions(true, sparse)
    every = SegmentsDisplay.from_predictions(true, windows)
    np.testing.assert_array_equal(display.bands_.get_array(), every.bands_.get_array())
    assert texts(display.ax_[0].get_yticklabels()) == list(classifier.classes_)
    ends = [
        end
        for (lane, _), bar in display.bars_.items()
        if lane == "predicted"
        for _, end in bars(bar)
    ]
    assert max(ends) == pytest.approx(0.4)


def test_bands_are_the_probabilities(classifier, recording):
    path, _ = recording
    display = SegmentsDisplay.from_estimator(classifier, path, window=0.2)
    windows = predict_segments(classifier, path, window=0.2)
    np.testing.assert_allclose(
        display.bands_.get_array(), windows[list(classifier.classes_)].to_numpy().T
    )
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, :-1, 0], windows.start)
    assert display.bands_.get_clim() == (0, 1)
    # The first class is on top.
    bands = display.ax_[1]
    assert bands.get_ylim() == (2.5, -0.5)


def heights(collection):
    """Return the highest height of each bar."""
    return [np.ptp(path.vertices[:, 1]) for path in collection.get_paths()]


def steps(collection):
    """Return the edges (s) and the heights, as shares of the full one, of each bar's steps."""
    found = []
    for path in collection.get_paths():
        x, y = path.vertices[:-1].T  # without the point that closes the outline
        found.append((x[::2].tolist(), ((y[0] - y[1:-1:2]) / 0.84).tolist()))
    return found


def check_steps(collection, *expected):
    for (edges, shares), (true_edges, true_shares) in zip(steps(collection), expected, strict=True):
        assert edges == pytest.approx(true_edges)
        assert shares == pytest.approx(true_shares)


def test_the_height_of_a_predicted_segment_follows_the_probability_of_its_label():
    true = segment_table((0, 2, "a"), (2, 4, "b"))
    predicted = segment_table((0, 1, "a"), (1, 3, "a"), (3, 4, "b"))
    predicted = predicted.assign(a=[0.9, 0.4, 0.0], b=[0.1, 0.3, 1.0], c=[0.0, 0.3, 0.0])
    display = SegmentsDisplay.from_predictions(true, predicted)
    check_steps(display.bars_["true", "a"], ([0, 2], [1]))
    check_steps(display.bars_["true", "b"], ([2, 4], [1]))
    check_steps(display.bars_["predicted", "a"], ([0, 1, 3], [0.9, 0.4]))
    check_steps(display.bars_["predicted", "b"], ([3, 4], [1]))
    # All bars of a lane stand on the same line, and a faint one shows the full height.
    for (name, _), bar in display.bars_.items():
        low = bar.get_paths()[0].vertices[:, 1].max()
        assert low == pytest.approx(0.42 + (name == "predicted"))
    (faint,) = (bar for bar in display.ax_[-1].collections if bar.get_alpha())
    check_steps(faint, ([0, 3], [1]))
    title = display.legend_.get_title().get_text()
    assert title == "Height of predicted segments: probability of the label"


def test_white_borders_are_around_the_full_height():
    """Along many steps, they would hide the color."""
    predicted = segment_table((0, 1, "a"), (1, 2, "a"), (10, 10.01, "a"))
    display = SegmentsDisplay.from_predictions(None, predicted.assign(a=[0.9, 0.5, 0.7]))
    found = display.bars_["predicted", "a"]
    # The narrow bar keeps the line of its own color.
    assert list(found.get_linewidths()) == [0.0, 0.8]
    (around,) = (bar for bar in display.ax_[-1].collections if not len(bar.get_facecolor()))
    check_steps(around, ([0, 2], [1]), ([10, 10.01], [1]))
    assert list(around.get_linewidths()) == [0.5, 0.0]


def test_bars_of_the_color_of_the_background_keep_their_borders():
    names = list("abcdefg")
    predicted = segment_table((0, 1, "a"), (1, 2, "g")).assign(**dict.fromkeys(names, 0.3))
    with plt.style.context("dark_background"):
        display = SegmentsDisplay.from_predictions(None, predicted)
    widths = [display.bars_["predicted", label].get_linewidths()[0] for label in ("a", "g")]
    assert widths == [0.0, 0.5]


def test_bars_of_long_recordings_have_few_steps():
    n = 8000
    table = pd.DataFrame({"start": np.arange(n), "end": np.arange(n) + 1.0, "label": "a"})
    table.loc[n - 2, "label"] = "b"
    table["a"] = np.where(table.label == "a", np.tile([0.5, 0.6, 0.7, 0.8], n // 4), 0.1)
    table["b"] = 1 - table.a
    display = SegmentsDisplay.from_predictions(None, table)
    (long, last) = steps(display.bars_["predicted", "a"])
    assert len(long[1]) == 2000
    assert long[1][:-1] == pytest.approx([0.65] * 1999)
    # A short segment keeps its own probability, although the bands show the mean of its neighbors.
    assert last == (pytest.approx([n - 1, n]), pytest.approx([0.8]))
    check_steps(display.bars_["predicted", "b"], ([n - 2, n - 1], [0.9]))


def test_a_part_of_a_recording_has_the_heights_of_its_time(recording):
    table = segment_table((0, 0.7, "a"), (0.7, 0.9, "a"), (0.9, 9, "a")).assign(a=[0.9, 0.6, 0.7])
    display = part_of(recording, 0.5, 1.0, table)
    ((edges, shares),) = steps(display.bars_["predicted", "a"])
    np.testing.assert_allclose(edges, [0.5, 0.7, 0.9, 1.0], atol=0.02)
    assert shares == pytest.approx([0.9, 0.6, 0.7])


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_legend_says_what_no_bar_means_if_there_are_windows_without_a_label(multilabel):
    predicted = segment_table((0, 1, "a"), (1, 2, None))
    plain, known = (
        SegmentsDisplay.from_predictions(None, table, multilabel=multilabel)
        for table in (predicted, predicted.assign(a=[0.9, 0.3]))
    )
    assert plain.legend_.get_title().get_text() == "No bar: no label"
    assert known.legend_.get_title().get_text().endswith("label. No bar: no label")


def test_segments_whose_probabilities_are_unknown_have_the_full_height():
    table = segment_table((0, 1, "a"), (1, 2, "b")).assign(a=[0.9, 0.2])
    display = SegmentsDisplay.from_predictions(table, table)
    np.testing.assert_allclose(
        heights(display.bars_["predicted", "b"]), heights(display.bars_["true", "b"])
    )
    assert len(display.ax_[-1].collections) == len(display.bars_)
    assert not display.legend_.get_title().get_text()


def test_heights_of_overlapping_windows_gaps_and_labels_that_smoothing_changed():
    predicted = segment_table((0, 2, "a"), (1, 3, "a"), (3, 4, "b"), (4, 5, "a"), (7, 8, "a"))
    predicted = predicted.assign(a=[0.6, 0.8, 0.2, 0.7, 0.6], b=[0.4, 0.2, 0.8, 0.3, 0.4])
    display = SegmentsDisplay.from_predictions(None, predicted, min_duration=1.5)
    found = display.bars_["predicted", "a"]
    assert bars(found) == [(0, 5), (7, 8)]
    # Where windows overlap, their mean counts; the label that was replaced had 0.2.
    long = [0, 1, 2, 3, 4, 5], [0.6, 0.7, 0.8, 0.2, 0.7]
    check_steps(found, long, ([7, 8], [0.6]))


def test_heights_are_those_of_the_bands_if_all_windows_have_labels():
    """Windows that disagree make the bar lower."""
    predicted = segment_table((0, 2, "a"), (1, 3, "b")).assign(a=[0.9, 0.3], b=[0.1, 0.7])
    display = SegmentsDisplay.from_predictions(None, predicted)
    check_steps(display.bars_["predicted", "a"], ([0, 1, 2], [0.9, 0.6]))
    np.testing.assert_allclose(display.bands_.get_array()[0], [0.9, 0.6, 0.3])


def test_times_that_differ_by_rounding_leave_no_notch():
    predicted = segment_table((0, 0.3, "a"), (0.1 + 0.2 + 1e-9, 1, "a")).assign(a=[0.9, 0.7])
    display = SegmentsDisplay.from_predictions(None, predicted)
    ((_, shares),) = steps(display.bars_["predicted", "a"])
    assert min(shares) == pytest.approx(0.7)


def test_a_detection_is_not_lower_than_the_threshold():
    """Overlapping windows without the label do not count, although the bands show them."""
    predicted = segment_table((0, 2, None), (1, 3, "a"), (2, 4, None))
    predicted = predicted.assign(a=[0.3, 0.9, 0.1], b=[0.2, 0.0, 0.6])
    display = SegmentsDisplay.from_predictions(None, predicted)
    np.testing.assert_allclose(heights(display.bars_["predicted", "a"]), [0.9 * 0.84])
    expected = [[0.3, 0.6, 0.5, 0.1], [0.2, 0.1, 0.3, 0.6]]
    np.testing.assert_allclose(display.bands_.get_array(), expected)


def test_windows_without_one_of_several_labels_do_not_make_it_lower():
    predicted = segment_table((0, 2, "a"), (1, 3, "b")).assign(a=[0.9, 0.3], b=[0.2, 0.8])
    display = SegmentsDisplay.from_predictions(None, predicted, multilabel=True)
    # Each label has half of the height.
    check_steps(display.bars_["predicted", "a"], ([0, 1, 2], [0.9 / 2, 0.9 / 2]))
    check_steps(display.bars_["predicted", "b"], ([1, 2, 3], [0.8 / 2, 0.8 / 2]))


def test_windows_with_several_labels_count_once_in_the_bands():
    predicted = segment_table((0, 2, "a"), (0, 2, "b"), (1, 3, "a"))
    predicted = predicted.assign(a=[0.9, 0.9, 0.5], b=[0.6, 0.6, 0.2])
    display = SegmentsDisplay.from_predictions(None, predicted, multilabel=True)
    expected = [[0.9, 0.7, 0.5], [0.6, 0.4, 0.2]]
    np.testing.assert_allclose(display.bands_.get_array(), expected)


def test_a_table_without_segments_has_neither_bars_nor_bands():
    empty = segment_table((0, 1, "a")).assign(a=[0.9]).iloc[:0]
    display = SegmentsDisplay.from_predictions(segment_table((0, 1, "a")), empty)
    assert [*display.bars_] == [("true", "a")]
    assert display.bands_ is None


def test_each_of_several_labels_at_a_time_has_its_own_height():
    predicted = segment_table((0, 1, "a"), (0, 1, "b"), (1, 2, None))
    predicted = predicted.assign(a=[0.9, 0.9, 0.1], b=[0.6, 0.6, 0.3])
    display = SegmentsDisplay.from_predictions(None, predicted, multilabel=True)
    row = 0.84 / 2
    for label, share in (("a", 0.9), ("b", 0.6)):
        np.testing.assert_allclose(heights(display.bars_["predicted", label]), [share * row])


def test_names_of_classes_are_where_they_can_be_read():
    predicted = segment_table((0, 1, "a"), (1, 2, "b")).assign(a=[0.9, 0.2], b=[0.1, 0.3])
    names = SegmentsDisplay.from_predictions(None, predicted).ax_[-1].texts
    places = {name.get_text(): (name.get_position()[1], name.get_color()) for name in names}
    # In the blue bar, and above the orange one, which is low.
    assert places["a"] == (pytest.approx(0.42 - 0.84 * 0.45), "white")
    assert places["b"] == (pytest.approx(0.42 - 0.84 * 0.65), "black")


def test_a_name_across_the_upper_edge_of_a_bar_has_an_outline():
    predicted = segment_table((0, 1, "a"), (1, 2, "a")).assign(a=[0.9, 0.2])
    (name,) = SegmentsDisplay.from_predictions(None, predicted).ax_[-1].texts
    assert name.get_path_effects()
    assert name.get_position() == (1, pytest.approx(0))
    # Only the height behind the name matters.
    predicted = segment_table((0, 1, "a"), (1, 9, "a"), (9, 10, "a")).assign(a=[0.2, 0.9, 0.2])
    (name,) = SegmentsDisplay.from_predictions(None, predicted).ax_[-1].texts
    assert not name.get_path_effects()
    assert name.get_color() == "white"


def test_predicted_segments_are_merged_in_the_lane():
    predicted = pd.DataFrame(
        {"start": [0, 1, 2, 3], "end": [1, 2, 3, 4], "label": ["a", "a", "b", "a"]}
    )
    plain = SegmentsDisplay.from_predictions(None, predicted)
    assert bars(plain.bars_["predicted", "a"]) == [(0, 2), (3, 4)]
    smooth = SegmentsDisplay.from_predictions(None, predicted, min_duration=1.5)
    assert bars(smooth.bars_["predicted", "a"]) == [(0, 4)]
    assert texts(plain.ax_[-1].get_yticklabels()) == ["predicted"]


def test_gaps_are_empty():
    table = pd.DataFrame(
        {"start": [0, 5], "end": [1, 6], "label": ["a", "b"], "a": [0.9, 0.2], "b": [0.1, 0.8]}
    )
    display = SegmentsDisplay.from_predictions(None, table)
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, :, 0], [0, 1, 5, 6])
    values = display.bands_.get_array()
    np.testing.assert_allclose(values[:, [0, 2]], [[0.9, 0.2], [0.1, 0.8]])
    assert np.ma.getmaskarray(np.ma.masked_invalid(values))[:, 1].all()


def test_classes_have_different_styles_equal_in_both_lanes():
    labels = list("abcdefghij")
    table = pd.DataFrame({"start": range(10), "end": range(1, 11), "label": labels})
    display = SegmentsDisplay.from_predictions(table, table)
    look = {
        key: (to_hex(found.get_facecolor()[0]), found.get_hatch())
        for key, found in display.bars_.items()
    }
    assert len({look["true", label] for label in labels}) == 10
    assert all(look["true", label] == look["predicted", label] for label in labels)


def test_long_segments_contain_the_name_of_their_class():
    table = pd.DataFrame({"start": [0, 9.9], "end": [9.9, 10], "label": ["wide", "narrow"]})
    display = SegmentsDisplay.from_predictions(None, table)
    assert texts(display.ax_[-1].texts) == ["wide"]


def part_of(recording, first, last, table, **options):
    return SegmentsDisplay.from_predictions(
        table, table, path=Clip(recording[0], first, last), **options
    )


@pytest.mark.parametrize("multilabel", [False, True])
def test_names_are_in_the_middle_of_what_a_part_shows(recording, multilabel):
    table = segment_table((0, 0.7, "left"), (0.7, 9, "right"), (20, 30, "far"))
    display = part_of(recording, 0.5, 1.0, table, multilabel=multilabel)
    places = {text.get_text(): text.get_position()[0] for text in display.ax_[-1].texts}
    assert places == pytest.approx({"left": 0.6, "right": 0.85}, abs=0.02)
    # Classes have the same colors in all parts, and the legend those that this one shows.
    assert texts(display.legend_.get_texts()) == ["left", "right"]
    whole = SegmentsDisplay.from_predictions(table, table, multilabel=multilabel)
    colors = [d.bars_["true", "left"].get_facecolor() for d in (display, whole)]
    np.testing.assert_array_equal(*colors)


def test_a_part_of_a_segment_that_is_too_short_for_its_name_has_none(recording):
    table = segment_table((0, 0.51, "a long name"), (0.51, 9, "b"))
    display = part_of(recording, 0.5, 1.0, table)
    assert {text.get_text() for text in display.ax_[-1].texts} == {"b"}


def test_a_part_without_segments(recording):
    display = part_of(recording, 0.5, 1.0, segment_table((0, 0.4, "a")))
    assert display.bars_ == {}
    assert texts(display.ax_[-1].get_yticklabels()) == ["true", "predicted"]


def test_true_segments_can_be_in_a_file(tmp_path, recording):
    path, true = recording
    write_segments(true, tmp_path / "true.txt")
    display = SegmentsDisplay.from_predictions(tmp_path / "true.txt", true, path=path)
    assert len(display.ax_) == 2
    assert {lane for lane, _ in display.bars_} == {"true", "predicted"}


def test_a_part_of_a_recording_keeps_the_times_of_the_recording(classifier, recording):
    path, true = recording
    part = Clip(path, 0.4, 1.2)
    display = SegmentsDisplay.from_estimator(classifier, part, true=true, window=0.2)
    for ax in display.ax_:
        np.testing.assert_allclose(ax.get_xlim(), (0.4, 1.2))
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, [0, -1], 0], [0.4, 1.2])


def test_classifiers_without_a_network_work(sounds, sound_labels, recording):
    model = make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression(max_iter=10_000))
    model.fit(sounds.filenames, sound_labels)
    display = SegmentsDisplay.from_estimator(model, recording[0], window=0.2)
    assert display.spectrogram.features == "mel"
    assert len(display.ax_) == 3


def test_hours_of_segments_are_drawn():
    n = 9000
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(50) * 0.1, n)
    names = [f"species {i:02d}" for i in range(50)]
    table = pd.DataFrame({"start": np.arange(n) * 2.0, "end": np.arange(n) * 2.0 + 2})
    table["label"] = [names[i] for i in shares.argmax(axis=1)]
    table[names] = shares
    display = SegmentsDisplay.from_predictions(None, table)
    assert display.bands_.get_array().shape == (50, 1800)
    np.testing.assert_allclose(display.bands_.get_array()[:, 0], shares[:5].mean(axis=0))
    assert display.ax_[-1].get_xlabel() == "Time (h:min:s)"


@pytest.mark.parametrize("name", ["start", "label"])
def test_a_class_can_have_the_name_of_a_column(name):
    table = pd.DataFrame({"start": [0], "end": [1], "label": [name], f"{name}_": [0.7], "x": [0.3]})
    display = SegmentsDisplay.from_predictions(None, table)
    assert texts(display.ax_[0].get_yticklabels()) == [name, "x"]
    assert list(display.bars_) == [("predicted", name)]


def test_threshold_and_background(classifier, recording):
    path, true = recording
    options = {"window": 0.2, "step": 0.1, "threshold": 0.9, "background": "white_noise"}
    display = SegmentsDisplay.from_estimator(classifier, path, true=true, **options)
    assert display.predicted.label.isna().any()
    shown = {label for _, label in display.bars_}
    assert shown == {"low_tone", "high_tone"}
    # The probabilities of the background are still shown.
    assert texts(display.ax_[1].get_yticklabels()) == list(classifier.classes_)
    windows = predict_segments(classifier, path, window=0.2, step=0.1, threshold=0.9)
    pd.testing.assert_frame_equal(display.predicted, windows)


def test_background_of_true_segments_only_gives_no_warning():
    predicted = segment_table((0, 1, "a"), (1, 2, "b"))
    true = segment_table((0, 1, "a"), (1, 2, "quiet"))
    display = SegmentsDisplay.from_predictions(true, predicted, background=["quiet", "b"])
    assert set(display.bars_) == {("true", "a"), ("predicted", "a")}
    with pytest.warns(UserWarning, match="background label"):
        SegmentsDisplay.from_predictions(true, predicted, background="quite")


def test_several_labels_at_a_time_have_rows_of_their_own():
    true = pd.DataFrame({"start": [0, 1], "end": [3, 4], "label": [*"ab"]})
    predicted = pd.DataFrame({"start": [0, 0, 2], "end": [2, 2, 4], "label": [*"abb"]})
    display = SegmentsDisplay.from_predictions(true, predicted, multilabel=True)
    assert bars(display.bars_["predicted", "a"]) == [(0, 2)]
    assert bars(display.bars_["predicted", "b"]) == [(0, 4)]
    heights = {key: found.get_paths()[0].vertices[:, 1] for key, found in display.bars_.items()}
    for lane in ("true", "predicted"):
        assert heights[lane, "a"].max() <= heights[lane, "b"].min() + 1e-9


def test_a_classifier_of_several_labels_needs_no_parameter(recording):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (20, 2))
    model = CNNAudioClassifier(channels=(4,), max_epochs=1, random_state=0)
    model.fit(rng.standard_normal((20, 16000)), y)
    display = SegmentsDisplay.from_estimator(model, recording[0], threshold=0.01)
    assert display.multilabel
    assert {label for _, label in display.bars_} == {"0", "1"}


@pytest.mark.parametrize("n_segments", [20, 200])
def test_short_events_of_a_long_recording_are_visible(n_segments):
    starts = 20.0 * np.arange(n_segments)
    ends = starts + np.where(np.arange(n_segments) % 2, 0.5, 10)
    table = pd.DataFrame({"start": starts, "end": ends, "label": "call"})
    found = SegmentsDisplay.from_predictions(None, table).bars_["predicted", "call"]
    widths, colors = (
        np.broadcast_to(values, (n_segments, *np.shape(values)[1:]))
        for values in (found.get_linewidths(), found.get_edgecolors())
    )
    # A short event has a border of its own color, so that it is as wide as a line at least.
    assert (widths[1::2] >= 0.8).all()
    assert (colors[1::2] == found.get_facecolors()).all()
    if n_segments == 20:
        assert (colors[::2] == 1).all()
