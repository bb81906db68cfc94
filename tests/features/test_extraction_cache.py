"""Extraction with a cache: hits, misses, damage, several processes."""

import multiprocessing
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from extracting import SETTINGS, extract, output_of
from helpers import wait_until_cacheable, write_noise

from skdaf import Clip, SpectrogramTransformer
from skdaf._core.cache import Cache, reset_index
from skdaf._features import extraction
from skdaf._features.spectrogram import SpectrogramSettings

pytestmark = pytest.mark.oldest

# --- with a cache: hits ---


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_cached_is_computed_bit_for_bit(clips, cache, features):
    settings = SpectrogramSettings(features, 16000, 512, 160, 64, 13, 0.0, 8000.0, 80.0)
    computed = output_of(extract(settings=settings)(clips))
    first = output_of(extract(cache, settings=settings)(clips))
    second = output_of(extract(cache, settings=settings)(clips))
    assert computed.tobytes() == first.tobytes() == second.tobytes()


def test_second_call_reads_no_audio(clips, cache, reads):
    extract(cache)(clips)
    assert reads == clips
    extract(cache)(clips[::-1])
    assert reads == clips


def test_only_new_clips_are_read(clips, cache, reads):
    extract(cache)(clips[:2])
    extract(cache)([clips[4], clips[0], clips[3], clips[1]])
    assert reads == [clips[0], clips[1], clips[4], clips[3]]


def test_values_are_those_of_their_clips_if_some_are_cached(clips, cache):
    expected = output_of(extract()(clips))
    extract(cache)([clips[1], clips[4]])
    np.testing.assert_allclose(output_of(extract(cache)(clips)), expected, atol=1e-3 / 20)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_frames": 7},
        {"length": "pad"},
        {"length": "tile"},
        {"standardize": False},
        {"mean_subtraction": 0.5},
    ],
    ids=str,
)
def test_length_and_standardization_are_applied_to_cached_values(clips, cache, reads, changes):
    extract(cache)(clips)
    expected = output_of(extract(**changes)(clips))
    reads.clear()
    np.testing.assert_array_equal(output_of(extract(cache, **changes)(clips)), expected)
    assert reads == []


def test_one_clip_twice_in_a_call(clips, cache):
    output = output_of(extract(cache)([clips[2], clips[0], clips[2]]))
    np.testing.assert_array_equal(output[0], output[2])


@pytest.mark.parametrize(
    "name",
    [lambda clip: Clip(os.path.relpath(clip.path)), lambda clip: Clip(clip.path, 0)],
    ids=["relative path", "whole number"],
)
def test_other_names_of_a_clip_hit(clips, cache, reads, name):
    extract(cache)(clips)
    reads.clear()
    extract(cache)([name(clip) for clip in clips])
    assert reads == []


def test_times_of_any_type_hit(clips, cache, reads):
    extract(cache)([Clip(clips[5].path, 0.125, 0.25)])
    reads.clear()
    extract(cache)([Clip(clips[5].path, np.float64(0.125), np.float32(0.25))])
    assert reads == []


# --- with a cache: misses ---

OTHER_SETTINGS = {
    "features": "mel+chroma",
    "sampling_rate": 8000,
    "window_length": 400,
    "hop_length": 100,
    "n_mels": 40,
    "fmin": 20.0,
    "fmax": 3000.0,
    "top_db": 60.0,
    "channel": 0,
}


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_other_parameters_miss(clips, cache, reads, name):
    values = {**vars(SETTINGS), "fmax": 4000.0}
    extract(cache, settings=SpectrogramSettings(**values))(clips)
    values[name] = OTHER_SETTINGS[name]
    reads.clear()
    output = output_of(extract(cache, settings=SpectrogramSettings(**values))(clips))
    assert reads == clips
    expected = output_of(extract(settings=SpectrogramSettings(**values))(clips))
    np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize(
    "span", [(0.01, None), (0.0, 0.09), (0.0, 1.0), (0.01, 0.09)], ids=lambda span: f"{span}"
)
def test_other_spans_miss(clips, cache, reads, span):
    extract(cache)(clips[:1])
    reads.clear()
    part = Clip(clips[0].path, *span)
    output = output_of(extract(cache)([part]))
    assert reads == [part]
    np.testing.assert_array_equal(output, output_of(extract()([part])))


def test_changed_file_of_the_same_length_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write_noise(clips[2].path, seed=99, n_samples=1600 * 3)
    assert os.stat(clips[2].path).st_size == status.st_size
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    reads.clear()
    output = output_of(extract(cache)(clips))
    assert reads == [clips[2]]
    np.testing.assert_array_equal(output[2], output_of(extract()([clips[2]]))[0])


