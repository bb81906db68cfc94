"""The command info without building the model."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from cli_commands import invoke, misuse
from crafting import attribute, change_array, instance, plain

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    load_model,
    save_model,
)
from skdaf.cli._files import _describe, _right_aligned
from skdaf.cli._outline import describe_outline
from skdaf.cli._settings import training_facts

TONES = np.sin(np.outer(np.linspace(0.1, 1, 12), np.arange(2000))).astype(np.float32)
KINDS = np.repeat(["low", "high"], 6)
TINY = {"max_epochs": 1, "channels": (2, 3), "random_state": 0}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of fitted models, by name."""
    frontend = SpectrogramTransformer(n_mels=8, fmin=50.0, length="pad", n_jobs=2)
    indicator = np.column_stack([KINDS == "low", np.arange(12) % 2])
    spectrograms = np.random.default_rng(0).normal(size=(12, 9, 8)).astype(np.float32)
    models = {
        "classifier": CNNAudioClassifier(frontend, **TINY).fit(TONES, KINDS),
        "several": CNNAudioClassifier(n_networks=2, **TINY).fit(
            TONES, pd.DataFrame(indicator, columns=["a", "b"])
        ),
        "spectrograms": CNNAudioClassifier(**TINY).fit(spectrograms, np.arange(12) % 3),
        "autoencoder": ConvAutoencoderEmbedder(**TINY).fit(spectrograms),
        "regressor": CNNAudioRegressor(**TINY).fit(spectrograms, np.arange(12.0)),
    }
    folder = tmp_path_factory.mktemp("outline")
    for name, model in models.items():
        save_model(model, folder / f"{name}.skops")
    return {name: str(folder / f"{name}.skops") for name in models}


@pytest.mark.parametrize("name", ["classifier", "several", "spectrograms", "autoencoder"])
def test_the_outline_has_the_same_facts_as_the_loaded_model(files, name):
    assert describe_outline(files[name]) == _describe(load_model(files[name]))


def test_info_shows_how_a_network_was_trained(files, tmp_path):
    trained = CNNAudioClassifier(
        max_epochs=2, channels=(2,), learning_rate=0.002, batch_size=4, augment=["mask", "shift"]
    ).fit(TONES, KINDS, X_val=TONES[3:9], y_val=KINDS[3:9])
    path = tmp_path / "trained.skops"
    save_model(trained, path)
    (network,) = json.loads(invoke("info", path, "--json").stdout)["networks"]
    assert network["training clips"] == trained.n_clips_ == 12
    assert network["settings"]["learning_rate"] == 0.002
    assert network["settings"]["augment"] == ["mask", "shift"]
    assert network["settings"]["random_state"] is None
    best = trained.best_epoch_ - 1
    assert network["results"] == {
        "loss on clips held out to choose the epoch": round(
            trained.history_["valid_loss"][best], 4
        ),
        "score on clips held out to choose the epoch": round(
            trained.history_["valid_score"][best], 4
        ),
        "loss on the training clips": round(trained.history_["train_loss"][best], 4),
        "score on the training clips": round(trained.history_["train_score"][best], 4),
    }
    text = invoke("info", path).stdout
    (line,) = (line for line in text.splitlines() if line.startswith("results: "))
    assert "scikit-learn:" not in text  # of which nothing is in the file
    assert line.endswith(" (for scores on new clips: skdaf report)")
    assert "\nsettings: max_epochs 2, batch_size 4, learning_rate 0.002, " in text
    assert "augment mask+shift, " in text
    regressor = json.loads(invoke("info", files["regressor"], "--json").stdout)["networks"][0]
    assert regressor["settings"]["max_epochs"] == 1


def test_training_of_odd_files_is_not_described():
    assert training_facts({"network": "cnn"}) == {}
    odd = {"train_loss": ["x"], "train_score": [], "valid_loss": 3}
    facts = training_facts({"n_epochs_": 1, "best_epoch_": 1, "history_": odd, "loss": len})
    assert facts == {"training": "epoch 1 of 1", "settings": {"loss": "len"}}


