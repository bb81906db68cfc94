"""clips_from_segments, and the whole process from annotations to a report."""

import io
import re
import runpy

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import ROOT, small_pipeline
from sklearn.linear_model import LogisticRegression

from skdaf import (
    AudioReadError,
    Clip,
    clips_from_segments,
    load_audio,
    merge_segments,
    predict_segments,
    read_segments,
    segment_report,
)

pytestmark = pytest.mark.oldest


class TestClipsFromSegments:
    SEGMENTS = pd.DataFrame({"start": [2.0, 0.0], "end": [2.5, 1.1], "label": ["b", "a"]})

    def test_clips_are_sorted_by_time(self):
        clips, labels = clips_from_segments("gone.wav", self.SEGMENTS)
        assert clips == [Clip("gone.wav", 0.0, 1.1), Clip("gone.wav", 2.0, 2.5)]
        assert labels.tolist() == ["a", "b"]
        assert labels.dtype.kind == "U"

    @pytest.mark.parametrize("labels", [[1, 0], [True, False]])
    def test_labels_keep_their_type(self, labels):
        _, found = clips_from_segments("a.wav", self.SEGMENTS.assign(label=labels))
        assert found.dtype == np.array(labels).dtype
        assert found.tolist() == labels[::-1]

    def test_segments_are_split_into_windows(self, tmp_path):
        path = tmp_path / "a.wav"
        sf.write(path, np.zeros(24_000), 8000)
        clips, labels = clips_from_segments(path, self.SEGMENTS, window=0.5)
        times = [(clip.start, clip.end) for clip in clips]
        assert times == [(0, 0.5), (0.5, 1), (1, 1.1), (2, 2.5)]
        assert labels.tolist() == ["a", "a", "a", "b"]

    def test_windows_match_predict_segments(self, linear, recording):
        path, _ = recording
        segments = predict_segments(linear, path, window=0.3, step=0.1)
        whole = pd.DataFrame({"start": [0], "end": [segments.end.max()], "label": "x"})
        clips, _ = clips_from_segments(path, whole, window=0.3, step=0.1)
        assert [clip.start for clip in clips] == segments.start.tolist()
        assert [clip.end for clip in clips] == segments.end.tolist()

    def test_an_empty_table_gives_no_clips(self):
        clips, labels = clips_from_segments("gone.wav", self.SEGMENTS[:0], window=1)
        assert clips == []
        assert len(labels) == 0

    def test_a_step_needs_a_window(self):
        with pytest.raises(ValueError, match="step=1"):
            clips_from_segments("a.wav", self.SEGMENTS, step=1)

    def test_segments_without_duration_are_refused(self):
        segments = self.SEGMENTS.assign(end=self.SEGMENTS.start)
        with pytest.raises(ValueError, match=r"segments, row 0.*duration"):
            clips_from_segments("a.wav", segments)

    @pytest.mark.parametrize("path", [["a.wav"], None, Clip("a.wav")])
    def test_path_must_be_one_recording(self, path):
        with pytest.raises(TypeError, match="path"):
            clips_from_segments(path, self.SEGMENTS)

    def test_a_recording_that_is_shorter_than_its_annotations_is_named(self, tmp_path):
        path = tmp_path / "short.wav"
        sf.write(path, np.zeros(8000), 8000)
        with pytest.raises(AudioReadError, match=r"short\.wav.* 2 s"):
            clips_from_segments(path, self.SEGMENTS, window=0.5)

    def test_a_sound_in_memory_gives_the_clips_of_a_file(self, sounds):
        path = sounds.filenames[0]
        segments = pd.DataFrame({"start": [0, 0.1], "end": [0.1, 0.15], "label": ["a", "b"]})
        with open(path, "rb") as file:
            for sound in (load_audio(path), io.BytesIO(file.read())):
                for window in (None, 0.04):
                    clips, labels = clips_from_segments(sound, segments, window=window)
                    expected, same = clips_from_segments(path, segments, window=window)
                    np.testing.assert_array_equal(labels, same)
                    assert len({id(clip.path) for clip in clips}) == 1
                    for clip, wanted in zip(clips, expected, strict=True):
                        np.testing.assert_array_equal(load_audio(clip)[0], load_audio(wanted)[0])


