"""Extraction of many clips, without a cache and with workers."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
from extracting import SETTINGS, extract, output_of
from helpers import write_noise

from skdaf import AudioReadError, Clip
from skdaf._audio.unusual_clips import ClipFacts
from skdaf._features import extraction, spectrogram_extraction
from skdaf._features.extraction import Extraction, compute_rows
from skdaf._features.standardizing import soften_levels

pytestmark = pytest.mark.oldest

# --- without a cache ---


@pytest.mark.parametrize("length", ["resize", "tile", "pad"])
@pytest.mark.parametrize("limit", [1, 3000, 6000])
def test_group_boundaries_change_nothing(clips, monkeypatch, length, limit):
    whole = output_of(extract(length=length)(clips))
    monkeypatch.setattr(extraction.Extraction, "samples_per_group", limit)
    monkeypatch.setattr(extraction.Extraction, "values_per_group", limit)
    np.testing.assert_array_equal(output_of(extract(length=length)(clips)), whole)


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
@pytest.mark.parametrize("length", ["resize", "tile", "pad"])
def test_a_row_does_not_depend_on_the_other_clips(clips, features, length):
    settings = replace(SETTINGS, features=features)
    model = extract(settings=settings, length=length, mean_subtraction=0.3)
    rows = output_of(model(clips))
    order = [3, 0, 6, 6, 2, 5, 1, 4]
    assert output_of(model([clips[i] for i in order])).tobytes() == rows[order].tobytes()
    for clip, row in zip(clips, rows, strict=True):
        assert output_of(model([clip])).tobytes() == row.tobytes()


def test_group_ends_when_it_holds_enough_samples(clips, monkeypatch):
    sizes = []
    compute = spectrogram_extraction.compute_spectrograms

    def spectrograms(waveforms, settings):
        sizes.append([len(samples) for samples in waveforms])
        return compute(waveforms, settings)

    monkeypatch.setattr(spectrogram_extraction, "compute_spectrograms", spectrograms)
    monkeypatch.setattr(extraction.Extraction, "samples_per_group", 7000)
    extract()(clips)
    assert sizes == [[1600, 3200, 4800], [6400, 8000], [9600], [11200]]


def test_waveforms_need_no_files(clips, cache):
    waveforms = [sf.read(clip.path, dtype="float32")[0] for clip in clips]
    expected = output_of(extract()(clips))
    np.testing.assert_array_equal(output_of(extract(cache)(waveforms)), expected)
    assert not cache.exists()


def test_padding_is_standardized_with_the_clip(tmp_path):
    clip = Clip(write_noise(tmp_path / "a.wav", n_samples=1600))
    plain = output_of(extract(n_frames=30, length="pad", standardize=False)([clip]))[0]
    standardized = output_of(extract(n_frames=30, length="pad")([clip]))[0]
    np.testing.assert_array_equal(plain[11:], -80.0)
    softened = soften_levels(plain).astype(float)
    own = softened[:11]
    expected = (softened - own.mean()) / own.std()
    np.testing.assert_allclose(standardized, np.maximum(expected, -10.0), atol=1e-4)
    assert (expected[11:] < -10.0).all()  # steady noise has little spread


def test_bad_file_leaves_the_others_alone(clips, tmp_path):
    good = output_of(extract()(clips))
    bad = [Clip(str(tmp_path / "missing.wav")), Clip(clips[0].path, 99.0)]
    (output, _), errors = extract()([bad[0], *clips, bad[1]])
    np.testing.assert_array_equal(output[1:-1], good)
    assert [error.paths for error in errors] == [[bad[0].path], [clips[0].path]]
    assert all(type(error) is AudioReadError for error in errors)


def test_an_extraction_can_be_pickled(clips, cache):
    first = extract(cache)
    expected = output_of(first(clips))
    copy = pickle.loads(pickle.dumps(first))
    assert copy == first
    np.testing.assert_array_equal(output_of(copy(clips)), expected)


# --- chunks ---


def sizes_of_chunks(clips):
    """Return the numbers of clips per call of an extraction."""

    class Sizes(Extraction):
        row_shape, dtype, cache = (), int, None
        settings = SETTINGS

        def __call__(self, chunk):
            return (np.full(len(chunk), len(chunk)), [ClipFacts(1.0)] * len(chunk)), []

    counts = compute_rows(Sizes(), clips, n_jobs=None, verbose=0, description="")
    return sorted(set(counts))


def long_file(path, n_bytes):
    with open(path, "wb") as file:
        file.truncate(n_bytes)
    return Clip(str(path))


def test_chunks_of_long_recordings_are_smaller(tmp_path):
    short, middle, long = (long_file(tmp_path / f"{n}", n) for n in (32_000, 441_044, 10**9))
    assert sizes_of_chunks([short] * 128) == [64]
    assert sizes_of_chunks([middle] * 60) == [4]
    assert sizes_of_chunks([long] * 12) == [4]
    assert sizes_of_chunks([short, long] * 64) == [4]
    assert sizes_of_chunks([np.zeros(40_000, np.float32)] * 26) == [13]


def test_parts_and_missing_files_do_not_affect_the_chunk_size(tmp_path):
    part = Clip(long_file(tmp_path / "long", 10**9).path, 5.0, 6.0)
    assert sizes_of_chunks([part] * 128) == [64]
    assert sizes_of_chunks([Clip(str(tmp_path / "gone"))] * 128) == [64]
