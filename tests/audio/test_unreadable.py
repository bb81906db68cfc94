"""Files that cannot be read end in an AudioReadError that names them and says why."""

import contextlib
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from helpers import (
    patch_number,
    read_error,
    stereo_tones,
    write_format,
)

from skdaf import AudioReadError, SpectrogramTransformer, check_audio, load_audio

pytestmark = pytest.mark.oldest

RATE = 16000


def test_a_missing_file(tmp_path):
    assert "no such file" in read_error(tmp_path / "gone.wav", cause=FileNotFoundError)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    assert "the file is empty" in read_error(path)


def test_text_with_the_name_of_an_audio_file(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("not a sound\n" * 20)
    assert "not readable as audio" in read_error(path, cause=sf.LibsndfileError)


def test_headerless_samples(tmp_path):
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(1000))
    assert "not readable as audio" in read_error(path, cause=TypeError)


def test_a_folder(tmp_path):
    path = tmp_path / "folder.wav"
    path.mkdir()
    assert "is a folder" in read_error(path)


def test_a_name_with_a_null_character(tmp_path):
    read_error(tmp_path / "a\0b.wav", cause=ValueError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_without_a_writer_does_not_hang(tmp_path):
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    assert "is not a regular file" in read_error(path)


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_16"), ("MP3", None)])
def test_a_truncated_file_is_not_taken_for_a_short_one(tmp_path, format, subtype):
    path = write_format(tmp_path / "sound", stereo_tones(), format=format, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    message = read_error(path)
    assert "truncated" in message or "not readable as audio" in message


def test_no_frames(tmp_path):
    path = write_format(tmp_path / "none.wav", np.zeros((0, 1)))
    assert "contains no samples" in read_error(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_that_are_not_finite(tmp_path, value, n_channels):
    samples = np.zeros((100, n_channels))
    samples[50, -1] = value
    path = write_format(tmp_path / "sound.wav", samples, subtype="FLOAT")
    shown = {"nan": "NaN"}.get(str(value), str(value))
    assert f"the sample at 0.003125 s is {shown}: expected finite numbers" in read_error(path)
    # Samples outside of the clip do not matter.
    assert len(load_audio(path, end=50 / RATE)[0]) == 50
    assert len(load_audio(path, start=51 / RATE)[0]) == 49


@pytest.mark.parametrize("start", [0.0, 0.25, 0.75])
def test_the_first_bad_sample_is_named_by_its_place_in_the_file(tmp_path, monkeypatch, start):
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 1000)
    samples = stereo_tones()
    samples[14_000, 1] = np.nan
    samples[14_001:, 0] = np.inf
    path = write_format(tmp_path / "sound.wav", samples, subtype="DOUBLE")
    with pytest.raises(AudioReadError, match=r"the sample at 0\.875 s is NaN"):
        load_audio(path, start=start)


@pytest.mark.parametrize("rate", [1, 50, 99, 10_000_001, 2**31 - 1])
def test_a_rate_that_is_not_audio(wav, rate):
    assert f"a sampling rate of {rate} Hz" in read_error(patch_number(wav, 24, "<I", rate))


@pytest.mark.parametrize("rate", [100, 384_000, 10_000_000])
def test_the_outermost_rates_that_are_audio(wav, rate):
    assert load_audio(patch_number(wav, 24, "<I", rate))[1] == rate


def test_a_rate_of_zero(wav):
    read_error(patch_number(wav, 24, "<I", 0), cause=sf.LibsndfileError)


@pytest.mark.parametrize("value", [1e12, 1e30, -1e38])
def test_samples_whose_power_would_overflow_are_refused(tmp_path, value):
    samples = stereo_tones()
    samples[5] = value
    path = write_format(tmp_path / "loud.wav", samples, subtype="FLOAT")
    assert f" s is {value:.3g}: expected finite numbers, with full scale at 1" in read_error(path)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "EIO")])
@pytest.mark.parametrize("name", ["tones.wav", "tones.flac"])
def test_errors_of_the_system_keep_their_message(tmp_path, monkeypatch, error, name):
    """Root may read everything, so `refuse` replaces a call of the system."""
    path = write_format(tmp_path / name, stereo_tones(), format=name[-4:].strip(".").upper())

    def refuse(*arguments):
        raise error

    monkeypatch.setattr(os, "open", refuse)
    expected = f"{str(path)!r}: cannot be read ({error.strerror})"
    assert read_error(path, cause=type(error)) == expected
    assert f"{str(path)!r}: {check_audio([path]).problem[0]}" == expected


