import gzip
import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import torch

from skdaf import AudioReadError, Clip, load_audio
from skdaf._audio.sources import ArraySource, ContentSource, is_pair, is_source, source_of

RATE = 8000


@pytest.fixture
def samples():
    return np.random.default_rng(0).integers(-(2**15), 2**15, 1000).astype(np.int16)


@pytest.fixture
def path(samples, tmp_path):
    sf.write(tmp_path / "a.wav", samples, RATE)
    return str(tmp_path / "a.wav")


class Decoder:
    """A decoder of torchcodec, as Hugging Face data sets give it."""

    def __init__(self, samples, rate):
        self.samples = SimpleNamespace(data=torch.tensor(samples)[None], sample_rate=rate)

    def get_all_samples(self):
        return self.samples


class RemoteFile:
    """A path of a library of remote files: no `os.PathLike`."""

    def __init__(self, path):
        self.path = path

    def read_bytes(self):
        return Path(self.path).read_bytes()

    def __str__(self):
        return "remote://a.wav"


@pytest.fixture
def forms(samples, path):
    """Return every form of one recording that is not a path, a Clip or a table."""
    with open(path, "rb") as file, open(path, "rb", buffering=0) as raw, open(path, "r+b") as both:
        files = {"open file": file, "unbuffered file": raw, "file for writing too": both}
        yield {**files, **dict(forms_in_memory(samples, path))}


def forms_in_memory(samples, path):
    content = Path(path).read_bytes()
    scaled = samples.astype(np.float32) / 2**15
    yield "pair", (scaled, RATE)
    yield "list", [scaled, RATE]
    yield "double", (scaled.astype(float), RATE)
    yield "integers", (samples, RATE)
    yield "SciPy's order", (RATE, samples)
    yield "NumPy's numbers", (scaled, np.int64(RATE))
    yield "whole float", (scaled, float(RATE))
    yield "numbers", (scaled.tolist(), RATE)
    yield "32 bits", (samples.astype(np.int32) * 2**16, RATE)
    yield "tensor", (torch.tensor(scaled, requires_grad=True), torch.tensor(RATE))
    yield "tensor of integers", (torch.tensor(samples), RATE)
    yield "channels first", (torch.tensor(scaled)[None].expand(2, -1), RATE)
    yield "channels last", (np.stack([scaled, scaled], axis=1), RATE)
    yield "row", {"path": "lost.wav", "array": scaled, "sampling_rate": RATE}
    yield "row of integers", {"path": None, "array": samples.tolist(), "sampling_rate": RATE}
    yield "row of bytes", {"path": None, "bytes": content}
    yield "row of a path", {"path": path, "bytes": None}
    yield "nested row", {"audio": {"path": None, "bytes": content}, "label": 3}
    yield "nested path", {"audio": path, "label": 3}
    yield "file in memory", io.BytesIO(content)
    yield "decoder", Decoder(scaled, RATE)
    yield "nested decoder", {"audio": Decoder(scaled, RATE), "label": 3}
    yield "remote path", RemoteFile(path)


def test_every_form_of_a_sound_reads_like_the_file(forms, path):
    expected, part = load_audio(path), load_audio(path, start=0.02, end=0.05)
    for name, form in forms.items():
        assert is_source(form), name
        scale = 2**15 if name == "row of integers" else 1  # Python's integers have no full scale
        for found, wanted in (
            (load_audio(form), expected),
            (load_audio(Clip(form, 0.02, 0.05)), part),
        ):
            np.testing.assert_allclose(found[0] / scale, wanted[0], atol=1e-7, err_msg=name)
            assert found[0].dtype == np.float32
            assert found[1] == wanted[1]
        if hasattr(form, "close"):
            assert not form.closed
            assert form.tell() == 0


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.int8, [-128, 0, 64]),
        (np.uint8, [0, 128, 192]),
        (np.int16, [-(2**15), 0, 2**14]),
        (np.int32, [-(2**31), 0, 2**30]),
        (np.float16, [-1, 0, 0.5]),
        (np.int64, [-1, 0, 0.5]),
    ],
)
def test_integers_of_files_are_divided_by_their_full_scale(dtype, values):
    found, _ = load_audio((np.array(values).astype(dtype), RATE))
    expected = [-1, 0, 0] if dtype is np.int64 else [-1, 0, 0.5]
    np.testing.assert_array_equal(found, expected)
    swapped = np.array(values).astype(np.dtype(dtype).newbyteorder())
    np.testing.assert_array_equal(load_audio((swapped, RATE))[0], expected)


