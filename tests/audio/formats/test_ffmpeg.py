"""Files that only FFmpeg reads, written by it on the spot. `test_containers.py` needs no FFmpeg."""

import csv
import ctypes
import hashlib
import io
import itertools
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers import CASES

av = pytest.importorskip("av", reason="PyAV is not installed")

# ruff: noqa: E402 - the benchmark imports PyAV
from benchmarks import _containers as files
from skdaf import (
    AudioReadError,
    Clip,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    check_audio,
    load_audio,
)
from skdaf._audio.formats import readers
from skdaf._audio.formats.ffmpeg import decoder as _decoder
from skdaf._audio.formats.ffmpeg import frames as _frames
from skdaf._audio.formats.ffmpeg.decoder import idle_decoders
from skdaf._audio.formats.ffmpeg.facts import forget_facts
from skdaf._audio.formats.ffmpeg.files import FFmpegFile
from skdaf._audio.opening import open_audio
from skdaf._audio.reading import read_info
from skdaf._audio.resampling import resample

LOSSLESS = ["M4A (ALAC)", "MOV (PCM)", "WavPack", "TTA"]

# Their frames are all there is: what is left of a frame that is cut off does not count.
STREAMS = ["AAC", "AC3", "EAC3", "AMR", "MPEG-TS", "MPEG-PS"]


# Wrong bytes among their samples are samples as well.
UNPROTECTED = ["MOV (PCM)", "MKA (PCM)", "AMR", "3GP (AMR)", "AVI"]


def put(folder, kind, n_channels=1, name=None, **options):
    path = folder / (name or f"sound{files.CONTAINERS[kind][0]}")
    path.write_bytes(files.written(kind, n_channels, **options))
    return str(path)


@pytest.fixture(autouse=True)
def fresh():
    idle_decoders.clear()
    forget_facts()


@pytest.fixture
def decoded(monkeypatch):
    """Count the frames that are decoded."""
    counted, original = [], _frames._samples_of

    def samples_of(frame):
        counted.append(frame.samples)
        return original(frame)

    monkeypatch.setattr(_frames, "_samples_of", samples_of)
    return counted


# Whole files.


@pytest.mark.parametrize("kind", files.CONTAINERS)
def test_a_file_is_read_whole_and_in_parts(tmp_path, kind):
    path = put(tmp_path, kind, 2)
    samples, rate = load_audio(path)
    assert rate == files.CONTAINERS[kind][3]
    assert samples.dtype == np.float32
    # Encoders add silence at both ends; that of WMA drops the rest of a frame.
    assert (0.2 if kind == "WMA" else 0.25) <= len(samples) / rate < 0.5
    assert 0.1 < np.abs(samples).max() < 0.6
    info, row = read_info(Clip(path)), check_audio([path]).loc[0]
    assert row.ok
    assert (info.n_frames, info.sampling_rate) == (len(samples), rate)
    assert (row.duration, row.channels, row.format) == (
        len(samples) / rate, info.channels, info.format,
    )  # fmt: skip
    places = [0, 1, 999, len(samples) // 2, len(samples) - 1, len(samples)]
    for first, last in itertools.permutations(places, 2):
        if first < last:
            part, _ = load_audio(path, start=first / rate, end=last / rate)
            np.testing.assert_array_equal(part, samples[first:last])
            assert read_info(Clip(path, first / rate, last / rate)).n_frames == last - first
    with pytest.raises(AudioReadError, match="the clip starts at"):
        load_audio(path, start=len(samples) / rate)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("kind", [*LOSSLESS, "MKA (PCM)"])
def test_codecs_without_loss_give_what_was_written(tmp_path, kind, n_channels):
    path = put(tmp_path, kind, n_channels)
    written = files.samples(files.CONTAINERS[kind][3], n_channels)
    step = 2.0**-15 if kind in LOSSLESS else 0
    for channel in range(n_channels):
        found, _ = load_audio(path, channel=channel)
        np.testing.assert_allclose(found, written[:, channel], rtol=0, atol=step)


@pytest.mark.parametrize("kind", ["M4A (AAC)", "WavPack"])
def test_eight_channels_are_read(tmp_path, kind):
    """PyAV takes more planes for granted than such frames have: reading them would crash."""
    path = put(tmp_path, kind, 8)
    mean, rate = load_audio(path)
    channels = [load_audio(path, channel=channel)[0] for channel in range(8)]
    np.testing.assert_allclose(np.mean(channels, axis=0), mean, atol=1e-6)
    assert read_info(Clip(path)).channels == 8
    assert 0.25 <= len(mean) / rate < 0.5


def test_more_channels_than_pyav_can_give_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_frames, "_MOST_PLANES", 1)
    path = put(tmp_path, "M4A (AAC)", 2)
    with pytest.raises(AudioReadError, match="has 2 channels in a codec of which at most 1 are"):
        load_audio(path)
    assert not check_audio([path]).ok[0]


