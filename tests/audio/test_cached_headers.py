"""Headers through the cache: the same as without it, and read again only if a file has changed."""

import io

import numpy as np
import pytest
import soundfile as sf
from helpers import wait_until_cacheable

from skdaf import AudioReadError, Clip, SpectrogramTransformer
from skdaf._audio import cached_headers
from skdaf._audio.cached_headers import read_infos_through
from skdaf._audio.lengths import rate_and_lengths


@pytest.fixture
def clips(tmp_path):
    """Clips of several formats and rates, a part of one, and one that cannot be read."""
    paths = [str(tmp_path / name) for name in ("a.wav", "b.flac", "c.ogg")]
    for path, rate in zip(paths, (8000, 16_000, 44_100), strict=True):
        sf.write(path, np.zeros((2000, 2)), rate)
    (tmp_path / "bad.wav").write_text("no sound")
    wait_until_cacheable()
    return [*map(Clip, paths), Clip(paths[0], 0.1, 0.2), Clip(str(tmp_path / "bad.wav"))]


@pytest.fixture
def reads(monkeypatch):
    """The clips whose headers are read."""
    read, original = [], cached_headers.read_info

    def read_info(clip, channel):
        read.append(clip)
        return original(clip, channel)

    monkeypatch.setattr(cached_headers, "read_info", read_info)
    return read


def infos_and_errors(found):
    return [str(one) if isinstance(one, AudioReadError) else one for one in found]


def through(cache, clips, channel=None):
    return infos_and_errors(read_infos_through(cache, clips, channel))


def test_the_cache_changes_no_header(clips, tmp_path, reads):
    expected = through(None, clips)
    reads.clear()
    assert through(tmp_path / "cache", clips) == expected
    assert reads == clips
    reads.clear()
    assert through(tmp_path / "cache", clips[::-1]) == expected[::-1]
    assert reads == clips[-1:]  # errors are not stored


def test_a_changed_file_is_read_again(clips, tmp_path, reads):
    through(tmp_path / "cache", clips)
    sf.write(clips[1].path, np.zeros(700), 16_000)
    wait_until_cacheable()
    reads.clear()
    assert through(tmp_path / "cache", clips[:3])[1].n_frames == 700
    assert reads == [clips[1]]


def test_a_file_that_changes_while_it_is_read_is_not_stored(clips, tmp_path, monkeypatch):
    original = cached_headers.read_info

    def read_and_change(clip, channel):
        info = original(clip, channel)
        sf.write(clip.path, np.zeros(300), 8000)
        return info

    monkeypatch.setattr(cached_headers, "read_info", read_and_change)
    through(tmp_path / "cache", clips[:1])
    monkeypatch.undo()
    wait_until_cacheable()
    assert through(tmp_path / "cache", clips[:1])[0].n_frames == 300


def test_each_channel_is_checked(clips, tmp_path):
    sf.write(clips[0].path, np.zeros(100), 8000)
    wait_until_cacheable()
    cache = tmp_path / "cache"
    for _ in range(2):
        rate_and_lengths(clips[:1], None, channel=0, cache=cache)
        with pytest.raises(AudioReadError, match="there is no channel 1"):
            rate_and_lengths(clips[:1], None, channel=1, cache=cache)


def test_audio_in_memory_is_not_stored(tmp_path, reads):
    content = io.BytesIO()
    sf.write(content, np.zeros(100), 8000, format="WAV")
    clips = [Clip(content), Clip((np.zeros(50), 8000))]
    for _ in range(2):
        assert [info.n_frames for info in through(tmp_path / "cache", clips)] == [100, 50]
    assert reads == 2 * clips
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_usable_cache_the_headers_are_read(clips, tmp_path):
    expected = through(None, clips)
    (tmp_path / "cache").write_text("not a folder")
    assert through(tmp_path / "cache", clips) == expected


def test_a_second_fit_reads_no_header(clips, tmp_path, reads):
    paths = [clip.path for clip in clips[:3]]
    first = SpectrogramTransformer(cache=tmp_path / "cache").fit(paths)
    reads.clear()
    second = SpectrogramTransformer(cache=tmp_path / "cache").fit(paths)
    assert reads == []
    for name in ("sampling_rate_", "n_frames_", "length_", "mean_subtraction_"):
        assert getattr(first, name) == getattr(second, name)
