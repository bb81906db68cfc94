"""The `skdaf` command: what it writes, what it refuses, and how it says so.

Every command runs once as it is installed, in a process of its own; variants and misuses run in
this process, where no time goes into imports.
"""

import io
import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner
from helpers import ROOT
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator

import skdaf
from skdaf import CNNAudioClassifier, SpectrogramTransformer, load_model, read_segments
from skdaf.cli import main
from skdaf.datasets import load_audio_folders, make_audio_dataset

SKDAF = Path(sys.executable).with_name("skdaf")
KINDS = ["high_tone", "low_tone", "white_noise"]
SMALL = ["--set", "max_epochs=2", "--set", "channels=(4,8)"]
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "PYTHONWARNINGS": "error"}


def run(*arguments, cwd, status=0, **options):
    """Run the installed command."""
    options = {"env": ENVIRONMENT, "capture_output": True, "text": True, **options}
    result = subprocess.run([SKDAF, *map(str, arguments)], cwd=cwd, **options)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in (result.stderr or "")
    return result


def invoke(*arguments, status=0):
    """Run the command in this process."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    unexpected = result.exception and not isinstance(result.exception, SystemExit)
    assert not unexpected, result.exc_info
    assert result.exit_code == status, result.stderr
    return result


def misuse(*arguments):
    """Return the one sentence that an error is; nothing else is written."""
    result = invoke(*arguments, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with recordings, a long one, its annotations, and a model of each kind."""
    world = tmp_path_factory.mktemp("cli")
    made = make_audio_dataset(
        world / "recordings", classes=KINDS, n_clips_per_class=12, duration=(0.2, 0.3)
    )
    samples = [sf.read(made.filenames[row])[0] for row in (12, 13, 14, 24, 25, 26)]
    sf.write(world / "long.wav", np.concatenate(samples), 16000)
    edge, end = (sum(map(len, samples[:n])) / 16000 for n in (3, 6))
    truth = f"start,end,label\n0,{edge},low_tone\n{edge},{end},white_noise\n"
    (world / "truth.csv").write_text(truth)
    train = ["--set", "max_epochs=40", "--set", "channels=(8,16)", "--set", "frontend__n_mels=24"]
    result = run("train", "recordings", "-o", "model.skops", "--n-jobs", "2", *train, cwd=world)
    (world / "training.txt").write_text(f"{result.stdout}|{result.stderr}")
    joblib.dump(load_model(world / "model.skops"), world / "model.joblib")
    return world


@pytest.fixture(autouse=True)
def _inside(world, monkeypatch):
    monkeypatch.chdir(world)


@pytest.fixture(scope="module")
def embedder(world):
    """The name of an autoencoder's file in that folder."""
    folders = world / "recordings", world / "long.wav"
    out = world / "embedder.skops"
    invoke("train", *folders, "--task", "representation", "-o", out, *SMALL, "--quiet")
    return out.name


# Help, version, completion.


