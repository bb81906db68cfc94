"""The commands similar index and similar query."""

import os
import re
import shutil

import numpy as np
import pytest
import soundfile as sf
from cli_commands import invoke, misuse, read_csv

import skdaf
from skdaf import SpectrogramTransformer
from skdaf.datasets import load_audio_folders

pytestmark = [
    pytest.mark.usefixtures("inside_workspace"),
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
]


@pytest.mark.slow
def test_similar(tmp_path):
    index = tmp_path / "index.skops"
    result = invoke("similar", "index", "model.skops", "recordings", "-o", index)
    assert "Indexed 36 recordings" in result.stderr
    queries = load_audio_folders("recordings").filenames[::5]
    options = ["-n", "3", "--include-self", "--format", "csv"]
    table = read_csv("similar", "query", index, *queries, *options)
    assert list(table.columns) == ["query", "rank", "file", "distance"]
    assert len(table) == 3 * len(queries)
    nearest = table[table["rank"] == 1]
    assert (nearest["query"] == nearest["file"]).all()
    assert np.allclose(nearest["distance"], 0, atol=1e-5)
    everything = invoke("similar", "query", index, "long.wav", "-n", "99").stdout
    assert len(everything.splitlines()) == 37


def test_similar_places(tmp_path):
    index = tmp_path / "index.skops"
    files = ["long.wav", *load_audio_folders("recordings").filenames[:2]]
    options = ["--window", "0.2", "--step", "0.1"]
    result = invoke("similar", "index", "model.skops", *files, "-o", index, *options)
    windows = skdaf.predict_segments("model.skops", "long.wav", window=0.2, step=0.1)
    assert re.search(r"Indexed 3 recordings in \d+ windows", result.stderr)
    # Each part of the recording is found where it is.
    samples, rate = skdaf.load_audio("long.wav")
    for row in (0, 4, len(windows) - 3):
        start, end = windows.start[row], windows.end[row]
        query = tmp_path / f"{row}.wav"
        sf.write(query, samples[round(start * rate) : round(end * rate)], rate)
        table = read_csv("similar", "query", index, query, "-n", "3", "--format", "csv")
        assert list(table.columns) == ["query", "rank", "file", "start", "end", "distance"]
        assert table["rank"].tolist() == [1, 2, 3]
        assert table.distance.is_monotonic_increasing
        assert table.file[0] == "long.wav"
        assert (table.start[0], table.end[0]) == (start, end)
        np.testing.assert_allclose(table.distance[0], 0, atol=1e-5)
    # Places do not overlap, however many are asked for.
    table = read_csv("similar", "query", index, query, "-n", "99", "--format", "csv")
    assert set(table.file) == set(files)
    for _, places in table.sort_values("start").groupby("file"):
        assert (places.start.to_numpy()[1:] >= places.end.to_numpy()[:-1]).all()
    assert 3 < len(table) < len(windows)


def test_similar_places_that_touch_are_all_listed(tmp_path):
    index = tmp_path / "index.skops"
    options = ["--window", "0.1", "--step", "0.1"]
    result = invoke("similar", "index", "model.skops", "long.wav", "-o", index, *options)
    n_windows = len(skdaf.predict_segments("model.skops", "long.wav", window=0.1))
    assert f"Indexed 1 recording in {n_windows} windows" in result.stderr
    options = ["--format", "csv", "--include-self"]
    table = read_csv("similar", "query", index, "long.wav", "-n", "99", *options)
    assert sorted(table.start) == pytest.approx(0.1 * np.arange(n_windows))


@pytest.mark.parametrize("windows", [[], ["--window", "0.2"]], ids=["recordings", "places"])
def test_similar_leaves_out_the_recording_itself_but_not_its_copies(windows, embedder, tmp_path):
    index, copy = tmp_path / "index.skops", tmp_path / "copy.wav"
    files = load_audio_folders("recordings").filenames[:3]
    shutil.copyfile(files[0], copy)
    invoke("similar", "index", embedder, *files, copy, "-o", index, *windows)
    query = ["similar", "query", index, os.path.abspath(files[0]), files[1], "--format", "csv"]
    found = {option: read_csv(*query, *option) for option in [(), ("--include-self",)]}
    for option, table in found.items():
        others = {name: set(rows.file) for name, rows in table.groupby("query")}
        expected = {*files, str(copy)}
        assert others[files[1]] == (expected if option else expected - {files[1]})
        assert (files[0] in others[os.path.abspath(files[0])]) == bool(option)
        assert list(table["rank"][:2]) == [1, 2]
    # The copy is as near to the recording as the recording itself.
    assert found[()].file[0] == str(copy)
    if not windows:
        assert found[()].distance[0] < 1e-5


def test_similar_misused(embedder, tmp_path):
    assert '"skdaf similar index"' in misuse("similar", "query", "model.skops", "long.wav")
    assert "0 is not in the range" in misuse("similar", "query", "model.skops", "long.wav", "-n", 0)
    assert "Missing option '--output'" in misuse("similar", "index", "model.skops", "recordings")
    index = tmp_path / "index"
    assert "truth.csv" in misuse("similar", "index", embedder, "truth.csv", "-o", index)
    spectrograms = tmp_path / "spectrograms.skops"
    skdaf.save_model(SpectrogramTransformer(n_frames=9).fit(["long.wav"]), spectrograms)
    message = misuse("similar", "index", spectrograms, "long.wav", "-o", index)
    assert "shape (9, 40)" in message
    options = ["--window", "0.3"]
    message = misuse("similar", "index", spectrograms, "long.wav", "-o", index, *options)
    assert "shape (9, 40)" in message
    for options, said in [
        (["--step", "1"], "--step requires --window"),
        (["--window", "0"], "--window must be"),
        (["--window", "1", "--step", "-1"], "--step must be"),
    ]:
        assert said in misuse("similar", "index", embedder, "long.wav", "-o", index, *options)
    assert not index.exists()
