import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sklearn.datasets import load_files

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


def touch(*paths):
    """Make empty files: listing looks at names only."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def snapshot(directory):
    """Return {relative path: content} of all files, hidden ones too."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in Path(directory).rglob("*")
        if path.is_file()
    }


def naming(*paths):
    """Return a pattern of messages that name these paths in this order."""
    return ".*".join(re.escape(repr(str(path))) for path in paths)


def relative(bunch, root):
    return [Path(filename).relative_to(root).as_posix() for filename in bunch.filenames]


def clips(directory, kind, n=4, **params):
    """Make clips of one kind and return their samples."""
    bunch = make_audio_dataset(directory, classes=[kind], n_clips_per_class=n, **params)
    return [sf.read(filename)[0] for filename in bunch.filenames]


def rms_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(samples**2)))


def centroid(samples, sampling_rate=16000):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return np.sum(np.fft.rfftfreq(len(samples), 1 / sampling_rate) * power) / np.sum(power)


# load_audio_folders: what is found


def test_root_gives_sorted_classes_and_files(tmp_path):
    touch(tmp_path / "dog/b.wav", tmp_path / "dog/a.wav", tmp_path / "cat/z.wav")
    bunch = load_audio_folders(tmp_path)
    assert relative(bunch, tmp_path) == ["cat/z.wav", "dog/a.wav", "dog/b.wav"]
    assert bunch.target_names == ["cat", "dog"]
    np.testing.assert_array_equal(bunch.target, [0, 1, 1])
    assert set(bunch) == {"filenames", "target", "target_names"}


def test_shape_is_that_of_load_files(tmp_path):
    touch(tmp_path / "b/1.wav", tmp_path / "b/2.wav", tmp_path / "a/1.wav")
    ours = load_audio_folders(tmp_path)
    theirs = load_files(tmp_path, load_content=False, shuffle=False)
    assert ours.target_names == theirs.target_names
    assert sorted(zip(ours.filenames, ours.target, strict=True)) == sorted(
        zip(theirs.filenames, theirs.target, strict=True)
    )
    assert ours.target.dtype == theirs.target.dtype
    assert all(type(filename) is str for filename in ours.filenames)


@pytest.mark.parametrize("kind", [str, Path, lambda path: f"{path}{os.sep}"])
def test_root_may_be_str_or_path(tmp_path, kind):
    touch(tmp_path / "a/1.wav")
    assert load_audio_folders(kind(tmp_path)).filenames == [str(tmp_path / "a/1.wav")]


def test_relative_root_gives_relative_names(tmp_path, monkeypatch):
    touch(tmp_path / "data/a/1.wav")
    monkeypatch.chdir(tmp_path)
    assert load_audio_folders("data").filenames == [os.path.join("data", "a", "1.wav")]


@pytest.mark.parametrize("container", [list, tuple, np.array])
def test_list_of_class_folders_is_sorted_by_name(tmp_path, container):
    touch(tmp_path / "x/dog/1.wav", tmp_path / "y/cat/1.wav", tmp_path / "y/bird/1.wav")
    bunch = load_audio_folders(container([str(tmp_path / "x/dog"), str(tmp_path / "y/cat")]))
    assert bunch.target_names == ["cat", "dog"]
    assert relative(bunch, tmp_path) == ["y/cat/1.wav", "x/dog/1.wav"]
    np.testing.assert_array_equal(bunch.target, [0, 1])


def test_list_and_root_agree(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "b/1.wav", tmp_path / "b/s/2.wav")
    from_root = load_audio_folders(tmp_path)
    from_list = load_audio_folders([tmp_path / "b", f"{tmp_path / 'a'}{os.sep}"])
    assert from_root.filenames == from_list.filenames
    assert from_root.target_names == from_list.target_names
    np.testing.assert_array_equal(from_root.target, from_list.target)


