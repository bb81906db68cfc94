"""Addresses of model files: URLs, and ids and share links of Google Drive."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

# Where Google Drive serves files. Tests replace it.
_DRIVE_URL = "https://drive.google.com/uc"

_DRIVE_HOSTS = {"docs.google.com", "drive.google.com", "drive.usercontent.google.com"}

# Ids of files have 28, 33 or more characters today; none was ever as short as a word.
_DRIVE_ID = re.compile(r"[A-Za-z0-9_-]{20,}")

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")

_EXPECTED = (
    'an address that starts with "https://" or "http://", or a Google Drive id or share link'
)


@dataclass(frozen=True)
class Address:
    """Where a file is.

    Attributes
    ----------
    url : str
        The URL to open.
    shown : str
        The URL without a password, for messages.
    file_name : str
        A file name that no other URL has.
    is_drive : bool
        Whether this is a file of Google Drive.
    sha256 : str or None
        The hash of the file, if the address contains it (``#sha256=...``).
    """

    url: str
    shown: str
    file_name: str
    is_drive: bool
    sha256: str | None

    @classmethod
    def parse(cls, text):
        """Return the address that a user passed; raise ValueError if it is none."""
        if not isinstance(text, str):
            raise TypeError(f"url_or_drive_id must be a str, got {text!r}.")
        address, _, fragment = text.strip().partition("#")
        _, is_hash, sha256 = fragment.partition("sha256=")
        sha256 = parse_sha256(sha256, f"The hash in {text!r}") if is_hash else None
        if _DRIVE_ID.fullmatch(address):
            return cls._on_drive(address, None, sha256)
        parts = _split(address, text)
        if parts.hostname in _DRIVE_HOSTS:
            return cls._on_drive(*_id_in_link(parts, text), sha256)
        name = _file_name(unquote(parts.path).rpartition("/")[2], address)
        return cls(address, _without_password(parts), name, False, sha256)

    @classmethod
    def _on_drive(cls, file_id, resource_key, sha256):
        query = {"export": "download", "id": file_id}
        if resource_key:  # in links to files that were shared before 2021
            query["resourcekey"] = resource_key
        url = f"{_DRIVE_URL}?{urlencode(query)}"
        return cls(url, url, _file_name(file_id, f"drive:{file_id}"), True, sha256)


def parse_sha256(text, name):
    """Return a SHA-256 hash in lower case, without the prefix that pooch allows."""
    match = _SHA256.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{name} must have 64 hexadecimal digits, got {text!r}.")
    return match[1].lower()


def is_address(text):
    """Return whether a text is a URL and not the path of a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def is_drive_id(text):
    """Return whether a text has the form of an id of Google Drive."""
    return _DRIVE_ID.fullmatch(text.partition("#")[0]) is not None


def _split(address, text):
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # impossible ports and hosts
        is_web = False
    if not is_web:
        hint = "" if is_address(text) else " To read a file of this computer, use load_model."
        raise ValueError(f"url_or_drive_id must be {_EXPECTED}, got {text!r}.{hint}")
    return parts


def _id_in_link(parts, text):
    """Return the id of the file that a link of Google Drive names, and its resource key."""
    query = parse_qs(parts.query)
    in_path = re.search(r"/file/(?:u/\d+/)?d/([^/]+)", parts.path)
    found = in_path[1] if in_path else query.get("id", [""])[0]
    if not _DRIVE_ID.fullmatch(found):
        what = "a folder" if "/folders/" in parts.path else "no file"
        raise ValueError(
            f"The Google Drive link {text!r} names {what}: pass the link of a single file, such as "
            "https://drive.google.com/file/d/ID/view."
        )
    return found, query.get("resourcekey", [None])[0]


def _file_name(name, key):
    """Return a file name with a readable part, and a part that depends on the whole address."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{digest}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[-80:] or 'model'}"


def _without_password(parts):
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))