@pytest.mark.parametrize(
    ("codec", "subtype"),
    [
        *[("pcm_u8", "PCM_U8"), ("pcm_s16be", "PCM_16"), ("pcm_s24le", "PCM_24")],
        *[("pcm_s32le", "PCM_32"), ("pcm_f32le", "FLOAT"), ("pcm_f64le", "DOUBLE")],
    ],
)
def test_full_scale_is_1_for_every_kind_of_sample(tmp_path, codec, subtype):
    written = np.array([[0.0, 0.5], [-1.0, 0.25], [0.75, -0.5]] * 100, np.float32)
    path = tmp_path / "a.mkv"
    path.write_bytes(files.encoded(written, 8000, "matroska", codec))
    for channel in (0, 1):
        found, _ = load_audio(path, channel=channel)
        np.testing.assert_array_equal(found, written[:, channel])
    assert read_info(Clip(path)).subtype == subtype


# The extensions of files without a header, of which libsndfile believes the name, are among them.
NAMES = ["a.wav", "a.mp3", "a.ogg", "a.raw", "a.vox", "a.gsm", "a.txt", "a", "\udcff.m4a"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["M4A (AAC)", "WebM (Opus)", "WMA", "AAC", "AC3"])
def test_the_content_decides_not_the_name(tmp_path, kind, name):
    expected = load_audio(put(tmp_path, kind))[0]
    np.testing.assert_array_equal(load_audio(put(tmp_path, kind, name=name))[0], expected)


@pytest.mark.parametrize("suffix", ["vox", "gsm"])
def test_files_without_a_header_are_read_by_their_name_as_before(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(3300))
    assert check_audio([path]).format[0] == "RAW"


def test_what_libsndfile_does_not_read_of_its_own_formats_is_read(tmp_path):
    sound = files.samples(16_000, 2)
    for muxer in ("caf", "mov"):
        path = tmp_path / f"a.{muxer}"
        path.write_bytes(files.encoded(sound, 16_000, muxer, "alac"))
        np.testing.assert_allclose(load_audio(path, channel=1)[0], sound[:, 1], atol=2**-15)


def test_tags_do_not_matter(tmp_path):
    path = tmp_path / "a.aac"
    path.write_bytes(
        b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + files.written("AAC") + b"TAG" + bytes(125)
    )
    np.testing.assert_array_equal(load_audio(path)[0], load_audio(put(tmp_path, "AAC"))[0])


def test_resampling_is_that_of_other_files(tmp_path):
    path = put(tmp_path, "M4A (AAC)")
    samples, rate = load_audio(path)
    np.testing.assert_array_equal(
        load_audio(path, sampling_rate=11_025)[0], resample(samples, rate, 11_025)
    )


def test_the_sound_of_a_video_is_read(tmp_path):
    with_sound, without = tmp_path / "a.mp4", tmp_path / "b.mp4"
    for path in (with_sound, without):
        with av.open(str(path), "w") as container:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
            sound = container.add_stream("aac", rate=16_000) if path == with_sound else None
            for _ in range(3):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
            if sound is not None:
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
                frame.sample_rate = 16_000
                container.mux(sound.encode(frame))
                container.mux(sound.encode(None))
    assert load_audio(with_sound)[0].size >= 8000
    with pytest.raises(AudioReadError, match=r"'b?.*b\.mp4': holds no sound \(only video\)"):
        load_audio(without)


