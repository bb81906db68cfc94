"""Short names of clips."""

import io

import numpy as np
import pytest

from skdaf import Clip
from skdaf._display.clip_names import clip_names

pytestmark = pytest.mark.oldest


def test_files_have_their_names_and_parts_their_times():
    clips = [Clip("yard/a.wav"), Clip("yard/b.wav", 1.5, 2), Clip("yard/b.wav", 60)]
    assert clip_names(clips) == ["a.wav", "b.wav, 1.5\u20132 s", "b.wav, 60\u2013 s"]


def test_files_of_the_same_name_have_their_folders():
    clips = [Clip("calls/owl/1.wav"), Clip("calls/frog/1.wav"), Clip("calls/frog/2.wav")]
    assert clip_names(clips) == ["owl/1.wav", "frog/1.wav", "frog/2.wav"]


def test_sounds_in_memory_have_no_names():
    assert clip_names([Clip(io.BytesIO()), np.zeros(3), Clip("a.wav")]) == [None, None, "a.wav"]