def test_current_folder_in_a_list_has_its_real_name(tmp_path, monkeypatch):
    touch(tmp_path / "dog/1.wav")
    monkeypatch.chdir(tmp_path / "dog")
    assert load_audio_folders(["."]).target_names == ["dog"]


def test_search_goes_down_and_sorts_by_path_parts(tmp_path):
    # "s-1" < "s/" as text, but the folder "s" comes before the folder "s-1".
    touch(tmp_path / "a/s-1/x.wav", tmp_path / "a/s/deep/er/x.wav", tmp_path / "a/z.wav")
    expected = ["a/s/deep/er/x.wav", "a/s-1/x.wav", "a/z.wav"]
    assert relative(load_audio_folders(tmp_path), tmp_path) == expected


def test_extensions_in_any_case_and_nothing_else(tmp_path):
    kept = ["1.wav", "2.WAV", "3.Flac", "4.OGG", "5.mp3", "6.aIFf", "7.b.wav"]
    dropped = ["a.txt", "b.csv", "c.png", "d.mat", "e.wav.txt", "f", "wav", "g.json"]
    touch(*(tmp_path / "a" / name for name in kept + dropped))
    assert relative(load_audio_folders(tmp_path), tmp_path) == [f"a/{name}" for name in kept]


@pytest.mark.parametrize(
    ("extension", "format_", "subtype"),
    [
        *((extension, "WAV", "PCM_16") for extension in ("wav", "wave", "bwf")),
        *((extension, "AIFF", "PCM_16") for extension in ("aif", "aiff", "aifc")),
        *((extension, "AU", "PCM_16") for extension in ("au", "snd")),
        *((extension, "OGG", "VORBIS") for extension in ("ogg", "oga")),
        *((extension, "NIST", "PCM_16") for extension in ("nist", "sph")),
        *((extension, "SVX", "PCM_16") for extension in ("8svx", "iff", "svx")),
        ("opus", "OGG", "OPUS"),
        ("flac", "FLAC", "PCM_16"),
        *((extension, "MP3", "MPEG_LAYER_III") for extension in ("mp3", "mpga", "mpa")),
        ("caf", "CAF", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("rf64", "RF64", "PCM_16"),
        ("voc", "VOC", "PCM_16"),
        ("sf", "IRCAM", "PCM_16"),
    ],
)
def test_listed_extensions_are_readable(tmp_path, extension, format_, subtype):
    path = tmp_path / "a" / f"1.{extension}"
    path.parent.mkdir()
    with open(path, "wb") as file:
        sf.write(file, np.zeros(1600), 16000, format=format_, subtype=subtype)
    (filename,) = load_audio_folders(tmp_path).filenames
    assert sf.read(filename)[1] == 16000


def test_hidden_files_and_folders_are_skipped(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "a/._1.wav", tmp_path / "a/.cache/2.wav")
    touch(tmp_path / ".git/3.wav", tmp_path / "._4.wav")
    bunch = load_audio_folders(tmp_path)
    assert relative(bunch, tmp_path) == ["a/1.wav"]
    assert bunch.target_names == ["a"]


def test_a_root_below_a_hidden_folder_is_read(tmp_path):
    touch(tmp_path / ".data/a/1.wav")
    assert len(load_audio_folders(tmp_path / ".data").filenames) == 1


def link(path, target):
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("no right to make links here")


def test_links_are_followed_and_loops_end(tmp_path):
    touch(tmp_path / "root/a/1.wav", tmp_path / "root/a/s/2.wav", tmp_path / "elsewhere/3.wav")
    link(tmp_path / "root/a/s/up", tmp_path / "root/a")
    link(tmp_path / "root/a/s/self", tmp_path / "root/a/s")
    link(tmp_path / "root/a/t", tmp_path / "elsewhere")
    link(tmp_path / "root/b", tmp_path / "elsewhere")
    bunch = load_audio_folders(tmp_path / "root")
    assert relative(bunch, tmp_path / "root") == ["a/1.wav", "a/s/2.wav", "a/t/3.wav", "b/3.wav"]


def test_a_broken_link_is_listed_for_the_reader_to_name(tmp_path):
    touch(tmp_path / "a/1.wav")
    link(tmp_path / "a/2.wav", tmp_path / "gone.wav")
    assert relative(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav", "a/2.wav"]


def test_a_folder_that_may_not_be_listed_is_not_passed_over(tmp_path, monkeypatch):
    touch(tmp_path / "a/1.wav", tmp_path / "a/locked/2.wav")

    def scandir(path, original=os.scandir):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match=naming(tmp_path / "a/locked")):
        load_audio_folders(tmp_path)


# load_audio_folders: sound and video that is left out


@pytest.fixture(params=["with PyAV", "without PyAV"])
def has_ffmpeg(request, monkeypatch):
    has_ffmpeg = request.param == "with PyAV"
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: has_ffmpeg)
    return has_ffmpeg


