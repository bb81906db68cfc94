"""The `skdaf` command as a program: help, completion, errors, progress bars, exit statuses.

Every command runs once as it is installed, in a process of its own. Variants and misuses run in
the process of the tests, which saves the time for imports.
"""

import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import joblib
import pytest
from cli_commands import COMMANDS, ENVIRONMENT, SKDAF, invoke, misuse, run
from click.testing import CliRunner
from helpers import ROOT

import skdaf
from skdaf.__main__ import main as run_program
from skdaf.cli import main

pytestmark = pytest.mark.usefixtures("inside_workspace")


def test_help_of_the_installed_command_names_every_command(workspace):
    out = run("--help", cwd=workspace).stdout
    names = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], flags=re.MULTILINE)
    assert set(names) == {
        *("train", "predict", "report", "transfer", "embed", "combine", "segments", "similar"),
        *("info", "convert", "check", "export"),
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_not_cut_off_and_fits_80_columns(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = invoke(*words, "--help").stdout
    assert max(map(len, out.splitlines())) <= 80
    assert "..." not in re.sub(r"^Usage: .*", "", out)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_and_command_has_a_help_text(words):
    assert COMMANDS[words].help
    for parameter in COMMANDS[words].params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_examples_in_help_texts_are_existing_commands():
    for words, command in COMMANDS.items():
        for line in re.findall(r"Example: skdaf (.*)", command.help):
            assert tuple(line.split()[: len(words)]) == words


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument):
    code = (
        f"import sys; sys.argv = ['skdaf', {argument!r}]\n"
        "from skdaf.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(result.stderr.split())
    assert "skdaf.cli" in loaded
    heavy = {"torch", "sklearn", "pandas", "matplotlib", "pyAudioAnalysis", "numpy", "soundfile"}
    assert loaded.isdisjoint(heavy)


def test_python_m_skdaf_is_the_same_command(workspace):
    command = [sys.executable, "-m", "skdaf", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.strip() == f"skdaf, version {skdaf.__version__}"


def test_shell_completion(workspace):
    for shell in ("bash", "zsh", "fish"):
        script = run(
            cwd=workspace, env={**ENVIRONMENT, "_SKDAF_COMPLETE": f"{shell}_source"}
        ).stdout
        assert "_skdaf_completion" in script
    words = {"_SKDAF_COMPLETE": "bash_complete", "COMP_WORDS": "skdaf tra", "COMP_CWORD": "1"}
    out = run(cwd=workspace, env={**ENVIRONMENT, **words}).stdout
    assert out.split() == ["plain,train", "plain,transfer"]


def test_misspelled_commands_and_options():
    assert "No such command 'trian'. Did you mean 'train'?" in misuse("trian")
    assert "Did you mean 'index'?" in misuse("similar", "indexx")
    assert "Did you mean" not in misuse("xyz")
    assert "Did you mean --output?" in misuse("train", "recordings", "--outptu", "x.skops")
    # "--cache" and "--help" have the dashes in common.
    assert "Did you mean" not in misuse("info", "x.skops", "--cache")
    assert "'skdaf similar --help'" in misuse("similar", "indexx")


def test_the_documentation_shows_every_command_and_only_existing_options():
    text = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    shown = [shlex.split(line) for line in re.findall(r"^\$ skdaf (.*)", text, re.MULTILINE)]
    seen = set()
    for words in shown:
        path = max((path for path in COMMANDS if words[: len(path)] == [*path]), key=len)
        options = {name for parameter in COMMANDS[path].params for name in parameter.opts}
        options |= {"--help", "--version"}
        assert {word for word in words if word.startswith("-")} <= options, words
        seen.add(path)
    assert seen >= {path for path, command in COMMANDS.items() if not hasattr(command, "commands")}


MISUSES = {
    "train": ("recordings/low_tone", "-o", "x.skops"),
    "transfer": ("nowhere.skops", "recordings", "-o", "x.skops"),
    "combine": ("model.joblib", "--data", "recordings", "-o", "x.skops"),
    "predict": ("model.joblib", "long.wav"),
    "segments": ("model.skops", "long.wav", "--window", "much"),
    "embed": ("model.skops", "long.wav", "-o", "x.txt"),
    "similar index": ("model.skops", "recordings"),
    "similar query": ("model.skops", "long.wav", "-n", "0"),
    "report": ("model.skops", "sounds"),
    "info": ("truth.csv",),
    "check": ("nowhere",),
    "convert": ("model.joblib", "x.skops"),
    "export": ("model.joblib", "x.onnx"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_a_misused_command_prints_one_sentence_and_writes_nothing(workspace, name):
    folder = workspace / "sounds" / "dog"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(workspace / "long.wav", folder)
    arguments = [*name.split(), *MISUSES[name]]
    if name == "check":  # as installed, like `run` in the tests of each command
        result = run(*arguments, cwd=workspace, status=2)
    else:
        result = invoke(*arguments, status=2)
    assert result.stdout == ""
    *notes, sentence = result.stderr.splitlines()
    assert notes in (
        [],
        ["Training on 36 clips of 3 classes (high_tone 12, low_tone 12, white_noise 12)"],
    )
    assert re.match(r"Error: .*\.$", sentence)
    assert not list(workspace.glob("x.*"))


def test_there_is_a_misuse_for_every_command():
    with_commands = {path[0] for path in COMMANDS if len(path) > 1} | {""}
    assert set(MISUSES) == {" ".join(path) for path in COMMANDS} - with_commands


def test_the_program_without_arguments_shows_its_help(workspace):
    result = subprocess.run([SKDAF], capture_output=True, text=True)
    assert "Commands:" in result.stdout + result.stderr


def test_ctrl_c_is_one_line_and_status_130(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(skdaf, "check_audio", interrupt)
    result = invoke("check", "recordings", status=130)
    assert (result.stdout, result.stderr) == ("", "Interrupted.\n")


def test_ctrl_c_during_the_imports_is_one_line_and_status_130(monkeypatch, capsys):
    class Interrupted(ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "skdaf.cli", Interrupted("skdaf.cli"))
    with pytest.raises(SystemExit) as stopped:
        run_program()
    assert stopped.value.code == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")


def test_the_installed_program_catches_ctrl_c_during_the_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"skdaf": f"{run_program.__module__}:{run_program.__name__}"}


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(skdaf, "check_audio", fail)
    assert isinstance(CliRunner().invoke(main, ["check", "recordings"]).exception, RuntimeError)


def test_a_closed_pipe_is_not_an_error(workspace):
    command = [SKDAF, "check", "recordings", "--all"]
    process = subprocess.Popen(
        command, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    shown = process.stderr.read()
    assert not shown or shown.endswith("36 files: no problems\n")
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_bars_on_a_terminal(workspace, quiet):
    termios = pytest.importorskip("termios")
    terminal, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    arguments = ["check", "recordings", *(["--quiet"] if quiet else [])]
    run(*arguments, cwd=workspace, capture_output=False, stdout=subprocess.PIPE, stderr=theirs)
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 10_000).decode()
    except BlockingIOError:
        shown = ""
    os.close(theirs)
    os.close(terminal)
    assert ("Checking: 100%" in shown) != quiet
    assert ("36 files: no problems" in shown) != quiet


def test_file_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"\xff.wav")
    try:
        shutil.copy("long.wav", tmp_path / name)
    except OSError:
        pytest.skip("this file system does not allow such names")
    invoke("embed", "model.skops", tmp_path / name, "-o", tmp_path / "x.npy")
    invoke("predict", "model.skops", tmp_path / name, "-o", tmp_path / "x.csv")
    assert os.fsencode(tmp_path / name) + b"\n" == (tmp_path / "x.files.txt").read_bytes()
    assert b"\xff.wav" in (tmp_path / "x.csv").read_bytes()


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no such device here")
def test_the_output_can_be_a_device(workspace):
    result = run("check", "long.wav", "-o", "/dev/stdout", "--format", "csv", cwd=workspace)
    assert result.stdout.startswith("path,ok,")
    assert result.stderr.startswith("Wrote 1 row to /dev/stdout\n")
    assert result.stderr.endswith("\n1 file: no problems\n")


def test_pickles_need_trust(tmp_path):
    sentence = misuse("predict", "model.joblib", "long.wav")
    assert "--trust" in sentence
    trusted = invoke("predict", "model.joblib", "long.wav", "--trust").stdout
    assert trusted == invoke("predict", "model.skops", "long.wav").stdout
    joblib.dump({"not": "an estimator"}, tmp_path / "dict")
    assert "a dict" in misuse("info", tmp_path / "dict", "--trust")
    assert "pickle" in misuse("info", "truth.csv", "--trust")


def test_damaged_models(tmp_path):
    whole = Path("model.skops").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    assert "save_model" in misuse("predict", tmp_path / "cut", "long.wav")
    # The end of an archive says where its directory is.
    (tmp_path / "no directory").write_bytes(whole.replace(b"PK\1\2", b"PK\1\0"))
    for command in ("info", "predict"):
        files = ["long.wav"] if command == "predict" else []
        assert "save_model" in misuse(command, tmp_path / "no directory", *files)


@pytest.mark.parametrize("compress", [0, 3, ("bz2", 3), ("lzma", 3)])
def test_damaged_pickles(tmp_path, compress):
    joblib.dump(random.Random(0).randbytes(9999), tmp_path / "whole", compress=compress)
    whole = (tmp_path / "whole").read_bytes()
    damages = whole[:5000], whole[:100] + b"\xff" * 99 + whole[199:], b"\x80\x04K\x01\x85R."
    for damaged in damages:
        (tmp_path / "damaged").write_bytes(damaged)
        misuse("info", tmp_path / "damaged", "--trust")