def test_channels_are_averaged():
    stereo = np.stack([np.zeros(100), np.ones(100)])
    for samples in (stereo, stereo.T, torch.tensor(stereo)):
        np.testing.assert_array_equal(load_audio((samples, RATE))[0], np.full(100, 0.5))


def test_arrays_are_resampled_like_files(samples, path):
    found = load_audio((samples, RATE), sampling_rate=11025)
    np.testing.assert_array_equal(found[0], load_audio(path, sampling_rate=11025)[0])


def test_a_file_is_read_from_its_start_and_keeps_its_position(path):
    expected = load_audio(path)[0]
    in_memory = io.BytesIO(Path(path).read_bytes())
    in_memory.seek(77)
    np.testing.assert_array_equal(load_audio(in_memory)[0], expected)
    assert in_memory.tell() == 77
    assert not in_memory.closed


def test_a_clip_of_a_file_outlives_the_open_file(path):
    with open(path, "rb") as file:
        clip = Clip(file, 0.0, 0.05)
    np.testing.assert_array_equal(load_audio(clip)[0], load_audio(path, end=0.05)[0])
    assert clip.path == os.path.abspath(path)


def test_open_files_that_differ_from_the_file_of_their_name(samples, path, tmp_path):
    """The content counts: packed files, and files that were replaced since."""
    expected = load_audio(path)[0]
    with gzip.open(tmp_path / "a.wav.gz", "wb") as file:
        file.write(Path(path).read_bytes())
    with gzip.open(tmp_path / "a.wav.gz") as file:
        np.testing.assert_array_equal(load_audio(file)[0], expected)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.wav")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("a.wav") as file:
        np.testing.assert_array_equal(load_audio(file)[0], expected)
        np.testing.assert_array_equal(load_audio(zipfile.Path(archive, "a.wav"))[0], expected)
    with open(path, "rb") as file:
        os.rename(path, tmp_path / "old.wav")
        Path(path).write_text("something else")
        np.testing.assert_array_equal(load_audio(file)[0], expected)


def temporary_files():
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("skdaf-")]


