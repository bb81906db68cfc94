"""`skdaf segments MODEL -`: raw samples on standard input, and rows as they come."""

import io
import itertools
import json
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import ENVIRONMENT, SKDAF, SMALL, invoke, misuse
from click.testing import CliRunner

from skdaf.cli import main
from skdaf.cli._raw_audio import RawAudio

pytestmark = [
    pytest.mark.usefixtures("inside_workspace"),
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
]

LIVE = ["segments", "model.skops", "-", "--rate", 16_000, "--window", 0.1]
OF_FILE = ["segments", "model.skops", "long.wav", "--window", 0.1]


@pytest.fixture(scope="module")
def samples(workspace):
    return sf.read(workspace / "long.wav", dtype="int16")[0]


def stream(content, *arguments, status=0):
    """Run the command in the process of the tests, with bytes on standard input."""
    result = CliRunner().invoke(main, [*map(str, arguments)], input=content)
    assert result.exit_code == status, (result.stderr, result.exc_info)
    return result


def table_of(result):
    return pd.read_csv(io.StringIO(result.stdout))


@pytest.mark.parametrize(
    "options",
    [
        ["--step", 0.05, "--smooth", 0.25, "--min-duration", 0.2, "--proba"],
        ["--threshold", 0.5, "--background", "high_tone"],
    ],
)
def test_segments_are_those_of_the_file(samples, options):
    options = [*options, "--format", "csv"]
    found = table_of(stream(samples.tobytes(), *LIVE, *options))
    expected = table_of(invoke(*OF_FILE, *options))
    assert len(expected) > 1
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_formats_are_those_of_files(samples, format_):
    found = stream(samples.tobytes(), *LIVE, "--format", format_).stdout
    expected = invoke(*OF_FILE, "--format", format_).stdout
    if format_ == "table":
        # The widths of columns are chosen before all rows are known.
        found, expected = ([line.split() for line in x.splitlines()] for x in (found, expected))
    assert found == expected


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json"])
def test_output_files_are_those_of_files(samples, name, tmp_path):
    live, of_file = tmp_path / f"live-{name}", tmp_path / name
    result = stream(samples.tobytes(), *LIVE, "-o", live)
    invoke(*OF_FILE, "-o", of_file)
    assert live.read_text() == of_file.read_text()
    assert result.stdout == ""
    assert result.stderr.startswith("Wrote ")
    assert result.stderr.count("\n") == 1


def test_types_and_channels_of_samples(samples):
    stereo = np.column_stack([samples, samples])
    expected = stream(samples.tobytes(), *LIVE).stdout
    for name, content in [
        ("s32le", stereo.astype("<i4") << 16),
        ("f32le", (stereo / 2**15).astype("<f4")),
    ]:
        options = ["--sample-format", name, "--channels", 2]
        assert stream(content.tobytes(), *LIVE, *options).stdout == expected
    quiet = ["--sample-format", "u8", "--format", "json"]
    assert json.loads(stream(b"\x80" * 4000, *LIVE, *quiet).stdout)[-1]["end"] == 0.25


def test_truth_is_compared_at_the_end(samples):
    found = stream(samples.tobytes(), *LIVE, "--truth", "truth.csv").stdout
    assert found == invoke(*OF_FILE, "--truth", "truth.csv").stdout


def test_numbers_over_time(workspace, samples, tmp_path):
    folder = workspace / "recordings" / "low_tone"
    rows = "".join(f"{folder}/low_tone_{i:03}.wav,{i}\n" for i in range(8))
    table = tmp_path / "numbers.csv"
    table.write_text("path,number\n" + rows)
    training = ["--task", "regression", "--table", table, "--column", "target=number", "--quiet"]
    model = tmp_path / "numbers.skops"
    invoke("train", *training, "-o", model, *SMALL)
    options = ["--window", 0.1, "--step", 0.05, "--smooth", 0.25, "--format", "csv"]
    found = table_of(stream(samples.tobytes(), "segments", model, "-", "--rate", 16_000, *options))
    expected = table_of(invoke("segments", model, "long.wav", *options))
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-4)
    curve = tmp_path / "curve.csv"
    live = ["segments", model, "-", "--rate", 16_000, "--window", 0.1]
    stream(samples.tobytes(), *live, "-o", curve)
    assert len(pd.read_csv(curve)) == len(found) // 2 + 1
    result = stream(b"", *live, "--min-duration", 1, status=2)
    assert "--min-duration needs a model that predicts classes" in result.stderr


