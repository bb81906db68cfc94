"""Every example runs, on synthetic sounds and on spoken digits, and its claims are true."""

import ast
import json
import re
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, shorten_fits

from skdaf import CNNAudioClassifier
from skdaf.datasets import make_audio_dataset

EXAMPLES = ROOT / "examples"
PLOTS = sorted(path.name for path in EXAMPLES.glob("plot_*.py"))

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run an example in an empty folder and return its global names; its figures stay open."""

    def run(name, data=tmp_path / "nothing"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SKDAF_DATA", str(data))
        return runpy.run_path(str(EXAMPLES / name))

    plt.close("all")  # figures of other tests
    yield run
    plt.close("all")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of synthetic sounds with the layout of the Free Spoken Digit Dataset."""
    root = tmp_path_factory.mktemp("data")
    kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "white_noise"]
    made = make_audio_dataset(
        root / "made", classes=kinds, n_clips_per_class=32, duration=(0.2, 0.3), sampling_rate=8000
    )
    paths = {kind: [path for path in made.filenames if f"/{kind}/" in path] for kind in kinds}
    for digit in range(10):
        folder = root / "fsdd" / str(digit)
        folder.mkdir(parents=True)
        # Two digits share a kind of sound, but not its clips.
        clips = paths[kinds[digit % 5]][digit // 5 :: 2]
        for number, path in enumerate(clips[:15]):
            speaker = ("george", "jackson", "theo")[number % 3]
            shutil.copy(path, folder / f"{digit}_{speaker}_{number // 3}.wav")
    return root


def test_examples_are_numbered():
    numbers = [int(name.split("_")[1]) for name in PLOTS]
    assert numbers == list(range(1, len(PLOTS) + 1))
    others = {path.name for path in EXAMPLES.glob("*.py")} - {*PLOTS}
    assert others == {"quickstart.py", "serve_fastapi.py"}


# The demo.


@pytest.fixture
def demo(monkeypatch, tmp_path, capsys):
    """Run the demo on a folder or table with short fits; return what it prints."""

    def demo(source, max_epochs=2):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["quickstart.py", str(source)])
        shorten_fits(monkeypatch, max_epochs)
        runpy.run_path(str(EXAMPLES / "quickstart.py"), run_name="__main__")
        return capsys.readouterr().out

    return demo


def refusal(demo, source):
    """Return the message with which the demo ends, which is one line."""
    with pytest.raises(SystemExit) as info:
        demo(source)
    message = info.value.code
    assert isinstance(message, str)
    assert "\n" not in message
    return message


