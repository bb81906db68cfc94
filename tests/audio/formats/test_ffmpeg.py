"""Files that only FFmpeg reads are read whole. `test_containers.py` needs no FFmpeg."""

import csv
import itertools

import numpy as np
import pytest
import soundfile as sf
from ffmpeg_files import files, put
from helpers import CASES

from skdaf import (
    AudioReadError,
    Clip,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    check_audio,
    load_audio,
)
from skdaf._audio.formats import readers
from skdaf._audio.formats.ffmpeg import frames as _frames
from skdaf._audio.reading import read_info
from skdaf._audio.resampling import resample

av = pytest.importorskip("av")

LOSSLESS = ["M4A (ALAC)", "MOV (PCM)", "WavPack", "TTA"]


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
    """PyAV expects more planes than such frames have, and would crash."""
    path = put(tmp_path, kind, 8)
    mean, rate = load_audio(path)
    channels = [load_audio(path, channel=channel)[0] for channel in range(8)]
    np.testing.assert_allclose(np.mean(channels, axis=0), mean, atol=1e-6)
    assert read_info(Clip(path)).channels == 8
    assert 0.25 <= len(mean) / rate < 0.5


def test_more_channels_than_pyav_can_give_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_frames, "_MAX_PLANES", 1)
    path = put(tmp_path, "M4A (AAC)", 2)
    with pytest.raises(AudioReadError, match=r"2 channels .* at most 1 "):
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


def test_files_that_libsndfile_opens_but_does_not_read_are_read(tmp_path):
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
    with pytest.raises(AudioReadError, match=r"'b?.*b\.mp4': contains no audio \(only video\)"):
        load_audio(without)


def test_files_that_libsndfile_reads_are_not_opened_with_ffmpeg(tmp_path, monkeypatch):
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