def test_models_without_an_outline_are_loaded(files):
    assert describe_outline(files["regressor"]) is None
    assert (
        "targets" in json.loads(invoke("info", files["regressor"], "--json").stdout)["networks"][0]
    )


def test_info_loads_neither_torch_nor_scikit_learn(files):
    code = (
        "import sys\nfrom skdaf.cli import main\n"
        "main(['info', sys.argv[1]], standalone_mode=False)\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'pandas'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code, files["classifier"]]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "front end: SpectrogramTransformer(fmin=50.0, length='pad', n_mels=8)\n" in out
    assert out.endswith("[]\n")


def changed(path, target, change):
    """Write a copy of a model file with another schema."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                assert change(content.decode()) != content.decode()
                content = change(content.decode()).encode()
            new.writestr(name, content)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"_architecture"', '"network_weights"'),
        ('"SpectrogramTransformer"', '"Popen"'),
        ('"n_epochs_"', '"fit"'),
        ('"channels"', '"n_maps"'),
        ('"conv1.conv.weight"', '"conv1.conv.bias2"'),
        ('"input_shape_"', '"input_shape"'),
        ('"protocol":2', '"protocol":9'),
    ],
)
def test_damaged_files_have_the_errors_of_load_model(files, tmp_path, before, after):
    path = str(tmp_path / "damaged.skops")
    changed(files["classifier"], path, lambda text: text.replace(before, after))
    with pytest.raises(ValueError, match="damaged") as caught:
        load_model(path)
    assert describe_outline(path) is None
    assert " ".join(str(caught.value).split())[:60] in misuse("info", path)


def test_classes_that_are_no_text_are_reported(files, tmp_path):
    path = str(tmp_path / "damaged.skops")
    shutil.copy(files["classifier"], path)
    change_array(path, lambda state: state["classes_"], lambda v: v.view("u4").fill(2**32 - 1))
    with pytest.raises(ValueError, match="is damaged: an array of text contains code points"):
        load_model(path)
    for command in (("info", path), ("predict", path, path)):
        assert "is damaged: an array of text contains" in " ".join(misuse(*command).split())


def with_option(path, target, name, value):
    """Write a copy of a model file with another option of its network, which is a plain value."""

    def change(text):
        schema = json.loads(text)
        architecture = schema["content"]["content"]["_architecture"]["content"]
        options = architecture["options"]["content"]
        plain = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
        options[name] = plain | {"content": value, "is_json": True}
        return json.dumps(schema)

    changed(path, target, change)


@pytest.mark.parametrize(
    ("name", "value"),
    [("kernel_size", "3.0"), ("n_networks", "2.0"), ("dropout", "1"), ("dropout", '"x"')],
)
def test_options_that_no_network_has_are_not_described(files, tmp_path, name, value):
    path = str(tmp_path / "damaged.skops")
    with_option(files["several"], path, name, value)
    with pytest.raises(ValueError, match="options of its network are damaged"):
        load_model(path)
    assert describe_outline(path) is None
    assert "options of its network" in misuse("info", path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label_smoothing", plain(2)),
        ("history_", plain("x")),
        ("frontend", instance("skdaf.SpectrogramTransformer", n_mels=plain(0))),
    ],
)
def test_values_that_load_model_refuses_are_not_described(files, tmp_path, name, value):
    path = str(tmp_path / "damaged.skops")
    shutil.copy(files["classifier"], path)
    attribute(path, name, value)
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)
    assert describe_outline(path) is None


def test_tables_look_as_pandas_prints_them():
    rng = np.random.default_rng(0)
    for width in (1, 4, 9):
        rows = [
            {"layer": "x" * rng.integers(1, 9), "outputs": int(rng.integers(10**width)), "mean": x}
            for x in rng.normal(size=4) * 10.0**width
        ]
        shown = pd.DataFrame(rows).to_string(index=False, float_format="{:.4g}".format)
        assert _right_aligned(rows) == shown
