"""make_audio_dataset writes the same set of synthetic sounds every time."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers import naming, relative_names, touch

from skdaf.datasets import load_audio_folders, make_audio_dataset

KINDS = [
    "falling_chirp",
    "high_energy",
    "high_tone",
    "low_energy",
    "low_tone",
    "medium_energy",
    "pink_noise",
    "rising_chirp",
    "white_noise",
]


def snapshot(directory):
    """Return {relative path: content} of all files, hidden ones too."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in Path(directory).rglob("*")
        if path.is_file()
    }


def clips(directory, kind, n=4, **params):
    """Make clips of one kind and return their samples."""
    bunch = make_audio_dataset(directory, classes=[kind], n_clips_per_class=n, **params)
    return [sf.read(filename)[0] for filename in bunch.filenames]


def rms_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(samples**2)))


def centroid(samples, sampling_rate=16000):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return np.sum(np.fft.rfftfreq(len(samples), 1 / sampling_rate) * power) / np.sum(power)


def test_returns_what_loading_gives(tmp_path):
    written = make_audio_dataset(tmp_path / "new/set", classes=KINDS[::-1], n_clips_per_class=2)
    loaded = load_audio_folders(tmp_path / "new/set")
    assert written.filenames == loaded.filenames
    assert written.target_names == loaded.target_names == KINDS
    np.testing.assert_array_equal(written.target, np.repeat(np.arange(len(KINDS)), 2))
    assert relative_names(written, tmp_path / "new/set")[:2] == [
        "falling_chirp/falling_chirp_000.wav",
        "falling_chirp/falling_chirp_001.wav",
    ]


@pytest.mark.parametrize("sampling_rate", [4000, 16000, 44100])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_have_the_requested_format(tmp_path, kind, sampling_rate):
    bunch = make_audio_dataset(
        tmp_path,
        classes=[kind],
        n_clips_per_class=3,
        duration=(0.1, 0.2),
        sampling_rate=sampling_rate,
        subtype="PCM_24",
    )
    lengths = set()
    for filename in bunch.filenames:
        info = sf.info(filename)
        samples, _ = sf.read(filename)
        assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_24", 1)
        assert info.samplerate == sampling_rate
        assert 0.1 - 1e-3 <= len(samples) / sampling_rate <= 0.2 + 1e-3
        assert 0.001 < np.abs(samples).max() <= 1
        assert np.isfinite(samples).all()
        lengths.add(len(samples))
    assert len(lengths) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_shortest_clips_have_sound(tmp_path, kind):
    for samples in clips(tmp_path, kind, duration=(0.01, 0.01), sampling_rate=4000):
        assert len(samples) == 40
        assert np.abs(samples).max() > 0


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_subtypes_contain_the_same_sound(tmp_path, subtype):
    (exact,) = clips(tmp_path / "exact", "low_tone", n=1, subtype="DOUBLE")
    (coded,) = clips(tmp_path / "coded", "low_tone", n=1, subtype=subtype)
    np.testing.assert_allclose(coded, exact, atol=0.02)
    assert sf.info(tmp_path / "coded/low_tone/low_tone_000.wav").subtype == subtype


def test_energies_differ_in_level_whatever_the_draw(tmp_path):
    low, medium, high = (
        [rms_db(samples) for samples in clips(tmp_path / kind, kind, n=15)]
        for kind in ("low_energy", "medium_energy", "high_energy")
    )
    assert max(low) + 3 < min(medium)
    assert max(medium) + 3 < min(high)
    assert np.ptp(low) > 1


def test_energies_differ_over_time_at_equal_level(tmp_path):
    def profile(samples):
        energies = [np.mean(part**2) for part in np.array_split(samples, 20)]
        return np.array(energies) / np.mean(energies)

    for samples in clips(tmp_path / "low", "low_energy"):
        assert profile(samples)[:10].mean() > 1.9
    for samples in clips(tmp_path / "medium", "medium_energy"):
        assert profile(samples).min() < 0.2
        assert 0.5 < profile(samples)[:10].mean() < 1.5
    for samples in clips(tmp_path / "high", "high_energy"):
        assert profile(samples)[1:-1].min() > 0.3


