"""Fixtures: a server of model files, and a function that fetches from it."""

import warnings
from functools import partial

import pytest
from model_server import serving

from skdaf import fetch_model
from skdaf._core.download import address


@pytest.fixture
def server(monkeypatch):
    """A server, which also plays the part of Google Drive."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        monkeypatch.setattr(address, "_DRIVE_URL", f"{server.address}/uc")
        yield server


@pytest.fixture
def folder(tmp_path):
    """The folder in which files are kept."""
    return tmp_path / "models"


@pytest.fixture
def fetch(server, folder):
    """`fetch_model` into the folder, without the warning that shows the hash.

    Addresses that begin with a slash are paths on the server.
    """

    def fetch(address, *arguments, **options):
        address = server.address + address if address.startswith("/") else address
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The file at .* has the SHA-256")
            return partial(fetch_model, cache=folder)(address, *arguments, **options)

    return fetch
