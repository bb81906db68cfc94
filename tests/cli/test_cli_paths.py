"""A command never overwrites a file that it reads, even under another path.

Nothing is trained here: outputs are compared with inputs before any file is opened.
"""

import os
from pathlib import Path

import click
import pytest
from cli_commands import COMMANDS, misuse

from skdaf.cli._paths import (
    CheckpointPath,
    InputPath,
    OutputFile,
    check_output_is_not_listed,
    check_outputs_are_not_inputs,
)

# Command lines, and the inputs that their output must not replace.
LINES = {
    "train rec -o OUT": ["rec/dog/a.wav", "rec/rain/deep/c.flac"],
    "train rec/dog rec/rain -o OUT": ["rec/rain/b.wav"],
    "train rec b.wav --task representation -o OUT": ["b.wav", "rec/rain/b.wav"],
    "train --table truth.txt -o OUT": ["truth.txt"],
    "report model.skops --table truth.txt --root rec -o OUT": ["truth.txt", "rec/rain/b.wav"],
    "transfer model.csv rec -o OUT": ["model.csv", "rec/rain/b.wav"],
    "combine model.csv other.npy --data rec -o OUT": ["model.csv", "other.npy", "rec/dog/a.wav"],
    "predict model.csv rec b.wav -o OUT": ["model.csv", "rec/rain/b.wav", "b.wav"],
    "predict model.csv rec --segments -o OUT": ["rec/rain/b.wav"],
    "segments model.csv b.wav --truth truth.txt -o OUT": ["model.csv", "b.wav", "truth.txt"],
    "embed model.csv rec -o OUT": ["model.csv"],
    "embed other.npy rec -o OUT": ["other.npy"],
    "similar index model.csv rec -o OUT": ["model.csv", "rec/rain/b.wav"],
    "similar query model.csv b.wav -o OUT": ["model.csv", "b.wav"],
    "report model.skops rec -o OUT": ["model.skops", "rec/rain/b.wav"],
    "check rec b.wav -o OUT": ["rec/dog/a.wav", "b.wav"],
    "convert model.csv OUT": ["model.csv"],
    "export model.csv OUT": ["model.csv"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run the test in a folder with files that are not audio."""
    for name in {"rec/rain/.hidden.wav", *(name for names in LINES.values() for name in names)}:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def line_with(line, output):
    return [output if word == "OUT" else word for word in line.split()]


def command_of(line):
    words = line.split()
    return max((path for path in COMMANDS if words[: len(path)] == [*path]), key=len)


CASES = [(line, name) for line, names in LINES.items() for name in names]


@pytest.mark.parametrize(("line", "name"), CASES)
def test_inputs_are_not_overwritten(folder, line, name):
    before = contents(folder)
    sentence = misuse(*line_with(line, name))
    assert f" {name!r} is an input of this command" in sentence
    assert contents(folder) == before


def other_paths(name):
    """Yield other paths of the same file, with the same extension."""
    path = Path(name)
    yield f"./{name}"
    yield os.path.join("rec", "..", name)
    yield os.path.abspath(name)
    os.symlink(path.resolve(), link := f"link{path.suffix}")
    yield link
    os.link(path, link := f"hard{path.suffix}")
    yield link
    os.symlink(path.resolve().parent, "way")
    yield os.path.join("way", path.name)


@pytest.mark.parametrize(("line", "name"), [CASES[0], *CASES[3:6], CASES[-1]])
def test_inputs_are_not_overwritten_under_another_path(folder, line, name):
    for other in other_paths(name):
        before = contents(folder)
        sentence = misuse(*line_with(line, other))
        assert f" {other!r} is the same file as {name!r}, an input of this command" in sentence
        assert contents(folder) == before


def test_an_input_that_is_a_link_is_recognized(folder):
    os.symlink("model.csv", "link.csv")
    assert "the same file as 'link.csv'" in misuse("convert", "link.csv", "model.csv")


def test_the_list_of_files_of_an_array_is_an_output_too(folder):
    os.rename("model.csv", "x.files.txt")
    sentence = misuse("embed", "x.files.txt", "rec", "-o", "x.npy")
    assert "--output 'x.files.txt' is an input" in sentence


def test_two_outputs_must_be_two_files():
    sentence = misuse("train", "rec", "-o", "a.checkpoint", "--checkpoint", "./a.checkpoint")
    assert "--checkpoint './a.checkpoint' and --output 'a.checkpoint' are the same" in sentence


def test_recordings_that_an_index_lists_are_not_overwritten(folder):
    files = ["gone.wav", "b.wav"]
    with pytest.raises(ValueError, match=r"'b.wav' is listed in 'index', an input of this command"):
        check_output_is_not_listed("index", "b.wav", files)
    for output in (None, "gone.wav", "new.csv", os.devnull):
        check_output_is_not_listed("index", output, files)


def test_a_device_can_be_read_and_written():
    values = {"paths": (os.devnull,), "output": os.devnull}
    check_outputs_are_not_inputs(COMMANDS[("check",)], values)


@pytest.mark.parametrize("name", ["new.wav", "rec/report.csv", "rec/rain/.hidden.wav", "rec/x.csv"])
def test_other_files_in_an_input_folder_can_be_written(folder, name):
    Path("rec/report.csv").touch()
    check_outputs_are_not_inputs(COMMANDS[("check",)], {"paths": ("rec",), "output": name})


def test_every_input_and_output_of_every_command_is_compared():
    for path, command in COMMANDS.items():
        types = {parameter.name: parameter.type for parameter in command.params}
        paths = {name for name, kind in types.items() if hasattr(kind, "dir_okay")}
        compared = (InputPath, OutputFile, CheckpointPath)
        # The files in a cache have unique names.
        assert paths - {"cache"} <= {n for n, kind in types.items() if isinstance(kind, compared)}
        if any(isinstance(kind, OutputFile) for kind in types.values()):
            assert path in map(command_of, LINES)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=map(" ".join, COMMANDS))
def test_no_path_can_be_empty(command):
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            with pytest.raises(click.BadParameter):
                parameter.type.convert("", parameter, None)
