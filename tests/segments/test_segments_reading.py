"""read_segments: labels of Audacity, tables of Raven and BirdNET, CSV."""

import re

import pytest
from helpers import segment_table
from pandas.testing import assert_frame_equal

from skdaf import read_segments


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "labels.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_segments(path)

    return read


AUDACITY = "0.000000\t1.500000\tspeech\n1.500000\t4.250000\tmusic\n"


class TestRead:
    @pytest.mark.parametrize(
        "content",
        [
            AUDACITY,
            AUDACITY.rstrip("\n"),
            AUDACITY.replace("\n", "\r\n"),
            "\n\n" + AUDACITY + " \n",
            "\ufeff" + AUDACITY,
            AUDACITY.replace("\n", "\n\\\t200.000000\t3000.000000\n"),
            AUDACITY.replace(".", ","),
            AUDACITY.replace("\n", "\n\\\t200,5\t3000,0\n").replace(".", ","),
            AUDACITY.encode("utf-16"),
            AUDACITY.encode("utf-16-le"),
            AUDACITY.encode("utf-16-be"),
            b"\xfe\xff" + AUDACITY.replace("\n", "\r\n").encode("utf-16-be"),
            "start\tend\tlabel\n" + AUDACITY,
            "0,1.5,speech\n1.5,4.25,music\n",
            "0, 1.5, speech \n1.5, 4.25, music\n",
            "start,end,label\n0,1.5,speech\n1.5,4.25,music",
            "\ufeffStart,End,Label\r\n0,1.5,speech\r\n15e-1,4.25,music\r\n",
        ],
    )
    def test_files_of_audacity_and_pyaudioanalysis(self, read, content):
        assert_frame_equal(read(content), segment_table((0.0, 1.5, "speech"), (1.5, 4.25, "music")))

    @pytest.mark.parametrize(
        ("line", "label"),
        [
            ("0\t1\ttwo words", "two words"),
            ("0\t1\tone, two", "one, two"),
            ("0,1,one, two", "one, two"),
            ("0\t1\t", ""),
            ("0\t1\tnaïve čaj 🐦", "naïve čaj 🐦"),
            ("0\t1\ta\u2028b", "a\u2028b"),
            ("0\t1\tstart,end,label", "start,end,label"),
            ("0\t1\t7", "7"),
            ('0,1,"one, two"', "one, two"),
            ('0,1, "say ""hi"", twice"', 'say "hi", twice'),
            ('0,1,"one" and "two"', '"one" and "two"'),
            ('0,1,say "hi"', 'say "hi"'),
            ('0\t1\t"quoted"', '"quoted"'),
            ('0,1,"', '"'),
            ("0,1,", ""),
        ],
    )
    def test_labels(self, read, line, label):
        assert read(line + "\n").label.tolist() == [label]

    @pytest.mark.parametrize("separator", [",", "\t"])
    def test_tables_with_more_columns(self, tmp_path, separator):
        segments = segment_table((0.0, 1.5, "one, two"), (1.5, 2.0, "three"), (2.0, 3.0, ""))
        path = tmp_path / "labels.csv"
        segments.assign(one=0.25, two="x").to_csv(path, sep=separator, index=False)
        assert_frame_equal(read_segments(path), segments)

    def test_points_are_kept(self, read):
        assert_frame_equal(read("1.5\t1.5\tclick\n"), segment_table((1.5, 1.5, "click")))

    def test_rows_are_in_the_order_of_the_file(self, read):
        assert read("3,4,b\n1,2,a\n").label.tolist() == ["b", "a"]

    @pytest.mark.parametrize("content", ["", "\n", "start,end,label\n"])
    def test_a_file_without_labels_is_an_empty_table(self, read, content):
        segments = read(content)
        assert len(segments) == 0
        assert segments.start.dtype == segments.end.dtype == float
        assert_frame_equal(segments, read("0,1,a")[:0])

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("1.0", "start, end and label"),
            ("1.0,2.0", "start, end and label"),
            ("1.0\t2.0", "start, end and label"),
            ("1.0;2.0;dog", "start, end and label"),
            ("1.0 2.0 dog", "start, end and label"),
            ("dog,1,2", "got start='dog' and end='1'"),
            ("0:01,0:02,dog", "numbers"),
            ("2,1,dog", "got start=2 and end=1"),
            ("-1,1,dog", "got -1"),
            ("nan,1,dog", "start of at least 0"),
            ("0,nan,dog", "end after the start"),
            ("0,inf,dog", "end after the start"),
            ("start,end,label,dog,cat", "numbers"),
            ("start,end,label", "numbers"),
            ("0\t1\tone\ttwo", "the label 'one\\ttwo' with a tab"),
            ("0\t1\tdog\t0.9", "a first line with the names of all columns"),
            ("0\t1\tdog\t\t0.9", "three columns"),
        ],
    )
    def test_other_lines_are_named(self, read, line, problem):
        with pytest.raises(ValueError, match=r"labels\.txt', line 3: ") as error:
            read(f"0\t1\tdog\n\n{line}\n0\t1\tdog\n")
        assert problem in str(error.value)
        assert repr(line) in str(error.value)

    @pytest.mark.parametrize("content", [b"\xff\xfe0\x00,\x001\x00", b"0,1,caf\xe9\n"])
    def test_other_encodings_are_named(self, read, content):
        with pytest.raises(ValueError, match=r"labels\.txt.*UTF-8"):
            read(content)

    def test_a_missing_file_is_named(self, tmp_path):
        (tmp_path / "SITE01.txt").touch()
        with pytest.raises(FileNotFoundError, match=r"SITE1\.txt': .*Did you mean 'SITE01\.txt'"):
            read_segments(tmp_path / "SITE1.txt")
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            read_segments(tmp_path / "gone" / "SITE01.txt")
        with pytest.raises(IsADirectoryError, match="is a folder; expected a file of annotations"):
            read_segments(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
            read_segments(tmp_path / "gone.txt")

    @pytest.mark.parametrize(
        "content",
        [
            "time,species\n0,1,dog\n",
            "Selection\tView\tChannel\n1\tWaveform 1\t1\n",
            "RIFF rest of a file",
            "onset;offset;event_label\n0;1;dog\n",
            '{"start": 0, "end": 1, "label": "dog"}',
        ],
    )
    def test_files_of_other_formats_are_named(self, read, content):
        with pytest.raises(ValueError, match=r"labels\.txt'.*found") as error:
            read(content)
        assert repr(content.split("\n")[0]) in str(error.value)
        for name in ("Audacity", "Begin Time (s)", "Common name", "CSV"):
            assert name in str(error.value)

    def test_a_bad_line_below_the_names_of_columns_is_explained(self, read):
        with pytest.raises(ValueError, match=r"line 2: expected start, end and label.*'1,2'"):
            read("start,end,label\n1,2\n")

    def test_a_table_with_an_open_quote_is_named(self, read):
        with pytest.raises(ValueError, match=r"labels\.txt' is not a table.*unexpected end"):
            read('Start (s),End (s),Common name\n0,3,"Wren\n')

    def test_a_bad_number_in_the_first_line_is_explained(self, read):
        with pytest.raises(ValueError, match=r"line 1: expected an end after the start"):
            read("2,1,dog\n")


RAVEN = """Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tAnnotation
1\tWaveform 1\t1\t0.500000000\t1.250000000\t0.0\twren
1\tSpectrogram 1\t1\t0.500000000\t1.250000000\t0.0\twren
3\tSpectrogram 1\t1\t0.500000000\t1.250000000\t100.0\trobin, "loud"
2\tSpectrogram 1\t1\t2.000000000\t3.500000000\t0.0
"""


class TestRaven:
    EXPECTED = segment_table((0.5, 1.25, "wren"), (0.5, 1.25, 'robin, "loud"'), (2.0, 3.5, ""))

    @pytest.mark.parametrize(
        "content",
        [
            RAVEN,
            RAVEN.replace("\n", "\r\n"),
            "\ufeff\n" + RAVEN,
            RAVEN.replace(".", ","),
            RAVEN.upper().replace("WREN", "wren").replace('ROBIN, "LOUD"', 'robin, "loud"'),
            RAVEN.encode("utf-16"),
            RAVEN.replace("Annotation", "Species"),
            RAVEN.replace("0.0\twren\n1", "0.0\t\n1"),
            RAVEN.replace("Low Freq (Hz)", "Begin File").replace("\t0.0", "\ta.wav"),
        ],
    )
    def test_selections_are_segments(self, read, content):
        if "Begin File" in str(content):
            content = content.replace("100.0", "a.wav")
        assert_frame_equal(read(content), self.EXPECTED)

    def test_rows_of_one_selection_with_two_labels_are_kept(self, read):
        content = RAVEN.replace("0.0\twren\n1", "0.0\tjay\n1")
        assert read(content).label.tolist() == ["jay", "wren", 'robin, "loud"', ""]

    def test_equal_rows_without_numbers_of_selections_are_kept(self, read):
        content = "Begin Time (s)\tEnd Time (s)\tAnnotation\n" + "0\t1\tdog\n" * 2
        assert_frame_equal(read(content), segment_table((0.0, 1.0, "dog"), (0.0, 1.0, "dog")))

    def test_the_column_of_labels_can_be_chosen(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text(RAVEN.replace("Annotation", "Call"))
        with pytest.raises(
            ValueError, match=r"a\.txt'.*without a column of labels.*'Call'.*label_col"
        ):
            read_segments(path)
        assert_frame_equal(read_segments(path, label_column="call"), self.EXPECTED)
        assert read_segments(path, label_column="View").label[0] == "Waveform 1"
        with pytest.raises(ValueError, match=r"without a column 'Sex'.*'Call'"):
            read_segments(path, label_column="Sex")
        with pytest.raises(ValueError, match=r"'Cal': its columns are .*did you mean 'Call'\?"):
            read_segments(path, label_column="Cal")

    def test_labels_without_names_of_columns_cannot_be_chosen(self, tmp_path):
        (tmp_path / "a.txt").write_text(AUDACITY)
        with pytest.raises(ValueError, match=r"label_column='x'.*names of columns"):
            read_segments(tmp_path / "a.txt", label_column="x")

    @pytest.mark.parametrize("label_column", [3, ["Annotation"]])
    def test_the_column_of_labels_is_a_name(self, tmp_path, label_column):
        (tmp_path / "a.txt").write_text(RAVEN)
        with pytest.raises(ValueError, match=r"'label_column' parameter of read_segments"):
            read_segments(tmp_path / "a.txt", label_column=label_column)

    def test_tables_of_several_recordings_are_refused(self, read):
        content = RAVEN.replace("Low Freq (Hz)", "Begin File")
        with pytest.raises(
            ValueError, match=r"several recordings.*'0\.0' and '100\.0'.*Begin File"
        ):
            read(content)

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("2.000000000", "soon", r"line 5: expected numbers.*'soon'"),
            ("2.000000000", "4", r"line 5: expected an end after the start"),
            ("2.000000000", "", r"line 5: expected numbers"),
            ("wren\n1", "wren\tyes\n1", r"line 2: expected 7 columns.*got 8"),
        ],
    )
    def test_bad_rows_are_named(self, read, old, new, problem):
        with pytest.raises(ValueError, match=problem):
            read(RAVEN.replace(old, new))