def test_tones_and_noises_differ_in_pitch(tmp_path):
    low, high, white, pink = (
        [centroid(samples) for samples in clips(tmp_path / kind, kind)]
        for kind in ("low_tone", "high_tone", "white_noise", "pink_noise")
    )
    assert max(low) < 600 <= min(high)
    assert min(white) > 3000 > 2000 > max(pink)


@pytest.mark.parametrize("kind", KINDS)
def test_clips_begin_and_end_in_silence_and_have_no_offset(tmp_path, kind):
    for samples in clips(tmp_path, kind, duration=(1, 1), subtype="DOUBLE"):
        assert samples[0] == samples[-1] == 0
        assert abs(samples.mean()) < 0.02 * samples.std()


@pytest.mark.parametrize(("kind", "sign"), [("rising_chirp", 1), ("falling_chirp", -1)])
def test_chirps_move(tmp_path, kind, sign):
    for samples in clips(tmp_path, kind):
        first, *_, last = np.array_split(samples, 4)
        assert sign * (centroid(last) - centroid(first)) > 300


def test_tones_stay_below_half_the_rate(tmp_path):
    # An aliased harmonic would lie between the multiples of the pitch.
    for samples in clips(tmp_path, "high_tone", sampling_rate=4000, duration=(1, 1)):
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        pitch = 200 + np.argmax(power[200:])
        harmonic = np.arange(len(power)) % pitch
        off = np.minimum(harmonic, pitch - harmonic) > 20
        assert power[off].sum() < 1e-3 * power.sum()


def test_same_arguments_same_bytes(tmp_path):
    for name in ("a", "b"):
        make_audio_dataset(tmp_path / name, classes=KINDS, n_clips_per_class=2)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert len(set(snapshot(tmp_path / "a").values())) == 2 * len(KINDS)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_files_do_not_contain_the_time_of_day(tmp_path, subtype):
    make_audio_dataset(tmp_path, classes=["low_tone"], n_clips_per_class=1, subtype=subtype)
    (content,) = snapshot(tmp_path).values()
    peak = content.index(b"PEAK")
    assert content[peak + 12 : peak + 16] == bytes(4)


def test_seeds_differ(tmp_path):
    make_audio_dataset(tmp_path / "a", n_clips_per_class=2, random_state=0)
    make_audio_dataset(tmp_path / "b", n_clips_per_class=2, random_state=1)
    a, b = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a)


def test_a_generator_gives_other_sounds_next_time_and_the_same_from_its_seed(tmp_path):
    generator = np.random.RandomState(3)
    params = {"classes": ["low_tone"], "n_clips_per_class": 1}
    make_audio_dataset(tmp_path / "a", **params, random_state=generator)
    make_audio_dataset(tmp_path / "b", **params, random_state=generator)
    make_audio_dataset(tmp_path / "c", **params, random_state=np.random.RandomState(3))
    assert snapshot(tmp_path / "a") != snapshot(tmp_path / "b")
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "c")


def test_none_differs_each_time(tmp_path):
    for name in ("a", "b"):
        make_audio_dataset(tmp_path / name, n_clips_per_class=1, random_state=None)
    assert snapshot(tmp_path / "a") != snapshot(tmp_path / "b")


def test_int_seed_leaves_the_global_generator_alone(tmp_path):
    np.random.seed(0)
    expected = np.random.random_sample()
    np.random.seed(0)
    make_audio_dataset(tmp_path, n_clips_per_class=1, random_state=5)
    assert np.random.random_sample() == expected


def test_a_clip_depends_only_on_seed_class_and_number(tmp_path):
    make_audio_dataset(tmp_path / "few", classes=["low_tone"], n_clips_per_class=2)
    make_audio_dataset(tmp_path / "many", classes=KINDS, n_clips_per_class=4)
    few, many = snapshot(tmp_path / "few"), snapshot(tmp_path / "many")
    assert len(few) == 2
    assert few.items() <= many.items()


def test_classes_are_drawn_independently(tmp_path):
    bunch = make_audio_dataset(tmp_path, classes=KINDS, n_clips_per_class=1)
    assert len({sf.info(filename).frames for filename in bunch.filenames}) == len(KINDS)


