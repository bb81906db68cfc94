import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from skdaf._core import cache as _cache
from skdaf._core.cache import Cache, make_key

pytestmark = pytest.mark.oldest

KEY, OTHER = make_key("a"), make_key("b")


def files(folder):
    return sorted(Path(folder).glob("*.cache"))


def only_file(folder):
    (file,) = files(folder)
    return file


def patch(file, position, content):
    with open(file, "r+b") as opened:
        opened.seek(position)
        opened.write(content)


def fresh(folder):
    """Return the cache as another process would find it."""
    _cache._forget_folders()
    return Cache(folder)


def run_python(code, *arguments):
    """Run code in a process of its own; return it when it has ended."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def test_what_was_put_comes_back_in_order(cache):
    cache.put_many({KEY: b"one", OTHER: b""})
    assert cache.get_many([OTHER, make_key("c"), KEY]) == [b"", None, b"one"]
    assert cache.get_many([]) == []


def test_the_last_value_stays(cache):
    cache.put_many({KEY: b"one"})
    cache.put_many({KEY: b"two, longer"})
    assert cache.get_many([KEY]) == [b"two, longer"]


def test_folder_is_made_with_its_parents(tmp_path):
    Cache(tmp_path / "a" / "b").put_many({KEY: b"one"})
    assert only_file(tmp_path / "a" / "b").stat().st_size > 0


def test_a_cache_that_is_only_read_leaves_the_folder_empty(cache, tmp_path):
    assert cache.get_many([KEY]) == [None]
    cache.put_many({})
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_process_has_one_file_with_little_beside_the_values(cache, tmp_path):
    for number in range(10):
        cache.put_many({make_key(number, i): bytes(1000) for i in range(10)})
    assert 100_000 < only_file(tmp_path / "cache").stat().st_size < 104_000
    keys = [make_key(number, i) for number in range(10) for i in range(10)]
    assert fresh(tmp_path / "cache").get_many(keys) == [bytes(1000)] * 100


def test_the_same_key_twice_in_a_call(cache):
    cache.put_many({KEY: b"one"})
    assert cache.get_many([KEY, OTHER, KEY]) == [b"one", None, b"one"]


def test_entries_outlast_the_process(tmp_path):
    code = """
        import sys
        from skdaf._core.cache import Cache, make_key
        Cache(sys.argv[1]).put_many({make_key("a"): b"one"})
    """
    assert run_python(code, tmp_path).returncode == 0
    assert Cache(tmp_path).get_many([KEY]) == [b"one"]


def test_one_folder_under_several_names_is_one_cache(tmp_path, monkeypatch):
    Cache(tmp_path / "cache").put_many({KEY: b"one"})
    os.symlink(tmp_path / "cache", tmp_path / "alias")
    monkeypatch.chdir(tmp_path)
    for name in ("cache", "./cache/", tmp_path / "alias", str(tmp_path / "x" / ".." / "cache")):
        assert Cache(name).get_many([KEY]) == [b"one"]


# --- keys ------------------------------------------------------------------------------------


def test_keys_are_short_and_the_same_in_every_process():
    assert len(KEY) == 16
    code = "from skdaf._core.cache import make_key; print(make_key('a').hex())"
    assert run_python(code).stdout.strip() == KEY.hex()


def test_keys_differ_where_their_parts_do():
    parts = [("a",), ("a", "b"), (("a", "b"),), ("ab",), (1,), (1.0,), (None,), ("\udce9",), ()]
    assert len({make_key(*part) for part in parts}) == len(parts)


# --- damage ----------------------------------------------------------------------------------


def put_three(folder):
    """Put three blocks of three entries; return all of them, and the file."""
    entries = {make_key(i): bytes([i]) * (50 + i) for i in range(9)}
    keys = list(entries)
    cache = fresh(folder)
    for first in (0, 3, 6):
        cache.put_many({key: entries[key] for key in keys[first : first + 3]})
    return entries, only_file(folder)


def assert_right_or_missing(cache, entries):
    """Return how many are missing."""
    values = cache.get_many(entries)
    assert all(
        value in (None, right) for value, right in zip(values, entries.values(), strict=True)
    )
    return values.count(None)


def assert_heals(folder, entries):
    """What is missing is made anew, once, and then found by everyone."""
    cache = fresh(folder)
    values = cache.get_many(entries)
    cache.put_many(
        {
            key: right
            for (key, right), value in zip(entries.items(), values, strict=True)
            if value is None
        }
    )
    for healed in (cache, fresh(folder)):
        assert healed.get_many(entries) == list(entries.values())


def test_every_flipped_byte_is_noticed(tmp_path):
    entries, file = put_three(tmp_path)
    whole, n_missing = file.read_bytes(), []
    for position in range(len(whole)):
        patch(file, position, bytes([whole[position] ^ 0x10]))
        n_missing.append(assert_right_or_missing(fresh(tmp_path), entries))
        patch(file, position, whole[position : position + 1])
    # A value costs itself, a header or an index what it stands for and all behind it.
    assert set(n_missing) == {1, 3, 6, 9}
    assert fresh(tmp_path).get_many(entries) == list(entries.values())


def test_a_file_cut_anywhere_keeps_what_is_whole(tmp_path):
    entries, file = put_three(tmp_path)
    n_missing = []
    for size in range(file.stat().st_size, -1, -1):
        os.truncate(file, size)
        n_missing.append(assert_right_or_missing(fresh(tmp_path), entries))
    assert n_missing == sorted(n_missing)
    assert set(n_missing) == {0, 3, 6, 9}
    assert_heals(tmp_path, entries)


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
        assert_right_or_missing(fresh(tmp_path), entries)
        assert_heals(tmp_path, entries)


def test_a_file_cut_while_a_process_knows_its_entries(tmp_path):
    entries, file = put_three(tmp_path)
    cache = Cache(tmp_path)
    os.truncate(file, file.stat().st_size - 10)
    values = cache.get_many(entries)
    assert values == [*list(entries.values())[:-1], None]
    # What comes next must not stand behind the broken end, where nobody would find it.
    cache.put_many({KEY: b"next"})
    assert cache.get_many([KEY]) == fresh(tmp_path).get_many([KEY]) == [b"next"]


def test_an_entry_that_another_process_has_damaged_is_replaced(tmp_path):
    entries, file = put_three(tmp_path)
    patch(file, file.stat().st_size - 1, b"?")
    cache = fresh(tmp_path)
    assert cache.get_many(entries)[-1] is None
    cache.put_many({list(entries)[-1]: b"anew"})
    assert fresh(tmp_path).get_many(entries)[-1] == b"anew"


def test_an_entry_never_passes_for_another(tmp_path):
    Cache(tmp_path).put_many({KEY: b"one"})
    file = only_file(tmp_path)
    content = file.read_bytes()
    # The index says, with a right checksum of its own, that the value belongs to another key.
    header, entry = _cache._HEADER, _cache._ENTRY
    _, n_bytes, checksum = entry.unpack_from(content, header.size)
    index = entry.pack(OTHER, n_bytes, checksum)
    patch(file, 0, header.pack(_cache._MAGIC, 1, _cache.zlib.crc32(index)) + index)
    assert fresh(tmp_path).get_many([KEY, OTHER]) == [None, None]


def test_foreign_files_are_left_alone(tmp_path):
    foreign = {"data.mdb": b"not ours" * 1000, "x.cache": b"nor this" * 1000, "empty.cache": b""}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.cache").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "broken.cache")
    Cache(tmp_path).put_many({KEY: b"one"})
    assert fresh(tmp_path).get_many([KEY, OTHER]) == [b"one", None]
    assert {name: (tmp_path / name).read_bytes() for name in foreign} == foreign


def test_a_full_disk_warns_and_keeps_what_is_there(cache, tmp_path, monkeypatch):
    cache.put_many({KEY: b"one"})
    file = only_file(tmp_path / "cache")
    size = file.stat().st_size

    def write_half(file, block):
        file.write(block[: len(block) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_cache, "_write", write_half)
        with pytest.warns(UserWarning, match="could not be written.*No space left") as warned:
            cache.put_many({OTHER: bytes(2**20)})
    assert repr(str(tmp_path / "cache")) in str(warned[0].message)
    assert file.stat().st_size == size
    assert cache.get_many([KEY, OTHER]) == [b"one", None]
    cache.put_many({OTHER: b"two"})
    assert only_file(tmp_path / "cache") == file
    assert fresh(tmp_path / "cache").get_many([KEY, OTHER]) == [b"one", b"two"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_device_without_space_warns(cache, monkeypatch):
    monkeypatch.setattr(_cache._Folder, "_path_of", lambda self, number: "/dev/full")
    with pytest.warns(UserWarning, match="could not be written"):
        cache.put_many({KEY: b"one"})
    assert cache.get_many([KEY]) == [None]


def test_a_folder_that_cannot_be_written_is_read(cache, tmp_path, monkeypatch):
    cache.put_many({KEY: b"one"})
    reader = fresh(tmp_path / "cache")

    def refuse(path, mode="r", **options):
        if mode != "rb":
            raise PermissionError(13, "Permission denied", path)
        return open(path, mode, **options)

    monkeypatch.setattr(_cache, "open", refuse, raising=False)
    with pytest.warns(UserWarning, match="could not be written.*Permission denied"):
        reader.put_many({OTHER: b"two"})
    assert reader.get_many([KEY, OTHER]) == [b"one", None]


def file_in_its_place(folder):
    folder.write_text("something else")


def file_in_its_way(folder):
    folder.parent.write_text("something else")


@pytest.mark.parametrize("spoil", [file_in_its_place, file_in_its_way])
def test_unusable_folder_is_an_error_that_names_it(tmp_path, spoil):
    folder = tmp_path / "cache"
    if spoil is file_in_its_way:
        folder = folder / "below"
    spoil(folder)
    with pytest.raises(ValueError, match="cannot be used as a cache") as caught:
        Cache(folder)
    assert f"cache={str(folder)!r}" in str(caught.value)
    assert str(caught.value).endswith("it is a file, not a folder.") is (spoil is file_in_its_place)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_folder_that_has_become_usable_is_used(tmp_path):
    folder = tmp_path / "cache"
    folder.write_text("something else")
    with pytest.raises(ValueError, match="cannot be used"):
        Cache(folder)
    folder.unlink()
    Cache(folder).put_many({KEY: b"one"})
    assert Cache(folder).get_many([KEY]) == [b"one"]


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be deleted there")
def test_deleted_file_is_made_anew_and_empty(tmp_path):
    old = Cache(tmp_path)
    old.put_many({KEY: b"one"})
    only_file(tmp_path).unlink()
    new = Cache(tmp_path)
    assert new.get_many([KEY]) == [None]
    new.put_many({KEY: b"two"})
    assert only_file(tmp_path).is_file()
    assert old.get_many([KEY]) == new.get_many([KEY]) == [b"two"]


def test_deleted_folder_is_made_anew(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    only_file(tmp_path / "cache").unlink()
    (tmp_path / "cache").rmdir()
    assert cache.get_many([KEY]) == [None]
    cache.put_many({KEY: b"two"})
    assert cache.get_many([KEY]) == [b"two"]


# --- many at once ----------------------------------------------------------------------------

WRITER = """
    import sys
    from skdaf._core.cache import Cache, make_key
    name, cache = sys.argv[2], Cache(sys.argv[1])
    for i in range(60):
        cache.put_many({make_key(name, i): f"{name}{i}".encode() * 200, make_key(i): bytes(5000)})
        assert cache.get_many([make_key(name, i)]) == [f"{name}{i}".encode() * 200]
