"""make_speech_dataset writes the same words of the same speakers everywhere."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers import relative_names, run_python, touch

from skdaf.datasets import load_audio_folders, make_speech_dataset

# The content of the files of `small`. If you change the sounds on purpose, replace it.
DIGEST = "22d4de6ab261faaeafbb5d30e12d7dfad762694d95a5043ff7ab944683188056"
FEWER_INSTRUCTIONS = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"


def small(directory, **changes):
    options = {"words": ["yes", "stop"], "n_speakers": 2, "n_takes": 2, **changes}
    return make_speech_dataset(directory, **options)


def contents(directory):
    files = Path(directory).rglob("*.wav")
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def digest(bunch):
    return hashlib.sha256(b"".join(Path(p).read_bytes() for p in bunch.filenames)).hexdigest()


def test_files_labels_and_speakers(tmp_path):
    made, loaded = small(tmp_path / "words"), load_audio_folders(tmp_path / "words")
    assert relative_names(made, tmp_path / "words") == [
        f"{word}/speaker_{speaker}_{take}.wav"
        for word in ("stop", "yes")
        for speaker in ("00", "01")
        for take in range(2)
    ]
    assert made.filenames == loaded.filenames
    assert made.target_names == ["stop", "yes"]
    np.testing.assert_array_equal(made.target, np.repeat([0, 1], 4))
    np.testing.assert_array_equal(made.groups, np.tile(["speaker_00"] * 2 + ["speaker_01"] * 2, 2))


def test_every_word_is_audible_and_short(tmp_path):
    for path in make_speech_dataset(tmp_path, n_speakers=2, n_takes=1).filenames:
        samples, rate = sf.read(path)
        info = sf.info(path)
        assert (rate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.2 < len(samples) / rate < 1.5
        assert 0.1 < np.abs(samples).max() < 1
        assert abs(samples.mean()) < 1e-3


def test_the_same_bytes_on_every_machine(tmp_path):
    assert digest(small(tmp_path)) == DIGEST


def test_the_same_bytes_with_other_instructions(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", FEWER_INSTRUCTIONS)
    code = """
        import sys
        from skdaf.datasets import make_speech_dataset
        make_speech_dataset(sys.argv[1], words=["yes", "stop"], n_speakers=2, n_takes=2)
    """
    run_python(code, tmp_path, on_warning="ignore")  # of features that the processor lacks
    assert digest(load_audio_folders(tmp_path)) == DIGEST


def test_a_clip_depends_only_on_seed_speaker_word_and_take(tmp_path):
    small(tmp_path / "few")
    more = {"words": ["no", "stop", "yes"], "n_speakers": 3, "n_takes": 3}
    small(tmp_path / "many", **more)
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert (len(few), len(many)) == (8, 27)
    assert few == {name: many[name] for name in few}
    small(tmp_path / "few", **more)
    assert contents(tmp_path / "few") == many


def test_seeds_speakers_and_takes_differ(tmp_path):
    first, second = small(tmp_path / "0"), small(tmp_path / "1", random_state=1)
    all_contents = [Path(path).read_bytes() for path in first.filenames + second.filenames]
    assert len(set(all_contents)) == 16


def test_a_generator_gives_other_words_next_time(tmp_path):
    rng = np.random.RandomState(0)
    made = [small(tmp_path / str(n), random_state=rng) for n in range(2)]
    again = small(tmp_path / "2", random_state=np.random.RandomState(0))
    assert digest(made[0]) == digest(again) != digest(made[1])


def test_other_files_are_refused(tmp_path):
    touch(tmp_path / "yes/mine.wav")
    with pytest.raises(FileExistsError, match=r"mine\.wav"):
        small(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ["hello"]}, "Unknown word 'hello'. Known words are down, go, left"),
        ({"words": ["yes", "yes"]}, "one or more different names"),
        ({"words": []}, "one or more different names"),
        ({"n_speakers": 0}, "'n_speakers'"),
        ({"n_takes": 0}, "'n_takes'"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        small(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()
