"""Every example runs, on synthetic sounds and on spoken digits, and its claims are true."""

import runpy
import shutil
import sys
from pathlib import Path

import matplotlib
import pytest
from helpers import ROOT, shorten_fits

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


@pytest.mark.slow
def test_quickstart(sounds, tmp_path, monkeypatch, capsys):
    folder = Path(sounds.filenames[0]).parents[1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quickstart.py", str(folder)])
    shorten_fits(monkeypatch, max_epochs=20)
    runpy.run_path(str(EXAMPLES / "quickstart.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "60 recordings of 3 classes" in printed
    assert "macro avg" in printed
    assert "The saved model takes" in printed


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
