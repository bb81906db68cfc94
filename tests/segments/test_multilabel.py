"""Segments with several labels at a time: predictions, merging, reports, training clips."""

import warnings
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skdaf import (
    Clip,
    CNNAudioClassifier,
    PyAudioAnalysisTransformer,
    clips_from_segments,
    merge_segments,
    predict_segments,
    segment_report,
    tune_thresholds,
)
from skdaf._segments.multilabel import label_sets, one_row_per_label

RATE = 8000
TONES = {"low": 300.0, "mid": 1000.0, "high": 3000.0}
EVENTS = pd.DataFrame(
    [(1.0, 4.0, "low"), (2.0, 6.0, "high"), (5.0, 7.0, "low"), (5.5, 9.0, "mid")],
    columns=["start", "end", "label"],
)


def sound_of(events, duration):
    times = np.arange(int(duration * RATE)) / RATE
    samples = 0.02 * np.random.default_rng(0).standard_normal(len(times))
    for event in events.itertuples():
        inside = (times >= event.start) & (times < event.end)
        samples += inside * 0.3 * np.sin(2 * np.pi * TONES[event.label] * times)
    return samples


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return the path of a recording of 10 s with overlapping events."""
    path = tmp_path_factory.mktemp("overlapping") / "events.wav"
    sf.write(path, sound_of(EVENTS, 10), RATE)
    return path


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, (60, 3))
    clips = []
    for row in y:
        present = [name for name, flag in zip(TONES, row, strict=True) if flag]
        events = pd.DataFrame({"start": 0.0, "end": 0.5, "label": present})
        clips.append(sound_of(events, 0.5))
    waveforms = [(clip, RATE) for clip in clips]
    y = pd.DataFrame(y, columns=list(TONES))
    network = CNNAudioClassifier(channels=(8, 8), max_epochs=12, augment=None, random_state=0)
    return network.fit(waveforms, y)


class TestPredictSegments:
    def test_a_row_for_each_label_of_each_window(self, model, recording):
        table = predict_segments(model, recording, window=0.5)
        assert list(table) == ["start", "end", "label", *TONES]
        windows = [Clip(recording, k / 2, k / 2 + 0.5) for k in range(20)]
        for window, row in zip(windows, model.predict(windows), strict=True):
            rows = table[table.start == window.start]
            expected = [name for name, flag in zip(TONES, row, strict=True) if flag] or [None]
            assert rows.label.tolist() == expected
        assert table.label.isna().sum() == 4  # the first and the last second
        assert table.groupby("start")["low"].nunique().max() == 1

    def test_events_are_found(self, model, recording):
        table = predict_segments(model, recording, window=0.5)
        merged = merge_segments(table, multilabel=True)
        pd.testing.assert_frame_equal(merged[["start", "end", "label"]], EVENTS)

    def test_thresholds(self, model, recording):
        plain = predict_segments(model, recording, window=0.5)
        pd.testing.assert_frame_equal(
            predict_segments(model, recording, window=0.5, threshold=0.5), plain
        )
        table = predict_segments(model, recording, window=0.5, threshold={"low": 1e-9, "mid": 1.0})
        assert (table.label == "low").sum() == 20
        assert "mid" not in set(table.label)
        assert (table.label == "high").sum() == (plain.label == "high").sum()

    def test_any_number_of_batches(self, model, recording):
        pd.testing.assert_frame_equal(
            predict_segments(model, recording, window=0.5, batch_size=3),
            predict_segments(model, recording, window=0.5),
        )

    def test_one_versus_rest_in_a_pipeline(self, recording):
        clips, indicator = clips_from_segments(recording, EVENTS, window=0.5, multilabel=True)
        pipeline = make_pipeline(
            PyAudioAnalysisTransformer(), OneVsRestClassifier(LogisticRegression())
        )
        pipeline.fit(clips, indicator.to_numpy())
        table = predict_segments(pipeline, recording, window=0.5)
        assert set(table.label.dropna()) <= {0, 1, 2}
        assert table.groupby("start").size().max() > 1

    def test_classifiers_that_do_not_say_what_they_predict_are_refused(self, recording):
        clips, indicator = clips_from_segments(recording, EVENTS, window=0.5, multilabel=True)
        network = make_pipeline(PyAudioAnalysisTransformer(), MLPClassifier(max_iter=1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network.fit(clips, indicator.to_numpy())
        with pytest.raises(ValueError, match=r"attribute multilabel_.*several outputs"):
            predict_segments(network, recording, window=0.5)


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_those_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    present = rng.random((12, 4)) < 0.3
    labels = np.array(["a", "b", "c", "d"], dtype=object)
    windows = pd.DataFrame(
        {"start": np.arange(12.0), "end": np.arange(1.0, 13), "p": np.arange(12)}
    )
    expected = [
        (start, label)
        for start, row in enumerate(present)
        for label in (labels[row] if row.any() else [None])
    ]
    table = one_row_per_label(windows, present, labels)
    assert list(zip(table.start, table.label, strict=True)) == expected
    assert (table.start == table.p).all()


# --- merge_segments --------------------------------------------------------------------------


def random_windows(seed, step=1.0):
    rng = np.random.default_rng(seed)
    windows = pd.DataFrame({"start": step * np.arange(30)})
    windows["end"] = windows.start + 1.0
    present = rng.random((30, 3)) < 0.4
    return one_row_per_label(windows, present, np.array([*"abc"], dtype=object)), present


def at(table, label, instants):
    rows = table[table.label == label]
    inside = (rows.start.to_numpy()[:, None] <= instants) & (
        instants < rows.end.to_numpy()[:, None]
    )
    return inside.any(axis=0)


class TestMergeSegments:
    def test_probabilities_are_the_highest_of_the_windows_with_the_label(self):
        windows = pd.DataFrame(
            {
                "start": [0.0, 0.0, 0.5],
                "end": [1.0, 1.0, 1.5],
                "label": ["x", "y", "x"],
                "x": [0.9, 0.9, 0.7],
                "y": [0.8, 0.8, 0.2],
            }
        )
        merged = merge_segments(windows, multilabel=True).set_index("label")
        assert merged.y["y"] == 0.8
        assert merged.x["x"] == 0.9

    def test_a_confidence_belongs_to_the_segments_of_its_label(self):
        segments = pd.DataFrame(
            {"start": [0, 0, 1], "end": [2, 2, 3], "label": [*"xyx"], "confidence": [0.9, 0.2, 0.5]}
        )
        merged = merge_segments(segments, multilabel=True).set_index("label")
        assert merged.confidence.to_dict() == {"x": 0.9, "y": 0.2}

    @pytest.mark.parametrize("step", [1.0, 0.5, 0.3, 1.5])
    @pytest.mark.parametrize("seed", range(3))
    def test_each_label_keeps_its_time(self, seed, step):
        table, _ = random_windows(seed, step)
        merged = merge_segments(table, multilabel=True)
        instants = np.random.default_rng(0).uniform(0, 40, 500)
        for label in "abc":
            np.testing.assert_array_equal(at(merged, label, instants), at(table, label, instants))
            rows = merged[merged.label == label]
            assert (rows.start.to_numpy()[1:] > rows.end.to_numpy()[:-1] + 1e-6).all()
        assert merged.start.is_monotonic_increasing

    @pytest.mark.parametrize("options", [{}, {"smooth": 3.0}, {"min_duration": 2.0}])
    def test_each_label_is_merged_as_one_of_two_classes(self, options):
        table, present = random_windows(5)
        merged = merge_segments(table, multilabel=True, **options)
        times = {"start": np.arange(30.0), "end": np.arange(1.0, 31.0)}
        for number, label in enumerate("abc"):
            alone = pd.DataFrame(times | {"label": np.where(present[:, number], label, "off")})
            expected = merge_segments(alone, background="off", **options)
            found = merged[merged.label == label].reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)

    def test_numbers_are_the_highest(self):
        table = pd.DataFrame(
            {"start": [0, 0, 1], "end": [1, 1, 2], "label": ["a", "b", "a"], "a": [0.6, 0.6, 0.8]}
        )
        merged = merge_segments(table, multilabel=True)
        assert merged.a.tolist() == [0.6, 0.8]
        assert merged.label.tolist() == ["b", "a"]

    def test_background_and_tables_without_labels(self):
        table, _ = random_windows(0)
        merged = merge_segments(table, multilabel=True, background=["a", "b"])
        assert set(merged.label) == {"c"}
        empty = table[table.label.isna()]
        assert len(merge_segments(empty, multilabel=True)) == 0
        assert len(merge_segments(table.iloc[:0], multilabel=True)) == 0


# --- segment_report --------------------------------------------------------------------------


def frames_of(table, n_frames, resolution):
    """Return the set of labels of each frame."""
    sets = defaultdict(set)
    for row in table.itertuples():
        for frame in range(n_frames):
            if row.start <= (frame + 0.5) * resolution < row.end:
                sets[frame].add(row.label)
    return [sets[frame] for frame in range(n_frames)]


def random_events(seed):
    rng = np.random.default_rng(seed)
    starts = np.round(rng.uniform(0, 25, 14), 1)
    ends = np.round(starts + rng.uniform(0.3, 4, 14), 1)
    return pd.DataFrame({"start": starts, "end": ends, "label": rng.choice([*"abc"], 14)})


class TestSegmentReport:
    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("background", [None, "quiet"])
    def test_scores_are_those_of_frames(self, seed, background):
        true, predicted = random_events(seed), random_events(seed + 100)
        report = segment_report(
            true, predicted, multilabel=True, background=background, duration=30.0
        )
        pairs = list(zip(*(frames_of(table, 300, 0.1) for table in (true, predicted)), strict=True))
        if background is None:
            pairs = [pair for pair in pairs if pair[0]]
        assert report.accuracy == pytest.approx(np.mean([a == b for a, b in pairs]))
        for label in "abc":
            hits = sum(label in a and label in b for a, b in pairs)
            n_true, n_found = (sum(label in pair[k] for pair in pairs) for k in (0, 1))
            scores = report.per_class.loc[label]
            assert scores.support == n_true
            assert scores.recall == pytest.approx(hits / max(n_true, 1))
            assert scores.precision == pytest.approx(hits / max(n_found, 1))
        assert report.confusion_matrix.to_numpy().sum() == len(pairs)

    def test_events_may_overlap(self):
        report = segment_report(EVENTS, EVENTS, multilabel=True)
        assert report.accuracy == report.event_f1 == report.boundary_f1 == report.macro_f1 == 1.0
        assert report.events.n_true.to_dict() == {"high": 1, "low": 2, "mid": 1}
        assert "high + low" in report.confusion_matrix.index
        assert "high + low" in repr(report)

    def test_predictions_with_probabilities_are_not_resolved(self, model, recording):
        table = predict_segments(model, recording, window=0.5)
        report = segment_report(EVENTS, table, multilabel=True, background="quiet", duration=10.0)
        assert report.accuracy == report.event_f1 == 1.0
        # With one label at a time, half of what overlaps is lost.
        assert segment_report(EVENTS, table).event_f1 < 1.0

    def test_large_confusion_matrices_are_not_printed(self):
        starts = np.arange(64.0)
        rows = [(t, t + 1, f"c{k}") for t in starts for k in range(6) if int(t) >> k & 1]
        table = pd.DataFrame(rows, columns=["start", "end", "label"])
        assert "see confusion_matrix (63 x 63)" in repr(
            segment_report(table, table, multilabel=True)
        )

    def test_without_any_prediction(self):
        report = segment_report(EVENTS, EVENTS.iloc[:0], multilabel=True)
        assert report.accuracy == 0.0
        assert report.per_class.recall.tolist() == [0.0, 0.0, 0.0]


def test_sets_of_labels():
    pieces, sets = label_sets(EVENTS.sort_values(["start", "end"]))
    assert pieces.label.tolist() == [
        *("low", "high + low", "high", "high + low", "high + low + mid", "low + mid", "mid")
    ]
    assert sets["high + low"] == ["high", "low"]


# --- training and thresholds -----------------------------------------------------------------


class TestClipsFromSegments:
    def test_windows_of_the_whole_recording(self, recording):
        clips, indicator = clips_from_segments(recording, EVENTS, window=1.0, multilabel=True)
        assert [(clip.start, clip.end) for clip in clips] == [(k, k + 1) for k in range(10)]
        assert list(indicator) == ["high", "low", "mid"]
        assert indicator.low.tolist() == [0, 1, 1, 1, 0, 1, 1, 0, 0, 0]
        assert indicator.high.tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
        assert indicator.mid.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]

    def test_they_train_a_network(self, recording):
        clips, indicator = clips_from_segments(recording, EVENTS, window=0.5, multilabel=True)
        network = CNNAudioClassifier(channels=(4,), max_epochs=1, random_state=0)
        assert network.fit(clips, indicator).label_names_.tolist() == ["high", "low", "mid"]

    def test_a_recording_without_events_keeps_its_windows(self, recording):
        clips, indicator = clips_from_segments(
            recording, EVENTS.iloc[:0], window=0.5, multilabel=True
        )
        assert indicator.shape == (len(clips), 0) == (20, 0)
        _, other = clips_from_segments(recording, EVENTS, window=0.5, multilabel=True)
        joined = pd.concat([indicator, other]).fillna(0).astype(int)
        assert len(joined) == 40
        assert not joined.iloc[:20].to_numpy().any()

    def test_integers_as_labels_are_the_classes(self, recording):
        events = EVENTS.assign(label=EVENTS.label.map({"low": 11, "mid": 12, "high": 13}))
        clips, indicator = clips_from_segments(recording, events, window=0.5, multilabel=True)
        model = CNNAudioClassifier(channels=(4,), max_epochs=1).fit(clips, indicator)
        windows = predict_segments(model, recording, window=0.5, threshold=1e-9)
        assert windows.label.unique().tolist() == [11, 12, 13]

    def test_a_window_is_required(self, recording):
        with pytest.raises(ValueError, match="multilabel=True needs a window"):
            clips_from_segments(recording, EVENTS, multilabel=True)


def test_thresholds_are_tuned_on_windows_with_several_labels(model, recording):
    table = predict_segments(model, recording, window=0.5)
    thresholds = tune_thresholds(EVENTS, table)
    assert set(thresholds) == set(TONES)
    once = table.drop_duplicates("start")
    assert tune_thresholds(EVENTS, once) == thresholds
    tuned = predict_segments(model, recording, window=0.5, threshold=thresholds)
    merged = merge_segments(tuned, multilabel=True)
    pd.testing.assert_frame_equal(merged[["start", "end", "label"]], EVENTS)
