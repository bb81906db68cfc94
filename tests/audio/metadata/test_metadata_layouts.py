"""load_audio_table reads the tables of published datasets, as CSV, as TSV and as DataFrame.

Each layout is the header of a dataset, with a few rows in its style. Files are empty, because only
their names matter, except in the tests that read clips.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import touch, write_noise
from sklearn.model_selection import LeaveOneGroupOut, PredefinedSplit

from skdaf import Clip, SpectrogramTransformer, load_audio
from skdaf.datasets import load_audio_folders, load_audio_table

ESC_50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100210-A-36.wav,1,36,vacuum_cleaner,False,100210,A
2-100032-B-0.wav,2,0,dog,True,100032,B
"""
URBAN_SOUND_8K = """\
slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing
100263-2-0-121.wav,100263,60.5,64.5,1,10,2,children_playing
"""
XENO_CANTO = """\
id,gen,sp,en,rec,cnt,lat,q,length,time,file,file-name
694038,Turdus,merula,Common Blackbird,"Doe, Jane",NA,12.5,A,0:34,07:30,https://example.org/694038/download,XC694038-amsel.mp3
694039,Parus,major,Great Tit,John Roe,DE,-3.1,B,1:02,?,https://example.org/694039/download,XC694039.mp3
"""
BIRDNET = """\
Start (s),End (s),Scientific name,Common name,Confidence,File
0.0,3.0,Turdus merula,Common Blackbird,0.87,yard.wav
3.0,6.0,Turdus merula,Common Blackbird,0.45,yard.wav
0.0,3.0,Parus major,Great Tit,0.91,pond.wav
"""
FSD = """\
fname,label,manually_verified
00044347,Hi-hat,0
001ca53d,"Drawer_open_or_close",1
"""

FORMS = ["csv", "tsv", "excel", "frame"]


def write_table(folder, text, form):
    """Return a table in a folder, given the text of a CSV file."""
    frame = pd.read_csv(io.StringIO(text), dtype={"fname": str}, keep_default_na=False)
    if form == "frame":
        return frame
    path = folder / "meta" / f"table.{form}"
    path.parent.mkdir(exist_ok=True)
    if form == "csv":
        path.write_text(text, encoding="utf-8")
    elif form == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    else:  # as a spreadsheet saves it in many European countries
        frame.to_csv(path, sep=";", decimal=",", index=False, encoding="utf-8-sig")
    return path


def touch_all(folder, *names):
    touch(*(folder / name for name in names))


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def test_esc_50(tmp_path, form):
    names = ["1-100032-A-0.wav", "1-100210-A-36.wav", "2-100032-B-0.wav"]
    touch_all(tmp_path / "audio", *names)
    bunch = load_audio_table(
        write_table(tmp_path, ESC_50, form),
        path="filename",
        label="category",
        group="src_file",
        root=tmp_path / "audio",
    )
    assert bunch.filenames == [str(tmp_path / "audio" / name) for name in names]
    assert bunch.target_names == ["dog", "vacuum_cleaner"]
    assert bunch.target.tolist() == [0, 1, 0]
    assert bunch.groups.tolist() == [100032, 100210, 100032]
    assert bunch.folds.tolist() == [1, 1, 2]


def test_esc_50_with_numbers_as_labels(tmp_path, form):
    touch_all(tmp_path, "1-100032-A-0.wav", "1-100210-A-36.wav", "2-100032-B-0.wav")
    table = write_table(tmp_path, ESC_50, form)
    bunch = load_audio_table(table, path="filename", label="target", root=tmp_path)
    assert bunch.target_names == [0, 36]
    assert np.asarray(bunch.target_names)[bunch.target].tolist() == [0, 36, 0]


def test_urban_sound_8k(tmp_path, form):
    names = ["fold5/100032-3-0-0.wav", "fold5/100263-2-0-117.wav", "fold10/100263-2-0-121.wav"]
    touch_all(tmp_path / "audio", *names)
    table = write_table(tmp_path, URBAN_SOUND_8K, form)
    columns = {"path": "fold{fold}/{slice_file_name}", "label": "class", "group": "fsID"}
    bunch = load_audio_table(table, **columns, start=None, end=None, root=tmp_path / "audio")
    assert bunch.filenames == [str(tmp_path / "audio" / name) for name in names]
    assert bunch.target_names == ["children_playing", "dog_bark"]
    assert bunch.target.tolist() == [1, 0, 0]
    assert bunch.groups.tolist() == [100032, 100263, 100263]
    assert bunch.folds.tolist() == [5, 5, 10]
    # Here, start and end are not times in the files of the dataset.
    for times in ({}, {"start": None}, {"end": None}):
        with pytest.raises(ValueError, match=r"UrbanSound8K.*start=None and end=None"):
            load_audio_table(table, **columns, **times, root=tmp_path / "audio")


def test_xeno_canto(tmp_path, form):
    touch_all(tmp_path / "meta", "XC694038-amsel.mp3", "XC694039.mp3")
    table = write_table(tmp_path, XENO_CANTO, form)
    bunch = load_audio_table(
        table, path="file-name", label="{gen} {sp}", group="rec", root=tmp_path / "meta"
    )
    assert bunch.target_names == ["Parus major", "Turdus merula"]
    assert bunch.target.tolist() == [1, 0]
    assert bunch.groups.tolist() == ["Doe, Jane", "John Roe"]
    assert bunch.folds is None
    # Namibia is not a missing value.
    countries = load_audio_table(table, path="file-name", label="cnt", root=tmp_path / "meta")
    assert countries.target_names == ["DE", "NA"]


