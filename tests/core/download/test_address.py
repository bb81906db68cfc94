"""What `fetch_model` takes for an address."""

import pytest

from skdaf._core.download.address import Address, is_address

pytestmark = pytest.mark.oldest

ID = "1AbC_dEf-GhIjKlMnOpQrStUvWxYz0123"
HASH = "0123456789abcdef" * 4
DOWNLOAD = f"https://drive.google.com/uc?export=download&id={ID}"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f" {ID}\n",
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/file/d/{ID}",
        f"https://drive.google.com/file/u/1/d/{ID}/edit",
        f"https://drive.google.com/open?id={ID}&authuser=0",
        f"https://drive.google.com/uc?id={ID}&export=download",
        f"http://docs.google.com/uc?export=download&id={ID}",
        f"https://drive.usercontent.google.com/download?id={ID}&confirm=t",
    ],
)
def test_files_of_google_drive(text):
    address = Address.parse(text)
    assert (address.url, address.is_drive, address.sha256) == (DOWNLOAD, True, None)
    # All links to a file share one copy of it.
    assert address == Address.parse(ID)
    assert address.file_name.endswith(f"-{ID}")


def test_old_links_have_a_second_key():
    address = Address.parse(f"https://drive.google.com/file/d/{ID}/view?resourcekey=0-Ab")
    assert address.url == f"{DOWNLOAD}&resourcekey=0-Ab"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a/birds.skops",
        "http://localhost:8000/birds.skops?version=2",
        "https://[::1]/birds.skops",
        "https://example.org/file/d/1AbC_dEf-GhIjKlMnOpQrStUvWxYz0123/birds.skops",
    ],
)
def test_other_urls_are_used_as_they_are(text):
    address = Address.parse(text)
    assert (address.url, address.shown, address.is_drive) == (text, text, False)
    assert address.file_name.endswith("-birds.skops")


def test_each_url_has_its_own_file():
    urls = [f"https://{host}.org/{folder}model.pt{query}" for host in "ab" for folder in ("", "c/")
            for query in ("", "?v=2")]  # fmt: skip
    names = {Address.parse(url).file_name for url in urls}
    assert len(names) == len(urls)
    assert all(name.isascii() and "/" not in name for name in names)


@pytest.mark.parametrize("end", ["", "/", "/..", "/%2e%2e%2f..%2fx", "/ü b:c\\d", "/" + "x" * 500])
def test_file_names_are_safe(end):
    name = Address.parse(f"https://example.org{end}").file_name
    assert len(name) <= 100
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name[:16].isalnum()


def test_a_hash_in_the_address():
    with_hash = Address.parse(f"https://example.org/a.pt#sha256={HASH.upper()}")
    assert with_hash.sha256 == HASH
    without = Address.parse("https://example.org/a.pt#part")
    assert without.sha256 is None
    assert with_hash.url == without.url == "https://example.org/a.pt"
    assert with_hash.file_name == without.file_name
    assert Address.parse(f"{ID}#sha256={HASH}").sha256 == HASH
    with pytest.raises(ValueError, match=r"The hash in .*abc' must have 64 hexadecimal digits"):
        Address.parse(f"{ID}#sha256=abc")


def test_passwords_are_not_shown():
    address = Address.parse("https://me:secret@example.org/a.pt")
    assert address.url == "https://me:secret@example.org/a.pt"
    assert address.shown == "https://example.org/a.pt"
    assert "secret" not in address.file_name


@pytest.mark.parametrize(
    "text",
    ["", "x", "models/a.pt", "C:\\a.pt", "file:///etc/passwd", "ftp://example.org/a.pt", "https://"]
    + ["https:///a.pt", "http://example.org:port/a", "http://[::1/a", "javascript:x", "//a.org/b"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="must be an address that starts with") as info:
        Address.parse(text)
    assert repr(text) in str(info.value)
    # There is advice for paths.
    assert ("load_model" in str(info.value)) == ("://" not in text)


def test_other_types_are_refused(tmp_path):
    for value in (tmp_path, b"https://example.org", None, 3):
        with pytest.raises(TypeError, match="url_or_drive_id must be a str, got"):
            Address.parse(value)


@pytest.mark.parametrize(
    ("link", "what"),
    [
        (f"https://drive.google.com/drive/folders/{ID}", "names a folder"),
        ("https://drive.google.com/", "names no file"),
        ("https://drive.google.com/uc?id=short", "names no file"),
        ("https://drive.google.com/file/d/a%20b/view", "names no file"),
    ],
)
def test_links_that_name_no_file_are_refused(link, what):
    with pytest.raises(ValueError, match=what):
        Address.parse(link)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://a.b/c", True), ("ftp://a", True), ("file:///a", True), (ID, False)]
    + [("models/a.pt", False), ("C:\\a.pt", False), ("C:/a.pt", False), ("a://", False)],
)
def test_is_address(text, expected):
    assert is_address(text) == expected
