"""Samples far above full scale, such as 16-bit samples converted to float, lead to a warning."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skdaf import Clip
from skdaf._audio import sources
from skdaf._audio.inputs import validate_clips
from skdaf._audio.sources import ArraySource
from skdaf._audio.stream import BlockReader, PartSource

pytestmark = pytest.mark.oldest

SCALED = np.linspace(-1, 1, 400)
UNSCALED = np.linspace(-30_000, 20_000, 400)
ADVICE = "has values up to 30000: waveforms should be between -1 and 1. Divide 16-bit samples by 32"


class Estimator(BaseEstimator):
    """An estimator whose attributes validate_clips may set."""


@pytest.mark.parametrize(
    ("X", "name"),
    [
        ([SCALED, UNSCALED, UNSCALED], "X[1]"),
        (np.stack([SCALED, UNSCALED]), "X"),
        (np.stack([UNSCALED, UNSCALED]).astype(np.int16), "X"),
        ([(SCALED, 8000), (UNSCALED, 8000), (UNSCALED, 8000)], "X[1]"),
        ([{"array": UNSCALED.astype("f4"), "sampling_rate": 8000}], "X[0]"),
        ([(UNSCALED.astype(np.int64), 8000)], "X[0]"),
        ([Clip((UNSCALED, 8000))], ""),
    ],
)
def test_each_estimator_warns_once_of_unscaled_waveforms(X, name):
    estimator = Estimator()
    with pytest.warns(UserWarning, match=re.escape(f"{name} {ADVICE}")) as log:
        validate_clips(estimator, X, reset=True)
    assert len(log) == 1
    validate_clips(estimator, X, reset=False)  # warnings are errors in these tests
    with pytest.warns(UserWarning, match="between -1 and 1"):
        validate_clips(Estimator(), X, reset=False)


@pytest.mark.parametrize(
    "X",
    [
        [SCALED * 99, SCALED],
        np.stack([SCALED, SCALED * 99]),
        [(SCALED * 99, 8000)],
        [(UNSCALED.astype(np.int16), 8000)],  # scaled when it is read
        [(np.array([np.nan, 1000.0]), 8000)],  # an error when it is read
        ["file.wav"],
        [Clip(PartSource(UNSCALED[:, None], 0, 8000, "the stream"), 0, 0.01)],
        np.full((2, 9, 8), 30_000.0),  # spectrograms
    ],
)
def test_other_input_gives_no_warning(X):
    validate_clips(Estimator(), X, reset=True)


def test_the_level_of_an_array_is_computed_once_from_its_start(monkeypatch):
    monkeypatch.setattr(sources, "_N_FOR_LEVEL", 100)
    source = ArraySource(np.append(UNSCALED, 1e6), 8000, "it")
    assert source.level == 30_000
    source.samples[:] = 0
    assert source.level == 30_000


def test_a_stream_warns_once_of_unscaled_blocks():
    reader = BlockReader(8000)
    blocks = [SCALED * 99, UNSCALED, UNSCALED]
    with pytest.warns(UserWarning, match=re.escape(f"blocks[1] {ADVICE}")) as log:
        found = [part for block in blocks for part in reader.read(block, 150)]
    assert len(log) == 1
    np.testing.assert_array_equal(np.concatenate(found)[:, 0], np.concatenate(blocks).astype("f4"))
    with warnings.catch_warnings(action="error"):
        assert len(list(BlockReader(8000).read(UNSCALED.astype(np.int16), 400))) == 1