def test_files_of_libsndfile_never_come_here(tmp_path, monkeypatch):
    paths = [tmp_path / f"a.{name}" for name in ("wav", "flac", "ogg", "mp3", "aiff", "caf", "au")]
    for path in paths:
        sf.write(path, files.samples(16_000, 2), 16_000)
    monkeypatch.setattr(readers, "open_container", None)
    assert check_audio(paths).ok.all()


def test_transformers_read_them_with_any_number_of_workers(tmp_path):
    kinds = ["M4A (AAC)", "WebM (Opus)", "WMA", "AAC", "WavPack"]
    paths = [put(tmp_path, kind) for kind in kinds] * 8
    for transformer in (SpectrogramTransformer(), PyAudioAnalysisTransformer(sampling_rate=16_000)):
        alone = transformer.fit_transform(paths)
        together = transformer.set_params(n_jobs=2).fit_transform(paths)
        np.testing.assert_array_equal(alone, together)
        assert np.isfinite(alone).all()


# Whatever is wrong.


@pytest.mark.parametrize("kind", files.CONTAINERS)
def test_a_file_that_has_lost_its_end_is_never_taken_for_a_shorter_one(tmp_path, kind):
    content, whole = files.written(kind), load_audio(put(tmp_path, kind))[0]
    path = tmp_path / "cut"
    for n_bytes in (len(content) // 3, len(content) // 2, len(content) - 40):
        path.write_bytes(content[:n_bytes])
        if kind in STREAMS:
            # All that can be decoded. A codec may smooth the end.
            try:
                part = load_audio(path)[0]
            except AudioReadError:
                assert kind.startswith("MPEG")
                continue
            assert len(part) <= len(whole)
            n_alike = max(0, len(part) - 1024)
            np.testing.assert_array_equal(part[:n_alike], whole[:n_alike])
            continue
        with pytest.raises(AudioReadError, match=r"cut': the file is (truncated|damaged)"):
            load_audio(path)
        assert not check_audio([path]).ok[0]
        with pytest.raises(AudioReadError):
            read_info(Clip(path))


@pytest.mark.parametrize("kind", [kind for kind in files.CONTAINERS if kind not in UNPROTECTED])
def test_damage_inside_is_named(tmp_path, kind):
    content = files.written(kind, 2, 2.0)
    middle, noise = len(content) // 2, np.random.default_rng(0).bytes(600)
    path = tmp_path / "damaged"
    path.write_bytes(content[:middle] + noise + content[middle + 600 :])
    with pytest.raises(AudioReadError, match=r"damaged': (.* damaged|not readable)"):
        load_audio(path)
    # One answer, whatever part is asked for.
    with pytest.raises(AudioReadError, match=r"damaged': (.* damaged|not readable)"):
        load_audio(path, end=0.1)


def test_a_sample_that_is_no_number_is_named(tmp_path):
    sound = files.samples(8000, 1)
    sound[1000] = np.nan
    path = tmp_path / "a.mka"
    path.write_bytes(files.encoded(sound, 8000, "matroska", "pcm_f32le"))
    with pytest.raises(AudioReadError, match=r"the sample at 0\.125 s is NaN"):
        load_audio(path)
    assert not check_audio([path]).ok[0]


def test_absurd_rates_are_refused(tmp_path):
    path = tmp_path / "a.mka"
    path.write_bytes(files.encoded(files.samples(8000, 1), 50, "matroska", "pcm_s16le"))
    with pytest.raises(AudioReadError, match="a sampling rate of 50 Hz is not audio"):
        load_audio(path)


@pytest.mark.parametrize("kind", ["MKA (PCM)", "MOV (PCM)"])
def test_a_file_without_samples_is_refused(tmp_path, kind):
    _, muxer, codec, rate = files.CONTAINERS[kind]
    path = tmp_path / "empty"
    path.write_bytes(files.encoded(np.zeros((1, 1), np.float32), rate, muxer, codec))
    assert len(load_audio(path)[0]) == 1
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=muxer) as container:
        container.add_stream(codec, rate=rate, layout="mono")
        container.start_encoding()
    path.write_bytes(buffer.getvalue())
    with pytest.raises(
        AudioReadError, match=r"empty': (holds no sound|.* before its first sample)"
    ):
        load_audio(path)


