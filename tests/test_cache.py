import os
import signal
import subprocess
import sys
import textwrap
import threading

import lmdb
import pytest

from skdaf import _cache
from skdaf._cache import Cache, make_key

KEY, OTHER = make_key("a"), make_key("b")


def overwrite(cache, key, stored):
    """Put bytes as they are, without a checksum of this package."""
    with _cache._open(cache._folder).begin(write=True) as transaction:
        transaction.put(key, stored)


def stored(cache, key):
    with _cache._open(cache._folder).begin() as transaction:
        return transaction.get(key)


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
    assert (tmp_path / "a" / "b" / "data.mdb").is_file()


def test_file_on_disk_grows_only_with_what_is_written(cache, tmp_path):
    cache.put_many({KEY: bytes(10_000)})
    assert os.stat(tmp_path / "cache" / "data.mdb").st_blocks * 512 < 1e6


def test_entries_outlast_the_process(tmp_path):
    code = """
        import sys
        from skdaf._cache import Cache, make_key
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
    code = "from skdaf._cache import make_key; print(make_key('a').hex())"
    assert run_python(code).stdout.strip() == KEY.hex()


def test_keys_differ_where_their_parts_do():
    parts = [("a",), ("a", "b"), (("a", "b"),), ("ab",), (1,), (1.0,), (None,), ("\udce9",), ()]
    assert len({make_key(*part) for part in parts}) == len(parts)


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3, 4, 6, 7, 8, 100], ids=lambda size: f"{size} bytes")
def test_damaged_entry_counts_as_missing(cache, size):
    cache.put_many({KEY: b"one", OTHER: b"two"})
    assert len(stored(cache, KEY)) == 7
    overwrite(cache, KEY, b"\xa5" * size)
    assert cache.get_many([KEY, OTHER]) == [None, b"two"]


@pytest.mark.parametrize("position", range(7))
def test_any_flipped_bit_is_noticed(cache, position):
    cache.put_many({KEY: b"one"})
    damaged = bytearray(stored(cache, KEY))
    damaged[position] ^= 0x10
    overwrite(cache, KEY, bytes(damaged))
    assert cache.get_many([KEY]) == [None]


def test_a_full_cache_warns_and_keeps_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "_LARGEST_FILE", 2**16)
    cache = Cache(tmp_path)
    cache.put_many({KEY: b"one"})
    with pytest.warns(UserWarning, match="could not be written.*MDB_MAP_FULL") as warned:
        cache.put_many({KEY: b"two", OTHER: bytes(2**20)})
    assert repr(str(tmp_path)) in str(warned[0].message)
    assert cache.get_many([KEY, OTHER]) == [b"one", None]


def file_in_its_place(folder):
    folder.write_text("something else")


def file_in_its_way(folder):
    folder.parent.write_text("something else")


def foreign_data(folder):
    folder.mkdir(parents=True)
    (folder / "data.mdb").write_bytes(b"not a database" * 1000)


@pytest.mark.parametrize("spoil", [file_in_its_place, file_in_its_way, foreign_data])
def test_unusable_folder_is_an_error_that_names_it(tmp_path, spoil):
    folder = tmp_path / "cache"
    if spoil is file_in_its_way:
        folder = folder / "below"
    spoil(folder)
    with pytest.raises(ValueError, match="cannot be used as a cache") as caught:
        Cache(folder)
    assert f"cache={str(folder)!r}" in str(caught.value)
    assert isinstance(caught.value.__cause__, (OSError, lmdb.Error))


def test_a_folder_that_has_become_usable_is_used(tmp_path):
    folder = tmp_path / "cache"
    folder.write_text("something else")
    with pytest.raises(ValueError, match="cannot be used"):
        Cache(folder)
    folder.unlink()
    Cache(folder).put_many({KEY: b"one"})
    assert Cache(folder).get_many([KEY]) == [b"one"]


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be deleted there")
def test_deleted_folder_is_made_anew_and_empty(tmp_path):
    old = Cache(tmp_path)
    old.put_many({KEY: b"one"})
    for name in ("data.mdb", "lock.mdb"):
        (tmp_path / name).unlink()
    new = Cache(tmp_path)
    assert new.get_many([KEY]) == [None]
    new.put_many({KEY: b"two"})
    assert (tmp_path / "data.mdb").is_file()
    assert old.get_many([KEY]) == new.get_many([KEY]) == [b"two"]


# --- many at once ----------------------------------------------------------------------------

WRITER = """
    import sys
    from skdaf._cache import Cache, make_key
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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_writer_leaves_the_cache_usable(cache, tmp_path):
    cache.put_many({KEY: b"one"})
    code = """
        import os, signal, sys
        from skdaf._cache import Cache, make_key, _open, _seal
        with _open(sys.argv[1]).begin(write=True) as transaction:
            transaction.put(make_key("a"), _seal(b"half"))
            transaction.put(make_key("b"), _seal(bytes(3_000_000)))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_python(code, tmp_path / "cache").returncode == -signal.SIGKILL
    assert cache.get_many([KEY, OTHER]) == [b"one", None]
    cache.put_many({OTHER: b"two"})
    assert cache.get_many([KEY, OTHER]) == [b"one", b"two"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_reads_and_writes_beside_its_parent(tmp_path):
    # In a process of its own: the one that runs the tests has threads.
    code = """
        import os, sys
        from skdaf._cache import Cache, _handles, make_key
        def use(number):
            # LMDB forbids using a handle that another process has opened.
            assert len(_handles) == (number == 4)
            assert cache.get_many([make_key(0)]) == [b"parent"]
            cache.put_many({make_key(number): b"child"})
            assert cache.get_many([make_key(number)]) == [b"child"]
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