"""


def test_two_processes_write_at_once(tmp_path):
    code = textwrap.dedent(WRITER)
    writers = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, name], stderr=subprocess.PIPE)
        for name in "xy"
    ]
    for writer in writers:
        assert writer.communicate(timeout=60)[1] == b""
        assert writer.returncode == 0
    keys = [make_key(name, i) for name in "xy" for i in range(60)]
    expected = [f"{name}{i}".encode() * 200 for name in "xy" for i in range(60)]
    assert Cache(tmp_path).get_many(keys) == expected


def test_threads_share_a_cache(tmp_path):
    def work(name):
        try:
            for i in range(40):
                Cache(tmp_path).put_many({make_key(name, i): f"{name}{i}".encode()})
                assert Cache(tmp_path).get_many([make_key(name, i)]) == [f"{name}{i}".encode()]
        except BaseException as error:
            errors.append(error)

    errors = []
    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert errors == []


def test_what_another_process_adds_is_found(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    code = """
        import sys
        from skdaf._core.cache import Cache, make_key
        Cache(sys.argv[1]).put_many({make_key("b"): b"two"})
    """
    assert run_python(code, tmp_path / "cache").returncode == 0
    assert cache.get_many([KEY, OTHER]) == [b"one", b"two"]
    assert len(files(tmp_path / "cache")) == 2


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
        n_missing = assert_right_or_missing(fresh(tmp_path), right)
        assert n_missing % 10 == 0
        n_blocks.append((len(right) - n_missing) // 10)
        assert_heals(tmp_path, right)
    assert len(set(n_blocks)) > 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_writer_killed_within_a_write_leaves_what_it_had_finished(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    code = """
        import os, signal, sys
        from skdaf._core import cache as _cache
        def write_half(file, block):
            file.write(block[: len(block) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        cache = _cache.Cache(sys.argv[1])
        cache.put_many({_cache.make_key("c"): b"three"})
        _cache._write = write_half
        cache.put_many({_cache.make_key("a"): b"half", _cache.make_key("b"): bytes(3_000_000)})
    """
    assert run_python(code, tmp_path / "cache").returncode == -signal.SIGKILL
    assert max(file.stat().st_size for file in files(tmp_path / "cache")) > 1_000_000
    keys = [KEY, OTHER, make_key("c")]
    assert cache.get_many(keys) == [b"one", None, b"three"]
    cache.put_many({OTHER: b"two"})
    for reader in (cache, fresh(tmp_path / "cache")):
        assert reader.get_many(keys) == [b"one", b"two", b"three"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_reads_and_writes_beside_its_parent(tmp_path):
    # In a process of its own: the one that runs the tests has threads.
    code = """
        import os, sys
        from skdaf._core.cache import Cache, make_key
        def use(number):
            assert cache.get_many([make_key(0)]) == [b"parent"]
            cache.put_many({make_key(number): b"child"})
            assert cache.get_many([make_key(number)]) == [b"child"]
            assert cache.get_many([make_key(0)]) == [b"parent"]
        cache = Cache(sys.argv[1])
        cache.put_many({make_key(0): b"parent"})
        children = []
        for number in (1, 2, 3):
            children.append(os.fork())
            if not children[-1]:
                try:
                    use(number)
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
                os._exit(0)
        use(4)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        assert cache.get_many([make_key(i) for i in (1, 2, 3, 4)]) == [b"child"] * 4
    """
    ended = run_python(code, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    # Two processes that append to one file would write into each other's blocks.
    assert len(files(tmp_path)) == 4