BIRDNET = """Start (s),End (s),Scientific name,Common name,Confidence
0.0,3.0,Turdus merula,Eurasian Blackbird,0.8141
3.0,6.0,Grus grus,"Crane, Common",0.25
"""
BIRDNET_RAVEN = """Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\t\
High Freq (Hz)\tCommon Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)
1\tSpectrogram 1\t1\t0.0\t3.0\t0\t15000\tEurasian Blackbird\teurbla\t0.8141\tx/a.wav\t0.0
2\tSpectrogram 1\t1\t3.0\t6.0\t0\t15000\tCrane, Common\tcomcra\t0.25\tx/a.wav\t3.0
"""
BIRDNET_R = """filepath,start,end,scientific_name,common_name,confidence,lat,lon,week
x/a.wav,0.0,3.0,Turdus merula,Eurasian Blackbird,0.8141,-1,-1,-1
x/a.wav,3.0,6.0,Grus grus,"Crane, Common",0.25,-1,-1,-1
"""
KALEIDOSCOPE = """INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat
/home,x,a.wav,0.0,3.0,Turdus merula,Eurasian Blackbird,0.8141,-1
/home,x,a.wav,3.0,3.0,Grus grus,"Crane, Common",0.25,-1
"""
BIRDNET_AUDACITY = """0.0\t3.0\tTurdus merula, Eurasian Blackbird\t0.8141
3.0\t6.0\tGrus grus, Crane, Common\t0.25
"""


