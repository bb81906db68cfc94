"""Fixtures for the tests of commands."""

import joblib
import numpy as np
import pytest
import soundfile as sf
from cli_commands import KINDS, SMALL, invoke, run

from skdaf import load_model
from skdaf.datasets import make_audio_dataset


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A folder with recordings, a long one, its annotations, and a model in two formats.

    Tests must not change it.
    """
    workspace = tmp_path_factory.mktemp("cli")
    made = make_audio_dataset(
        workspace / "recordings", classes=KINDS, n_clips_per_class=12, duration=(0.2, 0.3)
    )
    samples = [sf.read(made.filenames[row])[0] for row in (12, 13, 14, 24, 25, 26)]
    sf.write(workspace / "long.wav", np.concatenate(samples), 16000)
    edge, end = (sum(map(len, samples[:n])) / 16000 for n in (3, 6))
    truth = f"start,end,label\n0,{edge},low_tone\n{edge},{end},white_noise\n"
    (workspace / "truth.csv").write_text(truth)
    train = ["--set", "max_epochs=40", "--set", "channels=(8,16)", "--set", "frontend__n_mels=24"]
    result = run("train", "recordings", "-o", "model.skops", "--n-jobs", "2", *train, cwd=workspace)
    (workspace / "training.txt").write_text(f"{result.stdout}|{result.stderr}")
    joblib.dump(load_model(workspace / "model.skops"), workspace / "model.joblib")
    return workspace


@pytest.fixture(scope="session")
def embedder(workspace):
    """The name of the file of an autoencoder in the workspace."""
    folders = workspace / "recordings", workspace / "long.wav"
    out = workspace / "embedder.skops"
    invoke("train", *folders, "--task", "representation", "-o", out, *SMALL, "--quiet")
    return out.name


@pytest.fixture
def inside_workspace(workspace, monkeypatch):
    """Run the test in the workspace, so that it can use relative paths."""
    monkeypatch.chdir(workspace)