@pytest.mark.parametrize(
    ("rate", "n_channels", "change"),
    [(32_000, 1, "32000 Hz and 1"), (16_000, 2, "16000 Hz and 2")],
)
def test_a_stream_that_changes_is_refused(tmp_path, rate, n_channels, change):
    other = files.encoded(files.samples(rate, n_channels), rate, "adts", "aac")
    path = tmp_path / "a.aac"
    path.write_bytes(files.written("AAC") + other)
    with pytest.raises(AudioReadError, match=f"from 16000 Hz and 1 channel.* to {change} channel"):
        load_audio(path)


def test_joined_streams_are_read_whole(tmp_path):
    path = tmp_path / "a.aac"
    path.write_bytes(2 * files.written("AAC"))
    assert len(load_audio(path)[0]) == 2 * len(load_audio(put(tmp_path, "AAC"))[0])


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_frames, "_MOST_FRAMES_PER_BYTE", 1)
    with pytest.raises(AudioReadError, match="repeats itself without end"):
        load_audio(put(tmp_path, "AAC"))


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\n{0}\n", "ffconcat version 1.0\nfile {0}\n", "v=0\nm=audio 0 {0}"]
)
def test_lists_that_name_other_files_are_not_followed(tmp_path, text):
    other = put(tmp_path, "AAC")
    path = tmp_path / "list.m4a"
    path.write_text(text.format(other))
    with pytest.raises(AudioReadError, match="not readable as audio"):
        load_audio(path)


@pytest.mark.parametrize("number", range(len(files.KINDS)))
def test_damaged_files_end_in_samples_or_in_a_sentence(tmp_path, capfd, number):
    if sys.platform != "linux":
        pytest.skip("the benchmark is for Linux")
    from benchmarks import fuzz

    for i in range(4):
        case = files.case(7, number + i * len(files.KINDS))
        path = tmp_path / f"{i}{case.extension}"
        path.write_bytes(case.content)
        outcome, defects = fuzz.examine(str(path))
        assert not defects, f"{case.number} ({case.mutations}): {defects}"
        assert outcome in (fuzz.READ, fuzz.REFUSED)
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")


def test_a_seed_makes_the_same_files_in_every_process():
    code = "from benchmarks._containers import case; import hashlib\n"
    code += "for n in range(44): print(hashlib.md5(case(7, n).content).hexdigest())"
    root = Path(files.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    expected = [hashlib.md5(files.case(7, number).content).hexdigest() for number in range(44)]
    assert run.stdout.split() == expected


# Parts of long recordings.


def test_windows_in_a_row_are_decoded_once(tmp_path, decoded):
    path = put(tmp_path, "AAC", seconds=20.0)
    n_frames, rate = read_info(Clip(path)).n_frames, 16_000
    assert sum(decoded) == n_frames
    whole, _ = load_audio(path)
    # It is short enough to be kept as a whole.
    assert sum(decoded) == n_frames
    windows = [(start, start + 16_000) for start in range(0, n_frames - 16_000, 4000)]
    for first, last in windows:
        part, _ = load_audio(path, start=first / rate, end=last / rate)
        np.testing.assert_array_equal(part, whole[first:last])
    assert sum(decoded) == n_frames


def test_a_long_recording_is_decoded_once_for_its_length_and_once_for_its_windows(
    tmp_path, decoded, monkeypatch
):
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 40_000)
    monkeypatch.setattr(_frames, "_BLOCK_SAMPLES", 5000)
    path = put(tmp_path, "AAC", seconds=20.0)
    n_frames, rate = read_info(Clip(path)).n_frames, 16_000
    windows = [(start, start + 16_000) for start in range(0, n_frames - 16_000, 4000)]
    parts = [load_audio(path, start=a / rate, end=b / rate)[0] for a, b in windows]
    assert sum(decoded) <= 2 * n_frames
    backwards = [load_audio(path, start=a / rate, end=b / rate)[0] for a, b in windows[::-7]]
    monkeypatch.undo()
    idle_decoders.clear()
    whole, _ = load_audio(path)
    for (first, last), part in zip(windows, parts, strict=True):
        np.testing.assert_array_equal(part, whole[first:last])
    for (first, last), part in zip(windows[::-7], backwards, strict=True):
        np.testing.assert_array_equal(part, whole[first:last])


