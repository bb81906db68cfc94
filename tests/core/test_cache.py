"""A cache on disk: keys and values, and several processes and threads that use it."""

import os
import random
import subprocess
import sys
import textwrap
import threading

import pytest
from cache_files import KEY, OTHER, files, only_file, reopen
from helpers import run_python

from skdaf._core.cache import Cache, make_key

pytestmark = pytest.mark.oldest


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
    assert reopen(tmp_path / "cache").get_many(keys) == [bytes(1000)] * 100


def test_the_same_key_twice_in_a_call(cache):
    cache.put_many({KEY: b"one"})
    assert cache.get_many([KEY, OTHER, KEY]) == [b"one", None, b"one"]


def test_any_selection_of_entries_in_any_order(tmp_path):
    # Neighbors are read at once, with gaps of any size between them; large entries are not.
    rng = random.Random(0)
    entries = {make_key(i): rng.randbytes(rng.choice([0, 5, 3000, 20_000])) for i in range(200)}
    entries[make_key("large")] = rng.randbytes(2**20)
    keys = list(entries)
    for first in range(0, len(keys), 30):
        Cache(tmp_path).put_many({key: entries[key] for key in keys[first : first + 30]})
    for share in (1.0, 0.5, 0.1):
        chosen = rng.sample(keys, round(share * len(keys)))
        assert Cache(tmp_path).get_many(chosen) == [entries[key] for key in chosen]


def test_entries_outlast_the_process(tmp_path):
    code = """
        import sys
        from skdaf._core.cache import Cache, make_key
        Cache(sys.argv[1]).put_many({make_key("a"): b"one"})
    """
    run_python(code, tmp_path)
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
    assert run_python(code).strip() == KEY.hex()


def test_keys_differ_where_their_parts_do():
    parts = [("a",), ("a", "b"), (("a", "b"),), ("ab",), (1,), (1.0,), (None,), ("\udce9",), ()]
    assert len({make_key(*part) for part in parts}) == len(parts)


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
    run_python(code, tmp_path / "cache")
    assert cache.get_many([KEY, OTHER]) == [b"one", b"two"]
    assert len(files(tmp_path / "cache")) == 2


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
    assert run_python(code, tmp_path, on_warning="ignore") == ""
    # Two processes that append to one file would write into each other's blocks.
    assert len(files(tmp_path)) == 4