def test_what_was_found_before_an_error_is_kept(samples, tmp_path):
    content = samples[:8000].tobytes() + b"x"
    result = stream(content, *LIVE, "--format", "csv", status=2)
    assert table_of(result).end.iloc[-1] == 0.5
    assert "ended in the middle of a sample: the last one has 1 of 2 bytes" in result.stderr
    floats = (samples[:8000] / 2**15).astype("<f4")
    floats[6000] = np.nan
    output = tmp_path / "out.csv"
    options = ["--sample-format", "f32le", "-o", output]
    result = stream(floats.tobytes(), *LIVE, *options, status=2)
    assert result.stderr.endswith(
        "Error: Standard input: the sample at 0.375 s is NaN: expected finite numbers, with full "
        "scale at 1.\n"
    )


def test_nothing_on_standard_input_is_an_error(tmp_path):
    output = tmp_path / "out.txt"
    output.write_text("kept")
    for options in ([], ["--format", "json"], ["-o", output]):
        result = stream(b"", *LIVE, *options, status=2)
        assert result.stdout == ""
        assert result.stderr == "Error: Standard input: contains no samples.\n"
    assert output.read_text() == "kept"


def test_no_segments_give_an_empty_table(samples):
    options = [
        x for kind in ("high_tone", "low_tone", "white_noise") for x in ("--background", kind)
    ]
    assert (
        stream(samples.tobytes(), *LIVE, *options, "--format", "csv").stdout == "start,end,label\n"
    )
    assert stream(samples.tobytes(), *LIVE, *options, "--format", "json").stdout == "[]\n"


def test_audio_files_on_standard_input_are_refused(workspace):
    for content in ((workspace / "long.wav").read_bytes(), b"\x1aE\xdf\xa3" * 9):
        result = stream(content, *LIVE, status=2)
        assert "contains an audio file: expected raw samples" in result.stderr


def mpeg_frames(n_bytes):
    """Return two headers of MPEG frames, the second one after some bytes."""
    return b"\xff\xfb\x90\x00".ljust(n_bytes, b"\0") + b"\xff\xfb\x92\x00"


@pytest.mark.parametrize("n_per_read", [100, 5000])
@pytest.mark.parametrize(
    ("content", "is_file"),
    [
        (b"ID3\4" + bytes(60), True),
        (b"\0\0\0\x20ftypM4A " + bytes(60), True),
        (b"FORM\0\0\1\0AIFF" + bytes(60), True),
        (b".snd\0\0\0\x18" + bytes(60), True),
        # 128 kbit/s at 44.1 kHz: 417 bytes.
        (mpeg_frames(417), True),
        (mpeg_frames(416), False),
        (mpeg_frames(417)[:417], False),
        (b"\xff" * 1000, False),
        (bytes(1000), False),
    ],
)
def test_files_are_told_from_samples_by_their_first_bytes(
    monkeypatch, content, is_file, n_per_read
):
    parts = [content[i : i + n_per_read] for i in range(0, len(content), n_per_read)]
    source = SimpleNamespace(read1=lambda n: parts.pop(0) if parts else b"")
    monkeypatch.setattr(click, "get_binary_stream", lambda name: source)
    audio = RawAudio(1, "u8")
    if is_file:
        with pytest.raises(ValueError, match="contains an audio file"):
            list(audio.blocks())
    else:
        assert b"".join(block.tobytes() for block in audio.blocks()) == content


@pytest.mark.parametrize("options", [[], ["--rate", 16_000]])
@pytest.mark.parametrize("command", ["predict", "embed"])
def test_commands_without_standard_input_name_the_one_that_reads_it(command, options):
    assert "use: skdaf segments MODEL - --rate HZ" in misuse(command, "model.skops", "-", *options)
    assert "segments" not in misuse(command, "model.skops", "long.wav", "--rate", 1)


def test_an_encoded_mp3_is_refused(samples):
    file = io.BytesIO()
    sf.write(file, samples, 16_000, format="MP3")
    result = stream(file.getvalue(), *LIVE, status=2)
    assert "contains an audio file" in result.stderr


def test_options_that_do_not_fit():
    assert "need --rate" in misuse("segments", "model.skops", "-")
    invalid = misuse("segments", "model.skops", "-", "--rate", "16k")
    assert "Invalid value for '--rate': '16k' is not a valid whole number." in invalid
    assert "--rate is only for raw samples" in misuse(*OF_FILE, "--rate", 16_000)
    assert "--channels is only for raw samples" in misuse(*OF_FILE, "--channels", 2)
    assert "--format raven requires --output" in misuse(*LIVE, "--format", "raven")
    result = stream(b"1234", "segments", "model.skops", "-", "--rate", 10, status=2)
    assert "has a sampling rate of 10 Hz" in result.stderr