def test_birdnet(tmp_path, form):
    for seed, name in enumerate(["yard.wav", "pond.wav"]):
        write_noise(tmp_path / name, seed, n_samples=7 * 4000, sampling_rate=4000)
    table = write_table(tmp_path, BIRDNET, form)
    columns = {"path": "File", "label": "Common name", "group": "File", "root": tmp_path}
    bunch = load_audio_table(table, **columns, start="Start (s)", end="End (s)")
    yard, pond = str(tmp_path / "yard.wav"), str(tmp_path / "pond.wav")
    assert bunch.filenames == [Clip(yard, 0, 3), Clip(yard, 3, 6), Clip(pond, 0, 3)]
    assert bunch.groups.tolist() == ["yard.wav", "yard.wav", "pond.wav"]
    whole, rate = load_audio(yard)
    assert np.array_equal(load_audio(bunch.filenames[1])[0], whole[3 * rate : 6 * rate])
    # Estimators take the clips.
    assert SpectrogramTransformer().fit_transform(bunch.filenames).shape[0] == 3
    with pytest.raises(
        ValueError, match=r"'Start \(s\)', 'End \(s\)'.*start= and end=.*start=None"
    ):
        load_audio_table(table, **columns)


def test_freesound_with_names_without_extensions(tmp_path, form):
    touch_all(tmp_path, "00044347.wav", "001ca53d.wav")
    table = write_table(tmp_path, FSD, form)
    bunch = load_audio_table(table, path="{fname}.wav", root=tmp_path)
    assert [Path(name).name for name in bunch.filenames] == ["00044347.wav", "001ca53d.wav"]
    with pytest.raises(FileNotFoundError, match=r"00044347\.wav'.*path='\{fname\}\.wav'"):
        load_audio_table(table, path="fname", root=tmp_path)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        (ESC_50, "path='filename', label='category'?"),
        (URBAN_SOUND_8K, "path='slice_file_name', label='class'?"),
        (XENO_CANTO, "path='file-name'?"),
        (BIRDNET, "path='File', label='Common name'?"),
        (FSD, "path='fname'?"),
        ("primary_label,filename\na,b.ogg\n", "path='filename', label='primary_label'?"),
        ("Path,Label\na.wav,b\n", "path='Path', label='Label'?"),
        ("what,where\nb,c/a.flac\n", "path='where'?"),
    ],
)
def test_missing_columns_are_suggested(tmp_path, form, text, suggestion):
    with pytest.raises(ValueError, match="has no column 'path'") as raised:
        load_audio_table(write_table(tmp_path, text, form))
    assert str(raised.value).endswith(f"Did you mean {suggestion}")
    assert all(repr(name) in str(raised.value) for name in text.splitlines()[0].split(","))


# What the result is for.


def test_it_agrees_with_class_folders(tmp_path, form):
    names = ["a/2.wav", "a/1.wav", "b/1.flac"]
    touch_all(tmp_path, *names)
    rows = "".join(f"{name},{name[0]}\n" for name in names)
    table = write_table(tmp_path, f"path,label\n{rows}", form)
    ours = load_audio_table(table, root=tmp_path)
    theirs = load_audio_folders([tmp_path / "a", tmp_path / "b"])
    assert ours.target_names == theirs.target_names
    assert sorted(zip(ours.filenames, ours.target, strict=True)) == sorted(
        zip(theirs.filenames, theirs.target, strict=True)
    )
    # A table keeps its order.
    assert ours.filenames == [str(tmp_path / name) for name in names]


def test_groups_and_folds_are_those_of_splitters(tmp_path, form):
    touch_all(tmp_path, *(f"{n}.wav" for n in range(6)))
    rows = "".join(f"{n}.wav,{n % 2},s{n // 2},{n // 3}\n" for n in range(6))
    table = write_table(tmp_path, f"path,label,group,fold\n{rows}", form)
    bunch = load_audio_table(table, root=tmp_path)
    X, y = bunch.filenames, bunch.target
    folds = [test.tolist() for _, test in PredefinedSplit(bunch.folds).split()]
    assert folds == [[0, 1, 2], [3, 4, 5]]
    groups = [test.tolist() for _, test in LeaveOneGroupOut().split(X, y, bunch.groups)]
    assert groups == [[0, 1], [2, 3], [4, 5]]
    without = load_audio_table(table, root=tmp_path, label=None, group=None, fold=None)
    assert without == {
        **{"filenames": X, "target": None, "target_names": None},
        **{"groups": None, "folds": None},
    }


RAVEN = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t0.5\t1.5\tdog\n"


@pytest.mark.parametrize("text", [RAVEN, "start,end,label\n0,1,dog\n"])
def test_segments_of_one_recording_are_no_table_of_recordings(tmp_path, text):
    path = tmp_path / "site.selections.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"no column 'path'.*clips_from_segments") as raised:
        load_audio_table(path)
    assert "path (the recording), label, start and end" in str(raised.value)
