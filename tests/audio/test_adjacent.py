"""Adjacent clips are decoded together, with the samples and the errors of clips read alone."""

import io
import os
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile as sf
from helpers import noise, stereo_tones, write_audio, write_format

from skdaf import AudioReadError, Clip
from skdaf._audio import adjacent
from skdaf._audio.adjacent import read_clips
from skdaf._audio.opening import open_audio
from skdaf._audio.reading import read_clip
from skdaf._features.windows import cut_windows

pytestmark = pytest.mark.oldest

RATE = 16_000
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "float": ("WAV", "FLOAT"),
    "adpcm": ("WAV", "IMA_ADPCM"),
    "gsm": ("WAV", "GSM610"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "alac": ("CAF", "ALAC_16"),
}


def read_alone(clip, *options):
    """Return the samples of a clip; for one that cannot be read, the message."""
    try:
        return read_clip(clip, *options)[0]
    except AudioReadError as error:
        return str(error)


def read_together(clips, *options):
    """Return the samples of clips; for those that cannot be read, the message."""
    results = read_clips(clips, lambda clip: read_clip(clip, *options)[0], *options)
    return [str(one) if isinstance(one, AudioReadError) else one for one in results]


def assert_as_alone(clips, *options):
    found = read_together(clips, *options)
    for samples, clip in zip(found, clips, strict=True):
        expected = read_alone(clip, *options)
        assert type(samples) is type(expected)
        np.testing.assert_array_equal(samples, expected)


def windows_of(source, window=0.5, step=0.2):
    return cut_windows([source if isinstance(source, Clip) else Clip(source)], window, step, None)[
        0
    ]


@pytest.fixture
def decoded(monkeypatch):
    """What is decoded together, as clips."""
    read, read_mono = [], adjacent.read_mono

    def counted(clip, *options):
        read.append(clip)
        return read_mono(clip, *options)

    monkeypatch.setattr(adjacent, "read_mono", counted)
    return read


@pytest.mark.parametrize(("name", "n_channels"), [*((name, 1) for name in FORMATS), ("mp3", 2)])
def test_samples_equal_those_of_clips_read_alone(tmp_path, decoded, name, n_channels):
    kind, subtype = FORMATS[name]
    samples = np.tile(stereo_tones()[:, :n_channels], (5, 1))[: 5 * RATE - 77]
    samples += 0.05 * np.random.default_rng(0).standard_normal(samples.shape)
    path = write_format(tmp_path / "a", samples, RATE, kind, subtype)
    clips = windows_of(path)
    assert_as_alone(clips)
    assert len(decoded) == (0 if name == "opus" else 1)


@pytest.mark.parametrize("options", [(None, 0), (None, 1), (RATE, None), (8000, None), (22_050, 1)])
def test_channels_and_rates(tmp_path, options):
    path = write_format(tmp_path / "a.wav", stereo_tones())
    assert_as_alone(windows_of(path), *options)


@pytest.mark.parametrize(("window", "step"), [(0.5, 0.5), (0.5, 0.01), (0.33, 0.21), (2.0, 0.5)])
def test_windows_of_a_clip(tmp_path, decoded, window, step):
    path = write_audio(tmp_path / "a.wav", noise(n_samples=3 * RATE + 11))
    clips = windows_of(Clip(path, 0.7, 2.9), window, step)
    assert_as_alone(clips)
    assert len(decoded) == 1


@pytest.mark.parametrize(("limit", "n_together"), [(1, 3), (10_000, 3), (20_000, 4)])
def test_a_long_run_is_decoded_in_parts(tmp_path, monkeypatch, decoded, limit, n_together):
    monkeypatch.setattr(adjacent, "_MAX_SAMPLES", limit)
    clips = windows_of(write_audio(tmp_path / "a.wav", noise(n_samples=10 * RATE)))
    assert_as_alone(clips)
    # At least as many windows as fit into twice the length of one. The last one is left over.
    assert len(clips) % n_together == 1
    assert len(decoded) == len(clips) // n_together


def test_clips_in_memory(tmp_path, decoded):
    content = io.BytesIO()
    sf.write(content, stereo_tones(), RATE, format="FLAC")
    for source in ((stereo_tones(), RATE), content):
        shared = Clip(source).path
        assert_as_alone(windows_of(shared))
    assert len(decoded) == 2


def test_clips_that_are_not_adjacent(tmp_path, decoded):
    first, second = (write_audio(tmp_path / f"{i}.wav", noise(i, RATE)) for i in range(2))
    clips = [
        Clip(first, 0.1, 0.2),
        Clip(second, 0.2, 0.3),  # another recording
        Clip(second, 0.4, 0.5),  # after a gap
        Clip(second, 0.3, 0.4),  # earlier
        Clip(second, 0.35),  # within the one before
        Clip(second),
        Clip(second),
    ]
    assert_as_alone(clips)
    assert [(clip.start, clip.end) for clip in decoded] == [(0.3, 1.0)]


def test_equal_times_and_times_beyond_the_end(tmp_path):
    path = write_audio(tmp_path / "a.wav", noise(n_samples=RATE))
    times = [(0, 0.2), (0, 0.2), (0.1, 0.3), (0.2, 99.0), (0.9, None)]
    assert_as_alone([Clip(path, start, end) for start, end in times])


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be replaced")
@pytest.mark.parametrize(("rate", "n_samples"), [(RATE // 2, 3 * RATE), (RATE, RATE)])
def test_a_recording_replaced_while_it_is_read(tmp_path, monkeypatch, rate, n_samples):
    path = write_audio(tmp_path / "a.wav", noise(n_samples=3 * RATE))
    other = write_audio(tmp_path / "b.wav", noise(1, n_samples), rate)
    clips = windows_of(path)
    expected = [read_alone(clip) for clip in clips]

    @contextmanager
    def open_and_replace(name):
        with open_audio(name) as file:
            if os.path.exists(other):
                os.replace(other, name)
            yield file

    monkeypatch.setattr(adjacent, "open_audio", open_and_replace)
    for found, samples in zip(read_together(clips), expected, strict=True):
        np.testing.assert_array_equal(found, samples)


def test_no_clips():
    assert read_together([]) == []


class TestErrors:
    def test_a_missing_file(self, tmp_path):
        path = tmp_path / "missing.wav"
        assert_as_alone([Clip(path, 0, 1), Clip(path, 0.5, 1.5)])

    def test_a_start_after_the_end_of_the_file(self, tmp_path):
        path = write_audio(tmp_path / "a.wav", noise(n_samples=RATE))
        assert_as_alone([Clip(path, 0, 0.6), Clip(path, 0.6, 1.2), Clip(path, 1.1, 1.3)])

    def test_a_sample_that_is_not_finite(self, tmp_path):
        samples = noise(n_samples=3 * RATE)
        samples[RATE] = np.nan
        path = write_format(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
        clips = windows_of(path)
        assert_as_alone(clips)
        assert sum(isinstance(result, str) for result in read_together(clips)) == 3

    def test_a_channel_that_does_not_exist(self, tmp_path):
        assert_as_alone(windows_of(write_format(tmp_path / "a.wav", stereo_tones())), None, 2)

    def test_a_rate_that_is_too_high(self, tmp_path):
        path = write_audio(tmp_path / "a.wav", noise(n_samples=RATE))
        assert_as_alone(windows_of(path), 10**9)
