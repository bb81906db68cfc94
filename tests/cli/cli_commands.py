"""Run the `skdaf` command, for the tests of its commands."""

import io
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from skdaf import CNNAudioClassifier
from skdaf.cli import main

SKDAF = Path(sys.executable).with_name("skdaf")
KINDS = ["high_tone", "low_tone", "white_noise"]
SMALL = ["--set", "max_epochs=2", "--set", "channels=(4,8)"]
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "PYTHONWARNINGS": "error"}


def run(*arguments, cwd, status=0, **options):
    """Run the installed command in a process of its own."""
    options = {"env": ENVIRONMENT, "capture_output": True, "text": True, **options}
    result = subprocess.run([SKDAF, *map(str, arguments)], cwd=cwd, **options)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in (result.stderr or "")
    return result


def invoke(*arguments, status=0):
    """Run the command in the process of the tests."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    unexpected = result.exception and not isinstance(result.exception, SystemExit)
    assert not unexpected, result.exc_info
    assert result.exit_code == status, result.stderr
    return result


def read_csv(*arguments):
    """Run a command that prints CSV; return the table."""
    return pd.read_csv(io.StringIO(invoke(*arguments).stdout))


def misuse(*arguments):
    """Run a command that must fail; return its one-line error, the only output."""
    result = invoke(*arguments, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def commands(group=main, path=()):
    """Yield the words of each command and group, and the click command."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = dict(commands())


def old_model(path, paths, labels):
    """Train a model and write it in the format of deep_audio_features: a pickled dict."""
    classifier = CNNAudioClassifier(
        network="daf", channels=(2, 2, 2, 2), hidden_units=(4, 3), max_epochs=1, random_state=0
    )
    classifier.set_params(frontend__n_mels=128, frontend__n_frames=16).fit(paths, labels)
    names = {
        r"conv(\d)\.conv": r"conv_layer\1.0",
        r"conv(\d)\.norm": r"conv_layer\1.1",
        r"dense(\d)\.linear": r"linear_layer\1.1",
        r"output\.linear": "linear_layer3.0",
    }
    weights = classifier.network_.state_dict()
    for name, old_name in names.items():
        weights = {re.sub(name, old_name, key): tensor for key, tensor in weights.items()}
    facts = {
        "type": "classifier",
        "classes_mapping": dict(enumerate(classifier.classes_.tolist())),
        "spec_size": (128, 16),
        "max_sequence_length": 16,
        "zero_pad": False,
        "fuse": False,
        "window_length": 0.05,
        "hop_length": 0.02,
        "state_dict": weights,
    }
    path.write_bytes(pickle.dumps(facts))