def test_changed_file_of_the_same_time_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write_noise(clips[2].path, seed=2, n_samples=3000)
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    extract(cache)(clips)
    assert reads == [clips[2]]


@pytest.mark.skipif(os.name == "nt", reason="needs the time of any change")
def test_changed_file_of_the_same_length_and_time_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write_noise(clips[2].path, seed=99, n_samples=1600 * 3)
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    now = os.stat(clips[2].path)
    assert (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    reads.clear()
    output = output_of(extract(cache)(clips))
    assert reads == [clips[2]]
    np.testing.assert_array_equal(output[2], output_of(extract()([clips[2]]))[0])


@pytest.mark.parametrize("step", [10**9, 10**7], ids=["seconds", "ticks"])
def test_a_file_written_again_before_the_clock_ticks(cache, tmp_path, monkeypatch, step):
    def stat_audio(path):
        status = os.stat(path)
        times = {
            f"st_{kind}_ns": getattr(status, f"st_{kind}_ns") // step * step
            for kind in ("mtime", "ctime")
        }
        return SimpleNamespace(st_size=status.st_size, st_ino=status.st_ino, **times)

    monkeypatch.setattr(extraction, "stat_audio", stat_audio)
    clip = Clip(write_noise(tmp_path / "a.wav", 0))
    for seed in range(30):
        write_noise(clip.path, seed)
        output = output_of(extract(cache)([clip]))
        np.testing.assert_array_equal(output, output_of(extract()([clip])))


def test_a_file_changed_while_it_is_read_is_not_cached(clips, cache, monkeypatch):
    original = extraction.read_samples

    def read_samples(clip, *options):
        result = original(clip, *options)
        if clip == clips[2]:
            write_noise(clip.path, 99, 5000)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "read_samples", read_samples)
        old_keys = [extract(cache).key(clip, os.stat(clip.path)) for clip in clips]
        extract(cache)(clips)
    stored = [value is not None for value in Cache(cache).get_many(old_keys)]
    assert stored == [clip != clips[2] for clip in clips]


def test_a_file_that_vanishes_while_it_is_read_is_not_cached(clips, cache, monkeypatch):
    original = extraction.read_samples
    monkeypatch.setattr(
        extraction,
        "read_samples",
        lambda clip, *options: (original(clip, *options), os.remove(clip.path))[0],
    )
    extract(cache)(clips[:1])
    assert list(cache.iterdir()) == []


def test_another_file_with_the_same_content_misses(clips, cache, tmp_path, reads):
    extract(cache)(clips)
    status = os.stat(clips[0].path)
    copy = tmp_path / "other" / os.path.basename(clips[0].path)
    copy.parent.mkdir()
    shutil.copyfile(clips[0].path, copy)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    extract(cache)([Clip(str(copy))])
    assert len(reads) == 1


# --- with a cache: damage ---


def damage_a_value(file):
    with open(file, "r+b") as opened:
        opened.seek(-10, os.SEEK_END)
        opened.write(b"?")


def cut_the_end(file):
    os.truncate(file, file.stat().st_size - 1)


def damage_the_index(file):
    with open(file, "r+b") as opened:
        opened.seek(30)
        opened.write(b"?")


def overwrite_all(file):
    file.write_bytes(b"?" * file.stat().st_size)


@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh process", "same process"])
@pytest.mark.parametrize(
    "damage", [damage_a_value, cut_the_end, damage_the_index, overwrite_all, Path.unlink]
)
def test_damaged_entries_are_computed_again(clips, cache, reads, damage, is_fresh):
    expected = output_of(extract(cache)(clips))
    (file,) = cache.iterdir()
    damage(file)
    reads.clear()
    for _ in range(2):
        if is_fresh:
            reset_index()
        np.testing.assert_array_equal(output_of(extract(cache)(clips)), expected)
    if is_fresh or damage is not damage_the_index:
        assert clips[-1] in reads
    assert len(reads) <= len(clips)


