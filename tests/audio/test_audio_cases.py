"""The files of ../shared/cases are read, or refused, as their table says."""

import csv

import numpy as np
import pytest
from helpers import (
    CASES,
    read_error,
)

from skdaf import Clip, check_audio, load_audio
from skdaf._audio.reading import read_info

pytestmark = pytest.mark.oldest

RATE = 16000


FILES = CASES / "audio"


def cases():
    """Return (name, what is right, number of samples) of the files that libsndfile reads."""
    if not (FILES / "cases.csv").is_file():
        return []
    with open(FILES / "cases.csv", newline="", encoding="utf-8") as table:
        rows = [(row["file"], row["right"], row["samples"]) for row in csv.DictReader(table)]
    return [row for row in rows if row[1] == "whole" or row[1].startswith("error")]


@pytest.mark.skipif(not FILES.is_dir(), reason="no files at hand")
@pytest.mark.parametrize(("name", "right", "n_samples"), cases())
def test_each_case_ends_as_its_row_says(name, right, n_samples):
    path = FILES / name
    report = check_audio([path])
    if right == "whole":
        samples, rate = load_audio(path)
        # Decoders take off the delay of an MP3 encoder, or not.
        tolerance = 2304 if path.suffix == ".mp3" else 0
        assert abs(len(samples) - int(n_samples)) <= tolerance
        assert read_info(Clip(path)).n_frames == len(samples)
        assert report.ok[0]
        middle = len(samples) // 2
        part = load_audio(path, start=middle / rate)[0]
        np.testing.assert_array_equal(part, samples[middle:])
    else:
        assert "the file is truncated: " in read_error(path)
        assert "the file is truncated: " in report.problem[0]
