"""clips_from_recordings, and which table belongs to which recording."""

from pathlib import Path

import numpy as np
import pytest
from helpers import segment_table, write_noise

from skdaf import AudioReadError, clips_from_recordings, clips_from_segments, write_segments
from skdaf._segments.matching import match_tables

pytestmark = pytest.mark.oldest

EVENTS = {
    "a": segment_table((1.0, 2.0, "dog"), (3.0, 3.5, "cat")),
    "b": segment_table((0.5, 1.0, "dog")),
    "quiet": segment_table((0, 1, "x"))[:0],
}


@pytest.fixture
def site(tmp_path):
    """A folder with three recordings of 4 s, and a folder of their tables."""
    (tmp_path / "sounds").mkdir()
    (tmp_path / "tables").mkdir()
    names = {"a": "a.Table.1.selections.txt", "b": "b.csv", "quiet": "quiet.BirdNET.results.csv"}
    for name, table in names.items():
        write_noise(tmp_path / "sounds" / f"{name}.wav", n_samples=4000, sampling_rate=1000)
        write_segments(EVENTS[name], tmp_path / "tables" / table)
    return tmp_path


def paths_of(site, names=EVENTS):
    return [str(site / "sounds" / f"{name}.wav") for name in names]


class TestClipsFromRecordings:
    @pytest.mark.parametrize("options", [{}, {"window": 0.5}])
    def test_clips_are_those_of_each_recording(self, site, options):
        clips, labels, groups = clips_from_recordings(
            paths_of(site), list(EVENTS.values()), **options
        )
        parts = [
            clips_from_segments(path, table, **options)
            for path, table in zip(paths_of(site), EVENTS.values(), strict=True)
        ]
        assert clips == [clip for own, _ in parts for clip in own]
        assert labels.tolist() == [label for _, own in parts for label in own.tolist()]
        assert groups.tolist() == [clip.path for clip in clips]
        assert labels.dtype.kind == groups.dtype.kind == "U"

    def test_folders_give_the_same_as_lists(self, site):
        options = {"window": 0.5, "step": 0.25, "background": "nothing"}
        found = clips_from_recordings(site / "sounds", site / "tables", **options)
        expected = clips_from_recordings(
            [Path(path) for path in paths_of(site)],
            [site / "tables" / "a.Table.1.selections.txt", EVENTS["b"], EVENTS["quiet"]],
            **options,
        )
        assert found[0] == expected[0]
        assert found[1].tolist() == expected[1].tolist()
        assert found[2].tolist() == expected[2].tolist()
        assert {*found[1]} == {"cat", "dog", "nothing"}
        # All of the recording without events is background.
        assert (found[2] == paths_of(site)[2]).sum() == 15

    @pytest.mark.parametrize("ending", [".skdaf.txt", ".skdaf.selections.txt", ".skdaf.csv"])
    def test_predictions_are_no_annotations(self, site, ending):
        before = clips_from_recordings(site / "sounds", site / "tables")
        write_segments(EVENTS["b"], site / "tables" / f"a{ending}")
        assert clips_from_recordings(site / "sounds", site / "tables")[0] == before[0]
        (site / "tables" / "a.Table.1.selections.txt").unlink()
        with pytest.raises(ValueError, match=r"No table found in .*a\.wav'"):
            clips_from_recordings(site / "sounds", site / "tables")
        named = [site / "tables" / f"a{ending}"]
        assert len(clips_from_recordings(paths_of(site, "a"), named)[0]) == 1

    def test_several_labels(self, site):
        clips, indicator, groups = clips_from_recordings(
            site / "sounds", site / "tables", window=1, multilabel=True
        )
        assert len(clips) == len(indicator) == len(groups) == 12
        assert list(indicator.columns) == ["cat", "dog"]
        assert indicator.to_numpy().tolist() == [
            *([0, 0], [0, 1], [0, 0], [1, 0]),
            *([0, 1], [0, 0], [0, 0], [0, 0]),
            *[[0, 0]] * 4,
        ]

    def test_the_column_of_labels(self, site):
        header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tCall type\n"
        (site / "tables" / "a.Table.1.selections.txt").write_text(f"{header}1\t0\t1\tx\tsong\n")
        tables = [site / "tables" / "a.Table.1.selections.txt", EVENTS["b"]]
        paths = paths_of(site, "ab")
        _, labels, _ = clips_from_recordings(paths, tables, label_column="Call type")
        assert labels.tolist() == ["song", "dog"]
        with pytest.raises(ValueError, match="label_column='x' is for files"):
            clips_from_recordings(paths[1:], tables[1:], label_column="x")

    def test_labels_of_two_types_are_refused(self, site):
        tables = [EVENTS["a"].assign(label=[1, 2]), EVENTS["b"]]
        with pytest.raises(TypeError, match="got both"):
            clips_from_recordings(paths_of(site, "ab"), tables)

    def test_a_warning_points_to_the_caller(self, site):
        with pytest.warns(UserWarning, match="window=500 s is longer") as caught:
            clips_from_recordings(paths_of(site, "a"), [EVENTS["a"]], window=500)
        assert caught[0].filename == __file__

    def test_a_background_that_is_nowhere_gives_one_warning(self, site):
        paths, tables = paths_of(site, "ab"), [EVENTS["a"], EVENTS["b"]]
        with pytest.warns(UserWarning, match=r"background='x': .*window=9 s contains") as caught:
            clips_from_recordings(paths, tables, window=9, background="x")
        assert [warning.filename for warning in caught] == [__file__]

    def test_an_empty_background_is_refused(self):
        with pytest.raises(ValueError, match="background must be a label that is not empty"):
            clips_from_recordings(["a.wav"], [EVENTS["a"]], window=1, background="")

    def test_errors_name_the_table(self, site):
        paths, table = paths_of(site, "ab"), site / "tables" / "b.csv"
        with pytest.raises(ValueError, match=r"b\.csv': background='dog' is the label"):
            clips_from_recordings(paths, [EVENTS["a"][1:], table], window=1, background="dog")
        bad = EVENTS["b"].assign(end=0.5)
        with pytest.raises(ValueError, match=r"^annotations\[1\]: segments, row 0"):
            clips_from_recordings(paths, [EVENTS["a"], bad])
        with pytest.raises(TypeError, match=r"^annotations\[0\]: segments must be a table"):
            clips_from_recordings(paths[:1], [3])
        with pytest.raises(AudioReadError, match=r"^\S*b\.wav"):
            clips_from_recordings(paths, [EVENTS["a"], segment_table((5, 6, "x"))], window=1)

    def test_errors(self, site, tmp_path):
        paths, tables = paths_of(site, "ab"), [EVENTS["a"], EVENTS["b"]]
        with pytest.raises(ValueError, match="each of the 2 recordings, got 1"):
            clips_from_recordings(paths, tables[:1])
        with pytest.raises(ValueError, match=r"a\.wav' 2 times"):
            clips_from_recordings([paths[0]] * 2, tables)
        with pytest.raises(ValueError, match=r"list of paths.*a\.wav'"):
            clips_from_recordings(paths[0], tables[:1])
        with pytest.raises(ValueError, match=r"annotations must be a folder.*gone'"):
            clips_from_recordings(paths, tmp_path / "gone")
        with pytest.raises(ValueError, match="contains no audio files"):
            clips_from_recordings(site / "tables", site / "tables")
        with pytest.raises(TypeError, match="got a table"):
            clips_from_recordings(paths[:1], tables[0])
        with pytest.raises(TypeError, match=r"contain paths, got a tuple.*clips_from_segments"):
            clips_from_recordings([(np.zeros(8), 8)], tables[:1])
        with pytest.raises(ValueError, match=r"^step=1 needs a window"):
            clips_from_recordings(paths, tables, step=1)

    def test_a_file_of_segments_is_named_in_errors_about_its_rows(self, site):
        (site / "points.txt").write_text("1.0\t1.0\tdog\n")
        with pytest.raises(ValueError, match=r"points\.txt': segments, row 0.*duration"):
            clips_from_segments("a.wav", site / "points.txt")


