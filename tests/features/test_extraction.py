import multiprocessing
import os
import pickle
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, Clip, SpectrogramTransformer
from skdaf._core.cache import Cache, reset_index
from skdaf._features import extraction, spectrogram_transformer
from skdaf._features.extraction import Extraction, compute_rows
from skdaf._features.resizing import soften_levels
from skdaf._features.spectrogram import SpectrogramSettings
from skdaf._features.spectrogram_transformer import SpectrogramExtraction

pytestmark = pytest.mark.oldest

SETTINGS = SpectrogramSettings("mel", 16000, 512, 160, 64, 13, 0.0, 8000.0, 80.0)


def extract(cache=None, *, settings=SETTINGS, n_frames=20, length="resize", standardize=True):
    return SpectrogramExtraction(settings, n_frames, length, standardize, cache)


def write(path, seed=0, n_samples=4000, sampling_rate=16000):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(n_samples)
    sf.write(path, samples, sampling_rate)
    return str(path)


def settle():
    """Wait until the files just written are old enough to be cached."""
    time.sleep(1.2e-9 * extraction._FINE_STEP)


@pytest.fixture
def paths(tmp_path):
    written = [write(tmp_path / f"{i}.wav", i, 1500 + 700 * i) for i in range(6)]
    settle()
    return written


@pytest.fixture
def clips(paths):
    return [Clip(path) for path in paths]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch):
    """List the clips whose samples have been read, in this process."""
    seen = []

    def read_clip(clip, *options):
        seen.append(clip)
        return original(clip, *options)

    original = extraction.read_clip
    monkeypatch.setattr(extraction, "read_clip", read_clip)
    return seen


def assert_no_errors(result):
    output, errors = result
    assert errors == []
    return output


# --- without a cache -------------------------------------------------------------------------


@pytest.mark.parametrize("length", ["resize", "pad"])
@pytest.mark.parametrize("limit", [1, 3000, 6000])
def test_group_boundaries_change_nothing(clips, monkeypatch, length, limit):
    whole = assert_no_errors(extract(length=length)(clips))
    monkeypatch.setattr(extraction, "_SAMPLES_PER_GROUP", limit)
    # Measured: equal bit for bit.
    np.testing.assert_allclose(
        assert_no_errors(extract(length=length)(clips)), whole, atol=1e-3 / 20
    )


def test_group_ends_when_it_holds_enough_samples(clips, monkeypatch):
    sizes = []
    compute = spectrogram_transformer.compute_spectrograms

    def spectrograms(waveforms, settings):
        sizes.append([len(samples) for samples in waveforms])
        return compute(waveforms, settings)

    monkeypatch.setattr(spectrogram_transformer, "compute_spectrograms", spectrograms)
    monkeypatch.setattr(extraction, "_SAMPLES_PER_GROUP", 4000)
    extract()(clips)
    assert sizes == [[1500, 2200, 2900], [3600, 4300], [5000]]


def test_waveforms_need_no_files(clips, cache):
    waveforms = [sf.read(clip.path, dtype="float32")[0] for clip in clips]
    expected = assert_no_errors(extract()(clips))
    np.testing.assert_array_equal(assert_no_errors(extract(cache)(waveforms)), expected)
    assert not cache.exists()


def test_padding_is_standardized_with_the_clip(tmp_path):
    clip = Clip(write(tmp_path / "a.wav", n_samples=1600))
    plain = assert_no_errors(extract(n_frames=30, length="pad", standardize=False)([clip]))[0]
    standardized = assert_no_errors(extract(n_frames=30, length="pad")([clip]))[0]
    np.testing.assert_array_equal(plain[11:], -80.0)
    softened = soften_levels(plain).astype(float)
    own = softened[:11]
    expected = (softened - own.mean()) / own.std()
    np.testing.assert_allclose(standardized, np.maximum(expected, -10.0), atol=1e-4)
    assert (expected[11:] < -10.0).all()  # steady noise has little spread


def test_bad_file_leaves_the_others_alone(clips, tmp_path):
    good = assert_no_errors(extract()(clips))
    bad = [Clip(str(tmp_path / "missing.wav")), Clip(clips[0].path, 99.0)]
    output, errors = extract()([bad[0], *clips, bad[1]])
    np.testing.assert_array_equal(output[1:-1], good)
    assert [error.paths for error in errors] == [[bad[0].path], [clips[0].path]]
    assert all(type(error) is AudioReadError for error in errors)


def test_recipe_survives_pickling(clips, cache):
    first = extract(cache)
    expected = assert_no_errors(first(clips))
    copy = pickle.loads(pickle.dumps(first))
    assert copy == first
    np.testing.assert_array_equal(assert_no_errors(copy(clips)), expected)


# --- chunks ----------------------------------------------------------------------------------