class TestBirdNET:
    EXPECTED = segment_table(
        (0.0, 3.0, "Eurasian Blackbird", 0.8141),
        (3.0, 6.0, "Crane, Common", 0.25),
        columns=["confidence"],
    )

    @pytest.mark.parametrize(
        "content",
        [
            BIRDNET,
            "\ufeff" + BIRDNET.replace("\n", "\r\n"),
            BIRDNET.replace("\n", ",a.wav\n").replace("Confidence,a.wav", "Confidence,File"),
            BIRDNET.replace('"', "").replace(",", ";").replace("Crane; C", "Crane, C"),
            BIRDNET.replace('"', "")
            .replace(",", ";")
            .replace("Crane; C", "Crane, C")
            .replace(".", ","),
            BIRDNET_RAVEN,
            BIRDNET_R,
            KALEIDOSCOPE,
            BIRDNET_AUDACITY,
        ],
    )
    def test_detections_are_segments(self, read, content):
        assert_frame_equal(read(content), self.EXPECTED)

    def test_the_scientific_name_can_be_chosen(self, tmp_path):
        (tmp_path / "a.csv").write_text(BIRDNET)
        found = read_segments(tmp_path / "a.csv", label_column="Scientific name")
        assert found.label.tolist() == ["Turdus merula", "Grus grus"]
        (tmp_path / "a.csv").write_text(KALEIDOSCOPE)
        found = read_segments(tmp_path / "a.csv", label_column="scientific_name")
        assert found.label.tolist() == ["Turdus merula", "Grus grus"]

    @pytest.mark.parametrize("content", [BIRDNET_R, KALEIDOSCOPE])
    def test_tables_for_r_and_kaleidoscope_of_several_recordings_are_refused(self, read, content):
        with pytest.raises(ValueError, match=r"several recordings.*'.*a\.wav' and '.*b\.wav'"):
            read("b.wav".join(content.rsplit("a.wav", 1)))
        nothing = content.replace("Eurasian Blackbird", "nocall")
        assert_frame_equal(read(nothing), self.EXPECTED[1:].reset_index(drop=True))

    def test_the_end_of_kaleidoscope_is_a_sum_of_decimals(self, read):
        content = KALEIDOSCOPE.replace("0.0,3.0", "0.1,0.2").replace("common_name", "MANUAL ID")
        assert read(content).end.tolist() == [0.3, 6.0]
        for wrong in ("0.1,soon", "0.1,", "0.1,-1"):
            with pytest.raises(ValueError, match=r"line 2: expected (numbers|an end)"):
                read(content.replace("0.1,0.2", wrong))

    def test_other_tables_may_have_columns_of_the_same_names(self, read):
        content = "folder,start,end,label,offset,duration\na,0,1,dog,9,9\nb,1,2,cat,9,9\n"
        assert_frame_equal(read(content), segment_table((0.0, 1.0, "dog"), (1.0, 2.0, "cat")))

    def test_recordings_without_detections_have_no_segments(self, read):
        first, *_ = BIRDNET_RAVEN.splitlines()
        nothing = "1\tSpectrogram 1\t1\t0\t3\t0\t15000\tnocall\tnocall\t1.0\tx/a.wav\t0\n"
        assert_frame_equal(read(f"{first}\n{nothing}"), self.EXPECTED[:0])
        assert_frame_equal(read(BIRDNET.splitlines()[0]), self.EXPECTED[:0])

    def test_results_of_several_recordings_are_refused(self, read):
        with pytest.raises(
            ValueError, match=r"BirdNET results of several recordings.*Begin Path|File"
        ):
            read("Start (s),End (s),Common name,File\n0,3,Wren,a.wav\n0,3,Wren,b.wav\n")

    def test_a_confidence_that_is_not_a_number_is_named(self, read):
        with pytest.raises(ValueError, match=r"line 3: .*confidence 'high'"):
            read(BIRDNET.replace("0.25", "high"))

    def test_a_missing_confidence_is_nan(self, read):
        assert read(BIRDNET.replace("0.25", "")).confidence.isna().tolist() == [False, True]


