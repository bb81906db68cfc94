import io
import os
import random

import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, load_audio
from skdaf._audio.formats.view import FileView


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(200)))
    return path


@pytest.mark.parametrize(
    ("head", "ranges"),
    [
        (b"", [(0, 200)]),
        (b"head", [(50, 120)]),
        (b"head", [(10, 20), (20, 21), (150, 200), (0, 5)]),
        (b"head", []),
        (b"", []),
    ],
)
def test_a_view_is_read_like_a_file(path, head, ranges):
    expected = io.BytesIO(head + b"".join(bytes(range(*bounds)) for bounds in ranges))
    rng = random.Random(0)
    with FileView(path, head, ranges) as view:
        for _ in range(300):
            whence = rng.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
            back = {os.SEEK_SET: 0, os.SEEK_CUR: expected.tell(), os.SEEK_END: len(head)}[whence]
            offset = rng.randint(-min(back, 5), 60)
            if whence == os.SEEK_END and offset < -len(expected.getvalue()):
                continue
            assert view.seek(offset, whence) == expected.seek(offset, whence)
            n_bytes = rng.randint(0, 90)
            assert view.read(n_bytes) == expected.read(n_bytes)
            assert view.tell() == expected.tell()


def test_a_file_that_shrinks_ends_early(path):
    with FileView(path, b"head", [(0, 100), (100, 200)]) as view:
        os.truncate(path, 90)
        assert view.read(1000) == b"head" + bytes(range(90))
        assert view.read(1000) == b""


@pytest.mark.parametrize("format", ["MP3", "CAF"])
def test_errors_of_the_system_while_reading_keep_their_message(tmp_path, monkeypatch, format):
    """libsndfile asks for the bytes, and cannot pass an exception on."""
    path = tmp_path / "sound"
    sf.write(path, 0.1 * np.random.default_rng(0).standard_normal(400_000), 16_000, format=format)
    if format == "CAF":
        path.write_bytes(path.read_bytes().replace(b"data" + bytes(3), b"data\xff\xff\xff", 1))
    pieces = FileView._pieces
    monkeypatch.setattr(
        FileView, "_pieces", lambda view, n: refuse() if view.tell() > 50_000 else pieces(view, n)
    )

    def refuse():
        raise OSError(5, "Input/output error")

    with pytest.raises(AudioReadError, match=r"cannot be read \(Input/output error\)"):
        load_audio(path)
