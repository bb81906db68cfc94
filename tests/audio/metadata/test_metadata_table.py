"""Reading a CSV or TSV file: encodings, separators, quotes and damage; and other tables."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import touch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skdaf.datasets import load_audio_table

TEXT = 'path,label,note\na.wav,h\u00f6ren,"one, two"\nb.wav,"dog, ""Rex""",\n'
LABELS = ["h\u00f6ren", 'dog, "Rex"']


@pytest.fixture
def folder(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    return tmp_path


def load(folder, content, **options):
    table = folder / "meta.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_audio_table(table, **options)


def labels_of(bunch):
    return np.asarray(bunch.target_names)[bunch.target].tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["\n", "", "\n\n", "\n,,\n"])
def test_encodings_and_line_ends(folder, encoding, newline, end):
    text = (TEXT.rstrip("\n") + end).replace("\n", newline)
    assert labels_of(load(folder, text.encode(encoding))) == LABELS


def test_utf_16_of_big_endian_systems(folder):
    assert labels_of(load(folder, ("\ufeff" + TEXT).encode("utf-16-be"))) == LABELS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("space", ["", " "])
def test_separators(folder, separator, space):
    rows = [["path", "label", "note;,"], ["a.wav", '"x; y,\tz"', "1"], ["b.wav", "u", "2"]]
    rows[0][2] = '"note;;;,,,"'  # separators in quotes do not count
    text = "\n".join(f"{separator}{space}".join(row) for row in rows)
    assert labels_of(load(folder, text)) == ["x; y,\tz", "u"]


def test_a_row_with_line_breaks_is_named_by_its_first_line(folder):
    with pytest.raises(FileNotFoundError, match=r"'no.wav' \(line 4\)"):
        load(folder, 'path,label\na.wav,"x\ny"\nno.wav,"u\nv"\n')


def test_a_table_of_one_column(folder):
    bunch = load(folder, "path\na.wav\nb.wav\n", label=None)
    assert [os.path.basename(name) for name in bunch.filenames] == ["a.wav", "b.wav"]


# What spaces surround is not kept, and what programs take for a missing value may not be a label.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
names = texts.filter(lambda text: text.strip() and text.strip() not in ("nan", "NaN"))


@given(
    labels=st.lists(names, min_size=2, max_size=2),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_gives_the_same_as_the_frame_it_was_written_from(
    folder, labels, separator, encoding
):
    frame = pd.DataFrame({"path": ["a.wav", "b.wav"], "label": [f"x{label}" for label in labels]})
    frame.to_csv(folder / "meta.csv", sep=separator, index=False, encoding=encoding)
    ours, theirs = load_audio_table(folder / "meta.csv"), load_audio_table(frame, root=folder)
    assert ours.filenames == theirs.filenames
    assert labels_of(ours) == labels_of(theirs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows"),
        ("path,label\n", "has no rows"),
        ("path,label\n,\n", "has no rows"),
        ("path,label\na.wav,x,y\n", r"line 2: expected 2 columns.*got 3"),
        ("path,label\n\na.wav\n", r"line 3: expected 2 columns.*got 1"),
        ('path,label\na.wav,"x\n', r"line 2: a quotation mark opens a cell, but no other"),
        ('path,label\na.wav,"x"y\n', r"line 2: ',' expected after '\"'"),
        (TEXT.encode("cp1252"), r"line 2, is not text in UTF-8 or UTF-16.*encoding='cp1252'"),
        (TEXT.encode("utf-16-le"), r"is not text in UTF-8 or UTF-16.*pandas"),
        (b"PK\x03\x04\xff\xfe", r"is a workbook of Excel.*read_excel"),
        (b"RIFF1234WAVE", r"is a recording; expected text: a CSV or TSV file"),
        ("path,label,path\na.wav,x,b.wav\n", "several columns called 'path'"),
    ],
)
def test_what_is_not_a_table(folder, content, message):
    with pytest.raises(ValueError, match=rf"(?i){str(folder / 'meta.csv')!r}.*{message}"):
        load(folder, content)


def test_columns_that_are_not_used_may_have_one_name(folder):
    assert labels_of(load(folder, "path,label,x,x,\na.wav,d,1,2,3\nb.wav,e,1,2,3\n")) == ["d", "e"]


def test_lines_are_counted_as_an_editor_does(folder):
    text = 'path,label,note\n\na.wav,x,"two\nlines"\nb.wav,,y\n'
    with pytest.raises(ValueError, match=r"no label \(column 'label'\): line 5\."):
        load(folder, text)


def test_a_misspelled_table(tmp_path, monkeypatch):
    (tmp_path / "utterances.csv").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        load_audio_table("uterances.csv")
    assert str(caught.value) == (
        f"'uterances.csv': no such file in the folder {str(tmp_path)!r}. "
        "Did you mean 'utterances.csv'?"
    )


def test_wrong_types_of_tables(tmp_path):
    for table in (None, 3, ["a.wav"], {"path": ["a.wav"]}):
        with pytest.raises(TypeError, match=type(table).__name__):
            load_audio_table(table)
    with pytest.raises(FileNotFoundError, match=r"no\.csv"):
        load_audio_table(tmp_path / "no.csv")
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*no'"):
        load_audio_table(tmp_path / "no" / "no.csv")
    with pytest.raises(IsADirectoryError, match="load_audio_folders"):
        load_audio_table(tmp_path)
    with pytest.raises(ValueError, match="The table has no rows"):
        load_audio_table(pd.DataFrame({"path": [], "label": []}))


class Columns(dict):
    """A table as other libraries have it, without what only pandas has."""

    @property
    def column_names(self):
        return list(self)

    def __len__(self):
        return len(self["path"])


def test_a_table_without_an_index(folder):
    bunch = load_audio_table(Columns(path=["a.wav", "b.wav"], label=["x", "y"]), root=folder)
    assert labels_of(bunch) == ["x", "y"]
    with pytest.raises(ValueError, match=r"no label .*: row 1\."):
        load_audio_table(Columns(path=["a.wav", "b.wav"], label=["x", None]), root=folder)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(folder, library):
    module = pytest.importorskip(library)
    columns = {"path": ["a.wav", "b.wav"], "label": ["x", "y"], "end": [1.5, None]}
    table = module.DataFrame(columns) if library == "polars" else module.table(columns)
    theirs = load_audio_table(pd.DataFrame(columns), root=folder)
    ours = load_audio_table(table, root=Path(folder))
    assert ours.filenames == theirs.filenames
    assert labels_of(ours) == labels_of(theirs)