class TestMatching:
    @pytest.mark.parametrize(
        "name",
        [
            "S1.txt",
            "S1.csv",
            "S1.wav.csv",
            "S1.Table.1.selections.txt",
            "S1.selections.txt",
            "S1.BirdNET.results.csv",
            "S1.BirdNET.selection.table.txt",
        ],
    )
    def test_names_of_programs(self, name):
        assert match_tables(["x/S1.wav"], [f"y/{name}", "y/S10.txt", "y/S.txt"], "") == [
            f"y/{name}"
        ]

    def test_the_longest_name_wins(self):
        recordings = ["S1.wav", "S1.2.wav"]
        assert match_tables(recordings, ["S1.2.txt", "S1.txt"], "") == ["S1.txt", "S1.2.txt"]
        recordings = ["S1.wav", "S1.flac"]
        assert match_tables(recordings, ["S1.flac.txt", "S1.wav.txt"], "") == [
            "S1.wav.txt",
            "S1.flac.txt",
        ]

    def test_folders_tell_equal_names_apart(self):
        recordings, tables = ["r/A/1.wav", "r/B/1.wav"], ["t/A/1.txt", "t/B/1.txt"]
        assert match_tables(recordings, tables, "") == tables
        with pytest.raises(ValueError, match=r"'r/B/1\.wav' has 2 tables"):
            match_tables(recordings[1:], tables, "")
        beside = ["r/A/1.txt", "r/B/1.txt"]
        assert match_tables(recordings, beside, "") == beside

    def test_forms_of_unicode(self):
        assert match_tables(["caf\u00e9.wav"], ["cafe\u0301.txt"], "") == ["cafe\u0301.txt"]

    def test_a_table_of_two_recordings(self):
        with pytest.raises(ValueError, match=r"'1\.txt' fits 2 recordings, '1\.wav', '1\.flac'"):
            match_tables(["1.wav", "1.flac"], ["1.txt"], "")
        with pytest.raises(ValueError, match=r"'t/1\.txt' fits 2 recordings, 'A/1\.wav', 'B/1"):
            match_tables(["A/1.wav", "B/1.wav"], ["t/1.txt"], "")

    def test_two_tables_of_a_recording(self):
        with pytest.raises(ValueError, match=r"'1\.wav' has 2 tables, '1\.csv', '1\.txt'"):
            match_tables(["1.wav"], ["1.csv", "1.txt"], "")

    def test_recordings_without_a_table(self):
        names = [f"{i}.wav" for i in range(8)]
        expected = r"in the folder 'x' for '1\.wav', .*'5\.wav' and 2 more: .*empty file"
        with pytest.raises(ValueError, match=expected):
            match_tables(names, ["0.txt"], "the folder 'x'")