def test_a_process_prints_rows_as_they_come_and_ends_with_ctrl_c(samples, tmp_path):
    output = tmp_path / "out.csv"
    windows = ["--window", "0.2", "--step", "0.05", "--format", "csv"]
    command = [SKDAF, *LIVE[:-2], *windows]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*map(str, command)], stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT
    ) as process:
        process.stdin.write(samples.tobytes())
        process.stdin.flush()
        assert process.stdout.readline() == b"start,end,label\n"
        first = process.stdout.readline()
        assert first.startswith(b"0.0,")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
        assert process.returncode == 130
    assert errors == b"Interrupted.\n"
    expected = invoke(*OF_FILE[:-2], *windows).stdout
    assert b"start,end,label\n" + first + rest == expected.encode()
    assert not output.exists()


class Pipe(io.BytesIO):
    """Standard input that calls a function when all bytes have been read."""

    def __init__(self, content, at_end):
        super().__init__(content)
        self._at_end = at_end

    def read1(self, size=-1):
        data = super().read1(size)
        if not data:
            self._at_end()
        return data


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_a_signal_completes_the_output_file(
    samples, tmp_path, monkeypatch, number, status, message
):
    pipe = Pipe(samples.tobytes(), lambda: os.kill(os.getpid(), number))
    monkeypatch.setattr("click.get_binary_stream", lambda name: pipe)
    numbers = signal.SIGINT, signal.SIGTERM
    before = [*map(signal.getsignal, numbers)]
    output, expected = tmp_path / "out.txt", tmp_path / "expected.txt"
    result = stream(b"", *LIVE, "-o", output, status=status)
    assert result.stderr.endswith(f"\n{message}\n")
    invoke(*OF_FILE, "-o", expected)
    assert output.read_text() == expected.read_text()
    assert [*map(signal.getsignal, numbers)] == before


def test_standard_input_has_no_name(samples, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.wav").touch()
        (tmp_path / f"{name}.csv").write_bytes(Path("truth.csv").read_bytes())
    # The table may be named after a recording that exists.
    result = stream(samples.tobytes(), *LIVE, "--truth", tmp_path / "a.csv")
    assert "Warning" not in result.stderr
    result = stream(samples.tobytes(), *LIVE, "--truth", tmp_path, status=2)
    assert "--truth must be one file for standard input, which has no name" in result.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_does_not_lose_the_comparison(samples, monkeypatch, number, status):
    pipe = Pipe(samples.tobytes(), lambda: os.kill(os.getpid(), number))
    monkeypatch.setattr("click.get_binary_stream", lambda name: pipe)
    found = stream(b"", *LIVE, "--truth", "truth.csv", status=status).stdout
    assert found == invoke(*OF_FILE, "--truth", "truth.csv").stdout


@pytest.mark.filterwarnings("default::UserWarning")
def test_samples_that_end_before_the_annotations(samples, tmp_path):
    (tmp_path / "late.csv").write_text("1.2,9,low_tone\n")
    late = ["--truth", tmp_path / "late.csv"]
    result = stream(samples[:16_000].tobytes(), *LIVE, *late)
    assert (result.stdout, result.stderr.count("Nothing is compared")) == ("", 1)
    result = stream(samples[:16_000].tobytes(), *LIVE, *late, "--background", "high_tone")
    assert "1 s of 1 s, of which 0 s are annotated" in result.stdout
    # An error in the samples is told last.
    broken = samples[:16_000].tobytes() + b"x"
    result = stream(broken, *LIVE, "--truth", "truth.csv", status=2)
    assert result.stdout.startswith("Accuracy ")
    assert "Error: Standard input ended in the middle of a sample" in result.stderr


def test_segments_are_written_although_no_other_one_follows(samples, tmp_path, monkeypatch):
    times = itertools.chain([0.0] * 2, itertools.repeat(9.0))
    monkeypatch.setattr("skdaf.cli._streaming.time.monotonic", lambda: next(times))
    output, before_end = tmp_path / "out.csv", []
    # The sound becomes silence, which is one long segment.
    content = np.append(samples, np.zeros(10 * 2**15, dtype=samples.dtype)).tobytes()
    pipe = Pipe(content, lambda: before_end.append(pd.read_csv(output)))
    monkeypatch.setattr("click.get_binary_stream", lambda name: pipe)
    stream(b"", *LIVE, "-o", output)
    table = pd.read_csv(output)
    assert len(table) > 2
    pd.testing.assert_frame_equal(before_end[0], table[:-1])


def test_a_terminal_in_place_of_a_pipe(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(click.UsageError, match="Pipe raw samples into"):
        main.commands["segments"].main(["model.skops", "-"], standalone_mode=False)
