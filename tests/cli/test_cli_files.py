"""The commands info, check, convert and export."""

import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import KINDS, invoke, misuse, old_model, run
from helpers import import_or_skip

import skdaf
from skdaf import CNNAudioClassifier, SpectrogramTransformer, load_model
from skdaf.cli._counts import clips_per_class, described

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("has_ffmpeg", [False, True])
def test_a_warning_counts_the_files_left_out_per_class(tmp_path, monkeypatch, has_ffmpeg):
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
    assert ('extra "ffmpeg" of skdaf' in line) is not has_ffmpeg
    assert result.stderr.endswith("\n36 files: no problems\n")


def test_the_error_for_a_folder_of_files_for_ffmpeg_says_how_to_read_them(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)
    (tmp_path / "x.m4a").write_text("not read")
    result = invoke("check", tmp_path, status=2)
    assert 'pip install av, or the extra "ffmpeg"' in result.stderr


def test_the_error_for_a_file_for_ffmpeg_says_how_to_read_it(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
    result = invoke("check", tmp_path / "x.m4a", status=1)
    assert 'pip install av, or the extra "ffmpeg"' in result.stdout


def test_class_folders_in_two_unicode_forms_are_one_class(tmp_path):
    for number, name in enumerate(("caf\u00e9", "cafe\u0301")):
        (tmp_path / "recordings" / name).mkdir(parents=True)
        sf.write(tmp_path / "recordings" / name / f"{number}.wav", np.ones(99) / 2, 8000)
    if len(os.listdir(tmp_path / "recordings")) < 2:
        pytest.skip("this file system treats both forms as the same name")
    result = invoke("check", tmp_path / "recordings", "--all", "--format", "json")
    # Both files have the same samples, and the same label.
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
    expected = "6 files: 1 with channels that cancel out, 1 with an odd duration\n"
    assert expected in invoke("check", tmp_path, "--strict", status=1).stderr


def test_info():
    out = invoke("info", "model.skops").stdout
    assert "estimator: CNNAudioClassifier\n" in out
    assert f"classes: {', '.join(KINDS)}\n" in out
    assert re.search(r"^ *seconds per clip: 0.26", out, flags=re.MULTILINE)
    assert re.search(r"front end: SpectrogramTransformer\(.*n_mels=24\)\n", out)
    layers = re.findall(r"^ *(\w+) +(\d+) +(\d+) +(\d+)$", out, flags=re.MULTILINE)
    assert [name for name, *_ in layers] == ["conv1", "conv2", "dense1", "output"]
    assert [int(dropped) for *_, dropped in layers] == [3, 2, 1, 0]
    assert layers[-1][1:3] == ("3", str(128 * 3 + 3))


def test_info_as_json_also_of_unfitted_models(tmp_path):
    facts = json.loads(invoke("info", "model.skops", "--json").stdout)
    assert facts["networks"][0]["layers"][0]["layer"] == "conv1"
    skdaf.save_model(CNNAudioClassifier(max_epochs=7), tmp_path / "unfitted.skops")
    facts = json.loads(invoke("info", tmp_path / "unfitted.skops", "--json").stdout)
    assert facts["fitted"] is False
    assert facts["parameters"] == "CNNAudioClassifier(max_epochs=7)"
    assert "not fitted yet" in misuse("predict", tmp_path / "unfitted.skops", "long.wav")


def test_info_misused():
    assert "save_model" in misuse("info", "long.wav")
    assert "has no file config.json" in misuse("info", "recordings")


def test_check(workspace, tmp_path):
    shutil.copytree(workspace / "recordings", tmp_path / "recordings")
    (tmp_path / "recordings" / "bad.wav").write_text("not a sound")
    result = run("check", "recordings", "--format", "csv", cwd=tmp_path, status=1)
    table = pd.read_csv(io.StringIO(result.stdout))
    # Only files with findings are listed; -o has all.
    assert list(table.path) == [os.path.join("recordings", "bad.wav")]
    assert result.stderr.endswith("37 files: 1 unreadable\n")
    to_file = invoke("check", tmp_path / "recordings", "-o", tmp_path / "all.csv", status=1)
    assert to_file.stdout == ""
    listed = pd.read_csv(tmp_path / "all.csv")
    assert (len(listed), listed.ok.sum()) == (37, 36)


def test_the_summary_of_check(tmp_path):
    for i, (folder, rate) in enumerate([("dog", 8000), ("dog", 16000), ("rain", 16000)]):
        (tmp_path / folder).mkdir(exist_ok=True)
        tone = 0.5 * np.sin((0.1 + i) * np.arange(200 * rate))
        sf.write(tmp_path / folder / f"{i}.flac", tone, rate)
    result = invoke("check", tmp_path)
    assert result.stdout == ""
    assert result.stderr == (
        "Duration: 10.0 min in total, 200 to 200 s each\n"
        "Sampling rate: 16000 Hz (2), 8000 Hz (1)\n"
        "Per class: dog 2, rain 1\n"
        "3 files: no problems\n"
    )
    assert invoke("check", tmp_path, "--quiet").stderr == ""
    assert len(invoke("check", tmp_path, "--all").stdout.splitlines()) == 4
    assert json.loads(invoke("check", tmp_path, "--format", "json").stdout) == []


def test_many_classes_are_summarized():
    counts = clips_per_class([*"aabbbcdefghijklmnop"])
    assert described(counts) == "1 (c) to 3 (b) of each"
    assert described(clips_per_class(pd.DataFrame({"a": [1, 0], "b": [1, 1]}))) == "a 1, b 2"


def test_check_strict(tmp_path):
    sf.write(tmp_path / "silence.wav", np.zeros(800), 8000)
    assert "1 file: 1 silent\n" in invoke("check", tmp_path).stderr
    invoke("check", tmp_path, "--strict", status=1)


@pytest.mark.parametrize("form", ["root", "folders", "files"])
def test_check_finds_duplicates_and_label_conflicts(tmp_path, form):
    sound = np.random.default_rng(0).integers(-1000, 1000, 800, dtype=np.int16)
    paths = [tmp_path / name for name in ("dog/a.wav", "dog/tuesday/b.wav", "rain/c.flac")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        sf.write(path, sound, 8000)
    arguments = {"root": [tmp_path], "folders": [tmp_path / "dog", tmp_path / "rain"]}
    arguments = arguments.get(form, paths)
    result = invoke("check", *arguments, "--all", "--format", "csv")
    table = pd.read_csv(io.StringIO(result.stdout))
    assert list(table.duplicate_of.fillna("")) == ["", str(paths[0]), str(paths[0])]
    assert table.label_conflict.all()
    expected = "3 files: 2 copies of others, 3 with conflicting labels\n"
    assert expected in invoke("check", *arguments, "--strict", status=1).stderr
    # Duplicates in one class are not a conflict, even in different subfolders.
    paths[2].unlink()
    sf.write(paths[2], -sound, 8000)
    table = pd.read_csv(io.StringIO(invoke("check", *arguments, "--all", "--format", "csv").stdout))
    assert table.label_conflict.any() == (form == "files")


def test_check_misused(tmp_path):
    assert "does not exist" in misuse("check", "nowhere")
    assert "no audio files" in misuse("check", tmp_path)
    assert "'--n-jobs': 0 is" in misuse("check", "recordings", "--n-jobs", "0")


def test_convert(sounds, sound_labels, tmp_path):
    old, new = tmp_path / "old.pt", tmp_path / "new.skops"
    old_model(old, sounds.filenames, sound_labels)
    invoke("convert", old, new, "--sampling-rate", "16000")
    model = load_model(new)
    assert model.frontend_.sampling_rate == 16000
    assert list(model.classes_) == sorted(set(sound_labels))
    assert "skdaf convert" in misuse("predict", old, "long.wav")
    assert "outputs" in invoke("info", new).stdout
    out = invoke("predict", new, "long.wav", "--format", "csv").stdout
    assert out.splitlines()[1].split(",")[1] == model.predict(["long.wav"])[0]


def test_convert_misused(tmp_path):
    new = tmp_path / "new.skops"
    assert "model.joblib" in misuse("convert", "model.joblib", new)
    assert "long.wav" in misuse("convert", "long.wav", new)
    assert "does not exist" in misuse("convert", "no.pt", new)
    assert "/no' does not exist" in misuse("convert", "long.wav", tmp_path / "no" / "new")
    assert not new.exists()


def test_export(embedder, tmp_path):
    import_or_skip("onnx")
    out = tmp_path / "model.onnx"
    result = invoke("export", "model.skops", out)
    assert (result.stdout, result.stderr) == ("", f"Wrote {out}\n")
    expected = out.read_bytes()
    assert invoke("export", "model.joblib", out, "--trust", "--quiet").stderr == ""
    assert out.read_bytes() == expected
    model = import_or_skip("onnx").load(out)
    assert [output.name for output in model.graph.output] == ["probabilities"]
    invoke("export", embedder, out, "-q")
    assert import_or_skip("onnx").load(out).graph.output[0].name == "embedding"


def test_export_misused(tmp_path, monkeypatch):
    import_or_skip("onnx")
    out = tmp_path / "model.onnx"
    frontend = SpectrogramTransformer().fit(np.ones((2, 4000)))
    skdaf.save_model(frontend, tmp_path / "frontend.skops")
    assert "without a network" in misuse("export", tmp_path / "frontend.skops", out)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install onnx, or" in misuse("export", "model.skops", out)
    assert not out.exists()