class TestBackground:
    """The time in which nothing is annotated gets a label."""

    SOUND = np.zeros(80_000), 8000
    EVENTS = pd.DataFrame({"start": [6.0, 2.2, 2.5], "end": [7.0, 4.0, 3.0], "label": [*"bab"]})

    def spans(self, segments, sound=SOUND, **options):
        clips, labels = clips_from_segments(sound, segments, background="none", **options)
        assert len({id(clip.path) for clip in clips}) <= 1
        return [
            (clip.start, clip.end, label)
            for clip, label in zip(clips, labels.tolist(), strict=True)
        ]

    def test_windows_of_the_whole_recording_have_a_label(self):
        assert self.spans(self.EVENTS, window=1) == [
            *[(0, 1, "none"), (1, 2, "none"), (2, 3, "a"), (3, 4, "a"), (4, 5, "none")],
            *[(5, 6, "none"), (6, 7, "b"), (7, 8, "none"), (8, 9, "none"), (9, 10, "none")],
        ]
        # "b" from 2.5 to 3 is shorter than a window that it covers a half of.
        assert self.spans(self.EVENTS, window=0.5)[5] == (2.5, 3.0, "a")

    @pytest.mark.filterwarnings("ignore:No clip has the labels")
    @pytest.mark.parametrize("seed", range(10))
    def test_labels_are_among_those_of_a_multilabel_indicator(self, seed):
        rng = np.random.default_rng(seed)
        starts = rng.uniform(0, 9, 6)
        events = pd.DataFrame({"start": starts, "end": starts + rng.uniform(0.1, 1, 6)})
        events["label"] = rng.choice(["a", "b", "c"], 6)
        options = {"window": 0.3, "step": 0.1}
        found = self.spans(events, **options)
        clips, indicator = clips_from_segments(self.SOUND, events, multilabel=True, **options)
        is_long = [clip.end - clip.start >= 0.15 for clip in clips]
        assert [one[:2] for one in found] == [
            (clip.start, clip.end) for clip, keep in zip(clips, is_long, strict=True) if keep
        ]
        for (_, _, label), (_, row) in zip(found, indicator[is_long].iterrows(), strict=True):
            assert row[label] == 1 if label != "none" else not row.any()

    def test_of_several_events_the_longest_part_counts(self):
        events = pd.DataFrame({"start": [0, 0.4], "end": [0.4, 1], "label": [*"ab"]})
        with pytest.warns(UserWarning, match=r"No clip has the labels \['a'\]") as caught:
            assert self.spans(events, window=1)[0] == (0, 1, "b")
        assert caught[0].filename == __file__

    def test_of_events_that_cover_as_much_the_first_counts(self):
        """Also if one of them was annotated twice, or in parts."""
        thirds = pd.DataFrame({"start": [0, 0.3, 0.4, 0.6, 0.6], "end": [0.3, 0.6, 1, 1, 0.9]})
        events = thirds.assign(label=[*"aabbb"]) + {"start": 4, "end": 4, "label": ""}
        with pytest.warns(UserWarning, match=r"No clip has the labels \['b'\]"):
            assert self.spans(events, window=1)[4] == (4, 5, "a")

    def test_events_that_two_people_annotated_count_once(self):
        events = pd.DataFrame({"start": [1.4, 1.4, 1.5], "end": [5.0, 5.0, 4.9], "label": "a"})
        assert [label for *_, label in self.spans(events, window=2)] == [
            "none",
            *"aa",
            *["none"] * 2,
        ]
        _, indicator = clips_from_segments(self.SOUND, events, window=2, multilabel=True)
        assert indicator.a.tolist() == [0, 1, 1, 0, 0]

    @pytest.mark.parametrize(("window", "last"), [(4, (8, 10)), (7, (0, 7)), (11, (0, 10))])
    def test_a_short_rest_is_left_out(self, window, last):
        assert self.spans(self.EVENTS[:0], window=window)[-1] == (*last, "none")

    def test_an_event_may_end_after_the_recording(self):
        events = pd.DataFrame({"start": [2.0], "end": [11.0], "label": "a"})
        assert [label for *_, label in self.spans(events, window=1)] == ["none"] * 2 + ["a"] * 8

    def test_an_event_after_the_recording_is_an_error(self):
        events = pd.DataFrame({"start": [12.0], "end": [13.0], "label": "a"})
        with pytest.raises(AudioReadError, match="12 s"):
            self.spans(events, window=1)

    def test_a_recording_full_of_events_has_none(self):
        event = pd.DataFrame({"start": [0.5], "end": [9.9], "label": "a"})
        with pytest.warns(UserWarning, match=r"background='none': .*window=1 s contains") as caught:
            self.spans(event, window=1)
        assert caught[0].filename == __file__

    def test_labels_can_be_numbers(self):
        events = self.EVENTS.assign(label=[1, 2, 2])
        _, labels = clips_from_segments(self.SOUND, events, window=1, background=0)
        assert labels.dtype.kind == "i"
        assert sorted({*labels.tolist()}) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("labels", "background"),
        [([0.0, 1.0, 1.0], 0), ([1, 2, 2], 1.0), ([1, 2, 2], np.float32(2)), ([1, 2, 2], True)],
    )
    def test_equal_numbers_are_one_label(self, labels, background):
        with pytest.raises(ValueError, match="is the label of a segment"):
            clips_from_segments(
                self.SOUND, self.EVENTS.assign(label=labels), window=1, background=background
            )

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"background": "b", "window": 1}, ValueError, "'b' is the label of a segment"),
            ({"background": "", "window": 1}, ValueError, "a label that is not empty, got ''"),
            ({"background": " ", "window": 1}, ValueError, "a label that is not empty, got ' '"),
            ({"background": 0, "window": 1}, TypeError, "same type"),
            ({"background": ["x"], "window": 1}, TypeError, "must be a label"),
            (
                {"background": np.nan, "window": 1},
                ValueError,
                "a label that is not missing, got nan",
            ),
            ({"background": "x"}, ValueError, "'x' needs a window"),
            ({"background": "x", "window": 1, "multilabel": True}, ValueError, "rows of zeros"),
        ],
    )
    def test_others_are_refused(self, options, error, message):
        with pytest.raises(error, match=message):
            clips_from_segments(self.SOUND, self.EVENTS, **options)


