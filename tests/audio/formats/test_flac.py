"""FLAC streams whose header does not contain their length: the end of the stream is checked."""

import numpy as np
import pytest
import soundfile as sf
from helpers import noise_content, read_error

from skdaf import load_audio
from skdaf._audio.formats.flac import _ends_with_frame, _read_end
from skdaf._audio.formats.libsndfile import LibsndfileFile

pytestmark = pytest.mark.oldest


def unknown_length(content):
    """Return a FLAC file without the number of frames in its header."""
    return content[:21] + bytes([content[21] & 0xF0, 0, 0, 0, 0]) + content[26:]


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize(("channels", "n"), [(1, 3000), (2, 4097), (8, 1)])
def test_only_a_whole_stream_ends_with_a_frame(tmp_path, subtype, channels, n):
    content = bytes(noise_content(tmp_path / "a", "FLAC", subtype, channels, n))
    assert _ends_with_frame(content)
    assert _ends_with_frame(content[content.index(b"\xff\xf8") :])
    for other in (content[:-1], content[:-4], content + b"\1", b""):
        assert not _ends_with_frame(other)


def test_silence_ends_with_a_frame(tmp_path):
    sf.write(tmp_path / "a.flac", np.zeros(70_000), 8000, format="FLAC")
    assert _ends_with_frame((tmp_path / "a.flac").read_bytes())


def test_the_largest_frames_fit_into_the_end_that_is_read(tmp_path):
    content = bytes(noise_content(tmp_path / "a", "FLAC", "PCM_24", 2, 200_000))
    end = _read_end(tmp_path / "a", 0, 2)
    assert 65_536 * 2 * 3 < len(end) < len(content)
    assert content.endswith(end)


def test_a_cut_is_noticed_if_libsndfile_ignores_it(tmp_path, monkeypatch):
    """As libsndfile 1.2.0 does: it returns the samples of the complete frames."""
    path = tmp_path / "stream.flac"
    content = unknown_length(noise_content(path, "FLAC", n=30_000))
    path.write_bytes(content)
    assert len(load_audio(path)[0]) == 30_000
    path.write_bytes(content[:-100])
    monkeypatch.setattr(LibsndfileFile, "skip", lambda file, n_frames: 28_672)
    assert read_error(path).endswith("truncated or damaged (its last frame is not complete)")
