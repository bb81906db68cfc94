import os
import threading

import pytest

from skdaf._core.files import leftovers, name_with, replacing, write_whole

pytestmark = pytest.mark.oldest


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "table.csv"
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["table.csv"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")
    with replacing(path) as part:
        part.write_bytes(b"half")
        assert path.read_bytes() == b"old"
        assert part.suffix == ".csv"
        assert part.name.startswith(".")
        part.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")

    def fail_halfway():
        with replacing(path) as part:
            part.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_two_writers_use_different_files(tmp_path):
    path = tmp_path / "table.csv"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert path.read_bytes() == b"one"


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "nowhere" / "table.csv"
    with pytest.raises(FileNotFoundError, match=r"table\.csv'.*no folder '.*nowhere'$"):
        write_whole(path, b"new")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_written_to_directly(tmp_path):
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    write_whole(path, b"through it")
    reader.join(timeout=10)
    assert found == [b"through it"]
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_keeps_pointing_to_its_file(tmp_path):
    (tmp_path / "folder").mkdir()
    link, file = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(file)
    for content in (b"old", b"new"):  # the file does not exist at first
        write_whole(link, content)
        assert file.read_bytes() == content
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["folder", "link"]
    assert os.listdir(tmp_path / "folder") == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666, 0o755, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path, permissions):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")
    path.chmod(permissions)
    with replacing(path) as part:
        # Whoever may not read the old content may not read the new one either, at any time.
        assert part.stat().st_mode & 0o777 == permissions | 0o200
        part.write_bytes(b"new")
    assert path.stat().st_mode & 0o777 == permissions
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
def test_a_new_file_gets_the_permissions_that_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "table.csv", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "name", ["n" * 251 + ".csv", "n" * 255, "\u00e9" * 125 + ".csv", "a." + "s" * 250]
)
def test_every_valid_name_can_be_written(tmp_path, name):
    path = tmp_path / name
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == [name]


def test_temporary_files_of_killed_writers_are_found(tmp_path):
    for stem in ("model", "m" * 240):
        path = tmp_path / f"{stem}.csv"
        with replacing(path) as part:
            part.write_bytes(b"half")
            assert list(leftovers(path)) == [part]
            assert not list(leftovers(tmp_path / f"{stem}x.csv"))


def test_names_with_an_ending_stay_valid_and_distinct():
    assert name_with("a.csv", ".old") == "a.csv.old"
    names = {name_with("n" * 254 + letter, ".old") for letter in "ab"}
    assert len(names) == 2
    assert all(len(name) == 255 and name.endswith(".old") for name in names)
