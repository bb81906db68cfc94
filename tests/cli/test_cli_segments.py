"""The command segments for several recordings; --tune-thresholds and --figure."""

import io
import json
import shlex
import shutil
import sys
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import invoke, misuse, read_csv

import skdaf
from skdaf import predict_segments, read_segments, segment_report, tune_thresholds
from skdaf._segments.matching import table_files
from skdaf.cli._agreement import _shortest
from skdaf.cli._annotated_time import within_stream
from skdaf.cli._results import Results

pytestmark = pytest.mark.usefixtures("inside_workspace")

WINDOW = ["--window", "0.2"]


@pytest.fixture
def site(tmp_path):
    """A folder with two recordings and their tables."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name in "ab":
        shutil.copy("long.wav", folder / f"{name}.wav")
        shutil.copy("truth.csv", folder / f"{name}.csv")
    return folder


def segments(*arguments):
    return invoke("segments", "model.skops", *arguments, *WINDOW)


def fails(*arguments):
    return misuse("segments", "model.skops", *arguments, *WINDOW)


def silence(path, seconds):
    """Write a recording of zeros, and return its path."""
    sf.write(path, np.zeros(int(seconds * 16000)), 16000)
    return path


class TestSeveralRecordings:
    @pytest.mark.parametrize("as_folder", [True, False])
    def test_a_column_names_the_recording(self, site, as_folder):
        one = read_csv("segments", "model.skops", "long.wav", *WINDOW, "--format", "csv")
        files = [str(site / "a.wav"), str(site / "b.wav")]
        paths = [site] if as_folder else files
        found = read_csv("segments", "model.skops", *paths, *WINDOW, "--format", "csv", "--proba")
        assert list(found.columns[:4]) == ["file", "start", "end", "label"]
        assert found.file.unique().tolist() == files
        for file in files:
            own = found[found.file == file].reset_index(drop=True)
            pd.testing.assert_frame_equal(own[["start", "end", "label"]], one)
        assert len(found.columns) == 7

    def test_recordings_without_a_table_can_be_skipped(self, site):
        truth = [site, "--truth", site]
        (site / "b.csv").unlink()
        assert "No table found" in fails(*truth)
        found = segments(*truth, "--skip-unannotated")
        assert (
            found.stderr.splitlines()[0] == f"Skipped 1 without a table: {str(site / 'b.wav')!r}."
        )
        expected = segments(site / "a.wav", "--truth", site / "a.csv", "--skip-unannotated")
        assert found.stdout == expected.stdout
        (site / "a.csv").unlink()
        assert "No table found" in fails(*truth, "--skip-unannotated")
        assert "--skip-unannotated needs --truth" in fails(site, "--skip-unannotated")

    def test_a_folder_of_one_recording_has_the_column_too(self, site):
        (site / "b.wav").unlink()
        assert json.loads(segments(site, "--format", "json").stdout)[0]["file"].endswith("a.wav")

    def test_a_class_called_file(self, capsys):
        results = Results(["a.wav"], True, "csv", None, [], "audacity")
        table = pd.DataFrame({"start": [0.0], "end": [1.0], "label": ["file"], "file": [0.5]})
        results.add("a.wav", table)
        results.finish()
        assert capsys.readouterr().out == "file,start,end,label,file_\na.wav,0.0,1.0,file,0.5\n"

    def test_a_table_of_all(self, site, tmp_path):
        result = segments(site, "-o", tmp_path / "all.csv")
        assert pd.read_csv(tmp_path / "all.csv").file.nunique() == 2
        assert result.stdout == ""
        assert result.stderr.startswith("Wrote ")

    def test_recordings_without_segments(self, site):
        found = read_csv(
            *("segments", "model.skops", site, "--threshold", "1", *WINDOW, "--format", "csv")
        )
        assert list(found.columns) == ["file", "start", "end", "label"]
        assert len(found) == 0

    @pytest.mark.parametrize(
        ("format_", "ending"),
        [
            (None, ".skdaf.txt"),
            ("audacity", ".skdaf.txt"),
            ("raven", ".skdaf.selections.txt"),
            ("csv", ".skdaf.csv"),
        ],
    )
    def test_a_file_for_each(self, site, tmp_path, format_, ending):
        options = [] if format_ is None else ["--format", format_]
        out = tmp_path / "new"
        result = segments(site, "-o", f"{out}/", *options)
        assert sorted(path.name for path in out.iterdir()) == [f"a{ending}", f"b{ending}"]
        assert result.stderr.count("Wrote ") == 2
        segments("long.wav", "-o", tmp_path / "one.txt")
        expected = read_segments(tmp_path / "one.txt")
        for path in out.iterdir():
            found = read_segments(path)
            assert found.label.tolist() == expected.label.tolist()

    def test_a_folder_also_takes_the_file_of_one_recording(self, tmp_path):
        segments("long.wav", "-o", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["long.skdaf.txt"]

    def test_annotations_beside_the_recordings_are_not_replaced(self, site):
        before = (site / "a.csv").read_text()
        segments(site, "-o", site, "--format", "csv")
        assert (site / "a.csv").read_text() == before

    def test_corrected_results_that_the_command_reads_are_not_replaced(self, site):
        (site / "a.csv").rename(site / "a.skdaf.txt")
        sentence = fails(site / "a.wav", "--truth", site / "a.skdaf.txt", "-o", site)
        assert "a.skdaf.txt" in sentence
        assert "an input of this command" in sentence

    def test_one_report_of_all(self, site):
        result = segments(site, "--truth", site, "--format", "json")
        facts = json.loads(result.stdout)
        one = json.loads(segments("long.wav", "--truth", "truth.csv", "--format", "json").stdout)
        assert facts["duration"] == 2 * one["duration"]
        assert facts["accuracy"] == one["accuracy"]
        n_events = {label: row["n_true"] for label, row in facts["events"].items()}
        assert n_events == {label: 2 * row["n_true"] for label, row in one["events"].items()}
        assert segments(site, "--truth", site).stdout.startswith("Accuracy ")

    def test_a_report_and_files(self, site, tmp_path):
        result = segments(site, "--truth", site, "-o", tmp_path / "all.csv")
        assert result.stdout.startswith("Accuracy ")
        assert "file" in pd.read_csv(tmp_path / "all.csv")

    def test_windows_are_not_kept(self, site, tmp_path, monkeypatch):
        for i in range(4):
            shutil.copy(site / "a.wav", site / f"{i}.wav")
        tables, most = [], []

        def spy(*arguments, **options):
            most.append(sum(table() is not None for table in tables))
            table = predict_segments(*arguments, **options)
            tables.append(weakref.ref(table))
            return table

        monkeypatch.setattr(skdaf, "predict_segments", spy)
        segments(site, "-o", f"{tmp_path}/out/")
        assert len(most) == 6
        assert max(most) <= 1

    def test_misused(self, site, tmp_path):
        assert "pass a folder" in fails(site, "-o", tmp_path / "x.txt")
        assert "pass a folder" in fails(site, "-o", tmp_path / "x.csv", "--format", "raven")
        report = ["--truth", site, "--format", "json"]
        assert "pass a folder" in fails(site, "-o", tmp_path / "x.txt", *report)
        (site / "deep").mkdir()
        shutil.copy("long.wav", site / "deep" / "a.wav")
        sentence = fails(site, "-o", f"{tmp_path / 'new'}/")
        assert "would both be written" in sentence
        assert not (tmp_path / "new").exists()
        assert "fits 2 recordings" not in fails(site, "--truth", "truth.csv")
        assert "only recording" in fails("-", "long.wav")
        assert "does not exist" in fails("long.wav", "-o", f"{tmp_path / 'no' / 'new'}/")
        (site / "a.csv").unlink()
        shutil.rmtree(site / "deep")
        assert "No table found in --truth" in fails(site, "--truth", site)


class TestAnnotationsAfterTheEnd:
    END = 1.5  # seconds

    @pytest.fixture
    def truth(self, tmp_path):
        silence(tmp_path / "a.wav", self.END)
        return tmp_path / "a.txt"

    @pytest.mark.parametrize("what", [[], ["--tune-thresholds"], ["--background", "low_tone"]])
    def test_those_of_another_recording(self, truth, what, monkeypatch):
        monkeypatch.setattr(skdaf, "predict_segments", None)  # an error comes before the work
        truth.write_text("0,1,low_tone\n200,210,high_tone\n")
        message = fails(truth.parent / "a.wav", "--truth", truth, *what)
        assert "a.txt' has a segment that starts at 200 s" in message
        assert "a.wav' ends at 1.5 s" in message

    @pytest.mark.filterwarnings("default::UserWarning")
    def test_the_rest_of_a_longer_one_is_left_out(self, truth):
        truth.write_text(f"0,{self.END + 0.05},low_tone\n")
        scored = [truth.parent / "a.wav", "--truth", truth, "--format", "json"]
        result = segments(*scored)
        assert "after the end" not in result.stderr
        facts = json.loads(result.stdout)
        assert facts["scored_seconds"] == facts["duration"] == self.END
        truth.write_text("0,9,low_tone\n")
        result = segments(*scored)
        assert "a.txt': 1 segment ends after 1.5 s, when '" in result.stderr
        assert json.loads(result.stdout) == facts

    def test_standard_input_may_end_at_any_time(self):
        table = pd.DataFrame({"start": [0, 2, 7], "end": [1, 4, 9], "label": "a"})
        with pytest.warns(UserWarning, match=r"2 segments end after 3 s, when standard input"):
            found = within_stream(table, "a.txt", 3)
        assert found[["start", "end"]].to_numpy().tolist() == [[0, 1], [2, 3]]


class TestTuneThresholds:
    OPTIONS = ["--truth", "truth.csv", "--tune-thresholds"]

    def test_thresholds_are_options(self):
        lines = segments("long.wav", *self.OPTIONS, "--background", "high_tone").stdout
        words = shlex.split(lines)
        windows = predict_segments("model.skops", "long.wav", window=0.2)
        expected = tune_thresholds("truth.csv", windows, background="high_tone")
        assert words[::2] == ["--threshold"] * len(expected)
        found = dict(word.rsplit("=", 1) for word in words[1::2])
        assert found.keys() == expected.keys()
        for label, text in found.items():
            assert len(text) < 8
            reached = windows[label] >= float(text)
            assert (reached == (windows[label] >= expected[label])).all()
        # The same windows are detected.
        table = read_csv("segments", "model.skops", "long.wav", *WINDOW, *words, "--format", "csv")
        detected = predict_segments("model.skops", "long.wav", window=0.2, threshold=expected)
        merged = skdaf.merge_segments(detected)
        assert table.label.tolist() == merged.label.tolist()

    def test_classes_that_the_model_does_not_have_get_no_threshold(self, tmp_path, monkeypatch):
        expected = segments("long.wav", *self.OPTIONS, "--background", "high_tone")
        truth = tmp_path / "long.csv"
        truth.write_text(Path("truth.csv").read_text() + "0.1,0.3,bird\n")
        options = ["--truth", truth, "--tune-thresholds", "--background", "high_tone"]
        found = segments("long.wav", *options)
        assert found.stdout == expected.stdout
        note = "Not classes of the model, so they get no threshold: ['bird'].\n"
        assert found.stderr == note + expected.stderr
        monkeypatch.setattr(skdaf, "predict_segments", None)  # an error comes before the work
        for text in ("", "0.1,0.3,bird\n", "0.1,0.3,high_tone\n"):
            truth.write_text(text)
            result = invoke("segments", "model.skops", "long.wav", *WINDOW, *options, status=2)
            assert result.stderr.endswith(
                "Error: --tune-thresholds needs annotated events, but --truth has none of the "
                "classes ['low_tone', 'white_noise'].\n"
            )

    def test_few_false_alarms_in_several_recordings(self, site):
        options = ["--background", "high_tone", "--max-false-alarms-per-hour", "0"]
        result = segments(
            *(site, "--truth", site, "--tune-thresholds", *options, "--format", "json")
        )
        found = json.loads(result.stdout)
        windows = predict_segments("model.skops", "long.wav", window=0.2)
        expected, counts = tune_thresholds(
            *(["truth.csv"] * 2, [windows] * 2),
            background="high_tone",
            max_false_alarms_per_hour=0,
            return_counts=True,
        )
        assert found == pytest.approx(expected, abs=0.02)
        detected = predict_segments("model.skops", "long.wav", window=0.2, threshold=found)
        found = skdaf.merge_segments(detected, background="high_tone")
        report = segment_report("truth.csv", found, background="high_tone")
        assert report.false_alarms_per_hour == 0
        total = counts.drop(columns="threshold").loc["(all)"].astype(int)
        found, false = (
            f"{total.n_found} of {total.n_true}",
            f"{total.n_false_alarms_before} ({counts.false_alarms_per_hour_before['(all)']:.3g}/h)",
        )
        words = result.stderr.splitlines()[-1].split("  ")
        assert words[0] == "(all)"
        assert [found, "0 (0/h)"] == [word.strip() for word in words if word][-2:]
        assert false in result.stderr

    def test_what_thresholds_change(self, tmp_path, monkeypatch):
        monkeypatch.setattr("skdaf.cli._segmenting._classes_of", lambda _: {"a", "b"})
        windows = pd.DataFrame({"start": [0.0, 2, 4], "label": "a", "a": [0.9, 0.7, 0.2]})
        windows["end"] = windows.start + 1
        windows.loc[2, "label"] = "b"
        windows["b"] = 1 - windows.a
        monkeypatch.setattr(skdaf, "predict_segments", lambda *_, **__: windows)
        annotated = [silence(tmp_path / "a.wav", 5), "--truth", tmp_path / "a.csv"]
        (tmp_path / "a.csv").write_text("0,1,a\n4,5,b\n")
        limit = ["--max-false-alarms-per-hour", "0"]
        result = segments(*annotated, "--tune-thresholds", *limit)
        assert result.stdout == "--threshold a=0.90\n"
        lines = [" ".join(line.split()) for line in result.stderr.splitlines()]
        assert lines == [
            "threshold found before false alarms before found after false alarms after",
            "a 0.90 1 of 1 1 (720/h) 1 of 1 0 (0/h)",
            "b - 1 of 1 0 (0/h) 1 of 1 0 (0/h)",
            "(all) - 2 of 2 1 (720/h) 2 of 2 0 (0/h)",
        ]
        limit = ["--max-false-alarms-per-hour", "720"]
        result = segments(*annotated, "--tune-thresholds", *limit)
        assert result.stdout == ""
        assert result.stderr.endswith("No thresholds are needed.\n")

    def test_thresholds_fit_the_merged_segments(self):
        merging = ["--min-duration", "0.3", "--smooth", "0.6", "--drop-shorter-than", "0.3"]
        options = [*self.OPTIONS, *merging, "--background", "high_tone"]
        result = segments("long.wav", *options, "--format", "json")
        windows = predict_segments("model.skops", "long.wav", window=0.2)
        options = {"min_duration": 0.3, "smooth": 0.6, "drop_shorter_than": 0.3}
        expected = tune_thresholds("truth.csv", windows, background="high_tone", **options)
        assert json.loads(result.stdout) == pytest.approx(expected, abs=0.02)
        table = read_csv(
            "segments", "model.skops", "long.wav", *WINDOW, *merging, "--format", "csv"
        )
        assert table.label.tolist() == skdaf.merge_segments(windows, **options).label.tolist()

    def test_labels_are_quoted(self, monkeypatch):
        label = "house sparrow"
        monkeypatch.setattr("skdaf.cli._segmenting._classes_of", lambda _: {label})
        windows = pd.DataFrame({"start": [0.0], "end": [1.0], "label": label, label: 0.5})
        monkeypatch.setattr(skdaf, "predict_segments", lambda *_, **__: windows)
        Path("sparrow.csv").write_text("0,1,house sparrow")
        out = segments("long.wav", "--truth", "sparrow.csv", "--tune-thresholds").stdout
        assert out == "--threshold 'house sparrow=0.50'\n"

    @pytest.mark.parametrize(
        ("threshold", "others", "expected"),
        [
            (0.7654321, [0.1, 0.9], "0.76"),
            (0.7654321, [0.763], "0.765"),
            (0.7654321, [0.7654], "0.76543"),
            (0.001234, [], "0.001"),
            (1.0, [0.5], "1.00"),
            (0.1 + 0.2, [0.3], "0.30000000000000004"),
        ],
    )
    def test_few_digits_that_the_same_windows_reach(self, threshold, others, expected):
        windows = [pd.DataFrame({"a": [threshold]}), pd.DataFrame({"a": others}, dtype=float)]
        assert _shortest(threshold, "a", windows) == expected

    def test_misused(self):
        assert "--tune-thresholds needs --truth" in fails("long.wav", "--tune-thresholds")
        limit = ["--max-false-alarms-per-hour", "1"]
        assert "needs --tune-thresholds" in fails("long.wav", *limit)
        for option in ("--threshold 0.5", "--proba", "--collar 1", "-o x.txt"):
            sentence = fails("long.wav", *self.OPTIONS, *option.split())
            assert "--tune-thresholds prints no segments: omit --" in sentence
        assert "is not in the range" in fails(
            "long.wav", *self.OPTIONS, "--max-false-alarms-per-hour", "-1"
        )


class TestFigure:
    @pytest.mark.parametrize(
        ("name", "first"), [("f.png", b"\x89PNG"), ("f.SVG", b"<?xml"), ("f.pdf", b"%PDF")]
    )
    def test_the_timeline_is_drawn(self, tmp_path, name, first):
        pytest.importorskip("matplotlib")
        result = segments("long.wav", "--figure", tmp_path / name, "--format", "csv")
        assert (tmp_path / name).read_bytes().startswith(first)
        assert list(pd.read_csv(io.StringIO(result.stdout)).columns) == ["start", "end", "label"]
        assert result.stderr == f"Wrote {tmp_path / name}\n"

    def test_what_is_drawn(self, tmp_path, monkeypatch):
        pytest.importorskip("matplotlib")
        drawn, draw = [], skdaf.SegmentsDisplay.from_predictions

        def spy(*arguments, **options):
            drawn.append((*arguments, options))
            return draw(*arguments, **options)

        monkeypatch.setattr(skdaf.SegmentsDisplay, "from_predictions", spy)
        options = ["--truth", "truth.csv", "--smooth", "0.6", "--background", "high_tone"]
        result = segments("long.wav", *options, "--figure", tmp_path / "f.png")
        assert result.stdout.startswith("Accuracy ")
        ((true, windows, given),) = drawn
        pd.testing.assert_frame_equal(true, read_segments("truth.csv"))
        assert len(windows) == len(predict_segments("model.skops", "long.wav", window=0.2))
        assert (given["smooth"], given["background"], given["path"]) == (
            *(0.6, ["high_tone"], "long.wav"),
        )

    def test_a_part_in_detail(self, tmp_path, monkeypatch):
        pytest.importorskip("matplotlib")
        drawn, draw = [], skdaf.SegmentsDisplay.from_predictions

        def spy(*arguments, **options):
            drawn.append(draw(*arguments, **options))
            return drawn[0]

        monkeypatch.setattr(skdaf.SegmentsDisplay, "from_predictions", spy)
        part = ["--figure-start", "0.4", "--figure-end", "1"]
        segments("long.wav", "--figure", tmp_path / "f.png", *part)
        for panel in drawn[0].ax_:
            assert panel.get_xlim() == pytest.approx((0.4, 1), abs=0.05)

    @pytest.mark.parametrize("option", ["--figure-start", "--figure-end"])
    @pytest.mark.parametrize("value", ["nan", "inf"])
    def test_times_that_are_no_numbers(self, tmp_path, option, value):
        message = fails("long.wav", "--figure", tmp_path / "f.png", option, value)
        assert f"Invalid value for '{option}': '{value}' must be a number of seconds." in message

    def test_a_part_that_is_no_part(self, tmp_path):
        pytest.importorskip("matplotlib")
        figure = ["--figure", tmp_path / "f.png"]
        assert "--figure-end needs --figure" in fails("long.wav", "--figure-end", "1")
        late = fails("long.wav", *figure, "--figure-start", "10")
        assert "--figure-start 10 is not before the end of 'long.wav' (1." in late
        turned = ["--figure-start", "1", "--figure-end", "1"]
        assert "--figure-end 1 must be after" in fails("long.wav", *figure, *turned)
        segments("long.wav", *figure, "--figure-end", "100")  # the end of the recording

    def test_misused(self, site, tmp_path, monkeypatch):
        assert "got 2: pass only one" in fails(site, "--figure", tmp_path / "f.png")
        assert "must end in .png, .svg, .pdf" in fails("long.wav", "--figure", tmp_path / "f.txt")
        same = ["--figure", tmp_path / "f.png", "-o", tmp_path / "f.png"]
        assert "same file" in fails("long.wav", *same)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        assert "--figure needs matplotlib" in fails("long.wav", "--figure", tmp_path / "f.png")
        assert not (tmp_path / "f.png").exists()


class TestRaven:
    COLUMN = ("--label-column", "Call")
    COLUMNS = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    )

    def test_round_trip(self, site):
        segments(site, "-o", f"{site}/", "--format", "raven")
        segments("long.wav", "-o", site / "found.csv")
        written = site / "a.skdaf.selections.txt"
        lines = written.read_text().splitlines()
        assert lines[0] == self.COLUMNS + "Annotation"
        assert lines[1].split("\t")[1:3] == ["Spectrogram 1", "1"]
        assert lines[1].split("\t")[5:7] == ["0.0", "8000.0"]
        pd.testing.assert_frame_equal(read_segments(written), read_segments(site / "found.csv"))
        # Predictions are no annotations.
        assert str(written) not in table_files([site])

    def test_the_band_of_the_selections(self, tmp_path):
        out, option = tmp_path / "out.selections.txt", "--frequency-range"
        segments("long.wav", "-o", out, option, 2000, 6000.5)
        assert out.read_text().splitlines()[1].split("\t")[5:7] == ["2000.0", "6000.5"]
        for low, high in [(6000, 2000), (-1, 5), (1, "inf"), ("nan", 3)]:
            assert "expected 0 <= LOW < HIGH" in fails("long.wav", "-o", out, option, low, high)

    @pytest.mark.parametrize("option", [["--frequency-range", "2000", "6000"], COLUMN])
    @pytest.mark.parametrize(
        "output", [[], ["-o", "x.txt"], ["-o", "x.csv"], ["-o", "."], ["--format", "json"]]
    )
    def test_options_that_would_have_no_effect(self, option, output):
        message = fails("long.wav", *option, *output)
        assert f"{option[0]} is for tables" in message
        assert "name the output *.selections.txt, or add --format raven" in message

    def test_options_that_would_have_no_effect_on_a_report(self):
        options = ["--truth", "truth.csv", "--frequency-range", "2000", "6000"]
        assert "is for tables for Raven" in fails("long.wav", *options)
        assert "omit --frequency-range" in fails("long.wav", *options, "--tune-thresholds")

    def test_the_column_of_labels_is_that_of_the_annotations(self, tmp_path):
        skdaf.write_segments(
            read_segments("truth.csv"), tmp_path / "long.selections.txt", label_column="Species"
        )
        truth = ["--truth", tmp_path / "long.selections.txt"]
        out = tmp_path / "out.selections.txt"
        segments("long.wav", *truth, "-o", out)
        assert out.read_text().startswith(self.COLUMNS + "Species\n")
        segments("long.wav", *truth, "-o", out, "--label-column", "species")
        assert out.read_text().startswith(self.COLUMNS + "species\n")
        assert "did you mean 'Species'?" in fails("long.wav", *truth, "--label-column", "Specie")
        segments("long.wav", "-o", out, "--label-column", "Call")
        assert out.read_text().startswith(self.COLUMNS + "Call\n")


@pytest.mark.filterwarnings("default::UserWarning")
class TestMistakes:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("90", "between 0 and 1 (above 0). Did you mean 0.9?"),
            ("low_tone=75", "Did you mean 0.75?"),
            ("0", "between 0 and 1"),
            ("-1", "between 0 and 1"),
            ("900", "between 0 and 1 (above 0)."),
            ("nan", "between 0 and 1"),
        ],
    )
    def test_thresholds_that_are_no_probabilities(self, value, expected):
        assert expected in fails("long.wav", "--threshold", value)

    @pytest.mark.parametrize(
        ("smooth", "expected"),
        [("0.4", "0.2 or 0.6"), ("0.5", "0.2 or 0.6"), ("0.8", "0.6 or 1"), ("1.1", "1 or 1.4")],
    )
    def test_smoothing_that_is_no_odd_multiple_of_the_step(self, smooth, expected):
        stderr = segments("long.wav", "--smooth", smooth).stderr
        assert stderr.startswith(f"Warning: --smooth {smooth} is not an odd multiple of the step")
        assert stderr.endswith(f"Use {expected}.\n")

    def test_a_class_that_is_not_annotated_may_be_background(self, tmp_path):
        first = (Path("truth.csv").read_text().splitlines())[:2]
        (tmp_path / "long.csv").write_text("\n".join(first))
        truth = ["long.wav", "--truth", tmp_path / "long.csv"]
        stderr = segments(*truth).stderr
        assert stderr.startswith("Not in the annotations: [")
        assert "'low_tone'" not in stderr
        assert stderr.endswith("--background white_noise.\n")
        assert segments(*truth, "--background", "white_noise").stderr == ""

    def test_a_warning_about_several_recordings_is_shown_once(self, site):
        for command in (["segments"], ["predict", "--segments"]):
            stderr = invoke(*command, "model.skops", site, "--window", "0.05").stderr
            assert stderr.count("is far from the length of the clips") == 1

    @pytest.mark.parametrize("smooth", ["0.1", "0.2", "0.6", "1"])
    def test_smoothing_that_is_one(self, smooth):
        assert segments("long.wav", "--smooth", smooth).stderr == ""

    def test_a_table_that_is_named_after_another_recording(self, site):
        shutil.copy("truth.csv", "a.csv")
        shutil.copy("long.wav", "a.wav")
        stderr = segments("long.wav", "--truth", "a.csv").stderr
        assert "Warning: The table 'a.csv' is named after another recording, 'a.wav'" in stderr

    @pytest.mark.parametrize("name", ["out.xlsx", "out.ODS", "out.parquet"])
    def test_formats_that_are_not_written(self, tmp_path, name):
        sentence = fails("long.wav", "-o", tmp_path / name)
        assert "files cannot be written. Use *.csv, *.json, *.selections.txt" in sentence
        sentence = misuse("predict", "model.skops", "long.wav", "-o", tmp_path / name)
        assert "files cannot be written. Use *.csv, *.json, or a text table" in sentence

    def test_milliseconds(self):
        stderr = segments("long.wav", "--min-duration", "1500").stderr
        assert "Warning: min_duration=1500 s is longer" in stderr
