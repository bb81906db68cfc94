"""The option --skip-unreadable of predict and embed."""

import io

import pandas as pd
import pytest
from cli_commands import invoke, misuse

from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.fixture
def files(tmp_path):
    """Two recordings, and a file between them that cannot be read."""
    bad = tmp_path / "bad.wav"
    bad.write_text("not a sound")
    first, second, *_ = load_audio_folders("recordings").filenames
    return [first, str(bad), second]


@pytest.mark.parametrize("command", ["predict", "predict --segments", "embed"])
def test_the_others_are_used_and_the_unreadable_are_listed(command, files):
    kind = [] if command == "embed" else ["--format", "csv"]
    line = [*command.split(), "model.skops", *kind]
    result = invoke(*line, *files, "--skip-unreadable", status=1)
    assert result.stdout == invoke(*line, files[0], files[2]).stdout
    assert result.stderr.startswith(f"Skipped 1 unreadable recording:\n{files[1]!r}: ")
    assert result.stderr.count("\n") == 2
    assert repr(files[1]) in misuse(*line, *files)


def test_an_array_has_the_names_of_its_rows(files, tmp_path):
    invoke("embed", "model.skops", *files, "-o", tmp_path / "x.npy", "--skip-unreadable", status=1)
    assert (tmp_path / "x.files.txt").read_text().splitlines() == [files[0], files[2]]


def test_without_unreadable_files_nothing_is_skipped(files):
    del files[1]
    result = invoke("predict", "model.skops", *files, "--skip-unreadable", "--format", "csv")
    assert list(pd.read_csv(io.StringIO(result.stdout)).file) == files
    assert result.stderr == ""


def test_it_is_an_error_if_no_file_can_be_read(files):
    message = misuse("predict", "model.skops", files[1], "--skip-unreadable")
    assert "None of the recordings can be read" in message
    assert repr(files[1]) in message


def test_segments_of_the_other_recordings(files, tmp_path):
    arguments = ["segments", "model.skops", *files, "--window", "0.2", "--skip-unreadable"]
    result = invoke(*arguments, "--format", "csv", status=1)
    assert set(pd.read_csv(io.StringIO(result.stdout)).file) == {*files} - {files[1]}
    assert result.stderr.startswith("Skipped 1 unreadable recording:\n")
    result = invoke(*arguments, "-o", f"{tmp_path / 'found'}/", status=1)
    assert len(list((tmp_path / "found").iterdir())) == len(files) - 1
    live = ["segments", "model.skops", "-", "--rate", "8000", "--skip-unreadable"]
    assert "--skip-unreadable needs files" in misuse(*live)
