"""Shell completion of the parameters that --set takes."""

import shutil
import subprocess
import sys

import click
import pytest
from cli_commands import COMMANDS, ENVIRONMENT, SKDAF, run
from click.shell_completion import BashComplete, ShellComplete

from skdaf import CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder
from skdaf.cli import main


def complete(*words, incomplete=""):
    """Return what the last word of a command can be completed to."""
    completion = ShellComplete(main, {}, "skdaf", "_SKDAF_COMPLETE")
    return [item.value for item in completion.get_completions(list(words), incomplete)]


@pytest.mark.parametrize(
    ("words", "estimator"),
    [
        (["train"], CNNAudioClassifier),
        (["train", "recordings", "--task", "classification"], CNNAudioClassifier),
        (["train", "--task", "regression", "--table", "x.csv"], CNNAudioRegressor),
        (["train", "--task", "representation"], ConvAutoencoderEmbedder),
        (["transfer", "model.skops"], CNNAudioClassifier),
        (["transfer", "--task", "regression"], CNNAudioRegressor),
    ],
)
def test_all_parameters_are_completed_and_can_be_set(words, estimator):
    names = complete(*words, "--set")
    model = estimator().set_params(frontend__n_mels=40)
    assert sorted(names) == sorted(f"{name}=" for name in model.get_params())
    assert len({*names}) == len(names)


def test_the_beginning_of_a_name_selects():
    assert complete("train", "--set", incomplete="max") == ["max_epochs="]
    assert complete("train", "--set", incomplete="frontend__n_m") == [
        *("frontend__n_mels=", "frontend__n_mfcc="),
    ]
    assert complete("train", "--set", "max_epochs=3", "--set", incomplete="lea") == [
        "learning_rate="
    ]
    for nothing in ("max_epochs=", "max_epochs=3", "x"):
        assert complete("train", "--set", incomplete=nothing) == []
    assert "scoring=" not in complete("train", "--task", "regression", "--set")


def test_parameters_of_combined_networks():
    svc = complete("combine", "a.skops", "--method", "svc", "--set")
    assert {"svc__C=", "svc__random_state=", "features__cnn1__pca__n_components="} <= {*svc}
    every = complete("combine", "a.skops", "--set")
    assert {"weights=", "cnn1__pca__n_components=", "handcrafted__logistic__C="} <= {*every}
    without = complete("combine", "--no-handcrafted", "--set")
    assert not any("handcrafted__" in name for name in without)


def test_parameters_of_a_network_with_handcrafted_features():
    names = complete("train", "recordings", "--handcrafted", "--set")
    assert {"learning_rate=", "frontend__n_mels=", "weights="} <= {*names}
    assert "handcrafted__logistic__C=" in names
    assert "cnn1__learning_rate=" not in names


def test_every_set_option_is_completed():
    for command in COMMANDS.values():
        for parameter in command.params:
            if "--set" in parameter.opts:
                context = click.Context(command, info_name=command.name)
                assert parameter.shell_complete(context, "")


def test_completion_loads_no_heavy_library():
    code = (
        "import sys\nfrom click.shell_completion import ShellComplete\n"
        "from skdaf.cli import main\n"
        "items = ShellComplete(main, {}, 'skdaf', 'X').get_completions(['train', '--set'], 'max')\n"
        "assert [item.value for item in items] == ['max_epochs=']\n"
        "assert not {'torch', 'sklearn', 'pandas', 'numpy'} & {*sys.modules}, sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_adds_no_space_after_an_equals_sign(tmp_path):
    script = run(cwd=tmp_path, env={**ENVIRONMENT, "_SKDAF_COMPLETE": "bash_source"}).stdout
    assert script != BashComplete.source_template
    calls = (
        'compopt() { local IFS=" "; echo "compopt $*"; }\n'
        'ask() { COMPREPLY=(); COMP_WORDS=(skdaf train --set "$1"); COMP_CWORD=3\n'
        f'  _skdaf_completion {SKDAF}; echo "${{COMPREPLY[*]}}"; }}\n'
        "ask max; ask frontend__n_m\n"
    )
    out = subprocess.run(
        ["bash", "-c", script + calls], capture_output=True, text=True, check=True, env=ENVIRONMENT
    ).stdout
    assert out.splitlines() == [
        *("compopt -o nospace", "max_epochs="),
        "frontend__n_mels= frontend__n_mfcc=",
    ]