@pytest.fixture
def table(sounds, tmp_path):
    """The path of a table of the sounds, with four groups."""
    path = tmp_path / "clips.csv"
    names = np.array(sounds.target_names)[sounds.target]
    table = pd.DataFrame({"path": sounds.filenames, "label": names})
    table.assign(group=np.arange(len(table)) % 4).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_demo_on_a_folder(demo, sounds, tmp_path):
    printed = demo(Path(sounds.filenames[0]).parents[1], max_epochs=20)
    assert "60 recordings of 3 classes\nClips are split at random." in printed
    assert "Training on 45 clips, testing on 15 others" in printed
    assert "macro avg" in printed
    assert "Loaded again, it predicts" in printed
    assert "skdaf-demo.png shows" in printed
    assert (tmp_path / "skdaf-demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_demo_on_a_table_without_matplotlib(demo, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    printed = demo(table)
    assert "Training on 45 clips" in printed
    assert "pip install matplotlib" in printed
    assert "Loaded again, it predicts" in printed


@pytest.mark.slow
def test_demo_on_synthetic_speech(monkeypatch, tmp_path):
    """The network recognizes most words of new speakers, but not all."""
    module = runpy.run_path(str(EXAMPLES / "quickstart.py"))
    paths, labels, groups = module["load"](None, tmp_path)
    train, test = module["split"](labels, groups)
    assert len(set(groups[test])) == 4
    assert not {*groups[train]} & {*groups[test]}
    network = CNNAudioClassifier(random_state=0, max_epochs=15).fit(paths[train], labels[train])
    assert 0.6 < network.score(paths[test], labels[test]) < 1


def test_the_demo_says_what_is_missing(demo, sounds, table, tmp_path):
    assert refusal(demo, tmp_path / "absent").startswith("There is no folder or table")
    (tmp_path / "empty").mkdir()
    assert "empty" in refusal(demo, tmp_path / "empty")

    rows = pd.read_csv(table)
    rows[rows.label == "low_tone"].to_csv(table, index=False)
    assert "The only class is 'low_tone'" in refusal(demo, table)
    rows.drop(columns="label").to_csv(table, index=False)
    assert "label" in refusal(demo, table)
    rows[5:].groupby("label").head(7).to_csv(table, index=False)
    assert refusal(demo, table).endswith("has 7 recordings, but each class needs at least 8.")
    rows.assign(group=rows.label).to_csv(table, index=False)
    assert "are in one group or fold" in refusal(demo, table)


def test_the_demo_names_recordings_that_cannot_be_read(demo, sounds, table):
    rows = pd.read_csv(table)
    rows.loc[0, "path"] = str(table)
    rows.to_csv(table, index=False)
    assert str(table) in refusal(demo, table)


# The notebook.

NOTEBOOK = EXAMPLES / "getting_started.ipynb"
OWN_RECORDINGS = "recordings = datasets.load_audio_folders(folder)"


def code_cells():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_cell(source, variables):
    """Run a cell; return the value of its last line, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), variables)
    return last and eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), variables)


@pytest.fixture
def run_notebook(monkeypatch, tmp_path, capsys):
    """Run all cells; return the variables, after checking that each cell shows something."""

    def run_notebook(replaced=None, by=None, folder=None):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        variables = {"folder": folder}
        for cell in code_cells():
            source = "".join(cell["source"])
            if replaced and replaced in source:
                source = source.replace(replaced, by)
                replaced = None
            value = run_cell(source, variables)
            assert capsys.readouterr().out or plt.get_fignums() or value is not None, source
            plt.close("all")
        assert replaced is None
        return variables

    plt.close("all")
    return run_notebook


@pytest.mark.slow
def test_notebook(run_notebook, monkeypatch):
    shorten_fits(monkeypatch, max_epochs=40)
    variables = run_notebook()
    assert (variables["predicted"] == variables["labels"][variables["test"]]).mean() > 0.6
    assert set(variables["groups"]) == {f"speaker_{number:02d}" for number in range(12)}


@pytest.mark.slow
def test_notebook_with_one_line_changed(run_notebook, sounds, monkeypatch):
    shorten_fits(monkeypatch, max_epochs=3)
    source = "".join(code_cells()[0]["source"])
    made = re.search(r"^recordings = .*?^\)$", source, re.DOTALL | re.MULTILINE)[0]
    folder = Path(sounds.filenames[0]).parents[1]
    variables = run_notebook(made, OWN_RECORDINGS, folder)
    assert len(variables["paths"]) == 60


def test_the_notebook_is_stored_without_outputs():
    assert all(cell["outputs"] == [] for cell in code_cells())
    assert all(cell["execution_count"] is None for cell in code_cells())


# Claims in the text of an example about its results, and the number of its figures.
CLAIMS = {
    "plot_01_first_classifier.py": ("(predicted == test_y).mean() > 0.9", 4),
    "plot_02_spectrogram_choices.py": ("frontend.n_frames_ == 120", 5),
    "plot_03_search_with_cache.py": ("search.best_score_ > 0.7", 1),
    "plot_04_transfer.py": ("all(v[-1].mean() > 1 / n_classes for v in accuracies.values())", 1),
    "plot_05_embeddings.py": ("accuracy > 0.7", 3),
    "plot_06_combiner_ablation.py": ("len(accuracies) == 7", 1),
    "plot_07_long_recording.py": ("report.accuracy > 0.8", 1),
    "plot_08_speaker_safe_evaluation.py": (
        "scores['random'].mean() > scores['by speaker'].mean() + 0.1",
        2,
    ),
    "plot_09_similar_sounds.py": ("hits.mean() > 0.7", 1),
    "plot_10_what_the_network_listens_to.py": (
        "on_new['clean'] > on_new['careless'] + 0.1",
        2,
    ),
    "plot_11_pretrained_networks.py": (
        "all(table.both > table[['from scratch', 'pretrained']].max(axis='columns') - 0.05)",
        1,
    ),
    "plot_12_audio_and_numbers.py": (
        "scores['both'].mean() > max(scores['sound'].mean(), scores['temperature'].mean()) + 0.1",
        3,
    ),
    "plot_13_confusion_and_calibration.py": (
        "log_loss(test_y, results['calibrated']) < log_loss(test_y, results['network'])",
        2,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLOTS)
def test_on_synthetic_sounds(name, run):
    claim, n_figures = CLAIMS[name]
    assert eval(claim, run(name))
    assert len(plt.get_fignums()) == n_figures


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:Precision is ill-defined"
)  # for classes that are never predicted
@pytest.mark.parametrize("name", PLOTS)
def test_on_spoken_digits(name, run, data, monkeypatch):
    if '"fsdd"' not in (EXAMPLES / name).read_text(encoding="utf-8"):
        pytest.skip("does not use spoken digits")
    shorten_fits(monkeypatch, max_epochs=1)
    run(name, data)
    assert len(plt.get_fignums()) == CLAIMS[name][1]
