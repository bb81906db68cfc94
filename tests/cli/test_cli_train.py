"""The commands train, transfer and combine."""

import io
import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import KINDS, SMALL, invoke, misuse

from skdaf import CNNAudioClassifier, load_model, make_combined_classifier
from skdaf._training.loop import Loop
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


def test_train(workspace):
    out, err = (workspace / "training.txt").read_text().split("|", 1)
    assert out == ""
    counts = "high_tone 12, low_tone 12, white_noise 12"
    expected = f"Training on 36 clips of 3 classes ({counts})\nKept epoch 40 of 40: accuracy "
    assert err.startswith(expected)
    assert err.endswith("in training\nWrote model.skops\n")
    assert "%" not in err  # there is no progress bar
    model = load_model(workspace / "model.skops")
    assert isinstance(model, CNNAudioClassifier)
    assert (model.max_epochs, model.channels, model.random_state) == (40, (8, 16), 0)
    assert model.frontend_.n_mels == 24
    # Parameters of this run are not saved.
    assert (model.n_jobs, model.verbose) == (None, 0)


def test_train_on_class_folders_with_a_cache_and_a_test_set(tmp_path):
    folders = [f"recordings/{kind}" for kind in KINDS[:2]]
    cache, model = tmp_path / "cache", tmp_path / "two.skops"
    result = invoke(
        *("train", *folders, "-o", model, "--cache", cache, "--test-fraction", "0.25"),
        *("--class-weight", "balanced", "--set", "augment=noise", *SMALL),
    )
    assert result.stderr.startswith("Training on 18 clips of 2 classes")
    assert re.search(r"accuracy +\S+ +6\n", result.stdout)
    assert "Confusion matrix" in result.stdout
    assert any(cache.iterdir())
    loaded = load_model(model)
    assert loaded.frontend_.cache is None
    assert (loaded.class_weight, loaded.augment) == ("balanced", "noise")
    assert list(loaded.classes_) == KINDS[:2]


@pytest.mark.filterwarnings("default")
def test_copies_are_reported_without_held_out_clips(tmp_path):
    shutil.copytree("recordings", tmp_path / "recordings")
    folder = tmp_path / "recordings" / "low_tone"
    shutil.copy(folder / "low_tone_000.wav", folder / "copy.wav")
    line = ("train", tmp_path / "recordings", "-o", tmp_path / "m.skops", *SMALL)
    assert "Warning: 1 of 37 training clips is a copy of another, such as" in invoke(*line).stderr


