"""Results do not depend on the kernel of BLAS or the instruction set of torch."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

# Runs in its own process, because libraries choose their kernels when they are loaded.
PROGRAM = """
import sys
import tempfile

import numpy as np

from skdaf import PyAudioAnalysisTransformer, SpectrogramTransformer
from skdaf.datasets import load_audio_folders

sounds = load_audio_folders(sys.argv[1])
paths, labels = np.array(sounds.filenames), sounds.target
order = np.random.default_rng(0).permutation(len(paths))


def same(first, second):
    return first.tobytes() == second.tobytes()


def check_transformer(transformer):
    rows = transformer.fit_transform(paths)
    for one in (0, 7, len(paths) - 1):
        assert same(transformer.transform(paths[one : one + 1])[0], rows[one]), "alone"
    assert same(transformer.transform(paths[order]), rows[order]), "in another order"
    assert same(transformer.transform(paths[1:]), rows[1:]), "beside others"
    twice = transformer.transform(np.repeat(paths[:9], 2))
    assert same(twice[::2], twice[1::2]), "twice in a call"
    with tempfile.TemporaryDirectory() as folder:
        transformer.set_params(cache=folder).transform(paths[1::2])
        assert same(transformer.transform(paths), rows), "a half-filled cache"
        assert same(transformer.transform(paths), rows), "a full cache"


for features in ("mel", "mfcc", "mel+chroma"):
    for options in ({}, {"length": "pad"}, {"standardize": False}):
        check_transformer(SpectrogramTransformer(features, **options))
check_transformer(PyAudioAnalysisTransformer())
if sys.argv[2] == "features":
    assert "torch" not in sys.modules
    sys.exit()

from skdaf import CNNAudioClassifier


def fitted(**options):
    front_end = SpectrogramTransformer(n_mels=16, n_frames=20, **options)
    options = {"channels": (4, 8), "max_epochs": 2, "random_state": 0}
    return CNNAudioClassifier(front_end, **options).fit(paths, labels)


classifier = fitted()
expected = classifier.predict_proba(paths)
alone = np.vstack([classifier.predict_proba(paths[i : i + 1]) for i in range(len(paths))])
assert abs(alone - expected).max() <= 1e-5, "a network: alone"
assert abs(classifier.predict_proba(paths[order]) - expected[order]).max() <= 1e-5, "by order"
with tempfile.TemporaryDirectory() as folder:
    SpectrogramTransformer(n_mels=16, n_frames=20, cache=folder).fit_transform(paths[::2])
    assert same(fitted(cache=folder).predict_proba(paths), expected), "weights, by the cache"
assert same(fitted(n_jobs=2).predict_proba(paths), expected), "weights, by the workers"
"""

# The first variable chooses the kernels of NumPy and SciPy, the second the instructions of torch.
# Two values of the second are enough, so the other processes need not import torch.
KERNELS = [("Prescott", "default"), ("Haswell", "avx2"), ("Zen", None), ("SkylakeX", None)]


@pytest.mark.slow
@pytest.mark.parametrize(("blas", "torch"), KERNELS)
def test_a_clips_result_depends_only_on_the_clip(sounds, blas, torch):
    folder = os.path.dirname(os.path.dirname(sounds.filenames[0]))
    what = "features and networks" if torch else "features"
    command = [sys.executable, "-W", "error", "-c", PROGRAM, folder, what]
    variables = {"OPENBLAS_CORETYPE": blas, **({"ATEN_CPU_CAPABILITY": torch} if torch else {})}
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
    if run.returncode == -getattr(signal, "SIGILL", 0):
        pytest.skip("this processor does not have the instructions")
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_the_environment_variable_selects_kernels(tmp_path):
    """Kernels do differ: with one product for many clips, the test above would fail."""
    program = """
import numpy as np
rows = np.random.default_rng(0).standard_normal((67, 129)).astype(np.float32)
bank = np.random.default_rng(1).standard_normal((129, 40)).astype(np.float32)
print((rows @ bank).tobytes().hex())
"""
    products = set()
    for name in ("Prescott", "Haswell"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": name}
        command = [sys.executable, "-c", program]
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
        if run.returncode != 0 or "openblas" not in str(np.show_config(mode="dicts")).lower():
            pytest.skip("no OpenBLAS with these kernels")
        products.add(run.stdout)
    assert len(products) == 2
