"""fetch_model: download a model file once, and return its path."""

import hashlib
import logging
import os
import warnings
from functools import partial
from pathlib import Path

from skdaf._core.contexts import SharedContext
from skdaf._core.download.address import Address, parse_sha256
from skdaf._core.download.transfer import download
from skdaf._core.public import public
from skdaf._core.requirements import MissingPackageError, how_to_install
from skdaf._core.typing import PathLike

# The environment variable with the folder of downloaded models.
_FOLDER_VARIABLE = "SKDAF_MODELS"


@public
def fetch_model(
    url_or_drive_id: str,
    sha256: str | None = None,
    *,
    cache: PathLike | None = None,
    timeout: float = 60.0,
    verbose: int = 0,
) -> Path:
    """Download a model file, unless it is already on this computer, and return its path.

    The file is only stored. Read it with `load_model` or `load_deep_audio_features`, which do not
    have to trust the person who wrote it. Do not pass it to `joblib.load`, `pickle.load` or
    `torch.load`.

    Parameters
    ----------
    url_or_drive_id : str
        A URL that starts with ``https://`` or ``http://``, the id of a file on Google Drive, or a
        link with which such a file is shared. It can end in ``#sha256=`` and the hash.
    sha256 : str, default=None
        The SHA-256 hash of the file, as 64 hexadecimal digits. A file with another hash is refused.
        If None, any file is accepted, and a warning shows its hash.
    cache : str or os.PathLike, default=None
        Folder in which files are kept. If None, the folder that the environment variable
        ``SKDAF_MODELS`` names, or else ``models`` in the folder for caches that is usual on your
        system (on Linux, ``~/.cache/skdaf/models``). Each address has its own file in it. Delete
        files to free the space, or to download them again.
    timeout : float, default=60.0
        How long to wait for the server, in seconds: for a connection, and for each next part of the
        file.
    verbose : int, default=0
        If 1, show a progress bar.

    Returns
    -------
    path : pathlib.Path
        The downloaded file.

    Raises
    ------
    ImportError
        If pooch is not installed.
    OSError
        If the file cannot be fetched: there is no connection (ConnectionError), the server does not
        answer in time (TimeoutError), does not have the file, or sends only a part of it; or if the
        file cannot be written.
    ValueError
        If the address has another form; or if the server sends a web page, an empty file, a file
        with another hash, or one of more than 8 GiB. After such an error, nothing of the download
        is left in the folder.

    Warns
    -----
    UserWarning
        If no hash is given. The warning contains the hash of the file.

    See Also
    --------
    load_model : Read a file of this package.
    load_deep_audio_features : Read a file of deep_audio_features.

    Notes
    -----
    Redirects are followed, and so is the page on which Google Drive asks to confirm the download of
    a large file. The file must be shared with anyone who has the link.

    A file appears in the folder only when it is complete, so several processes can fetch the same
    file at the same time. If a file in the folder does not have the given hash, it is downloaded
    again, and replaced if the new one has it.

    ``file:`` and ``ftp:`` are refused: a file of this computer needs no download, and FTP cannot
    prove where a file comes from, or that it is complete.

    Examples
    --------
    >>> from skdaf import fetch_model, load_model
    >>> path = fetch_model("https://example.org/birds.skops")  # doctest: +SKIP
    >>> classifier = load_model(path)  # doctest: +SKIP

    Other addresses are refused:

    >>> fetch_model("ftp://example.org/birds.skops")
    Traceback (most recent call last):
    ...
    ValueError: url_or_drive_id must be an address that starts with "https://" or "http://", or a
    Google Drive id or share link, got 'ftp://example.org/birds.skops'.
    """
    address = Address.parse(url_or_drive_id)
    expected = _expected_hash(address, sha256)
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}.")
    pooch = _import_pooch()
    folder = _make_folder(cache, pooch)
    with _QUIET_POOCH:
        path = pooch.retrieve(
            address.url,
            known_hash=expected,
            fname=address.file_name,
            path=folder,
            downloader=partial(
                _pooch_downloader, address, sha256=expected, timeout=timeout, verbose=verbose
            ),
        )
    if expected is None:
        _warn_about_hash(address, path)
    return Path(path)


def _expected_hash(address, sha256):
    """Return the hash that was passed, by itself or in the address."""
    if sha256 is None:
        return address.sha256
    sha256 = parse_sha256(sha256, "sha256")
    if address.sha256 not in (None, sha256):
        raise ValueError(
            f"sha256={sha256!r} differs from the hash in the address, {address.sha256!r}."
        )
    return sha256


def _import_pooch():
    try:
        import pooch
    except ImportError as error:
        raise MissingPackageError(
            "fetch_model needs pooch. Install it with: " + how_to_install("pooch", "download")
        ) from error
    return pooch


def _make_folder(cache, pooch):
    """Return the folder of downloaded models; create it if necessary."""
    folder = cache or os.environ.get(_FOLDER_VARIABLE) or pooch.os_cache("skdaf") / "models"
    folder = Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"The folder {str(folder)!r} for downloaded models cannot be used: {error.strerror}. "
            f"Pass another one as cache, or set {_FOLDER_VARIABLE}."
        ) from error
    return folder


def _pooch_downloader(address, url, output_file, pooch, **options):
    """Download a file; pooch calls this with a temporary path."""
    download(address, output_file, **options)


class _QuietPooch(SharedContext):
    """Turn off pooch's own messages: they name its functions and hashes under other names."""

    def begin(self):
        import pooch

        self._logger = pooch.get_logger()
        self._level = self._logger.level
        self._logger.setLevel(logging.WARNING)

    def end(self):
        self._logger.setLevel(self._level)


_QUIET_POOCH = _QuietPooch()


def _warn_about_hash(address, path):
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    warnings.warn(
        f"The file at {address.shown!r} has the SHA-256 hash {digest}. To be sure that you always "
        'get this file, pass its hash as sha256, or add it to the address as "#sha256=...".',
        stacklevel=3,
    )