def commands(group=main, path=()):
    """Yield the words of every command and group, and the command itself."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def test_help_of_the_installed_command_names_every_command(world):
    out = run("--help", cwd=world).stdout
    names = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], flags=re.MULTILINE)
    assert set(names) == {
        *("train", "predict", "report", "transfer", "embed", "combine", "segments", "similar"),
        *("info", "convert", "check"),
    }


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_whole_and_fits_80_columns(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = invoke(*words, "--help").stdout
    assert max(map(len, out.splitlines())) <= 80
    assert "..." not in re.sub(r"^Usage: .*", "", out)  # descriptions are not cut off


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_and_command_says_what_it_is_for(words):
    assert COMMANDS[words].help
    for parameter in COMMANDS[words].params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_examples_in_help_are_commands_that_exist():
    for words, command in COMMANDS.items():
        for line in re.findall(r"Example: skdaf (.*)", command.help):
            assert tuple(line.split()[: len(words)]) == words


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_loads_nothing_heavy(argument):
    code = (
        f"import sys; sys.argv = ['skdaf', {argument!r}]\n"
        "from skdaf.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(result.stderr.split())
    assert "skdaf.cli" in loaded
    heavy = {"torch", "sklearn", "pandas", "matplotlib", "pyAudioAnalysis", "numpy", "soundfile"}
    assert loaded.isdisjoint(heavy)


def test_python_m_skdaf_is_the_same_command(world):
    command = [sys.executable, "-m", "skdaf", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.strip() == f"skdaf, version {skdaf.__version__}"


def test_shell_completion(world):
    for shell in ("bash", "zsh", "fish"):
        script = run(cwd=world, env={**ENVIRONMENT, "_SKDAF_COMPLETE": f"{shell}_source"}).stdout
        assert "_skdaf_completion" in script
    words = {"_SKDAF_COMPLETE": "bash_complete", "COMP_WORDS": "skdaf tra", "COMP_CWORD": "1"}
    out = run(cwd=world, env={**ENVIRONMENT, **words}).stdout
    assert out.split() == ["plain,train", "plain,transfer"]


def test_misspelled_commands_and_options():
    assert "No such command 'trian'" in misuse("trian")
    assert "Did you mean --output?" in misuse("train", "recordings", "--outptu", "x.skops")
    assert "'skdaf similar --help'" in misuse("similar", "indexx")


def test_what_the_documentation_shows_is_there():
    text = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    shown = [shlex.split(line) for line in re.findall(r"^\$ skdaf (.*)", text, re.MULTILINE)]
    seen = set()
    for words in shown:
        path = max((path for path in COMMANDS if words[: len(path)] == [*path]), key=len)
        options = {name for parameter in COMMANDS[path].params for name in parameter.opts}
        options |= {"--help", "--version"}
        assert {word for word in words if word.startswith("-")} <= options, words
        seen.add(path)
    assert seen >= {path for path, command in COMMANDS.items() if not hasattr(command, "commands")}


MISUSES = {
    "train": ("recordings/low_tone", "-o", "x.skops"),
    "transfer": ("nowhere.skops", "recordings", "-o", "x.skops"),
    "combine": ("model.joblib", "--data", "recordings", "-o", "x.skops"),
    "predict": ("model.joblib", "long.wav"),
    "segments": ("model.skops", "long.wav", "--window", "much"),
    "embed": ("model.skops", "long.wav", "-o", "x.txt"),
    "similar index": ("model.skops", "recordings"),
    "similar query": ("model.skops", "long.wav", "-n", "0"),
    "report": ("model.skops", "sounds"),
    "info": ("truth.csv",),
    "check": ("nowhere",),
    "convert": ("model.joblib", "x.skops"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MISUSES)
def test_each_installed_command_misused_gives_one_sentence_and_writes_nothing(world, name):
    folder = world / "sounds" / "dog"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(world / "long.wav", folder)
    result = run(*name.split(), *MISUSES[name], cwd=world, status=2)
    assert result.stdout == ""
    *notes, sentence = result.stderr.splitlines()
    assert notes in ([], ["Training on 36 clips of 3 classes"])
    assert re.match(r"Error: .*\.$", sentence)
    assert not list(world.glob("x.*"))


def test_every_command_is_misused():
    with_commands = {path[0] for path in COMMANDS if len(path) > 1} | {""}
    assert set(MISUSES) == {" ".join(path) for path in COMMANDS} - with_commands


# How the program behaves.


def test_without_a_command_it_explains_itself(world):
    result = subprocess.run([SKDAF], capture_output=True, text=True)
    assert "Commands:" in result.stdout + result.stderr


def test_ctrl_c_is_one_line_and_status_130(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(skdaf, "check_audio", interrupt)
    result = invoke("check", "recordings", status=130)
    assert (result.stdout, result.stderr) == ("", "Interrupted.\n")


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(skdaf, "check_audio", fail)
    assert isinstance(CliRunner().invoke(main, ["check", "recordings"]).exception, RuntimeError)


def test_a_reader_that_stops_reading_is_no_error(world):
    command = [SKDAF, "check", "recordings"]
    process = subprocess.Popen(
        command, cwd=world, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() in ("", "36 files, 0 bad\n")
    process.stderr.close()
    process.wait()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("has_ffmpeg", [False, True])
def test_sound_that_is_left_out_is_named_class_by_class(tmp_path, monkeypatch, has_ffmpeg):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: has_ffmpeg)
    shutil.copytree("recordings", tmp_path / "recordings")
    for name in ("low_tone/x.mid", "low_tone/y.ra", "high_tone/z.mid"):
        (tmp_path / "recordings" / name).write_text("not read")
    if not has_ffmpeg:
        (tmp_path / "recordings" / "high_tone" / "z.m4a").write_text("not read")
    result = invoke("check", tmp_path / "recordings")
    (line,) = re.findall(r"^Warning: Left out .*$", result.stderr, re.MULTILINE)
    assert f"({2 - has_ffmpeg} in 'high_tone', 2 in 'low_tone')" in line
    assert repr(str(tmp_path / "recordings" / "low_tone" / "x.mid")) in line
    assert ("skdaf[ffmpeg]" in line) is not has_ffmpeg
    assert result.stderr.endswith("\n36 files, 0 bad\n")


def test_a_folder_of_sound_for_ffmpeg_only_says_how_to_read_it(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)
    (tmp_path / "x.m4a").write_text("not read")
    result = invoke("check", tmp_path, status=2)
    assert 'pip install "skdaf[ffmpeg]"' in result.stderr


def test_a_file_for_ffmpeg_says_how_to_read_it(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
    result = invoke("check", tmp_path / "x.m4a", status=1)
    assert 'pip install "skdaf[ffmpeg]"' in result.stdout


def test_class_folders_in_two_unicode_forms_are_one_class(tmp_path):
    for number, name in enumerate(("caf\u00e9", "cafe\u0301")):
        (tmp_path / "recordings" / name).mkdir(parents=True)
        sf.write(tmp_path / "recordings" / name / f"{number}.wav", np.ones(99) / 2, 8000)
    if len(os.listdir(tmp_path / "recordings")) < 2:
        pytest.skip("this file system takes both forms for one")
    result = invoke("check", tmp_path / "recordings", "--format", "json")
    # The same sound twice, but under one label.
    assert [row["label_conflict"] for row in json.loads(result.stdout)] == [False, False]


def test_check_reports_channels_that_cancel_and_odd_durations(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 160_000)
    for number in range(4):
        sf.write(tmp_path / f"{number}.wav", noise[number : 8000 + number], 16_000)
    sf.write(tmp_path / "long.wav", noise, 16_000)
    sf.write(tmp_path / "opposite.wav", np.outer(noise[:8000], [1, -1]), 16_000)
    rows = json.loads(invoke("check", tmp_path, "--format", "json").stdout)
    assert [Path(row["path"]).name for row in rows if row["cancels"]] == ["opposite.wav"]
    assert [Path(row["path"]).name for row in rows if row["odd_duration"]] == ["long.wav"]
    assert "6 files, 2 bad" in invoke("check", tmp_path, "--strict", status=1).stderr


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_bars_where_somebody_watches(world, quiet):
    termios = pytest.importorskip("termios")
    terminal, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    arguments = ["check", "recordings", *(["--quiet"] if quiet else [])]
    run(*arguments, cwd=world, capture_output=False, stdout=subprocess.PIPE, stderr=theirs)
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 10_000).decode()
    except BlockingIOError:
        shown = ""
    os.close(theirs)
    os.close(terminal)
    assert ("Checking: 100%" in shown) != quiet
    assert ("36 files, 0 bad" in shown) != quiet


# Training.


def test_train(world):
    out, err = (world / "training.txt").read_text().split("|", 1)
    assert out == ""
    assert err.startswith("Training on 36 clips of 3 classes\nKept epoch 40 of 40: accuracy ")
    assert err.endswith("in training\nWrote model.skops\n")
    assert "%" not in err  # no progress bar
    model = load_model(world / "model.skops")
    assert isinstance(model, CNNAudioClassifier)
    assert (model.max_epochs, model.channels, model.random_state) == (40, (8, 16), 0)
    assert model.frontend_.n_mels == 24
    # What was good for this run only is not in the file.
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


def test_the_same_command_goes_on_from_its_checkpoint(tmp_path):
    place, new = tmp_path / "checkpoints", tmp_path / "new.skops"
    for command in (["train", "recordings"], ["transfer", "model.skops", "recordings"]):
        made, texts = [], []
        for _ in range(2):
            result = invoke(*command, "-o", new, "--checkpoint", place, *SMALL)
            made.append(sorted(place.iterdir()))
            texts.append(result.stderr)
        # The second one has found the first.
        assert made[0] == made[1]
        assert texts[0] == texts[1]
        assert load_model(new).checkpoint is None
    assert len(made[1]) == 2


def test_the_same_seed_gives_the_same_file_and_quiet_is_quiet(tmp_path):
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
    assert "is not of the form NAME=VALUE" in train("--set", "learning_rate")
    assert "'learning_rate' parameter of CNNAudioClassifier must be" in train(
        "--set", "learning_rate=fast"
    )
    assert "'x' is not 'balanced'" in train("--class-weight", "x")
    assert "about classes" in train("--task", "representation", "--class-weight", "balanced")
    assert "There is no folder" in misuse("train", "recordings", "-o", tmp_path / "no" / "m")
    assert "Path 'nowhere' does not exist" in misuse("train", "nowhere", "-o", tmp_path / "m")
    assert "is a file; expected a folder" in misuse("train", "long.wav", "-o", tmp_path / "m")
    assert "outside of any class" in misuse("train", "recordings/low_tone", "-o", tmp_path / "m")
    assert "Missing option '--output'" in misuse("train", "recordings")
    assert "Expected the name of a file" in misuse("train", "recordings", "-o", "")
    assert "does not leave some of each class on both sides" in train("--test-fraction", "0.01")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_read_are_listed(tmp_path):
    shutil.copytree("recordings", tmp_path / "recordings")
    for name in "ab":
        (tmp_path / "recordings" / "low_tone" / f"{name}.wav").write_text("not a sound")
    result = invoke("train", tmp_path / "recordings", "-o", tmp_path / "m.skops", "-q", status=2)
    assert result.stderr.startswith("Error: 2 clips could not be read:\n")
    assert len(result.stderr.splitlines()) == 3
    assert not (tmp_path / "m.skops").exists()


def test_transfer(world, tmp_path):
    run(
        *("transfer", "model.skops", "recordings/low_tone", "recordings/high_tone"),
        *("-o", tmp_path / "new.skops", "--frozen-layers", "conv", "--set", "max_epochs=2"),
        cwd=world,
    )
    old, new = load_model("model.skops"), load_model(tmp_path / "new.skops")
    assert list(new.classes_) == KINDS[:2]
    # The conv layers are the old ones; the old file is named, and not repeated.
    first, its_source = (next(iter(m.network_.parameters())).detach().numpy() for m in (new, old))
    assert np.array_equal(first, its_source)
    # Files hold no paths: the model that was named is saved in its place.
    assert isinstance(new.pretrained, FrozenEstimator)
    assert new.frozen_layers == "conv"


def test_transfer_from_an_autoencoder_or_a_trusted_pickle(embedder, tmp_path):
    new, options = tmp_path / "new.skops", ["--set", "max_epochs=1", "--frozen-layers", "1"]
    invoke("transfer", embedder, "recordings", "-o", new, *options)
    invoke("transfer", "model.joblib", "recordings", "-o", new, "--trust", *options)
    assert list(load_model(new).classes_) == KINDS


def test_transfer_misused(tmp_path):
    def transfer(*arguments, model="model.skops"):
        return misuse("transfer", model, "recordings", "-q", "-o", tmp_path / "x", *arguments)

    assert "'frozen_layers' parameter" in transfer("--frozen-layers", "most")
    assert "leaves nothing to learn" in transfer("--frozen-layers", "99")
    assert "front end comes from the pretrained" in transfer("--set", "frontend__n_mels=20")
    assert "not written by save_model" in transfer(model="truth.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_combine(world, embedder, tmp_path):
    combined = tmp_path / "combined.skops"
    result = run(
        *("combine", "model.skops", embedder, "--data", "recordings", "-o", combined),
        *("--set", "svc__C=10", "--test-fraction", "0.2"),
        cwd=world,
    )
    assert "Confusion matrix" in result.stdout
    pipeline = load_model(combined)
    assert pipeline["svc"].C == 10
    blocks = [name for name, _ in pipeline["features"].transformer_list]
    assert blocks == ["cnn1", "cnn2", "handcrafted"]
    # A combined model serves like any other, without probabilities.
    out = invoke("predict", combined, "recordings/low_tone", "--format", "csv").stdout
    assert list(pd.read_csv(io.StringIO(out)).columns) == ["file", "label"]
    assert "gives no probabilities" in misuse("predict", combined, "long.wav", "--proba")
    facts = json.loads(invoke("info", combined, "--json").stdout)
    assert facts["steps"]["features__cnn2__extractor"].startswith("CNNFeatureExtractor(")
    kinds = [network["estimator"] for network in facts["networks"]]
    assert kinds == ["CNNAudioClassifier", "ConvAutoencoderEmbedder"]
    embedded = pd.read_csv(io.StringIO(invoke("embed", combined, "long.wav").stdout))
    assert embedded.shape[1] > 10
    assert "holds 2 networks" in misuse("embed", combined, "long.wav", "--layers-dropped", "1")


def test_combined_models_with_probabilities(tmp_path):
    combine = ["combine", "model.skops", "--data", "recordings", "--no-handcrafted", "-o"]
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
        assert "gives no probabilities: leave out --proba" in sentence


def test_combine_misused(tmp_path):
    def combine(*arguments, model="model.skops", data="recordings"):
        return misuse("combine", model, "--data", data, "-q", "-o", tmp_path / "x", *arguments)

    assert "did you mean svc__C" in combine("--set", "svc__c=1")
    assert "leaves nothing of the" in combine("--layers-dropped", "77")
    assert "does not exist" in combine(data="nowhere")
    assert "not written by save_model" in combine(model="model.joblib")
    assert "Missing option '--data'" in misuse("combine", "model.skops", "-o", tmp_path / "x")
    assert not list(tmp_path.iterdir())


# Using models.


def test_predict(world):
    out = run("predict", "model.skops", "recordings/low_tone", "long.wav", cwd=world).stdout
    header, *rows = (line.split() for line in out.splitlines())
    assert header == ["file", "label"]
    files = [*load_audio_folders(["recordings/low_tone"]).filenames, "long.wav"]
    labels = load_model("model.skops").predict(files)
    assert rows == [list(pair) for pair in zip(files, labels, strict=True)]


def test_predict_writes_tables_of_three_kinds(tmp_path):
    classifier = load_model("model.skops")
    files = load_audio_folders("recordings").filenames
    expected = classifier.predict_proba(files)

    def read(path):
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path)

    for name, options in [("p.csv", []), ("p.json", []), ("p.csv", ["--format", "csv"])]:
        path = tmp_path / name
        result = invoke(
            "predict", "model.skops", "recordings", "--proba", "-o", path, "--n-jobs", "2", *options
        )
        assert result.stdout == ""
        table = read(path)
        assert list(table.columns) == ["file", "label", *KINDS]
        assert list(table.file) == files
        assert list(table.label) == list(classifier.predict(files))
        np.testing.assert_allclose(table[KINDS], expected, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p.json"]
    records = json.loads(invoke("predict", "model.skops", "long.wav", "--format", "json").stdout)
    assert [list(record) for record in records] == [["file", "label"]]


def test_predict_gives_inner_layers():
    model = load_model("model.skops")
    out = invoke("predict", "model.skops", "long.wav", "--layers-dropped", "1").stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns[:2]) == ["file", "dense1_0"]
    np.testing.assert_allclose(
        table.iloc[0, 1:].to_numpy(float), model.layer_outputs(["long.wav"], 3)[0], rtol=1e-5
    )


def test_predict_segments():
    out = invoke(
        "predict", "model.skops", "long.wav", "--segments", "--window", "0.3", "--format", "csv"
    ).stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns) == ["file", "start", "end", "label"]
    assert len(table) > 3
    np.testing.assert_allclose(table.start, 0.3 * np.arange(len(table)))


class Wary(ClassifierMixin, BaseEstimator):
    """Says "file" unless it is sure of "label", whatever it hears."""

    classes_ = np.array(["file", "label"])

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return self.classes_[[0] * len(X)]

    def predict_proba(self, X):
        return np.tile([0.25, 0.75], (len(X), 1))

    def __sklearn_is_fitted__(self):
        return True


def test_labels_and_names_of_columns_do_not_depend_on_options(tmp_path):
    joblib.dump(Wary(), tmp_path / "wary")
    arguments = ["predict", tmp_path / "wary", "long.wav", "--trust", "--format", "json"]
    (plain,) = json.loads(invoke(*arguments).stdout)
    (shares,) = json.loads(invoke(*arguments, "--proba").stdout)
    assert plain == {"file": "long.wav", "label": "file"}
    assert shares == {**plain, "file_": 0.25, "label_": 0.75}
    windows = ["--segments", "--window", "99"]
    (window,) = json.loads(invoke(*arguments, *windows, "--proba").stdout)
    assert list(window) == ["file", "start", "end", "label", "file_", "label_"]
    assert {name: window[name] for name in shares} == shares


def test_names_of_files_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff.wav")
    try:
        shutil.copy("long.wav", tmp_path / name)
    except OSError:
        pytest.skip("such names cannot be here")
    invoke("embed", "model.skops", tmp_path / name, "-o", tmp_path / "x.npy")
    invoke("predict", "model.skops", tmp_path / name, "-o", tmp_path / "x.csv")
    assert os.fsencode(tmp_path / name) + b"\n" == (tmp_path / "x.files.txt").read_bytes()
    assert b"\xff.wav" in (tmp_path / "x.csv").read_bytes()


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no such device here")
def test_an_output_may_be_a_device(world):
    result = run("check", "long.wav", "-o", "/dev/stdout", "--format", "csv", cwd=world)
    assert result.stdout.startswith("path,ok,")
    assert result.stderr == "Wrote 1 row to /dev/stdout\n1 file, 0 bad\n"


def test_predict_misused(embedder, tmp_path):
    def predict(*arguments, model="model.skops"):
        return misuse("predict", model, *arguments)

    assert "Missing argument 'PATH...'" in predict()
    assert "Path 'no.wav' does not exist" in predict("no.wav")
    assert "File 'no.skops' does not exist" in predict("long.wav", model="no.skops")
    assert "knows no classes" in predict("long.wav", model=embedder)
    assert "not readable as audio" in predict("truth.csv")
    assert "holds no audio files" in predict(tmp_path)
    assert "--step has no effect without --segments" in predict("long.wav", "--step", "2")
    assert "leave out --proba" in predict("long.wav", "--proba", "--layers-dropped", "1")
    assert "between 0 and 3" in predict("long.wav", "--layers-dropped", "4")
    assert "'xml' is not one of" in predict("long.wav", "--format", "xml")


def test_pickles_need_trust(tmp_path):
    sentence = misuse("predict", "model.joblib", "long.wav")
    assert "if it is a pickle that you trust, add --trust" in sentence
    trusted = invoke("predict", "model.joblib", "long.wav", "--trust").stdout
    assert trusted == invoke("predict", "model.skops", "long.wav").stdout
    joblib.dump({"not": "an estimator"}, tmp_path / "dict")
    assert "holds no estimator but a dict" in misuse("info", tmp_path / "dict", "--trust")
    assert "can not be loaded as a pickle" in misuse("info", "truth.csv", "--trust")


def test_damaged_models(tmp_path):
    whole = Path("model.skops").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    assert "not written by save_model" in misuse("predict", tmp_path / "cut", "long.wav")


@pytest.mark.slow
def test_segments(world, tmp_path):
    options = ["--window", "0.2", "--step", "0.1", "--smooth", "0.3", "--min-duration", "0.2"]
    labels = tmp_path / "labels.txt"
    result = run("segments", "model.skops", "long.wav", "-o", labels, *options, cwd=world)
    assert result.stdout == ""
    found = read_segments(labels)
    assert set(found.label) <= set(KINDS)
    assert (found.end - found.start).min() > 0.15
    out = invoke("segments", "model.skops", "long.wav", *options, "--format", "csv").stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns) == ["start", "end", "label"]
    assert list(table.label) == list(found.label)
    with_shares = invoke("segments", "model.skops", "long.wav", *options, "--proba").stdout
    assert with_shares.split()[:6] == ["start", "end", "label", *KINDS]


def test_segments_beside_the_truth(tmp_path):
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "--truth", "truth.csv"]
    assert invoke(*arguments).stdout.startswith("Accuracy ")
    result = invoke(*arguments, "--proba", "--format", "json", "-o", tmp_path / "found.CSV")
    assert 0 < json.loads(result.stdout)["accuracy"] <= 1
    assert len(read_segments(tmp_path / "found.CSV"))
    # Compared with itself it is right, and what was written can be read.
    arguments[-1] = tmp_path / "found.CSV"
    facts = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert (facts["accuracy"], facts["macro_f1"]) == (1.0, 1.0)


@pytest.mark.filterwarnings("default")
def test_labels_without_a_duration_are_left_out_of_the_truth(tmp_path):
    points = tmp_path / "points.txt"
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "--truth", points]
    points.write_text(Path("truth.csv").read_text() + "0.1,0.1,click\n")
    result = invoke(*arguments)
    assert "Warning: Left out 1 segment without a duration" in result.stderr
    arguments[-1] = "truth.csv"
    assert result.stdout == invoke(*arguments).stdout
    arguments[-1] = points
    points.write_text(Path("truth.csv").read_text() + "0.1,0.2,\n")
    assert "Warning: Left out 1 segment without a label" in invoke(*arguments).stderr


def test_segments_misused(embedder, tmp_path):
    def segments(*arguments, model="model.skops"):
        return misuse("segments", model, "long.wav", *arguments)

    assert "'window' parameter" in segments("--window", "-1")
    assert "is not a valid float" in segments("--step", "much")
    assert "expected start, end and label" in segments("--truth", "training.txt")
    (tmp_path / "empty.txt").write_text("\n")
    assert "empty.txt' holds no segments" in segments("--truth", tmp_path / "empty.txt")
    assert "knows no classes" in segments(model=embedder)
    assert "choose table or json" in segments("--truth", "truth.csv", "--format", "csv")
    assert "not readable as audio" in misuse("segments", "model.skops", "truth.csv")


def test_embed(world, tmp_path):
    run("embed", "model.skops", "recordings", "-o", tmp_path / "x.npy", cwd=world)
    values = np.load(tmp_path / "x.npy")
    files = (tmp_path / "x.files.txt").read_text().splitlines()
    assert files == load_audio_folders("recordings").filenames
    assert values.shape == (36, 128)
    assert np.array_equal(values, load_model("model.skops").layer_outputs(files, 3))


def test_embed_as_csv(embedder, tmp_path):
    invoke("embed", embedder, "long.wav", "-o", tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    expected = load_model(embedder).transform(["long.wav"])
    assert list(table.columns[:2]) == ["file", "embedding_0"]
    np.testing.assert_allclose(table.iloc[:, 1:], expected, rtol=1e-5)
    out = invoke("embed", embedder, "long.wav", "--layers-dropped", "5").stdout
    assert out.startswith("file,conv")


def test_embed_misused(tmp_path):
    x = tmp_path / "x.npy"
    assert "must end in .npy or .csv" in misuse("embed", "model.skops", "long.wav", "-o", "x.txt")
    assert "leaves nothing" in misuse(
        "embed", "model.skops", "long.wav", "--layers-dropped", "9", "-o", x
    )
    assert "not written by save_model" in misuse("embed", "long.wav", "long.wav", "-o", x)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_similar(world, tmp_path):
    index = tmp_path / "index.skops"
    result = run("similar", "index", "model.skops", "recordings", "-o", index, cwd=world)
    assert "Described 36 recordings" in result.stderr
    queries = load_audio_folders("recordings").filenames[::5]
    result = run("similar", "query", index, *queries, "-n", "3", "--format", "csv", cwd=world)
    table = pd.read_csv(io.StringIO(result.stdout))
    assert list(table.columns) == ["query", "rank", "file", "distance"]
    assert len(table) == 3 * len(queries)
    nearest = table[table["rank"] == 1]
    assert (nearest["query"] == nearest["file"]).all()
    assert np.allclose(nearest["distance"], 0, atol=1e-5)
    everything = invoke("similar", "query", index, "long.wav", "-n", "99").stdout
    assert len(everything.splitlines()) == 37


def test_similar_misused(embedder, tmp_path):
    assert 'create one with "skdaf similar index"' in misuse(
        "similar", "query", "model.skops", "long.wav"
    )
    assert "0 is not in the range" in misuse("similar", "query", "model.skops", "long.wav", "-n", 0)
    assert "Missing option '--output'" in misuse("similar", "index", "model.skops", "recordings")
    index = tmp_path / "index"
    assert "not readable" in misuse("similar", "index", embedder, "truth.csv", "-o", index)
    spectrograms = tmp_path / "spectrograms.skops"
    skdaf.save_model(SpectrogramTransformer(n_frames=9).fit(["long.wav"]), spectrograms)
    message = misuse("similar", "index", spectrograms, "long.wav", "-o", index)
    assert "an array of shape (9, 64) for each recording; an index needs one row" in message
    assert not index.exists()


def test_report(world):
    out = run("report", "model.skops", "recordings", cwd=world).stdout
    assert re.search(r"macro avg .* 36\n", out)
    assert re.search(r"Confusion matrix.*\n +high_tone +low_tone +white_noise\n", out)


def test_report_as_json_on_some_of_the_classes(tmp_path):
    path = tmp_path / "report.json"
    folders = ["recordings/low_tone", "recordings/high_tone"]
    result = invoke("report", "model.skops", *folders, "-o", path)
    assert (result.stdout, result.stderr) == ("", f"Wrote {path}\n")
    facts = json.loads(path.read_text())
    assert sum(map(sum, facts["confusion_matrix"])) == 24
    assert facts["scores"]["low_tone"]["support"] == 12


def test_report_misused(embedder, tmp_path):
    # Parts of a class's name are not its name.
    for name in ("low", "low_tones", "LOW_TONE"):
        shutil.copytree("recordings/low_tone", tmp_path / name)
    sentence = misuse("report", "model.skops", tmp_path)
    assert "no class for the folders ['LOW_TONE', 'low', 'low_tones']" in sentence
    assert f"its classes are {KINDS}" in sentence
    assert "knows no classes" in misuse("report", embedder, "recordings")
    assert "outside of any class folder" in misuse("report", "model.skops", "recordings/low_tone")


# Files.


def test_info(world):
    out = run("info", "model.skops", cwd=world).stdout
    assert "estimator: CNNAudioClassifier\n" in out
    assert f"classes: {', '.join(KINDS)}\n" in out
    assert re.search(r"front end: SpectrogramTransformer\(.*n_mels=24\)\n", out)
    layers = re.findall(r"^ *(\w+) +(\d+) +(\d+) +(\d+)$", out, flags=re.MULTILINE)
    assert [name for name, *_ in layers] == ["conv1", "conv2", "dense1", "output"]
    assert [int(dropped) for *_, dropped in layers] == [3, 2, 1, 0]
    assert layers[-1][1:3] == ("3", str(128 * 3 + 3))


def test_info_as_json_also_of_what_is_not_fitted(tmp_path):
    facts = json.loads(invoke("info", "model.skops", "--json").stdout)
    assert facts["networks"][0]["layers"][0]["layer"] == "conv1"
    skdaf.save_model(CNNAudioClassifier(max_epochs=7), tmp_path / "recipe.skops")
    facts = json.loads(invoke("info", tmp_path / "recipe.skops", "--json").stdout)
    assert facts["fitted"] is False
    assert facts["parameters"] == "CNNAudioClassifier(max_epochs=7)"
    assert "not fitted yet" in misuse("predict", tmp_path / "recipe.skops", "long.wav")


def test_info_misused():
    assert "not written by save_model" in misuse("info", "long.wav")
    assert "is a directory" in misuse("info", "recordings")


def test_check(world, tmp_path):
    shutil.copytree(world / "recordings", tmp_path / "recordings")
    (tmp_path / "recordings" / "bad.wav").write_text("not a sound")
    result = run("check", "recordings", "--format", "csv", cwd=tmp_path, status=1)
    table = pd.read_csv(io.StringIO(result.stdout))
    assert list(table.path[~table.ok]) == [os.path.join("recordings", "bad.wav")]
    assert "37 files, 1 bad" in result.stderr


def test_check_strictly(tmp_path):
    sf.write(tmp_path / "silence.wav", np.zeros(800), 8000)
    invoke("check", tmp_path)
    invoke("check", tmp_path, "--strict", status=1)


@pytest.mark.parametrize("form", ["root", "folders", "files"])
def test_check_finds_copies_and_conflicts(tmp_path, form):
    sound = np.random.default_rng(0).integers(-1000, 1000, 800, dtype=np.int16)
    paths = [tmp_path / name for name in ("dog/a.wav", "dog/tuesday/b.wav", "rain/c.flac")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        sf.write(path, sound, 8000)
    arguments = {"root": [tmp_path], "folders": [tmp_path / "dog", tmp_path / "rain"]}
    arguments = arguments.get(form, paths)
    result = invoke("check", *arguments, "--format", "csv")
    table = pd.read_csv(io.StringIO(result.stdout))
    assert list(table.duplicate_of.fillna("")) == ["", str(paths[0]), str(paths[0])]
    assert table.label_conflict.all()
    assert "3 files, 3 bad" in invoke("check", *arguments, "--strict", status=1).stderr
    # Copies in one class are no conflict, wherever in it they lie.
    paths[2].unlink()
    sf.write(paths[2], -sound, 8000)
    table = pd.read_csv(io.StringIO(invoke("check", *arguments, "--format", "csv").stdout))
    assert table.label_conflict.any() == (form == "files")


def test_check_misused(tmp_path):
    assert "does not exist" in misuse("check", "nowhere")
    assert "holds no audio files" in misuse("check", tmp_path)
    assert "no meaning" in misuse("check", "recordings", "--n-jobs", "0")


def old_model(path, paths, labels):
    """Write a model as deep_audio_features does: a pickle of a dict, with its names of layers."""
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


def test_convert(world, sounds, sound_labels, tmp_path):
    old, new = tmp_path / "old.pt", tmp_path / "new.skops"
    old_model(old, sounds.filenames, sound_labels)
    run("convert", old, new, "--sampling-rate", "16000", cwd=world)
    model = load_model(new)
    assert model.frontend_.sampling_rate == 16000
    assert list(model.classes_) == sorted(set(sound_labels))
    assert "skdaf convert" in misuse("predict", old, "long.wav")
    assert "outputs" in invoke("info", new).stdout
    out = invoke("predict", new, "long.wav", "--format", "csv").stdout
    assert out.splitlines()[1].split(",")[1] == model.predict(["long.wav"])[0]


def test_convert_misused(tmp_path):
    new = tmp_path / "new.skops"
    assert "refers to" in misuse("convert", "model.joblib", new)
    assert "cannot be loaded" in misuse("convert", "long.wav", new)
    assert "does not exist" in misuse("convert", "no.pt", new)
    assert "There is no folder" in misuse("convert", "long.wav", tmp_path / "no" / "new")
    assert not new.exists()


@pytest.mark.parametrize("task", ["classification", "representation"])
def test_train_listens_to_one_channel(tmp_path, task):
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
    assert result.stderr.count("there is no channel 2: the file has 2 channels") == 6
    assert "--channel" in misuse("train", tmp_path, "-o", model, "--channel", -1)
