"""Files that are no models: the message says what they look like."""

import io
import pickle
import re
import zipfile
from inspect import signature

import joblib
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from skdaf import SpectrogramTransformer, load_model, save_model
from skdaf.cli import main

pytestmark = pytest.mark.oldest

# Before click 8.2, both streams are one by default.
STREAMS = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skops"
    save_model(SpectrogramTransformer(), path)
    return path.read_bytes()


def message(path):
    """Return the message of a command about a file."""
    result = CliRunner(**STREAMS).invoke(main, ["info", str(path)])
    assert result.exit_code == 2
    return result.stderr


def sound(format):
    file = io.BytesIO()
    sf.write(file, np.zeros(8000), 8000, format=format)
    return file.getvalue()


FILES = {
    "empty": (b"", "is empty."),
    "page": (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "looks like a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", '"git lfs pull"'),
    **{name: (sound(name), "a recording: load") for name in ("WAV", "FLAC", "OGG", "MP3")},
}


@pytest.mark.parametrize("name", FILES)
def test_other_files_are_named(name, tmp_path):
    content, what = FILES[name]
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"skops' was not .*: the file .*{re.escape(what)}"
    ) as log:
        load_model(path)
    assert "joblib" not in str(log.value)
    assert what in message(path)


def test_a_model_that_was_cut_off_is_named(model_bytes, tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(model_bytes[:-30])
    with pytest.raises(ValueError, match="the file ends too early"):
        load_model(path)
    assert "the file ends too early" in message(path)


def test_an_archive_of_something_else_is_not_cut_off(tmp_path):
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"")
    with pytest.raises(ValueError, match=r"was not written by save_model, or is damaged\.$"):
        load_model(path)
    assert "skdaf convert" in message(path)


@pytest.mark.parametrize(
    "dump",
    [
        lambda path: path.write_bytes(pickle.dumps({})),
        lambda path: joblib.dump({}, path),
        lambda path: joblib.dump({}, path, compress=3),
        lambda path: joblib.dump({}, path, compress=("gzip", 3)),
        lambda path: joblib.dump({}, path, compress=("xz", 3)),
    ],
)
def test_only_pickles_mention_joblib(dump, tmp_path):
    path = tmp_path / "model.skops"
    dump(path)
    with pytest.raises(ValueError, match=r"use joblib\.load, but only if you trust it"):
        load_model(path)
    path.write_bytes(b"some text")
    with pytest.raises(ValueError, match=r"was not written by save_model, or is damaged\.$"):
        load_model(path)


def test_the_content_of_a_file_is_not_printed(model_bytes):
    with pytest.raises(ValueError, match=f"content of a file .{len(model_bytes)} bytes") as log:
        load_model(model_bytes)
    assert len(str(log.value)) < 200


def test_folders_that_do_not_exist_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no folder '~'. Python does not expand ~"):
        save_model(SpectrogramTransformer(), "~/model.skops")
    with pytest.raises(FileNotFoundError, match=r"no folder 'a.b'$"):
        save_model(SpectrogramTransformer(), "a/b/model.skops")
    with pytest.raises(FileNotFoundError, match=r"~: use os\.path\.expanduser"):
        load_model("~/model.skops")