def test_no_temporary_file_stays(path, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = source_of(io.BytesIO(Path(path).read_bytes()), "it")
    with source.on_disk() as there:
        assert temporary_files() == [os.path.basename(there)]
    assert temporary_files() == []
    load_audio(Clip(source))
    with pytest.raises(AudioReadError):
        load_audio(io.BytesIO(b"no sound"))
    with pytest.raises(KeyboardInterrupt), source.on_disk():
        raise KeyboardInterrupt
    assert temporary_files() == []


def test_a_full_disk_is_an_audio_read_error(path, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(AudioReadError, match="'BytesIO': cannot be read"):
        load_audio(io.BytesIO(Path(path).read_bytes()))


@pytest.mark.parametrize("name", ["pair", "row of bytes", "file in memory"])
def test_clips_of_sounds_can_be_pickled(forms, path, name):
    clip = Clip(forms[name], 0.0, 0.05)
    copy = pickle.loads(pickle.dumps(clip))
    np.testing.assert_array_equal(load_audio(copy)[0], load_audio(clip)[0])
    assert clip.is_in_memory
    assert not Clip(path).is_in_memory


# Errors.


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "the file is empty"), (b"RIFF", "not readable as audio"), (b"ID3", "not readable")],
)
def test_errors_name_the_sound(content, problem):
    for sound, name in [
        (io.BytesIO(content), "BytesIO"),
        ({"path": "dogs/a.wav", "bytes": content}, "dogs/a.wav"),
    ]:
        with pytest.raises(AudioReadError, match=rf"^'{name}': .*{problem}") as info:
            load_audio(sound)
        assert info.value.paths == [name]
        assert "skdaf-" not in str(info.value)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ((np.zeros((2, 2)), RATE), r"shape \(2, 2\): expected an axis for samples and a shorter"),
        ((np.zeros((300, 64)), RATE), "at most 32 channels"),
        ((np.zeros((1, 1, 9)), RATE), r"shape \(1, 1, 9\): expected \(n_samples,\)"),
        ((np.zeros(0), RATE), "contains no samples"),
        ((np.zeros(9) * 1j, RATE), "complex128: expected real numbers"),
        ((np.array(["a", "b"]), RATE), "expected real numbers"),
        ((np.zeros(9), 0), "sampling_rate=0: expected a whole number of Hz"),
        ((np.zeros(9), 8000.5), "sampling_rate=8000.5: expected a whole"),
        ((np.zeros(9), np.nan), "sampling_rate=nan"),
        ((np.zeros(9), 7), "a sampling rate of 7 Hz"),
        ((np.array([0, np.nan]), RATE), "the sample at 0.000125 s is NaN"),
        ((np.array([0, 1e300]), RATE), "the sample at 0.000125 s is inf"),
    ],
)
def test_bad_samples_and_rates(pair, problem):
    with pytest.raises(ValueError, match=problem):
        load_audio(pair)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"array": [0.0]}, "'array' but no 'sampling_rate'"),
        ({"array": [0.0], "sample_rate": 8000}, "no 'sampling_rate': rename 'sample_rate'"),
        ({"array": [0.0], "sampling_rate": "8000"}, "sampling_rate='8000'"),
        ({"file": "a.wav"}, r"keys \['file'\]: expected 'array' and 'sampling_rate'"),
        ({"path": None, "bytes": None}, "expected 'array' and 'sampling_rate', 'bytes', or 'path'"),
        ({}, r"keys \[\]"),
    ],
)
def test_bad_rows(row, problem):
    with pytest.raises((TypeError, ValueError), match=f"^dict (has|is).*{problem}"):
        load_audio(row)


def test_files_that_cannot_be_read_from_their_start(path):
    with open(path) as file, pytest.raises(TypeError, match="opened as text"):
        load_audio(file)
    with pytest.raises(TypeError, match="opened as text"):
        load_audio(io.StringIO("a"))
    with open(path, "ab") as file, pytest.raises(TypeError, match="opened for writing"):
        load_audio(file)
    with pytest.raises(ValueError, match="closed"):
        load_audio(file)
    reading, writing = os.pipe()
    os.close(writing)
    problem = r"stream that cannot go back .*io\.BytesIO"
    with os.fdopen(reading, "rb") as pipe, pytest.raises(ValueError, match=problem):
        load_audio(pipe)


@pytest.mark.parametrize("item", [np.zeros(3), [0.0, 1.0], 3, None, b"a", ("a", 3), [[0], [1]]])
def test_what_is_not_audio(item):
    assert not is_pair(item)
    assert source_of(item, "it") is None
    with pytest.raises(TypeError, match=r"Clip needs a path .* \(samples, sampling_rate\)"):
        Clip(item)


def test_sources_have_names_and_sizes():
    array, content = ArraySource(np.zeros(10), RATE, "X[1]"), ContentSource(b"abc", "X[2]")
    assert [os.fspath(source) for source in (array, content)] == ["X[1]", "X[2]"]
    assert (array.nbytes, content.nbytes) == (80, 3)
    assert repr(Clip(array, 0.5)) == "Clip(path=<ArraySource X[1]>, start=0.5, end=None)"
