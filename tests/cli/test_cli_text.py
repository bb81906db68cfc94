"""Names and labels with unusual characters, on terminals, in files and for other programs."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pytest
from cli_commands import ENVIRONMENT, SKDAF, invoke, misuse
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from skdaf import CNNAudioClassifier, load_model, save_model
from skdaf.cli import _csv, _text
from skdaf.cli._text import to_bytes, to_json, visible

NAMES = [
    b"\xff.wav",
    b"caf\xe9.wav",
    "caf\u00e9.wav".encode(),
    b"two\nlines.wav",
    b"re\rturn.wav",
    b"\x1b[31mred.wav",
    b"\x1b]0;title\x07.wav",
    "\u202egnp.wav".encode(),
    "\x9b31m.wav".encode(),
    "line\u2028.wav".encode(),
    b'q"uo,te.wav',
    b"=1+1.wav",
    b"+1.wav",
    b"@x.wav",
    b"\ttab.wav",
    "\u0646\u200c\u0645.wav".encode(),
]

# Characters that a terminal would interpret.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


@pytest.fixture(scope="module")
def unusual(sounds, tmp_path_factory):
    """A folder of recordings and class folders with unusual names, a model and an index of them."""
    folder = tmp_path_factory.mktemp("unusual")
    try:
        for label in (b"=cla\xff", b"\x1b[31m\nred"):
            os.mkdir(place := os.path.join(os.fsencode(folder), label))
            for name in NAMES:
                shutil.copy(sounds.filenames[0], os.path.join(place, name))
    except OSError:
        pytest.skip("this file system does not allow such names")
    shutil.copy(sounds.filenames[0], folder.parent / "sound.wav")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*copies of others")
        invoke("train", folder, "-o", folder / "model.skops", "--set", "max_epochs=1", "-q")
    invoke("similar", "index", folder / "model.skops", folder, "-o", folder / "index.skops", "-q")
    return folder


@pytest.fixture
def _on_a_terminal(monkeypatch):
    for module in (_csv, _text):
        monkeypatch.setattr(module, "is_for_terminal", lambda: True)


def all_names(unusual):
    return sorted(os.fsencode(path) for path in unusual.rglob("*.wav"))


def read_csv(content):
    # With PyArrow, pandas would use a storage that cannot hold such names.
    with pd.option_context("mode.string_storage", "python"):
        return pd.read_csv(io.BytesIO(content), encoding_errors="surrogateescape")


# --- functions ---


@given(st.text(st.characters(categories=None)))
def test_json_is_valid_utf8_and_restores_everything(text):
    written = to_json({text: [text]})
    assert json.loads(written.encode().decode()) == {text: [text]}
    assert not UNSAFE.search(written)


@given(st.binary())
def test_the_bytes_of_names_are_restored(name):
    # On Linux, file names are bytes, and Python decodes them like this.
    assert to_bytes(name.decode(errors="surrogateescape")) == name


def test_surrogates_that_are_not_bytes_are_escaped():
    assert to_bytes("a\ud800b") == rb"a\ud800b"


@given(st.text(st.characters(categories=None)))
def test_visible_text_is_safe_and_contains_every_letter(text):
    shown = visible(text)
    assert not UNSAFE.search(shown)
    assert "\n" not in shown
    assert visible(shown) == shown
    assert "".join(filter(str.isalnum, text)) in "".join(filter(str.isalnum, shown)) or (
        len(shown) > len(text)
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u00e9 \u732b\U0001f431", "caf\u00e9 \u732b\U0001f431"),
        ("a\nb\t\x1b[0m\x7f\x9b", r"a\nb\t\x1b[0m\x7f\x9b"),
        ("\u202etxt\u2066\u200b", r"\u202etxt\u2066\u200b"),
        ("\udcff", r"\udcff"),
        ("\u0646\u200c\u0645", "\u0646\u200c\u0645"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_visible_text(text, shown):
    assert visible(text) == shown


# --- results in a file or a pipe ---


def table_commands(unusual):
    """Return commands that write a table, by the column of file names."""
    return {
        "path": ["check", unusual, "--all"],
        "file": ["predict", unusual / "model.skops", unusual, "--proba"],
        "query": ["similar", "query", unusual / "index.skops", unusual, "-n", "2"],
    }


@pytest.mark.parametrize("column", ["path", "file", "query"])
def test_tables_contain_the_names(unusual, column, tmp_path):
    invoke(
        "similar", "index", unusual / "model.skops", unusual, "-o", unusual / "index.skops", "-q"
    )
    line, expected = table_commands(unusual)[column], all_names(unusual)
    for out in (None, tmp_path / "x"):
        to = [] if out is None else ["-o", out]

        def written(kind, to=to, out=out):
            result = invoke(*line, "--format", kind, *to)
            return result.stdout_bytes if out is None else out.read_bytes()

        records = json.loads(written("json").decode())
        assert sorted({os.fsencode(record[column]) for record in records}) == expected
        content = written("csv")
        text = io.StringIO(content.decode(errors="surrogateescape"), newline="")
        for rows in (read_csv(content).to_dict("records"), list(csv.DictReader(text))):
            assert sorted({os.fsencode(row[column]) for row in rows}) == expected
            assert len(rows) == len(records)
        # A text table has one line per row, whatever the names contain.
        table = written("table").decode()
        assert len(table.splitlines()) == len(records) + 1
        assert not UNSAFE.search(table)


def test_cells_that_look_like_formulas_are_unchanged(unusual):
    line = ["predict", unusual / "model.skops", unusual, "--proba", "--format", "csv"]
    table = read_csv(invoke(*line).stdout_bytes)
    assert any(label.startswith("=cla") for label in table.columns)
    assert table.iloc[:, 2:].to_numpy().dtype == float
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    assert "formula" in page


def test_the_recordings_of_an_index_are_not_overwritten(unusual):
    names = list(unusual.rglob("*.wav"))
    before = names[0].read_bytes()
    invoke(
        "similar", "index", unusual / "model.skops", unusual, "-o", unusual / "index.skops", "-q"
    )
    query = [
        "similar",
        "query",
        unusual / "index.skops",
        unusual.parent / "sound.wav",
        "-o",
        names[0],
    ]
    assert "index.skops', an input of this command" in misuse(*query)
    assert names[0].read_bytes() == before


def test_a_list_of_files_has_one_line_per_file(unusual, tmp_path):
    fine = [path for path in unusual.rglob("*.wav") if not {"\n", "\r"} & {*str(path)}]
    invoke("embed", unusual / "model.skops", *fine, "-o", tmp_path / "x.npy")
    names = (tmp_path / "x.files.txt").read_bytes().split(b"\n")
    assert names == [*map(os.fsencode, fine), b""]
    sentence = misuse("embed", unusual / "model.skops", unusual, "-o", tmp_path / "y.npy")
    assert "line break" in sentence
    assert not (tmp_path / "y.npy").exists()


def test_reports_and_info_show_each_class_in_one_line(unusual):
    shown = [r"\x1b[31m\nred", r"=cla\udcff"]
    out = invoke("report", unusual / "model.skops", unusual).stdout
    assert [line.split()[:1] for line in out.splitlines()[-2:]] == [[name] for name in shown]
    assert f"classes: {', '.join(shown)}\n" in invoke("info", unusual / "model.skops").stdout
    facts = json.loads(
        invoke("report", unusual / "model.skops", unusual, "--format", "json").stdout_bytes
    )
    assert facts["classes"] == list(load_model(unusual / "model.skops").classes_)
    facts = json.loads(invoke("info", unusual / "model.skops", "--json").stdout_bytes)
    assert [os.fsencode(name) for name in facts["classes"]] == [b"\x1b[31m\nred", b"=cla\xff"]


def test_segments_show_each_label_in_one_line(unusual, tmp_path):
    line = ["segments", unusual / "model.skops", unusual.parent / "sound.wav"]
    assert len(invoke(*line).stdout.splitlines()) == 2
    (tmp_path / "truth.txt").write_text("0,0.25,\x1b[31mx\n")
    out = invoke(*line, "--truth", tmp_path / "truth.txt").stdout
    assert r"\x1b[31mx" in out
    assert not UNSAFE.search(out)


# --- results and messages on a terminal ---


@pytest.mark.usefixtures("_on_a_terminal")
@pytest.mark.parametrize("kind", ["table", "csv", "json"])
@pytest.mark.parametrize("column", ["path", "file", "query"])
def test_no_unsafe_characters_on_a_terminal(unusual, column, kind):
    invoke(
        "similar", "index", unusual / "model.skops", unusual, "-o", unusual / "index.skops", "-q"
    )
    out = invoke(*table_commands(unusual)[column], "--format", kind).stdout
    assert not UNSAFE.search(out)
    assert (r"\u001b[31mred" if kind == "json" else r"\x1b[31mred") in out
    if kind == "csv":
        assert len(list(csv.DictReader(io.StringIO(out)))) >= 2 * len(NAMES)


def test_no_unsafe_characters_on_a_real_terminal(tmp_path):
    termios = pytest.importorskip("termios")
    name = os.fsdecode(b"\x1b[31m\xffbad\n.wav")
    (tmp_path / name).write_text("not a sound")
    terminal, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [SKDAF, "check", name, "--format", "csv"]
    process = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = os.read(terminal, 100_000).decode().replace("\r\n", "\n")
    os.close(terminal)
    assert process.returncode == 1
    result = shown.partition("path,ok")[2]  # after the progress bar, which uses control codes
    assert not UNSAFE.search(result)
    assert r"\x1b[31m\udcffbad\n.wav,False" in result


def test_no_unsafe_characters_in_messages(unusual, tmp_path):
    name = "\x1b[31m\n\u202ebad.wav"
    bad, missing = tmp_path / name, tmp_path / "\x1b[0mno.wav"
    bad.write_text("not a sound")
    model = unusual / "model.skops"
    sentences = [
        misuse("predict", model, bad),
        misuse("predict", model, missing),
        misuse("predict", bad, model),
        misuse("\x1b[31mpredict"),
        misuse("predict", "--\x1b[31mproba", model, bad),
        misuse("predict", model, bad, "--format", "\x1b[31m"),
        misuse("train", unusual, "-o", tmp_path / "m", "--set", "\x1b[31m=1"),
        misuse("train", bad, "-o", tmp_path / "m"),
        misuse("convert", bad, tmp_path / "m"),
        misuse("check", bad, "-o", bad),
        misuse("check", bad, "-o", missing / "x"),
        misuse("segments", model, bad, "--truth", bad),
    ]
    assert not any(map(UNSAFE.search, sentences))
    assert all(r"\x1b[" in sentence for sentence in sentences)
    result = invoke("predict", model, unusual, "-o", missing)
    assert result.stderr == f"Wrote 32 rows to {visible(missing)}\n"


@pytest.mark.filterwarnings("default")
def test_no_unsafe_characters_in_warnings_and_lists_of_bad_files(unusual, tmp_path):
    for name in ("\x1b[31ma\n.wav", "\x1b[31mb\x9b.wav"):
        (tmp_path / name).write_text("not a sound")
    (tmp_path / "\x1b[31m\u202e.mid").write_text("not read")
    result = invoke("predict", unusual / "model.skops", tmp_path, status=2)
    warning, error, *files = result.stderr.splitlines()
    assert warning.startswith("Warning: ")
    assert error.startswith("Error: 2 clips ")
    assert len(files) == 2
    assert not UNSAFE.search(result.stderr)


def test_info_shows_a_model_with_unusual_labels(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(["a\x1b[2Jb", "\ud800"], 4)
    model = CNNAudioClassifier(max_epochs=1, channels=(2,)).fit(rng.normal(size=(8, 9, 9)), labels)
    save_model(model, tmp_path / "m.skops")
    assert r"classes: a\x1b[2Jb, \ud800" in invoke("info", tmp_path / "m.skops").stdout
    facts = json.loads(invoke("info", tmp_path / "m.skops", "--json").stdout_bytes)
    assert facts["classes"] == ["a\x1b[2Jb", "\ud800"]


# --- streams that cannot be written ---


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [
        (">/dev/full 2>&-", 2, ""),
        (
            ">/dev/full",
            2,
            "Error: Standard output could not be written: No space left on device.\n",
        ),
        (">&-", 2, "Error: Standard output could not be written: Bad file descriptor.\n"),
        ("2>/dev/full", 0, ""),
        ("2>&-", 0, ""),
    ],
)
def test_streams_that_are_full_or_closed(redirection, status, message):
    code = """
        from skdaf.cli._program import Program
        from skdaf.cli._text import echo, echo_error
        main = Program()
        @main.command()
        def show():
            echo("results")
            echo_error("note")
        main(["show"])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    shell = ["sh", "-c", f'"$@" {redirection}', "sh", *command]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}  # with a buffer, as usual
    result = subprocess.run(shell, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (status, message)
    assert result.stdout == ("" if status else "results\n")