def sizes_of_chunks(clips):
    """Return how many clips each call of a recipe gets."""

    class Sizes(Extraction):
        row_shape, dtype, cache = (), int, None

        def __call__(self, chunk):
            return np.full(len(chunk), len(chunk)), []

    counts = compute_rows(Sizes(), clips, n_jobs=None, verbose=0, description="")
    return sorted(set(counts))


def long_file(path, n_bytes):
    with open(path, "wb") as file:
        file.truncate(n_bytes)
    return Clip(str(path))


def test_a_chunk_holds_fewer_long_recordings(tmp_path):
    short, middle, long = (long_file(tmp_path / f"{n}", n) for n in (32_000, 441_044, 10**9))
    assert sizes_of_chunks([short] * 128) == [64]
    assert sizes_of_chunks([middle] * 60) == [4]
    assert sizes_of_chunks([long] * 12) == [4]
    assert sizes_of_chunks([short, long] * 64) == [4]
    assert sizes_of_chunks([np.zeros(40_000, np.float32)] * 26) == [13]


def test_parts_and_files_that_are_gone_do_not_weigh(tmp_path):
    part = Clip(long_file(tmp_path / "long", 10**9).path, 5.0, 6.0)
    assert sizes_of_chunks([part] * 128) == [64]
    assert sizes_of_chunks([Clip(str(tmp_path / "gone"))] * 128) == [64]


# --- with a cache: hits ----------------------------------------------------------------------


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_cached_is_computed_bit_for_bit(clips, cache, features):
    settings = SpectrogramSettings(features, 16000, 512, 160, 64, 13, 0.0, 8000.0, 80.0)
    computed = assert_no_errors(extract(settings=settings)(clips))
    first = assert_no_errors(extract(cache, settings=settings)(clips))
    second = assert_no_errors(extract(cache, settings=settings)(clips))
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


def test_values_land_at_their_own_clips_when_some_are_cached(clips, cache):
    expected = assert_no_errors(extract()(clips))
    extract(cache)([clips[1], clips[4]])
    np.testing.assert_allclose(assert_no_errors(extract(cache)(clips)), expected, atol=1e-3 / 20)


@pytest.mark.parametrize(
    "changes", [{"n_frames": 7}, {"length": "pad"}, {"standardize": False}], ids=str
)
def test_length_and_standardization_hit_and_are_applied(clips, cache, reads, changes):
    extract(cache)(clips)
    expected = assert_no_errors(extract(**changes)(clips))
    reads.clear()
    np.testing.assert_array_equal(assert_no_errors(extract(cache, **changes)(clips)), expected)
    assert reads == []


def test_one_clip_twice_in_a_call(clips, cache):
    output = assert_no_errors(extract(cache)([clips[2], clips[0], clips[2]]))
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


# --- with a cache: misses --------------------------------------------------------------------

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
    output = assert_no_errors(extract(cache, settings=SpectrogramSettings(**values))(clips))
    assert reads == clips
    expected = assert_no_errors(extract(settings=SpectrogramSettings(**values))(clips))
    np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize(
    "span", [(0.01, None), (0.0, 0.09), (0.0, 1.0), (0.01, 0.09)], ids=lambda span: f"{span}"
)
def test_other_spans_miss(clips, cache, reads, span):
    extract(cache)(clips[:1])
    reads.clear()
    part = Clip(clips[0].path, *span)
    output = assert_no_errors(extract(cache)([part]))
    assert reads == [part]
    np.testing.assert_array_equal(output, assert_no_errors(extract()([part])))


def test_changed_file_of_the_same_length_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write(clips[2].path, seed=99, n_samples=1500 + 700 * 2)
    assert os.stat(clips[2].path).st_size == status.st_size
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    reads.clear()
    output = assert_no_errors(extract(cache)(clips))
    assert reads == [clips[2]]
    np.testing.assert_array_equal(output[2], assert_no_errors(extract()([clips[2]]))[0])


def test_changed_file_of_the_same_time_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write(clips[2].path, seed=2, n_samples=3000)
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    extract(cache)(clips)
    assert reads == [clips[2]]