def test_writing_again_changes_nothing_and_more_clips_are_added(tmp_path):
    before = make_audio_dataset(tmp_path, n_clips_per_class=2)
    times = [os.stat(filename).st_mtime_ns for filename in before.filenames]
    again = make_audio_dataset(tmp_path, n_clips_per_class=2)
    assert [os.stat(filename).st_mtime_ns for filename in again.filenames] == times
    grown = make_audio_dataset(tmp_path, n_clips_per_class=3)
    assert len(grown.filenames) == 9
    assert set(before.filenames) < set(grown.filenames)


@pytest.mark.parametrize(
    "foreign",
    [
        "mine.wav",
        "notes.txt",
        "other/1.wav",
        "low_energy/mine.wav",
        "low_energy/low_energy_002.wav",
        "low_energy/low_energy_000.wav",  # the right name, but other content
        "low_energy/deep/low_energy_000.wav",
        "low_energy",
    ],
)
def test_refuses_to_mix_with_other_files(tmp_path, foreign):
    touch(tmp_path / foreign)
    before = snapshot(tmp_path)
    with pytest.raises(FileExistsError) as raised:
        make_audio_dataset(tmp_path, n_clips_per_class=2)
    named = re.match(r"'(.*)' is not part", str(raised.value)).group(1)
    assert Path(named) in [tmp_path / foreign, *(tmp_path / foreign).parents]
    assert Path(named) != tmp_path
    assert snapshot(tmp_path) == before


def test_refuses_an_empty_foreign_folder(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match=naming(tmp_path / "other")):
        make_audio_dataset(tmp_path)


@pytest.mark.parametrize("changed", [{"random_state": 1}, {"n_clips_per_class": 1}])
def test_refuses_to_overwrite_another_set(tmp_path, changed):
    make_audio_dataset(tmp_path, n_clips_per_class=2)
    before = snapshot(tmp_path)
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path))):
        make_audio_dataset(tmp_path, **{"n_clips_per_class": 2, **changed})
    assert snapshot(tmp_path) == before


def test_hidden_files_are_ignored(tmp_path):
    touch(tmp_path / ".DS_Store", tmp_path / "low_energy/.low_energy_000.wav.0.part")
    assert len(make_audio_dataset(tmp_path, n_clips_per_class=1).filenames) == 3


def test_an_interrupted_write_leaves_no_file_and_can_be_continued(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_audio_dataset(tmp_path, n_clips_per_class=1)
    assert snapshot(tmp_path) == {}
    assert len(make_audio_dataset(tmp_path, n_clips_per_class=1).filenames) == 3


def test_only_whole_files_get_their_names(tmp_path, monkeypatch):
    moved = []

    def replace(source, target, original=os.replace):
        assert not os.path.exists(target)
        assert os.path.dirname(source) == os.path.dirname(target)
        sf.read(source)
        moved.append(str(target))
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    bunch = make_audio_dataset(tmp_path, n_clips_per_class=2)
    assert sorted(moved) == bunch.filenames
    assert len(snapshot(tmp_path)) == 6


def test_directory_is_a_file(tmp_path):
    touch(tmp_path / "set")
    with pytest.raises(NotADirectoryError, match=naming(tmp_path / "set")):
        make_audio_dataset(tmp_path / "set")


def test_unknown_class_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="'meow'") as raised:
        make_audio_dataset(tmp_path / "new", classes=["low_tone", "meow"])
    assert all(kind in str(raised.value) for kind in KINDS)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"classes": []}, "one or more different names"),
        ({"classes": ["low_tone", "low_tone"]}, "one or more different names"),
        ({"classes": "low_tone"}, "'classes' parameter"),
        ({"n_clips_per_class": 0}, "'n_clips_per_class' parameter"),
        ({"duration": (0.5, 0.3)}, "shortest <= longest"),
        ({"duration": (0.0, 0.3)}, "shortest <= longest"),
        ({"duration": (0.3,)}, "shortest <= longest"),
        ({"duration": (0.3, np.inf)}, "shortest <= longest"),
        ({"duration": (0.3, np.nan)}, "shortest <= longest"),
        ({"duration": 0.3}, "'duration' parameter"),
        ({"sampling_rate": 3999}, "'sampling_rate' parameter"),
        ({"subtype": "MPEG_LAYER_III"}, "'subtype' parameter"),
        ({"random_state": "seed"}, "'random_state' parameter"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, params, message):
    with pytest.raises(ValueError, match=message):
        make_audio_dataset(tmp_path / "new", **params)
    assert not (tmp_path / "new").exists()
