"""A cache on disk that is damaged, cut off, deleted or full: no wrong value, no error."""

import os
import random
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zlib

import pytest
from cache_files import KEY, OTHER, files, only_file, reopen
from helpers import run_python

from skdaf._core.cache import Cache, make_key

pytestmark = pytest.mark.oldest


def patch(file, position, content):
    with open(file, "r+b") as opened:
        opened.seek(position)
        opened.write(content)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def put_three(folder):
    """Put three blocks of three entries; return all of them, and the file."""
    entries = {make_key(i): bytes([i]) * (50 + i) for i in range(9)}
    keys = list(entries)
    cache = reopen(folder)
    for first in (0, 3, 6):
        cache.put_many({key: entries[key] for key in keys[first : first + 3]})
    return entries, only_file(folder)


def check_right_or_missing(cache, entries):
    """Check that no value is wrong; return how many are missing."""
    values = cache.get_many(entries)
    assert all(
        value in (None, right) for value, right in zip(values, entries.values(), strict=True)
    )
    return values.count(None)


def check_repair(folder, entries):
    """Store what is missing again, and check that everyone finds it."""
    cache = reopen(folder)
    values = cache.get_many(entries)
    cache.put_many(
        {
            key: right
            for (key, right), value in zip(entries.items(), values, strict=True)
            if value is None
        }
    )
    for repaired in (cache, reopen(folder)):
        assert repaired.get_many(entries) == list(entries.values())


def test_every_flipped_byte_is_noticed(tmp_path):
    entries, file = put_three(tmp_path)
    content, n_missing = file.read_bytes(), []
    for position in range(len(content)):
        patch(file, position, bytes([content[position] ^ 0x10]))
        n_missing.append(check_right_or_missing(reopen(tmp_path), entries))
        patch(file, position, content[position : position + 1])
    # A damaged value costs that value; a damaged header or index its block and all later ones.
    assert set(n_missing) == {1, 3, 6, 9}
    assert reopen(tmp_path).get_many(entries) == list(entries.values())


def test_a_file_cut_anywhere_keeps_its_complete_blocks(tmp_path):
    entries, file = put_three(tmp_path)
    n_missing = []
    for size in range(file.stat().st_size, -1, -1):
        os.truncate(file, size)
        n_missing.append(check_right_or_missing(reopen(tmp_path), entries))
    assert n_missing == sorted(n_missing)
    assert set(n_missing) == {0, 3, 6, 9}
    check_repair(tmp_path, entries)


@pytest.mark.parametrize("seed", range(5))
def test_random_damage_never_gives_a_wrong_value(tmp_path, seed):
    rng = random.Random(seed)
    for _ in range(20):
        for old in files(tmp_path):
            old.unlink()
        entries, file = put_three(tmp_path)
        for _ in range(rng.choice([1, 3, 30])):
            position = rng.randrange(file.stat().st_size)
            patch(file, position, rng.randbytes(rng.choice([1, 8, 100])))
        check_right_or_missing(reopen(tmp_path), entries)
        check_repair(tmp_path, entries)


def test_a_file_cut_while_a_process_knows_its_entries(tmp_path):
    entries, file = put_three(tmp_path)
    cache = Cache(tmp_path)
    os.truncate(file, file.stat().st_size - 10)
    values = cache.get_many(entries)
    assert values == [*list(entries.values())[:-1], None]
    # Nobody would find a block after the incomplete one.
    cache.put_many({KEY: b"next"})
    assert cache.get_many([KEY]) == reopen(tmp_path).get_many([KEY]) == [b"next"]


def test_an_entry_that_another_process_has_damaged_is_replaced(tmp_path):
    entries, file = put_three(tmp_path)
    patch(file, file.stat().st_size - 1, b"?")
    cache = reopen(tmp_path)
    assert cache.get_many(entries)[-1] is None
    cache.put_many({list(entries)[-1]: b"new"})
    assert reopen(tmp_path).get_many(entries)[-1] == b"new"


def test_an_index_cannot_assign_a_value_to_another_key(tmp_path):
    Cache(tmp_path).put_many({KEY: b"one"})
    file = only_file(tmp_path)
    content = file.read_bytes()
    header, entry = struct.Struct("<8sII"), struct.Struct("<16sQI")
    _, n_bytes, checksum = entry.unpack_from(content, header.size)
    # The checksum of this index is right.
    index = entry.pack(OTHER, n_bytes, checksum)
    patch(file, 0, header.pack(content[:8], 1, zlib.crc32(index)) + index)
    assert reopen(tmp_path).get_many([KEY, OTHER]) == [None, None]


def test_foreign_files_are_left_alone(tmp_path):
    foreign = {"data.mdb": b"not ours" * 1000, "x.cache": b"nor this" * 1000, "empty.cache": b""}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.cache").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "broken.cache")
    Cache(tmp_path).put_many({KEY: b"one"})
    assert reopen(tmp_path).get_many([KEY, OTHER]) == [b"one", None]
    assert {name: (tmp_path / name).read_bytes() for name in foreign} == foreign