@pytest.mark.skipif(os.name == "nt", reason="needs the time of any change")
def test_changed_file_of_the_same_length_and_time_misses(clips, cache, reads):
    extract(cache)(clips)
    status = os.stat(clips[2].path)
    write(clips[2].path, seed=99, n_samples=1500 + 700 * 2)
    os.utime(clips[2].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    now = os.stat(clips[2].path)
    assert (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    reads.clear()
    output = assert_no_errors(extract(cache)(clips))
    assert reads == [clips[2]]
    np.testing.assert_array_equal(output[2], assert_no_errors(extract()([clips[2]]))[0])


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
    clip = Clip(write(tmp_path / "a.wav", 0))
    for seed in range(30):
        write(clip.path, seed)
        output = assert_no_errors(extract(cache)([clip]))
        np.testing.assert_array_equal(output, assert_no_errors(extract()([clip])))


def test_a_file_changed_while_it_is_read_is_not_cached(clips, cache, monkeypatch):
    original = extraction.read_clip

    def read_clip(clip, *options):
        result = original(clip, *options)
        if clip == clips[2]:
            write(clip.path, 99, 5000)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "read_clip", read_clip)
        old_keys = [extract(cache).key(clip, os.stat(clip.path)) for clip in clips]
        extract(cache)(clips)
    stored = [value is not None for value in Cache(cache).get_many(old_keys)]
    assert stored == [clip != clips[2] for clip in clips]


def test_a_file_that_vanishes_while_it_is_read_is_not_cached(clips, cache, monkeypatch):
    original = extraction.read_clip
    monkeypatch.setattr(
        extraction,
        "read_clip",
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


# --- with a cache: damage --------------------------------------------------------------------


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
def test_damaged_entries_are_made_anew(clips, cache, reads, damage, is_fresh):
    expected = assert_no_errors(extract(cache)(clips))
    (file,) = cache.iterdir()
    damage(file)
    reads.clear()
    for _ in range(2):
        if is_fresh:
            reset_index()
        np.testing.assert_array_equal(assert_no_errors(extract(cache)(clips)), expected)
    if is_fresh or damage is not damage_the_index:
        assert clips[-1] in reads
    assert len(reads) <= len(clips)


def test_bad_file_is_reported_and_the_good_ones_are_cached(clips, cache, tmp_path, reads):
    damaged = tmp_path / "damaged.flac"
    write(damaged, n_samples=16000)
    os.truncate(damaged, os.path.getsize(damaged) // 2)
    bad = [Clip(str(tmp_path / "missing.wav")), Clip(str(damaged))]
    output, errors = extract(cache)([bad[0], *clips, bad[1]])
    assert sorted(path for error in errors for path in error.paths) == sorted(
        clip.path for clip in bad
    )
    reads.clear()
    np.testing.assert_array_equal(assert_no_errors(extract(cache)(clips)), output[1:-1])
    assert reads == []


def test_bad_file_is_never_cached(clips, cache, tmp_path):
    path = tmp_path / "late.wav"
    assert len(extract(cache)([Clip(str(path))])[1]) == 1
    shutil.copyfile(clips[0].path, path)
    output = assert_no_errors(extract(cache)([Clip(str(path))]))
    np.testing.assert_array_equal(output, assert_no_errors(extract()(clips[:1])))


def test_where_its_cache_cannot_be_used_a_recipe_warns_and_computes(clips, cache):
    cache.write_text("something else")
    with pytest.warns(UserWarning, match="cannot be used as a cache") as seen:
        output = assert_no_errors(extract(cache)(clips))
    assert repr(str(cache)) in str(seen[0].message)
    np.testing.assert_array_equal(output, assert_no_errors(extract()(clips)))


def test_an_unusable_cache_is_an_error_in_fit(paths, cache):
    cache.write_text("something else")
    with pytest.raises(ValueError, match="cannot be used as a cache"):
        SpectrogramTransformer(cache=cache).fit_transform(paths)


# --- with a cache: many processes ------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """More clips than one chunk, so that two workers have something to do."""
    written = [write(tmp_path / f"many{i}.wav", i, 400 + i) for i in range(150)]
    settle()
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


def _transform(transformer, paths, queue):
    try:
        queue.put(transformer.transform(paths).tobytes())
    except BaseException as error:
        queue.put(repr(error))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs processes that fork"
)
# Python 3.12 warns of every fork of a process with threads: here it is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_process_uses_a_cache_that_its_parent_has_open(paths, cache, tmp_path):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    new = write(tmp_path / "new.wav", 77)
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


def test_transformer_with_an_open_cache_survives_pickling(paths, cache, reads):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    expected = transformer.transform(paths)
    copy = pickle.loads(pickle.dumps(transformer))
    reads.clear()
    np.testing.assert_array_equal(copy.transform(paths), expected)
    assert reads == []


def test_other_process_reads_what_this_one_has_cached(paths, cache):
    transformer = SpectrogramTransformer(n_mels=16, cache=cache).fit(paths)
    expected = transformer.transform(paths)
    call = joblib.delayed(_transform_without_reading)(transformer, paths)
    ((result, n_reads),) = joblib.Parallel(n_jobs=2, backend="loky")([call])
    np.testing.assert_array_equal(result, expected)
    assert n_reads == 0


def _transform_without_reading(transformer, paths):
    original, seen = extraction.read_clip, []
    extraction.read_clip = lambda *arguments: seen.append(arguments) or original(*arguments)
    try:
        return transformer.transform(paths), len(seen)
    finally:
        extraction.read_clip = original