def test_a_decoder_keeps_a_bounded_number_of_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 40_000)
    monkeypatch.setattr(_frames, "_BLOCK_SAMPLES", 5000)
    for number in range(2 * _decoder._MOST_IDLE):
        load_audio(put(tmp_path, "AAC", 2, name=f"{number}.aac", seconds=20.0))
    decoders = idle_decoders._decoders.values()
    assert len(decoders) == _decoder._MOST_IDLE
    for decoder in decoders:
        assert sum(block.size for block in decoder._kept) <= 40_000 + 2 * 5000 + 4096


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_waiting_decoder_keeps_no_file_open(tmp_path):
    path = put(tmp_path, "M4A (AAC)", seconds=5.0)
    load_audio(path, end=0.5)
    assert idle_decoders._decoders
    (tmp_path / "cut.m4a").write_bytes(Path(path).read_bytes()[:2000])
    with pytest.raises(AudioReadError):
        load_audio(tmp_path / "cut.m4a")
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    opened = [os.readlink(link) for link in links if os.path.exists(link)]
    assert [name for name in opened if name.startswith(str(tmp_path))] == []


def test_a_file_that_is_replaced_is_read_again(tmp_path):
    path = put(tmp_path, "AAC")
    first, _ = load_audio(path)
    Path(path).write_bytes(files.written("AAC", 1, 1.0))
    assert len(load_audio(path)[0]) > 2 * len(first)
    Path(path).write_bytes(files.written("AAC", 2))
    assert check_audio([path]).channels[0] == 2


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, monkeypatch):
    path = put(tmp_path, "AAC", seconds=5.0)
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 20_000)
    with open_audio(path) as file:  # known, and at its end
        assert file.frames > 80_000
    facts = next(iter(idle_decoders._decoders.values()))._facts
    Path(path).write_bytes(files.written("AAC", 2, 5.0))
    with pytest.raises(AudioReadError, match=r"sound\.aac': has changed while it was read"):
        FFmpegFile(path, facts)


def test_threads_read_one_file_at_the_same_time(tmp_path):
    path, rate = put(tmp_path, "AAC", seconds=3.0), 16_000
    whole, _ = load_audio(path)
    starts = [*range(0, 32_000, 1000)] * 3

    def read(start):
        return load_audio(path, start=start / rate, end=(start + 8000) / rate)[0]

    with ThreadPoolExecutor(6) as pool:
        for start, part in zip(starts, pool.map(read, starts), strict=True):
            np.testing.assert_array_equal(part, whole[start : start + 8000])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_where_its_parent_was(tmp_path):
    path = put(tmp_path, "AAC", seconds=3.0)
    whole, rate = load_audio(path)
    load_audio(path, start=1.0, end=1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        part, _ = load_audio(path, start=1.25, end=1.75)
        os._exit(not np.array_equal(part, whole[round(1.25 * rate) : round(1.75 * rate)]))
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(load_audio(path, start=1.5)[0], whole[round(1.5 * rate) :])


def test_one_thread_decodes(tmp_path):
    with av.open(put(tmp_path, "M4A (AAC)")) as container:
        assert _frames._sound_of(container).codec_context.thread_count == 1


# The given cases.


def test_given_files_are_read_whole():
    folder = CASES / "audio"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    with open(folder / "cases.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if "with the extra" in row["right"]]
    assert len(rows) >= 2
    for row in rows:
        samples, rate = load_audio(folder / row["file"])
        assert len(samples) / rate == pytest.approx(1.5, abs=0.05)
        assert check_audio([folder / row["file"]]).ok[0]