FULL_DISK = """
    import resource, sys, time, warnings
    from skdaf._core.cache import Cache, make_key

    cache = Cache(sys.argv[1])
    if sys.argv[2] == "later":
        cache.put_many({make_key("a"): b"one"})
    # Writes beyond this size of a file fail, after a part has been written.
    size = {"later": 100_000, "first": 0}[sys.argv[2]]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cache.put_many({make_key("b"): bytes(2**20)})
    print(*[warning.message for warning in caught])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert cache.get_many([make_key("b")]) == [None]
    cache.put_many({make_key("b"): b"ignored"})
    assert cache.get_many([make_key("b")]) == [None]
    now = time.monotonic()
    time.monotonic = lambda: now + 601
    cache.put_many({make_key("b"): b"two"})
    assert cache.get_many([make_key("b")]) == [b"two"]
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
@pytest.mark.parametrize("when", ["first", "later"])
def test_a_full_disk_warns_and_keeps_what_was_written(tmp_path, when):
    message = run_python(FULL_DISK, tmp_path / "cache", when)
    assert "could not be written" in message
    assert "File too large" in message
    assert repr(str(tmp_path / "cache")) in message
    # Nothing is left of the failed write.
    assert sum(file.stat().st_size for file in files(tmp_path / "cache")) < 1000
    assert len(files(tmp_path / "cache")) == 1
    expected = [b"one" if when == "later" else None, b"two"]
    assert reopen(tmp_path / "cache").get_many([KEY, OTHER]) == expected


def test_a_folder_without_write_permission_is_read(cache, tmp_path, monkeypatch):
    cache.put_many({KEY: b"one"})
    reader = reopen(tmp_path / "cache")
    open_file = open

    def refuse(path, mode="r", *args, **options):
        if mode == "ab":
            raise PermissionError(13, "Permission denied", path)
        return open_file(path, mode, *args, **options)

    # Not with permissions, which do not bind root.
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.warns(UserWarning, match=r"cache' could not be written \(Permission denied\)"):
        reader.put_many({OTHER: b"two"})
    assert reader.get_many([KEY, OTHER]) == [b"one", None]


def file_at_its_path(folder):
    folder.write_text("something else")


def file_at_its_parent(folder):
    folder.parent.write_text("something else")


@pytest.mark.parametrize("obstruct", [file_at_its_path, file_at_its_parent])
def test_an_error_names_a_folder_that_cannot_be_used(tmp_path, obstruct):
    folder = tmp_path / "cache"
    if obstruct is file_at_its_parent:
        folder = folder / "below"
    obstruct(folder)
    with pytest.raises(ValueError, match="cache") as caught:
        Cache(folder)
    assert f"cache={str(folder)!r}" in str(caught.value)
    assert ("is a file" in str(caught.value)) is (obstruct is file_at_its_path)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_folder_that_becomes_usable_is_used(tmp_path):
    folder = tmp_path / "cache"
    folder.write_text("something else")
    with pytest.raises(ValueError, match="cache"):
        Cache(folder)
    folder.unlink()
    Cache(folder).put_many({KEY: b"one"})
    assert Cache(folder).get_many([KEY]) == [b"one"]


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be deleted there")
def test_a_deleted_file_is_replaced_by_a_new_one(tmp_path):
    old = Cache(tmp_path)
    old.put_many({KEY: b"one"})
    only_file(tmp_path).unlink()
    new = Cache(tmp_path)
    assert new.get_many([KEY]) == [None]
    new.put_many({KEY: b"two"})
    assert only_file(tmp_path).is_file()
    assert old.get_many([KEY]) == new.get_many([KEY]) == [b"two"]


def test_a_deleted_folder_is_created_again(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    only_file(tmp_path / "cache").unlink()
    (tmp_path / "cache").rmdir()
    assert cache.get_many([KEY]) == [None]
    cache.put_many({KEY: b"two"})
    assert cache.get_many([KEY]) == [b"two"]


KILLED_WRITER = """
    import sys
    from skdaf._core.cache import Cache, make_key
    cache = Cache(sys.argv[1])
    for i in range(10**6):
        cache.put_many({make_key(i, j): bytes([i % 256, j]) * 20_000 for j in range(10)})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.slow
def test_killed_writers_leave_the_cache_usable(tmp_path):
    rng = random.Random(0)
    right = {make_key(i, j): bytes([i % 256, j]) * 20_000 for i in range(50) for j in range(10)}
    n_blocks = []
    for _ in range(6):
        for file in files(tmp_path):
            file.unlink()
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED_WRITER), tmp_path])
        while not files(tmp_path):
            assert writer.poll() is None
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        writer.kill()
        assert writer.wait(timeout=60) == -signal.SIGKILL
        n_missing = check_right_or_missing(reopen(tmp_path), right)
        assert n_missing % 10 == 0
        n_blocks.append((len(right) - n_missing) // 10)
        check_repair(tmp_path, right)
    assert len(set(n_blocks)) > 1


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs SIGXFSZ")
def test_a_writer_killed_during_a_write_leaves_its_complete_blocks(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    code = """
        import resource, signal, sys
        from skdaf._core.cache import Cache, make_key
        cache = Cache(sys.argv[1])
        cache.put_many({make_key("c"): b"three"})
        # The system ends the process when it writes beyond this size.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        cache.put_many({make_key("a"): b"half", make_key("b"): bytes(3_000_000)})
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "cache")]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGXFSZ
    assert max(file.stat().st_size for file in files(tmp_path / "cache")) > 1_000_000
    keys = [KEY, OTHER, make_key("c")]
    assert cache.get_many(keys) == [b"one", None, b"three"]
    cache.put_many({OTHER: b"two"})
    for reader in (cache, reopen(tmp_path / "cache")):
        assert reader.get_many(keys) == [b"one", b"two", b"three"]