def test_bad_file_is_reported_and_the_good_ones_are_cached(clips, cache, tmp_path, reads):
    damaged = tmp_path / "damaged.flac"
    write_noise(damaged, n_samples=16000)
    os.truncate(damaged, os.path.getsize(damaged) // 2)
    bad = [Clip(str(tmp_path / "missing.wav")), Clip(str(damaged))]
    (output, _), errors = extract(cache)([bad[0], *clips, bad[1]])
    assert sorted(path for error in errors for path in error.paths) == sorted(
        clip.path for clip in bad
    )
    reads.clear()
    np.testing.assert_array_equal(output_of(extract(cache)(clips)), output[1:-1])
    assert reads == []


def test_bad_file_is_never_cached(clips, cache, tmp_path):
    path = tmp_path / "late.wav"
    assert len(extract(cache)([Clip(str(path))])[1]) == 1
    shutil.copyfile(clips[0].path, path)
    output = output_of(extract(cache)([Clip(str(path))]))
    np.testing.assert_array_equal(output, output_of(extract()(clips[:1])))


def test_without_a_usable_cache_an_extraction_warns_and_computes(clips, cache):
    cache.write_text("something else")
    with pytest.warns(UserWarning, match="cannot be used as a cache") as seen:
        output = output_of(extract(cache)(clips))
    assert repr(str(cache)) in str(seen[0].message)
    np.testing.assert_array_equal(output, output_of(extract()(clips)))


def test_an_unusable_cache_is_an_error_in_fit(paths, cache):
    cache.write_text("something else")
    with pytest.raises(ValueError, match="cannot be used as a cache"):
        SpectrogramTransformer(cache=cache).fit_transform(paths)


# --- with a cache: many processes ---


@pytest.fixture
def many(tmp_path):
    """More clips than one chunk, so that both workers have work."""
    written = [write_noise(tmp_path / f"many{i}.wav", i, 400 + i) for i in range(150)]
    wait_until_cacheable()
    return written


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_share_a_cache(many, cache, reads, backend):
    plain = SpectrogramTransformer(n_mels=16).fit_transform(many)
    cached = SpectrogramTransformer(n_mels=16, cache=cache, n_jobs=2)
    with joblib.parallel_config(backend=backend):
        np.testing.assert_array_equal(cached.fit_transform(many), plain)
    reads.clear()
    cached.set_params(n_jobs=None)
    np.testing.assert_array_equal(cached.fit_transform(many), plain)
    assert reads == []


def test_a_full_disk_gives_one_warning_and_one_attempt_per_fit(many, cache, monkeypatch):
    attempts, open_file = [], open

    def refuse(path, mode="r", *args, **options):
        if mode == "ab":
            attempts.append(path)
            raise OSError(28, "No space left on device", path)
        return open_file(path, mode, *args, **options)

    monkeypatch.setattr("builtins.open", refuse)
    # The headers are one chunk, and the spectrograms are three.
    with pytest.warns(UserWarning, match="written") as seen:
        cached = SpectrogramTransformer(n_mels=16, cache=cache).fit_transform(many)
    assert len(seen) == len(attempts) == 1
    assert os.path.basename(attempts[0]) not in str(seen[0].message)
    plain = SpectrogramTransformer(n_mels=16).fit_transform(many)
    np.testing.assert_array_equal(cached, plain)


def _transform(transformer, paths, queue):
    try:
        queue.put(transformer.transform(paths).tobytes())
    except BaseException as error:
        queue.put(repr(error))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs processes that fork"
)
# Python 3.12 warns of forks of processes with threads, but this test is about such a fork.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_process_uses_a_cache_that_its_parent_has_open(paths, cache, tmp_path):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    new = write_noise(tmp_path / "new.wav", 77)
    before = transformer.transform(paths)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_transform, args=(transformer, [*paths, new], queue))
    child.start()
    try:
        result = queue.get(timeout=30)
    finally:
        child.join(timeout=10)
    expected = transformer.transform([*paths, new])
    assert result == expected.tobytes()
    np.testing.assert_array_equal(expected[:-1], before)


def test_a_transformer_with_an_open_cache_can_be_pickled(paths, cache, reads):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    expected = transformer.transform(paths)
    copy = pickle.loads(pickle.dumps(transformer))
    reads.clear()
    np.testing.assert_array_equal(copy.transform(paths), expected)
    assert reads == []


def test_another_process_reads_cached_values(paths, cache):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    expected = transformer.transform(paths)
    call = joblib.delayed(_transform_without_reading)(transformer, paths)
    ((result, n_reads),) = joblib.Parallel(n_jobs=2, backend="loky")([call])
    np.testing.assert_array_equal(result, expected)
    assert n_reads == 0


def _transform_without_reading(transformer, paths):
    original, seen = extraction.read_samples, []
    extraction.read_samples = lambda *arguments: seen.append(arguments) or original(*arguments)
    try:
        return transformer.transform(paths), len(seen)
    finally:
        extraction.read_samples = original
