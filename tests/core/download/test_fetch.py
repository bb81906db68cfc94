"""`fetch_model` with a server on this computer: what arrives, what is kept, what is refused."""

import hashlib
import multiprocessing
import re
import socket
import stat
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from model_server import CONTENT

from skdaf import SpectrogramTransformer, fetch_model, load_model, save_model
from skdaf._core.download import transfer

pytestmark = pytest.mark.oldest

SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = "0" * 64


def drive_id(kind):
    return f"{kind}-".ljust(33, "x")


def kept(folder):
    return [path.read_bytes() for path in folder.iterdir()] if folder.is_dir() else []


# --- what arrives ---


@pytest.mark.parametrize(
    "address",
    ["/file", "/redirect/file", "/redirect/redirect/file", "/typed_as_html", "/no_length"]
    + [drive_id(kind) for kind in ("small", "large", "old", "cookie")],
)
def test_the_file_arrives_whole(fetch, folder, address):
    path = fetch(address, SHA256)
    assert path.read_bytes() == CONTENT
    assert path.parent == folder
    assert list(folder.iterdir()) == [path]


def test_a_model_can_be_loaded(fetch, server, tmp_path):
    save_model(SpectrogramTransformer(n_mels=17), tmp_path / "model.skops")
    server.content = (tmp_path / "model.skops").read_bytes()
    assert load_model(fetch("/file/model.skops")).n_mels == 17


def test_a_file_is_fetched_once(fetch, server):
    first = fetch("/file/a")
    assert fetch("/file/a") == first
    assert fetch("/file/a", SHA256) == first
    assert server.requested == ["/file/a"]
    # Another URL has another file, although its name is the same.
    server.content = CONTENT + b"more"
    second = fetch("/file/b/a")
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, CONTENT + b"more")


def test_all_links_to_a_file_of_drive_share_one_copy(fetch, server):
    path = fetch(drive_id("small"))
    assert fetch(f"https://drive.google.com/file/d/{drive_id('small')}/view") == path
    assert len(server.requested) == 2  # one file, behind a redirect


def test_a_file_is_fetched_again_for_another_hash(fetch, server):
    path = fetch("/file")
    server.content = CONTENT + b"new"
    new = hashlib.sha256(server.content).hexdigest()
    assert fetch("/file", new) == path
    assert path.read_bytes() == CONTENT + b"new"
    # If that fails, the old file remains.
    with pytest.raises(ValueError, match=OTHER):
        fetch("/file", OTHER)
    assert path.read_bytes() == CONTENT + b"new"


@pytest.mark.parametrize("text", [SHA256.upper(), f"sha256:{SHA256}"])
def test_forms_of_the_hash(fetch, text):
    assert fetch("/file", text).read_bytes() == CONTENT


def test_the_hash_can_be_in_the_address(fetch, folder):
    fetch(f"/file#sha256={SHA256}")
    with pytest.raises(ValueError, match=f"{SHA256}, but {OTHER} was expected"):
        fetch(f"/file/2#sha256={OTHER}")
    with pytest.raises(ValueError, match=f"sha256='{OTHER}' differs from the hash in the address"):
        fetch(f"/file#sha256={SHA256}", OTHER)
    assert kept(folder) == [CONTENT]


def test_without_a_hash_a_warning_shows_it(server, folder):
    url = f"{server.address}/file"
    for _ in range(2):  # also if the file is there already
        with pytest.warns(UserWarning, match=f"{url}.*hash {SHA256}.*sha256=") as caught:
            fetch_model(url, cache=folder)
        assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch_model(url, SHA256, cache=folder)


def test_a_progress_bar_if_verbose_and_nothing_else(fetch, capfd):
    fetch("/file/1")
    assert capfd.readouterr() == ("", "")
    fetch("/file/2", verbose=1)
    out, err = capfd.readouterr()
    assert out == ""
    assert re.search(r"Download: 100%.*256k/256k", err)


def test_the_folder(fetch, server, tmp_path, monkeypatch):
    monkeypatch.setenv("SKDAF_MODELS", str(tmp_path / "variable"))
    assert fetch_model(f"{server.address}/file", SHA256).parent == tmp_path / "variable"
    assert fetch("/file", SHA256, cache=str(tmp_path / "a" / "b")).parent == tmp_path / "a" / "b"
    monkeypatch.delenv("SKDAF_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = fetch_model(f"{server.address}/file", SHA256)
    assert path.is_relative_to(tmp_path) or sys.platform == "win32"
    assert path.parent.name == "models"


def test_a_folder_that_cannot_be_used(fetch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OSError, match=r"file' for downloaded models cannot be used: .*SKDAF_MODELS"
    ):
        fetch("/file", cache=tmp_path / "file")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_others_can_read_files_in_a_shared_folder(fetch, tmp_path):
    (tmp_path / "new").touch()
    assert stat.S_IMODE(fetch("/file").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "new").stat().st_mode
    )