@pytest.mark.parametrize("options", [{}, {"background": "none"}, {"multilabel": True}])
@pytest.mark.parametrize(
    ("times", "problem"),
    [((19.9, 30), "starts after"), ((9.9, 30), "ends long after")],
)
def test_segments_after_the_end_of_the_recording_are_named(times, problem, options):
    segments = pd.DataFrame([(0, 1, "cat"), (*times, "dog")], columns=["start", "end", "label"])
    message = f"the segment from {times[0]} s to 30 s, label 'dog', {problem} .* ends at 10 s"
    with pytest.raises(AudioReadError, match=message) as caught:
        clips_from_segments((np.zeros(80_000), 8000), segments, window=4, **options)
    assert len(caught.value.paths) == 1


def test_segments_with_an_empty_label_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("0\t1\tdog\n1\t2\t\n")
    segments = read_segments(tmp_path / "labels.txt")
    assert segments.label.tolist() == ["dog", ""]
    for use in (
        lambda table: clips_from_segments("a.wav", table),
        lambda table: merge_segments(table),
        lambda table: segment_report(table, segments[:1]),
    ):
        with pytest.raises(ValueError, match=r"row 1.*label"):
            use(segments)
    clips, labels = clips_from_segments("a.wav", segments[segments.label != ""])
    assert (clips, labels.tolist()) == ([Clip("a.wav", 0, 1)], ["dog"])


def test_from_annotations_to_a_report(recording):
    """A model trained on the annotated segments finds them again."""
    path, true = recording
    model = small_pipeline(LogisticRegression(max_iter=1000))
    model.fit(*clips_from_segments(path, true, window=0.1))
    found = predict_segments(model, path, window=0.1, step=0.02)
    found = merge_segments(found, smooth=0.1, min_duration=0.1)
    report = segment_report(true, found, resolution=0.01, tolerance=0.1)
    assert report.accuracy > 0.9
    assert report.boundary_f1 > 0.8


@pytest.mark.slow
def test_the_code_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    guide = (ROOT / "docs" / "long_recordings.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL))
    classifier = "CNNAudioClassifier(random_state=0"
    assert classifier in code
    code = code.replace(classifier, f"{classifier}, max_epochs=20")  # enough for a good report
    (tmp_path / "guide.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("guide.py")
    assert "Accuracy 0.9" in capsys.readouterr().out