SERIES = """Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\tBegin File\tFile Offset (s)
1\t0.5\t1.5\twren\ta.wav\t0.5
2\t3600.1\t3602.3\trobin\tb.wav\t0.1
3\t3610.0\t3612.0\twren\tb.wav\t10.0
"""


class TestSeriesOfFiles:
    """Raven counts "Begin Time (s)" over all files, and "File Offset (s)" within each."""

    SECOND = segment_table((0.1, 2.3, "robin"), (10.0, 12.0, "wren"))

    def test_each_file_has_times_of_its_own(self, read):
        names, *rows = SERIES.splitlines(keepends=True)
        tables = {
            name: read(names + "".join(row for row in rows if name in row))
            for name in ("a.wav", "b.wav")
        }
        assert_frame_equal(tables["a.wav"], segment_table((0.5, 1.5, "wren")))
        assert_frame_equal(tables["b.wav"], self.SECOND)
        # 3602.3 - 3600.1 is not 2.2.
        assert tables["b.wav"].end.tolist() == [2.3, 12.0]
        with pytest.raises(ValueError, match=r"several recordings.*'a\.wav'.*'Begin File'"):
            read(SERIES)

    @pytest.mark.parametrize("change", [str, lambda text: re.sub(r"\.(?=\d)", ",", text)])
    def test_a_table_of_one_later_file(self, read, change):
        lines = SERIES.splitlines(keepends=True)
        assert_frame_equal(read(change(lines[0] + lines[2] + lines[3])), self.SECOND)

    def test_combined_results_of_birdnet(self, read):
        first, _, second = BIRDNET_RAVEN.replace("3.0\t6.0", "63.0\t66.0").splitlines()
        expected = TestBirdNET.EXPECTED[1:].reset_index(drop=True)
        assert_frame_equal(read(f"{first}\n{second}\n"), expected)

    @pytest.mark.parametrize("offset", ["", "soon", "-1", "nan", "inf"])
    def test_bad_offsets_are_named(self, read, offset):
        with pytest.raises(ValueError, match=rf"line 2: .*'File Offset \(s\)', got '{offset}'"):
            read(SERIES.partition("2\t")[0].replace("a.wav\t0.5", f"a.wav\t{offset}"))


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_the_columns_of_a_table_can_have_any_order(read, separator):
    rows = [("label", "end", "note", "start"), ("dog", "2.5", "x", "1"), ("", "3", "", "2.5")]
    content = "\n".join(separator.join(row) for row in rows)
    assert_frame_equal(read(content), segment_table((1.0, 2.5, "dog"), (2.5, 3.0, "")))