# --- at the same time ---


def test_threads_fetch_the_same_file(fetch, folder):
    with ThreadPoolExecutor(4) as threads:
        paths = set(threads.map(lambda _: fetch("/slow", SHA256), range(8)))
    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert list(folder.iterdir()) == list(paths)


def fetch_in_process(url, folder):
    assert fetch_model(url, SHA256, cache=folder).read_bytes() == CONTENT


def test_processes_fetch_the_same_file(server, folder):
    context = multiprocessing.get_context("spawn")
    arguments = f"{server.address}/slow", folder
    processes = [context.Process(target=fetch_in_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert kept(folder) == [CONTENT]


# --- what is refused ---


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("/missing", OSError, "its server answered '404 Not Found'"),
        ("/forbidden", OSError, "its server answered '403 Forbidden'"),
        ("/redirect/missing", OSError, "its server answered '404 Not Found'"),
        ("/loop", OSError, "Exceeded 30 redirects"),
        ("/elsewhere", OSError, "No connection adapters were found for 'file:///etc/hostname'"),
        ("/cut", ConnectionError, "the connection ended before|only 5000 of 256004 bytes arrived"),
        ("/cut_chunk", ConnectionError, "the connection ended before the file was complete"),
        ("/stops", TimeoutError, "the server sent nothing for 0.3 s"),
        ("/silent", TimeoutError, "the server did not answer within 0.3 s"),
        ("/empty", ValueError, "is empty"),
        ("/page", ValueError, r"is a web page \('Please log in'\), not a model file\.$"),
        ("/commented_page", ValueError, r"is a web page \('Log in'\)"),
        ("/untyped_page", ValueError, r"is a web page \('Log in'\)"),
    ],
)
def test_what_is_no_file_is_refused(fetch, server, folder, address, kind, message):
    with pytest.raises(kind, match=message) as info:
        fetch(address, timeout=0.3)
    assert type(info.value) is kind
    assert repr(server.address + address) in str(info.value)
    assert "\n" not in str(info.value)
    assert kept(folder) == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gone", "its server answered '404 Not Found'"),
        ("quota", "'Google Drive - Quota exceeded'.*too many people .*try again"),
        ("private", "the file is not public"),
        ("stubborn", r"is a web page \('Google Drive - Virus scan warning'\), not a model file\.$"),
    ],
)
def test_what_drive_refuses(fetch, folder, kind, message):
    with pytest.raises((OSError, ValueError), match=message) as info:
        fetch(drive_id(kind))
    assert f"id={drive_id(kind)}" in str(info.value)
    assert kept(folder) == []


def test_other_servers_are_not_asked_to_confirm(fetch, server):
    with pytest.raises(ValueError, match="is a web page"):
        fetch(f"/uc?id={drive_id('large')}")
    assert len(server.requested) == 1


def test_a_wrong_hash_is_refused(fetch, server, folder):
    with pytest.raises(ValueError, match=f"has the SHA-256 hash {SHA256}, but {OTHER}") as info:
        fetch("/file", OTHER)
    assert f"{server.address}/file" in str(info.value)
    assert kept(folder) == []


@pytest.mark.parametrize("address", ["/file", "/no_length"])
def test_files_that_are_too_large_are_refused(fetch, folder, monkeypatch, address):
    monkeypatch.setattr(transfer, "MAX_DOWNLOAD_BYTES", len(CONTENT) - 1)
    with pytest.raises(ValueError, match=rf"{address}' \(in bytes\) must be at most 256003"):
        fetch(address)
    assert kept(folder) == []
    monkeypatch.setattr(transfer, "MAX_DOWNLOAD_BYTES", len(CONTENT))
    assert fetch(address).read_bytes() == CONTENT


def test_no_connection(fetch, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/a.pt", "http://me:secret@nowhere.invalid/a.pt"):
        with pytest.raises(ConnectionError, match="there is no connection to its server") as info:
            fetch(url)
        assert "secret" not in str(info.value)
        assert "object at" not in str(info.value)
    with pytest.raises(OSError, match=r"http://a\.\.b/x' could not be fetched"):
        fetch("http://a..b/x")
    assert kept(folder) == []


def test_parameters_are_checked_before_anything_is_sent(fetch, server):
    with pytest.raises(ValueError, match="sha256 must have 64 hexadecimal digits, got 'abc'"):
        fetch("/file", "abc")
    with pytest.raises(ValueError, match="sha256 must have 64 hexadecimal digits, got 3"):
        fetch("/file", 3)
    for timeout in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="timeout must be a positive number"):
            fetch("/file", timeout=timeout)
    assert server.requested == []


def test_without_pooch(fetch, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install pooch, or"):
        fetch("/file")
