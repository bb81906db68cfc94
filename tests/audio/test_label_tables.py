"""Folders that are no classes are noticed, and tables that have the labels are named."""

import warnings

import pytest
from helpers import touch

from skdaf._audio.label_tables import find_table
from skdaf.datasets import load_audio_folders

NAMES = ("bark_one.wav", "rain_one.wav", "rain_two.wav")


@pytest.fixture(name="root")
def make_root(tmp_path):
    """Return an empty folder; nothing else is beside it."""
    root = tmp_path / "root"
    root.mkdir()
    return root


def write_table(path, names=NAMES, header="path,label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{name},x" for name in names]
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.mark.parametrize("place", ["clips.csv", "clips.TSV", "../clips.csv", "../meta/clips.CSV"])
def test_a_table_beside_a_single_class_is_named(root, place):
    touch(*(root / "audio" / name for name in NAMES))
    path = write_table(root / place)
    with pytest.warns(UserWarning, match="All recordings .* of one class, 'audio'") as caught:
        found = load_audio_folders(root)
    assert found.target_names == ["audio"]
    text = str(caught[0].message)
    assert f"load_audio_table({str(path.resolve())!r})" in text
    assert f"--table {path.resolve()} of the command" in text
    assert caught[0].filename == __file__


@pytest.mark.parametrize("names", [("bark_one", "a\\rain_one"), ("bark_one.wav", "x", "y")])
def test_most_recordings_must_be_in_one_column(root, names):
    table = write_table(root / "clips.csv", names)
    expected = str(table) if "x" not in names else None
    assert find_table(root, [root / "a" / name for name in NAMES]) == expected


def test_recordings_of_the_same_names_in_other_folders_are_others(root):
    table = write_table(root / "clips.csv", [f"other/{name}" for name in NAMES])
    assert find_table(root, [root / "a" / name for name in NAMES]) is None
    assert find_table(root, [root / "other" / name for name in NAMES]) == str(table)
    write_table(table, [root / "a" / NAMES[0], "./a/rain_one.wav", "../root/a/rain_two.wav"])
    assert find_table(root, [root / "a" / name for name in NAMES]) == str(table)


def test_short_numbers_are_not_taken_for_names(root):
    write_table(root / "numbers.csv", ["1", "2", "3"])
    files = [root / "a" / f"{number}.wav" for number in (1, 2, 3)]
    assert find_table(root, files) is None
    write_table(root / "numbers.csv", ["1.wav", "2.wav", "3.wav"])
    assert find_table(root, files) is not None


def test_other_files_are_no_tables(root):
    (root / "broken.csv").write_bytes(b"PK\x03\x04")
    (root / "empty.csv").touch()
    for folder in (root, root / "meta"):
        write_table(folder / "._clips.csv")
        write_table(folder / "clips.md")
        (folder / "folder.csv").mkdir()
    assert find_table(root, [root / "a" / name for name in NAMES]) is None


def test_only_the_first_rows_of_a_few_tables_are_read(root):
    files = [root / "a" / f"clip_{number}.wav" for number in range(10_000)]
    names = [path.name for path in files]
    table = write_table(root / "z.csv", names[5000:])
    table.write_bytes(table.read_bytes() + b"\xff")  # not text, after the part that is read
    assert find_table(root, files) == str(table)
    # A character is cut where the part that is read ends.
    table.write_text("path,\n" + "".join(f"{name},{'€' * 200}\n" for name in names[:200]))
    assert table.read_bytes()[63_999] in "€".encode()[:2]
    assert find_table(root, files) == str(table)
    for number in range(9):
        write_table(root / f"{number}.csv", ["x"] * 300 + names)
    assert find_table(root, files) == str(table)
    write_table(root / "9.csv", ["x"])
    assert find_table(root, files) is None


CLIPS = [f"clip_{number}" for number in range(30)]


@pytest.mark.parametrize("cells", [["dog", "cat"] * 50, [*CLIPS, *["x"] * 30], CLIPS[:9]])
def test_a_few_names_are_not_enough(root, cells):
    files = [root / f"{name}.wav" for name in ("dog", "cat", *CLIPS)]
    write_table(root / "other.csv", cells)
    assert find_table(root, files) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_of_spreadsheets_are_read(root, encoding):
    table = root / "clips.csv"
    table.write_text("\n\nlabel;path\nx;\n" + "".join(f"x;{n}\n" for n in NAMES), encoding)
    assert find_table(root, [root / "a" / name for name in NAMES]) == str(table)


@pytest.mark.parametrize("folders", [("train", "test"), ("fold1", "fold_2"), ("Validation", "DEV")])
def test_a_table_beside_parts_of_a_dataset_is_named(root, folders):
    touch(*(root / folder / name for folder in folders for name in NAMES))
    write_table(root / "clips.csv")
    with pytest.warns(UserWarning, match=r"used as classes: .*clips\.csv"):
        load_audio_folders(root)


@pytest.mark.parametrize(
    ("outer", "advice"),
    [
        (["data"], "'data'."),
        (["test", "train"], "'train' to train, and 'test' to score the model."),
        (["Dev", "fold1", "eval"], "'fold1' to train, and 'Dev', 'eval' to score the model."),
        (
            ["fold1", "train2", "val"],
            "'train2' to train, and 'val' to score the model, and use the other folders in the "
            "same way.",
        ),
        (["fold2", "fold1"], "'fold1', and use the other folders in the same way."),
        (["test", "dev"], "'dev', and use the other folders in the same way."),
    ],
)
def test_class_folders_further_down_are_named(root, outer, advice):
    touch(*(root / part / name / "1.wav" for part in outer for name in ("dog", "cat")))
    with pytest.warns(UserWarning, match="If the folders 'cat', 'dog' in ") as caught:
        load_audio_folders(root)
    text = str(caught[0].message).replace(f"{root}/", "")
    assert text.endswith(f" are the classes, pass {advice}")


def test_real_classes_are_not_reported(root):
    touch(*(root / folder / name for folder in ("train", "bus") for name in NAMES))
    touch(root / "alone/wind/1.wav", root / "alone/wind/2.wav")
    write_table(root / "clips.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_audio_folders([root / "bus"])
        load_audio_folders(root / "alone")
        load_audio_folders(root)


def test_errors_about_folders_name_a_table(root):
    touch(root / "audio/a/1.wav", *(root / "audio" / name for name in NAMES))
    table = write_table(root / "meta" / "clips.csv")
    for folder in (root, root / "audio"):
        with pytest.raises(ValueError, match="audio") as caught:
            load_audio_folders(folder)
        assert f"load_audio_table({str(table)!r})" in str(caught.value)
