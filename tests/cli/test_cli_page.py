"""The page on the command line: its commands run, and print what the page shows."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from cli_commands import old_model
from click.testing import CliRunner
from helpers import ROOT, shorten_fits

from skdaf.cli import main
from skdaf.datasets import make_audio_dataset

PAGE = ROOT / "docs" / "command_line.md"
KINDS = ["low_tone", "high_tone", "white_noise"]


def sessions():
    """Yield each command of the page with the output that is shown below it."""
    for block in re.findall(r"^```\n(\$ .*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M):
        for session in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = session.partition("\n")
            yield command, shown


def make_recordings(folder):
    """Create the files that the page describes."""
    made = make_audio_dataset(folder / "recordings", classes=KINDS, n_clips_per_class=40)
    new = make_audio_dataset(folder / "new", classes=KINDS, n_clips_per_class=4, random_state=1)
    parts, lines = [], []
    # The page shows the segments in this order.
    for place, kind in enumerate(["low_tone", "white_noise", "high_tone"]):
        own = [path for path in made.filenames if Path(path).parent.name == kind]
        parts.append(np.concatenate([sf.read(path)[0] for path in own])[: 4 * 16000])
        lines.append(f"{4 * place},{4 * place + 4},{kind}\n")
    sf.write(folder / "yard.wav", np.concatenate(parts), 16000)
    sf.write(folder / "yard.raw", np.concatenate(parts), 16000, format="RAW", subtype="PCM_16")
    (folder / "truth.txt").write_text("start,end,label\n" + "".join(lines))
    names = [Path(path).relative_to(folder / "new").as_posix() for path in new.filenames[4:]]
    rows = "".join(f"{name},{Path(name).parent}\n" for name in names)
    (folder / "clips.csv").write_text(f"filename,category\n{rows}")
    pitches = {"low_tone": 150, "high_tone": 900, "white_noise": 4000}
    paths = [Path(path).relative_to(folder).as_posix() for path in made.filenames]
    rows = "".join(f"{path},{pitches[Path(path).parent.name]}\n" for path in paths)
    (folder / "pitches.csv").write_text(f"path,pitch\n{rows}")
    rows = [
        f"{path},{Path(path).parent.name},{['anna', 'ben', 'carl', 'dora'][row % 4]}\n"
        for row, path in enumerate(paths)
    ]
    (folder / "speakers.csv").write_text("path,label,speaker\n" + "".join(rows))
    rows = [f"{path},{Path(path).parent.name},{row % 3 + 1}\n" for row, path in enumerate(paths)]
    (folder / "folds.csv").write_text("path,label,fold\n" + "".join(rows))
    make_sites(folder / "sites", made.filenames)
    (folder / "sounds" / "dog").mkdir(parents=True)
    shutil.copy(new.filenames[0], folder / "sounds" / "dog")
    labels = [Path(path).parent.name for path in new.filenames]
    old_model(folder / "digits.pt", new.filenames, np.array(labels))
    config = re.search(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M)[1]
    (folder / "config.yaml").write_text(config)
    (folder / "broken.yaml").write_text(config.replace("n_components", "n_component"))


def make_sites(folder, files):
    """Create recordings of 20 s, with a few tones in faint noise, and their tables."""
    folder.mkdir()
    tones = [path for path in files if Path(path).parent.name != "white_noise"]
    for i, site in enumerate(["east", "north", "south"]):
        samples = 0.001 * np.random.default_rng(i).standard_normal(20 * 16000)
        lines = []
        for start, path in zip(range(1, 19, 2), tones[i::9], strict=False):
            sound, rate = sf.read(path)
            samples[start * rate : start * rate + len(sound)] += sound
            lines.append(f"{start}\t{start + len(sound) / rate}\t{Path(path).parent.name}\n")
        sf.write(folder / f"{site}.wav", samples, 16000)
        (folder / f"{site}.txt").write_text("".join(lines))


def python_with(text):
    """Return the Python code of the page that contains a text."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M)
    return next(block for block in blocks if text in block)


def run(command):
    """Return the output of a command, which may get a file from `cat`."""
    source, pipe, rest = command.partition(" | ")
    content = Path(source.removeprefix("cat ")).read_bytes() if pipe else None
    program, *words = shlex.split(rest or source)
    if program == "skdaf":
        options = {"prog_name": "skdaf", "env": {"COLUMNS": "80"}, "input": content}
        return CliRunner().invoke(main, words, **options).output
    *options, file = words
    lines = Path(file).read_text("utf-8-sig").splitlines(keepends=True)
    assert program in ("cat", "head")
    return "".join(lines[: -int(options[0]) if options else None])


def agree(shown, written):
    """Return whether an output is as shown, ignoring numbers, spaces and what `...` replaces."""
    dotted = re.sub(r"\.\.\.", "\0", shown)
    pattern = re.escape(_without_numbers(dotted)).replace(re.escape("\0"), "[^\0]*?")
    return re.fullmatch(pattern, _without_numbers(written)) is not None


def _without_numbers(text):
    text = re.sub(r"\d+(\.\d+)?(e-\d+)?", "0", text)
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("shown", "written", "expected"),
    [
        ("a 1.5\nb", "a  22\nb", True),
        ("a 1.5\nb", "a 22\nc", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc\ne", False),
        ("a 0.5,0.5...\n", "a 1,2,3\n", True),
    ],
)
def test_agreement(shown, written, expected):
    assert agree(shown, written) == expected


def test_all_commands_of_the_page_are_found():
    n_commands = len(re.findall(r"^\$ ", PAGE.read_text("utf-8"), re.MULTILINE))
    assert len([*sessions()]) == n_commands > 20


def test_the_recipe_leaves_out_bad_files_and_copies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = "path,ok,duration,duplicate_of,label,label_conflict,problem\n"
    good = ["r/a/1.wav,True,1.0,,01,False,", "r/b/5.wav,True,1.0,,b,False,"]
    bad = [
        "r/a/2.wav,True,1.0,r/a/1.wav,01,False,",
        "r/b/3.wav,False,,,b,False,damaged",
        "r/b/4.wav,True,1.0,,b,True,",
    ]
    Path("check.csv").write_text(columns + "\n".join([good[0], *bad, good[1]]))
    exec(python_with("check.csv"))
    assert Path("good.csv").read_text() == columns + "\n".join(good) + "\n"


@pytest.mark.slow
def test_commands_print_what_the_page_shows(tmp_path, monkeypatch):
    make_recordings(tmp_path)
    monkeypatch.chdir(tmp_path)
    shorten_fits(monkeypatch, max_epochs=15)  # enough for the labels that the page shows
    for command, shown in sessions():
        if command.startswith("skdaf check new"):
            copy, cut = Path("new/low_tone/copy.wav"), Path("new/low_tone/cut.wav")
            shutil.copy("new/high_tone/high_tone_000.wav", copy)
            cut.write_bytes(Path("new/low_tone/low_tone_000.wav").read_bytes()[:3000])
        written = run(command)
        if command.startswith("skdaf check new"):
            copy.unlink()
            cut.unlink()
        if command == "skdaf check new -o check.csv":
            exec(python_with("check.csv"))
        assert agree(shown, written), f"$ {command}\n{written}"