@pytest.fixture
def without_ffmpeg(monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)


FOR_FFMPEG = [
    *["m4a", "m4b", "mp4", "mov", "3gp", "aac", "wma", "wmv", "asf", "webm", "weba", "mka", "mkv"],
    *["amr", "awb", "ac3", "eac3", "dts", "flv", "avi", "ts", "m2ts", "mpg", "vob", "ape", "wv"],
    *["tta", "mpc", "tak", "spx", "ogv"],
]
FOR_NOBODY = [
    *["mid", "midi", "ra", "rm", "m4p", "aax", "dff", "ofr", "gsm", "raw", "pcm", "vox", "shn"],
    *["dss", "swf", "at3", "mod", "xm", "sox", "adx", "mmf", "hcom", "aptx", "h264"],
]


def test_sound_for_ffmpeg_is_listed_where_that_is_installed(tmp_path, has_ffmpeg):
    names = ["1.wav", *(f"x.{extension}" for extension in FOR_FFMPEG), "Y.M4A"]
    touch(*(tmp_path / "a" / name for name in names))
    if has_ffmpeg:
        found = relative(load_audio_folders(tmp_path), tmp_path)
        assert found == sorted(f"a/{name}" for name in names)
        return
    with pytest.warns(UserWarning, match=re.escape('pip install "skdaf[ffmpeg]"')) as log:
        assert relative(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav"]
    assert f"Left out {len(names) - 1} sound or video files ({len(names) - 1} in 'a')" in str(
        log[0].message
    )


@pytest.mark.parametrize("extension", FOR_NOBODY)
def test_sound_for_nobody_is_named(tmp_path, has_ffmpeg, extension):
    touch(tmp_path / "a/1.wav", tmp_path / f"a/2.{extension.upper()}")
    with pytest.warns(UserWarning, match=naming(tmp_path / f"a/2.{extension.upper()}")) as log:
        assert relative(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav"]
    assert str(log[0].message).endswith("Convert them to FLAC.")


@pytest.mark.usefixtures("without_ffmpeg")
def test_one_warning_counts_class_by_class_and_names_the_first_files(tmp_path):
    touch(*(tmp_path / "c" / f"{i:02}.m4a" for i in range(9)), tmp_path / "c/1.wav")
    touch(tmp_path / "a/1.wav", tmp_path / "a/deep/2.webm", tmp_path / "a/3.mid")
    touch(tmp_path / "b/1.wav")
    with pytest.warns(UserWarning, match="Left out") as log:
        load_audio_folders(tmp_path)
    (warning,) = log
    text = str(warning.message)
    assert text.startswith("Left out 11 sound or video files (2 in 'a', 9 in 'c'): ")
    for path in ("a/deep/2.webm", "a/3.mid", "c/00.m4a", "c/07.m4a"):
        assert repr(str(tmp_path / path)) in text
    assert "c/08.m4a" not in text
    assert text.endswith(
        ' and 1 more. To read 10 of them, install FFmpeg: pip install "skdaf[ffmpeg]". '
        "Convert the others to FLAC."
    )
    assert warning.filename == __file__


@pytest.mark.usefixtures("without_ffmpeg")
def test_a_class_of_left_out_files_only_says_how_to_read_them(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "b/1.m4a", tmp_path / "b/2.m4a")
    with pytest.raises(
        ValueError, match=rf"{naming(tmp_path / 'b', tmp_path / 'b/1.m4a')}"
    ) as info:
        load_audio_folders(tmp_path)
    assert 'pip install "skdaf[ffmpeg]"' in str(info.value)


# load_audio_folders: names in two Unicode forms

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.fixture
def cafes(tmp_path):
    touch(tmp_path / COMPOSED / "b.wav", tmp_path / DECOMPOSED / "a.wav", tmp_path / "bar/1.wav")
    if len(os.listdir(tmp_path)) < 3:
        pytest.skip("this file system takes both forms for one")
    return tmp_path


@pytest.mark.parametrize("as_list", [False, True])
def test_two_unicode_forms_of_a_name_are_one_class(cafes, as_list):
    folders = [cafes / name for name in ("bar", COMPOSED, DECOMPOSED)] if as_list else cafes
    with pytest.warns(UserWarning, match="Unicode form") as log:
        bunch = load_audio_folders(folders)
    (warning,) = log
    for name in (COMPOSED, DECOMPOSED):
        assert repr(str(cafes / name)) in str(warning.message)
        assert ascii(name) in str(warning.message)
    assert warning.filename == __file__
    assert bunch.target_names == ["bar", COMPOSED]
    assert relative(bunch, cafes) == ["bar/1.wav", f"{DECOMPOSED}/a.wav", f"{COMPOSED}/b.wav"]
    np.testing.assert_array_equal(bunch.target, [0, 1, 1])


def test_a_class_has_the_same_name_whichever_form_its_folder_has(tmp_path):
    touch(tmp_path / "mac" / DECOMPOSED / "1.wav", tmp_path / "linux" / COMPOSED / "1.wav")
    for system in ("mac", "linux"):
        assert load_audio_folders(tmp_path / system).target_names == [COMPOSED]


def test_names_that_only_look_alike_stay_two_classes(tmp_path):
    touch(tmp_path / "\u00b2/1.wav", tmp_path / "2/1.wav")  # a superscript is no Unicode form
    assert load_audio_folders(tmp_path).target_names == ["2", "\u00b2"]


# load_audio_folders: errors


@pytest.mark.parametrize("as_list", [False, True])
def test_missing_folder(tmp_path, as_list):
    folder = tmp_path / "gone"
    with pytest.raises(FileNotFoundError, match=naming(folder)):
        load_audio_folders([folder] if as_list else folder)


@pytest.mark.parametrize("as_list", [False, True])
def test_file_for_a_folder(tmp_path, as_list):
    touch(tmp_path / "1.wav")
    with pytest.raises(NotADirectoryError, match=naming(tmp_path / "1.wav")):
        load_audio_folders([tmp_path / "1.wav"] if as_list else tmp_path / "1.wav")


@pytest.mark.parametrize("as_list", [False, True])
def test_class_without_audio(tmp_path, as_list):
    touch(tmp_path / "a/1.wav", tmp_path / "b/notes.txt", tmp_path / "b/.hidden.wav")
    folders = [tmp_path / "a", tmp_path / "b"] if as_list else tmp_path
    with pytest.raises(ValueError, match=rf"{naming(tmp_path / 'b')}.*\.flac.*\.wav"):
        load_audio_folders(folders)


def test_two_listed_folders_of_one_name(tmp_path):
    first, second = tmp_path / "x/dog", tmp_path / "y/dog"
    touch(first / "1.wav", second / "1.wav")
    with pytest.raises(ValueError, match=rf"'dog'.*{naming(first, second)}"):
        load_audio_folders([first, second])


def test_empty_list():
    with pytest.raises(ValueError, match="list of class folders is empty"):
        load_audio_folders([])


@pytest.mark.parametrize("with_class", [False, True])
@pytest.mark.parametrize("name", ["1.wav", "1.m4a"])
def test_recordings_directly_in_the_root(tmp_path, with_class, name):
    touch(tmp_path / name, tmp_path / "readme.txt", tmp_path / "z.wav")
    if with_class:
        touch(tmp_path / "a/1.wav")
    with pytest.raises(ValueError, match=rf"{naming(tmp_path / name)}.*one folder per class"):
        load_audio_folders(tmp_path)


def test_other_files_in_the_root_are_fine(tmp_path):
    touch(tmp_path / "readme.txt", tmp_path / "labels.csv", tmp_path / "a/1.wav")
    assert load_audio_folders(tmp_path).target_names == ["a"]


def test_empty_root(tmp_path):
    with pytest.raises(ValueError, match=rf"{naming(tmp_path)}.*one folder per class"):
        load_audio_folders(tmp_path)


@pytest.mark.parametrize("folders", [None, 3])
def test_not_a_folder_at_all(folders):
    with pytest.raises(ValueError, match="'folders' parameter"):
        load_audio_folders(folders)


# make_audio_dataset: the set


def test_returns_what_loading_gives(tmp_path):
    made = make_audio_dataset(tmp_path / "new/set", classes=KINDS[::-1], n_clips_per_class=2)
    loaded = load_audio_folders(tmp_path / "new/set")
    assert made.filenames == loaded.filenames
    assert made.target_names == loaded.target_names == KINDS
    np.testing.assert_array_equal(made.target, np.repeat(np.arange(len(KINDS)), 2))
    assert relative(made, tmp_path / "new/set")[:2] == [
        "falling_chirp/falling_chirp_000.wav",
        "falling_chirp/falling_chirp_001.wav",
    ]


@pytest.mark.parametrize("sampling_rate", [4000, 16000, 44100])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_are_as_asked(tmp_path, kind, sampling_rate):
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
def test_subtypes_hold_the_same_sound(tmp_path, subtype):
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


# make_audio_dataset: determinism


def test_same_arguments_same_bytes(tmp_path):
    for name in ("a", "b"):
        make_audio_dataset(tmp_path / name, classes=KINDS, n_clips_per_class=2)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert len(set(snapshot(tmp_path / "a").values())) == 2 * len(KINDS)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_files_do_not_hold_the_time_of_day(tmp_path, subtype):
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


def test_generator_moves_on_and_repeats_from_its_seed(tmp_path):
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


def test_a_clip_depends_on_seed_class_and_number_only(tmp_path):
    make_audio_dataset(tmp_path / "few", classes=["low_tone"], n_clips_per_class=2)
    make_audio_dataset(tmp_path / "many", classes=KINDS, n_clips_per_class=4)
    few, many = snapshot(tmp_path / "few"), snapshot(tmp_path / "many")
    assert len(few) == 2
    assert few.items() <= many.items()


def test_classes_are_drawn_independently(tmp_path):
    bunch = make_audio_dataset(tmp_path, classes=KINDS, n_clips_per_class=1)
    assert len({sf.info(filename).frames for filename in bunch.filenames}) == len(KINDS)


# make_audio_dataset: what is already there


def test_rewriting_touches_nothing_and_growing_adds(tmp_path):
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


def test_hidden_files_do_not_disturb(tmp_path):
    touch(tmp_path / ".DS_Store", tmp_path / "low_energy/.low_energy_000.wav.0.part")
    assert len(make_audio_dataset(tmp_path, n_clips_per_class=1).filenames) == 3


def test_an_interrupted_write_leaves_no_file_and_can_go_on(tmp_path, monkeypatch):
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


# make_audio_dataset: arguments


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