def test_the_same_command_continues_from_its_checkpoint(tmp_path):
    folder, new = tmp_path / "checkpoints", tmp_path / "new.skops"
    train = ["train", "recordings", *SMALL]
    transfer = ["transfer", "model.skops", "recordings", "--set", "max_epochs=2"]
    for command in (train, transfer):
        written, texts = [], []
        for _ in range(2):
            result = invoke(*command, "-o", new, "--checkpoint", folder)
            written.append(sorted(folder.iterdir()))
            texts.append(result.stderr)
        # The second run has found the checkpoint of the first.
        assert written[0] == written[1]
        assert "Training, resumed after epoch 2 of 2\n" in texts[1]
        assert texts[0] == texts[1].replace("Training, resumed after epoch 2 of 2\n", "")
        assert load_model(new).checkpoint is None
    assert len(written[1]) == 2


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("checkpoint", [False, True])
def test_an_interrupted_training_saves_the_best_epoch_and_exits_with_130(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr("skdaf._training.train._last_interrupt", -math.inf)
    line = ["train", "recordings", "-o", tmp_path / "m.skops", "--set", "channels=(4,8)"]
    line += ["--set", "max_epochs=3", *(["--checkpoint", tmp_path / "c"] if checkpoint else [])]
    with monkeypatch.context() as context:
        train_epoch = Loop._train_epoch

        def interrupted(loop, epoch):
            if epoch == 3:
                raise KeyboardInterrupt
            return train_epoch(loop, epoch)

        context.setattr(Loop, "_train_epoch", interrupted)
        result = invoke(*line, status=130)
    assert "Warning: Training was interrupted in epoch 3" in result.stderr
    advice = " To go on, run the same command again." if checkpoint else ""
    best = load_model(tmp_path / "m.skops").best_epoch_
    last = result.stderr.splitlines()[-1]
    assert last == f"Interrupted in epoch 3: saved the best of the epochs so far ({best}).{advice}"
    if checkpoint:
        again = invoke(*line)
        assert "Training, resumed after epoch 2 of 3\n" in again.stderr
        assert load_model(tmp_path / "m.skops").n_epochs_ == 3
        assert "resumed" not in invoke(*line, "--quiet").stderr


def test_the_same_seed_gives_the_same_model_and_quiet_prints_nothing(tmp_path):
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        result = invoke(
            "train", "recordings", "-o", tmp_path / name, "--seed", seed, "--quiet", *SMALL
        )
        assert result.output == ""
    one, same, other = (
        load_model(tmp_path / name).predict_proba(["long.wav"]) for name in ("a", "b", "c")
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_train_a_representation(embedder):
    model = load_model(embedder)
    assert type(model).__name__ == "ConvAutoencoderEmbedder"
    assert model.channels == (4, 8)


def test_train_misused(tmp_path):
    def train(*arguments):
        return misuse("train", "recordings", "-q", "-o", tmp_path / "m.skops", *arguments)

    assert "no parameter 'learning_rat': did you mean learning_rate" in train(
        "--set", "learning_rat=1"
    )
    assert "did you mean frontend__n_mels" in train("--set", "frontend__n_mel=1")
    assert "it has augment, batch_size," in train("--set", "zzz=1")
    assert "NAME=VALUE" in train("--set", "learning_rate")
    assert "'learning_rate' parameter of CNNAudioClassifier must be" in train(
        "--set", "learning_rate=fast"
    )
    assert "'x' is not one of 'none', 'sqrt', 'balanced'" in train("--class-weight", "x")
    assert "--class-weight" in train("--task", "representation", "--class-weight", "balanced")
    assert "/no' does not exist" in misuse("train", "recordings", "-o", tmp_path / "no" / "m")
    assert "'nowhere' does not exist" in misuse("train", "nowhere", "-o", tmp_path / "m")
    assert "long.wav" in misuse("train", "long.wav", "-o", tmp_path / "m")
    assert "recordings/low_tone" in misuse("train", "recordings/low_tone", "-o", tmp_path / "m")
    assert "Missing option '--output'" in misuse("train", "recordings")
    assert "file name" in misuse("train", "recordings", "-o", "")
    assert "--test-fraction 0.01" in train("--test-fraction", "0.01")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_read_are_listed(tmp_path):
    shutil.copytree("recordings", tmp_path / "recordings")
    for name in "ab":
        (tmp_path / "recordings" / "low_tone" / f"{name}.wav").write_text(f"{name} is not a sound")
    result = invoke("train", tmp_path / "recordings", "-o", tmp_path / "m.skops", "-q", status=2)
    assert result.stderr.startswith("Error: 2 clips could not be read:\n")
    assert len(result.stderr.splitlines()) == 3
    assert not (tmp_path / "m.skops").exists()


def test_transfer(tmp_path):
    invoke(
        *("transfer", "model.skops", "recordings/low_tone", "recordings/high_tone"),
        *("-o", tmp_path / "new.skops", "--frozen-layers", "conv", "--set", "max_epochs=2"),
    )
    old, new = load_model("model.skops"), load_model(tmp_path / "new.skops")
    assert list(new.classes_) == KINDS[:2]
    # The convolutional layers have the old weights.
    assert np.array_equal(new.layer_outputs(["long.wav"], 2), old.layer_outputs(["long.wav"], 2))
    assert new.pretrained is None  # the file does not contain the source
    assert new.frozen_layers == "conv"


def test_transfer_says_what_the_new_model_does_not_know(tmp_path):
    def notes(*arguments):
        options = ("-o", tmp_path / "new.skops", "--set", "max_epochs=1")
        return invoke("transfer", "model.skops", *arguments, *options).stderr

    stderr = notes("recordings/low_tone", "recordings/high_tone")
    assert f"not in the new model: {KINDS[2]}. To add classes" in stderr
    assert "Scores are too good" not in stderr
    stderr = notes("recordings", "--test-fraction", "0.3")
    assert "Scores are too good if" in stderr
    assert "in the new model" not in stderr


def test_transfer_from_an_autoencoder_or_a_trusted_pickle(embedder, tmp_path):
    new, options = tmp_path / "new.skops", ["--set", "max_epochs=1", "--frozen-layers", "1"]
    invoke("transfer", embedder, "recordings", "-o", new, *options)
    invoke("transfer", "model.joblib", "recordings", "-o", new, "--trust", *options)
    assert list(load_model(new).classes_) == KINDS


def test_transfer_misused(tmp_path):
    def transfer(*arguments, model="model.skops"):
        return misuse("transfer", model, "recordings", "-q", "-o", tmp_path / "x", *arguments)

    assert "--frozen-layers must be" in transfer("--frozen-layers", "most")
    assert "99" in transfer("--frozen-layers", "99")
    assert "frontend" in transfer("--set", "frontend__n_mels=20")
    assert "save_model" in transfer(model="truth.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_combine(embedder, tmp_path):
    combined = tmp_path / "combined.skops"
    result = invoke(
        *("combine", "model.skops", embedder, "--data", "recordings", "-o", combined),
        *("--method", "svc", "--set", "svc__C=10", "--test-fraction", "0.2"),
    )
    assert "Confusion matrix" in result.stdout
    assert "Scores are too good if the networks were trained on clips" in result.stderr
    pipeline = load_model(combined)
    assert pipeline["svc"].C == 10
    blocks = [name for name, _ in pipeline["features"].transformer_list]
    assert blocks == ["cnn1", "cnn2", "handcrafted"]
    # A combined model works like any other, but without probabilities.
    out = invoke("predict", combined, "recordings/low_tone", "--format", "csv").stdout
    assert list(pd.read_csv(io.StringIO(out)).columns) == ["file", "label"]
    assert "--proba" in misuse("predict", combined, "long.wav", "--proba")
    facts = json.loads(invoke("info", combined, "--json").stdout)
    assert facts["steps"]["features__cnn2__extractor"].startswith("CNNFeatureExtractor(")
    kinds = [network["estimator"] for network in facts["networks"]]
    assert kinds == ["CNNAudioClassifier", "ConvAutoencoderEmbedder"]
    embedded = pd.read_csv(io.StringIO(invoke("embed", combined, "long.wav").stdout))
    assert embedded.shape[1] > 10
    assert "2 networks" in misuse("embed", combined, "long.wav", "--layers-dropped", "1")


def test_combined_models_with_probabilities(tmp_path):
    combine = ["combine", "model.skops", "--data", "recordings", "--no-handcrafted"]
    combine += ["--method", "svc", "-o"]
    plain, calibrated = tmp_path / "plain.skops", tmp_path / "calibrated.skops"
    invoke(*combine, plain)
    invoke(*combine, calibrated, "--proba", "--set", "svc__C=2")
    found = invoke("segments", calibrated, "long.wav", "--proba", "--format", "csv").stdout
    assert found.splitlines()[0].split(",") == ["start", "end", "label", *KINDS]
    assert "svc: SVC(C=2, " in invoke("info", calibrated).stdout
    features = (invoke("embed", model, "long.wav").stdout for model in (plain, calibrated))
    assert len(set(features)) == 1
    for arguments in (["predict"], ["segments"]):
        sentence = misuse(*arguments, plain, "long.wav", "--proba")
        assert "plain.skops' contains a Pipeline that does not predict probabilities" in sentence


def test_combine_votes_as_python_does(tmp_path):
    weights = ("--set", "weights=[2, 1]", "--set", "cnn1__logistic__C=2")
    command = ("combine", "model.skops", "--data", "recordings", *weights)
    invoke(*command, "-o", tmp_path / "vote.skops", "-q")
    found = load_audio_folders("recordings")
    python = make_combined_classifier("model.skops", weights=[2, 1])
    python.set_params(cnn1__logistic__C=2)
    python.fit(found.filenames, np.asarray(found.target_names)[found.target])
    np.testing.assert_array_equal(
        load_model(tmp_path / "vote.skops").predict_proba(found.filenames),
        python.predict_proba(found.filenames),
    )


def test_combine_misused(tmp_path):
    def combine(*arguments, model="model.skops", data="recordings"):
        return misuse("combine", model, "--data", data, "-q", "-o", tmp_path / "x", *arguments)

    assert "did you mean svc__C" in combine("--method", "svc", "--set", "svc__c=1")
    assert "--set svc__C is for --method svc" in combine("--set", "svc__C=1")
    assert "--set features__x is for --method svc" in combine("--set", "features__x=1")
    assert "weights is for --method vote" in combine("--method", "svc", "--set", "weights=[1, 2]")
    assert "--proba requires --method svc" in combine("--proba")
    assert "2 estimators" in combine("--set", "weights=[1]")
    assert "layers_dropped=77" in combine("--layers-dropped", "77")
    assert "does not exist" in combine(data="nowhere")
    assert "save_model" in combine(model="model.joblib")
    assert "Pass --data or --table." in misuse("combine", "model.skops", "-o", tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", ["classification", "representation"])
def test_train_can_use_one_channel(tmp_path, task):
    for number, name in enumerate(["a", "b"]):
        (tmp_path / "recordings" / name).mkdir(parents=True)
        for i in range(3):
            noise = np.random.default_rng(10 * number + i).uniform(-0.5, 0.5, (4000, 2))
            sf.write(tmp_path / "recordings" / name / f"{i}.wav", noise, 8000)
    model = tmp_path / "model.skops"
    options = ["--task", task, "--set", "max_epochs=1", "--quiet"]
    invoke("train", tmp_path / "recordings", "-o", model, "--channel", 1, *options)
    assert load_model(model).frontend_.channel == 1
    result = invoke(
        "train", tmp_path / "recordings", "-o", model, "--channel", 2, *options, status=2
    )
    assert result.stderr.count("channel 2") == 6
    assert "--channel" in misuse("train", tmp_path, "-o", model, "--channel", -1)
