"""Fixtures of the tests for model files."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def waveforms():
    return np.random.default_rng(0).standard_normal((20, 2000))
