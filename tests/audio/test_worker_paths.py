"""Relative paths and worker processes, which do not follow a change of the working directory."""

import os
from pathlib import Path

import pytest
from helpers import noise, wait_until_cacheable, write_audio

from skdaf import AudioReadError, Clip, SpectrogramTransformer, check_audio, load_audio
from skdaf._audio.worker_paths import absolute_path, map_clips


def read_samples(clips):
    """Return the number of samples of each clip that can be read, and the errors."""
    lengths, errors = [], []
    for clip in clips:
        try:
            lengths.append(len(load_audio(clip)[0]))
        except AudioReadError as error:
            errors.append(error)
    return lengths, errors


def collect(function, clips, **options):
    results, errors = [], []
    for result, chunk_errors in map_clips(function, clips, **options):
        results += result
        errors += chunk_errors
    return results, errors


@pytest.fixture
def folders(tmp_path):
    """Two folders with files of the same names, and samples that differ in number."""
    for folder, n_samples in [("one", 400), ("two", 500)]:
        (tmp_path / folder).mkdir()
        for i in range(4):
            write_audio(tmp_path / folder / f"{i}.wav", noise(i, n_samples + i), 8000)
    return [tmp_path / "one", tmp_path / "two"]


def test_relative_paths_mean_the_same_in_workers_after_a_change_of_folder(folders, monkeypatch):
    clips = [Clip(f"{i}.wav") for i in range(4)]
    for folder, n_samples in zip(folders, (400, 500), strict=True):
        monkeypatch.chdir(folder)
        lengths, errors = collect(read_samples, clips, n_jobs=2, chunk_size=2)
        assert lengths == [n_samples + i for i in range(4)]
        assert errors == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_show_the_paths_as_they_were_passed(folders, monkeypatch, n_jobs):
    monkeypatch.chdir(folders[0])
    (folders[0] / "damaged.wav").write_bytes(b"RIFF")
    absolute = [str(folder / "gone.wav") for folder in folders]
    paths = ["gone.wav", "0.wav", "./gone.wav", *absolute, "damaged.wav"]
    _, errors = collect(read_samples, list(map(Clip, paths)), n_jobs=n_jobs, chunk_size=2)
    bad = [path for path in paths if path != "0.wav"]
    assert [error.paths for error in errors] == [[path] for path in bad]
    for error, path in zip(errors, bad, strict=True):
        assert str(error).startswith(f"{path!r}: ")
        assert str(folders[0]) in path or str(folders[0]) not in str(error)
    # Workers do not return causes; in this process they are kept.
    if n_jobs == 1:
        assert isinstance(errors[0].__cause__, FileNotFoundError)


def test_transformers_and_checks_with_workers_use_relative_paths(folders, monkeypatch):
    for folder in folders:
        monkeypatch.chdir(folder)
        paths = [f"{i % 4}.wav" for i in range(130)]
        expected = SpectrogramTransformer(n_mels=8, n_frames=5).fit_transform(paths)
        wait_until_cacheable()
        transformer = SpectrogramTransformer(n_mels=8, n_frames=5, n_jobs=2, cache="cache")
        assert transformer.fit_transform(paths).tobytes() == expected.tobytes()
        assert {path.parent for path in folder.rglob("*.cache")} == {folder / "cache"}
        report = check_audio([*paths, "gone.wav"], n_jobs=2)
        assert list(report.path) == [*paths, "gone.wav"]
        assert report.problem.iloc[-1] == "no such file"
        with pytest.raises(AudioReadError, match=r"^'gone.wav': ") as info:
            transformer.fit_transform([*paths, "gone.wav"])
        assert info.value.paths == ["gone.wav"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_note_tells_where_relative_paths_were_looked_up(folders, monkeypatch, n_jobs):
    monkeypatch.chdir(folders[0])
    transformer = SpectrogramTransformer(n_jobs=n_jobs)
    with pytest.raises(AudioReadError) as info:
        transformer.fit(["0.wav"] * 70 + ["gone.wav"])
    assert info.value.__notes__ == [f"Relative paths were looked up in {str(folders[0])!r}."]
    with pytest.raises(AudioReadError) as info:
        transformer.fit(["0.wav", str(folders[1] / "gone.wav")])
    assert not hasattr(info.value, "__notes__")


def test_other_recordings_are_left_as_they_are(tmp_path):
    in_memory, absolute = Clip((noise(), 8000)), Clip(tmp_path / "a.wav", 1.0, 2.0)
    clips = [in_memory, absolute, noise()]
    ((result, _),) = map_clips(lambda clips: (clips, []), clips, n_jobs=1)
    assert all(left is right for left, right in zip(result, clips, strict=True))


def test_absolute_paths_follow_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_path(Path("link/../a.wav")) == os.path.join(tmp_path, "link", "..", "a.wav")
    assert absolute_path(tmp_path / "a.wav") == str(tmp_path / "a.wav")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a working directory")
def test_paths_are_unchanged_in_a_deleted_folder(tmp_path, monkeypatch):
    # joblib cannot start workers in a deleted folder.
    collect(read_samples, [Clip("a.wav")] * 4, n_jobs=2, chunk_size=2)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert absolute_path("a.wav") == "a.wav"
    _, errors = collect(read_samples, [Clip("a.wav")] * 4, n_jobs=2, chunk_size=2)
    assert errors[0].paths == ["a.wav"]