def test_a_recording_too_long_for_memory_is_named(wav, monkeypatch):
    def refuse(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr("skdaf._audio.resampling.soxr.resample", refuse)
    with pytest.raises(AudioReadError, match=r"tones\.wav': is too long to fit in memory"):
        load_audio(wav, sampling_rate=8000)


def test_a_damaged_mp3_prints_nothing(tmp_path, capfd):
    path = write_format(tmp_path / "sound.mp3", stereo_tones(), format="MP3")
    content = bytearray(path.read_bytes())
    content[600:900] = bytes(range(100)) * 3
    path.write_bytes(content)
    with contextlib.suppress(AudioReadError):
        load_audio(path)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def socket_path(tmp_path):
    path = tmp_path / "socket.wav"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


def no_files(folder):
    """Create one thing of each kind that is not a regular file; return {path: problem}."""
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "one.wav").symlink_to("other.wav")
    (folder / "other.wav").symlink_to("one.wav")
    (folder / "dangling.wav").symlink_to("gone.wav")
    (folder / "pipe link.wav").symlink_to("pipe.wav")
    return {
        str(folder / "pipe.wav"): "is not a regular file",
        str(folder / "pipe link.wav"): "is not a regular file",
        str(folder / "folder.wav"): "is a folder",
        str(folder / "loop.wav"): "Too many levels of symbolic links",
        str(folder / "one.wav"): "Too many levels of symbolic links",
        str(folder / "dangling.wav"): "no such file",
        str(folder / "a.wav" / "b.wav"): "no such file",
        "/dev/zero": "is not a regular file",
        "/dev/null": "is not a regular file",
        "/dev/tty": "is not a regular file",
        "/proc/self/status": "the file is empty",
        "/proc/self/mem": "the file is empty",
        "/proc/self/fd": "is a folder",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the list is one of Linux")
def test_what_is_not_a_regular_file_is_reported_without_waiting(tmp_path, socket_path):
    X = no_files(tmp_path) | {str(socket_path): "is not a regular file"}
    for path, problem in X.items():
        assert problem in read_error(path), path
    assert not check_audio(list(X)).ok.any()
    with pytest.raises(AudioReadError) as info:
        SpectrogramTransformer().fit(list(X))
    assert info.value.paths == list(X)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it has another name")
def test_a_pipe_on_the_standard_input_does_not_hang():
    code = (
        "from skdaf import load_audio, AudioReadError\n"
        "try:\n    load_audio('/dev/stdin')\nexcept AudioReadError as error:\n    print(error)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        # Nothing is ever written, and the pipe stays open.
        assert "is not a regular file" in process.stdout.readline()


@pytest.fixture
def fitted(wav):
    return SpectrogramTransformer().fit([wav])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_file_that_vanishes_after_fit_is_named(fitted, wav, tmp_path, n_jobs):
    gone = write_format(tmp_path / "gone.wav", stereo_tones())
    SpectrogramTransformer().fit([wav, gone])
    gone.unlink()
    with pytest.raises(AudioReadError, match=r"gone\.wav': no such file") as info:
        fitted.set_params(n_jobs=n_jobs).transform([wav] * 70 + [gone])
    assert info.value.paths == [str(gone)]


@pytest.mark.parametrize(
    "change", ["vanish", "grow", "shrink", "cut", "other", "pipe", "empty", "forbid"]
)
def test_a_file_that_changes_between_header_and_samples(tmp_path, wav, monkeypatch, change):
    """The file at the time of reading counts, or there is an error."""
    path = write_format(tmp_path / "changing.wav", stereo_tones())
    new = write_format(tmp_path / "new.wav", stereo_tones(3000 if change == "shrink" else 2 * RATE))

    def forbid():
        """Root may read everything, so `refuse` replaces a call of the system."""
        os_open = os.open

        def refuse(name, *arguments):
            if os.fspath(name) == str(path):
                raise PermissionError(13, "Permission denied")
            return os_open(name, *arguments)

        monkeypatch.setattr(os, "open", refuse)

    change_it = {
        "forbid": forbid,
        "vanish": path.unlink,
        "grow": lambda: new.replace(path),
        "shrink": lambda: new.replace(path),
        "cut": lambda: os.truncate(path, 20_001),
        "other": lambda: path.write_text("not a sound"),
        "pipe": lambda: (path.unlink(), os.mkfifo(path)),
        "empty": lambda: os.truncate(path, 0),
    }[change]
    transform = SpectrogramTransformer.transform

    def change_and_transform(self, X):
        change_it()
        return transform(self, X)

    monkeypatch.setattr(SpectrogramTransformer, "transform", change_and_transform)
    front_end = SpectrogramTransformer(n_frames=30)
    if change in ("grow", "shrink"):
        _, found = front_end.fit_transform([wav, path])
        monkeypatch.undo()
        np.testing.assert_array_equal(found, front_end.transform([path])[0])
        return
    with pytest.raises(AudioReadError) as info:
        front_end.fit_transform([wav, path])
    assert info.value.paths == [str(path)]
