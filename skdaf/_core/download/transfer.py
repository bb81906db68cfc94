"""Download one file over HTTP; whatever is not the whole file is an error."""

import hashlib
import os
import re
from contextlib import contextmanager

from skdaf._core.download.drive import confirmation_url, reason_for_page
from skdaf._core.download.pages import Page, is_page
from skdaf._core.limits import MAX_DOWNLOAD_BYTES, check_at_most
from skdaf._core.progress import progress_bar

_CHUNK_BYTES = 2**16
_HEAD_BYTES = 2**10
_MAX_PAGE_BYTES = 2**20


def download(address, path, *, sha256, timeout, verbose):
    """Write the file at an address to a path.

    Parameters
    ----------
    address : Address
    path : str
        The file to write. If the download fails, it must not be used.
    sha256 : str or None
        The hash that the file must have.
    timeout : float
        How many seconds to wait for a connection, and for each next part of the file.
    verbose : int
        Whether to show a progress bar.

    Raises
    ------
    OSError
        If the server cannot be reached, does not have the file, or sends only a part of it.
    ValueError
        If it sends something else: a web page, an empty file, one with another hash.
    """
    import requests

    with _readable_errors(address.shown, timeout), requests.Session() as session:
        # The announced length is then the number of bytes that are written.
        session.headers["Accept-Encoding"] = "identity"
        response, parts = _open_file(session, address, timeout)
        with response:
            _write(response, parts, path, address.shown, sha256, verbose)


@contextmanager
def _readable_errors(url, timeout):
    """Turn the errors of requests, which are also OSErrors, into sentences that name the URL."""
    from requests import exceptions
    from urllib3.exceptions import HTTPError

    try:
        yield
    except exceptions.Timeout as error:
        raise TimeoutError(
            f"{url!r} could not be fetched: the server did not answer within {timeout:g} s."
        ) from error
    except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError) as error:
        raise ConnectionError(
            f"{url!r} could not be fetched: the connection ended before the file was complete."
        ) from error
    except exceptions.ConnectionError as error:
        if "Read timed out" in str(error):  # in the middle of a file
            raise TimeoutError(
                f"{url!r} could not be fetched: the server sent nothing for {timeout:g} s."
            ) from error
        raise ConnectionError(
            f"{url!r} could not be fetched: there is no connection to its server ({_cause(error)})."
        ) from error
    # requests does not wrap all errors of urllib3.
    except (exceptions.RequestException, HTTPError) as error:
        raise OSError(f"{url!r} could not be fetched: {_cause(error)}.") from error


def _cause(error):
    """Return the innermost message, without the object that raised it."""
    reason = getattr(error.args[0] if error.args else error, "reason", None) or error
    text = " ".join(str(reason).split()).rstrip(".")
    return re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", text)


def _open_file(session, address, timeout):
    """Return a response with a file, and an iterator of its parts; confirm once if needed."""
    url = address.url
    for is_confirmed in (False, True):
        response = session.get(url, stream=True, timeout=timeout)
        try:
            _check_status(response, address.shown)
            parts = response.iter_content(_CHUNK_BYTES)
            head = _head(parts)
            if not is_page(response.headers.get("Content-Type", ""), head):
                return response, _joined(head, parts)
            page = _read_page(head, parts, response.url)
            url = address.is_drive and not is_confirmed and confirmation_url(page, response)
            if not url:
                reason = reason_for_page(page) if address.is_drive else ""
                raise _page_error(address.shown, page, reason)
            response.close()
        except BaseException:
            response.close()
            raise
    raise AssertionError("the second page is an error")


def _check_status(response, url):
    if response.status_code != 200:
        status = f"{response.status_code} {response.reason or ''}".strip()
        raise OSError(f"{url!r} could not be fetched: its server answered {status!r}.")


def _head(parts):
    """Return the first parts of a file, enough to recognize a web page."""
    head = bytearray()
    for part in parts:
        head += part
        if len(head) >= _HEAD_BYTES:
            break
    return bytes(head)


def _joined(head, parts):
    if head:
        yield head
    yield from parts


def _read_page(head, parts, url):
    content = bytearray(head)
    for part in parts:
        content += part
        if len(content) > _MAX_PAGE_BYTES:
            break
    return Page.parse(bytes(content), url)


def _page_error(url, page, reason):
    title = f" ({page.title!r})" if page.title else ""
    return ValueError(f"{url!r} is a web page{title}, not a model file{reason}.")


def _write(response, parts, path, url, sha256, verbose):
    """Write the parts of a file; raise an error if they are not what was announced."""
    announced = _announced_bytes(response)
    size_of = f"The size of the file at {url!r} (in bytes)"
    check_at_most(announced or 0, MAX_DOWNLOAD_BYTES, size_of)
    digest, n_bytes = hashlib.sha256(), 0
    # pooch has created the file for this user alone; a folder may be shared.
    os.remove(path)
    with open(path, "xb") as file, progress_bar(announced, "Download", "B", verbose) as advance:
        for part in parts:
            n_bytes += len(part)
            check_at_most(n_bytes, MAX_DOWNLOAD_BYTES, size_of)
            file.write(part)
            digest.update(part)
            advance(len(part))
    if announced is not None and n_bytes != announced:
        raise ConnectionError(
            f"{url!r} could not be fetched: only {n_bytes} of {announced} bytes arrived."
        )
    if n_bytes == 0:
        raise ValueError(f"The file at {url!r} is empty.")
    if sha256 not in (None, digest.hexdigest()):
        raise ValueError(
            f"The file at {url!r} has the SHA-256 hash {digest.hexdigest()}, but {sha256} was "
            "expected: it was changed or damaged. It was not kept."
        )


def _announced_bytes(response):
    """Return the length in the header; None if there is none, or if it is another length."""
    length = response.headers.get("Content-Length", "")
    is_encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isascii() and length.isdigit() and not is_encoded else None
