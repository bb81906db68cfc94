"""Compute spectrograms or features of many clips in chunks, with workers and a cache.

Each kind of feature is a subclass of `Extraction`; `compute_rows` applies one to all clips.
"""

import os
import struct
from dataclasses import replace
from functools import cached_property

import numpy as np

from skdaf._audio.adjacent import read_clips
from skdaf._audio.clips import AudioReadError, Clip, raise_errors
from skdaf._audio.file_state import clip_key, is_settled
from skdaf._audio.lengths import check_channel_of_waveforms
from skdaf._audio.opening import stat_audio
from skdaf._audio.reading import has_cut_end, read_samples
from skdaf._audio.samples import is_silent, to_float32
from skdaf._audio.unusual_clips import ClipFacts, report_clips
from skdaf._audio.worker_paths import absolute_path, map_clips
from skdaf._core.cache import Cache, make_key
from skdaf._core.fourier_backends import chosen_backends
from skdaf._core.parallel import CHUNK_SIZE
from skdaf._core.user_warnings import warn_user

_MIN_CHUNK_SIZE = 4
_N_SIZES_CHECKED = 8

# The ClipFacts at the start of a value in the cache. The padding aligns the numbers that follow.
_FACTS = struct.Struct("<d??6x")


class Extraction:
    """Base class: compute one row of an array for each clip.

    Workers receive an extraction and a chunk of clips. Subclasses define these attributes:

    - `settings`: everything that a result depends on. The `repr` is part of the cache keys. Files
      are resampled to the `sampling_rate` of the settings, and only their `channel` is read.
    - `cache`: a folder or None.
    - `version`: a number to increase when the same settings produce different values.
    - `row_shape` and `dtype` of the rows.
    - `samples_per_group` and `bytes_per_chunk`, if the defaults do not suit.

    and these methods:

    - `compute(waveforms)`: return one array per waveform. Waveforms may share memory, so they must
      not be changed.
    - `from_bytes(value)`: restore a result from the bytes of its array.
    - `finish(results, rows)`: write the final rows of several clips into `rows`.
    """

    # Whether `compute` accepts int16 samples (see `read_samples`) beside float32.
    accepts_integers = False

    # Clips are computed together up to about this number of samples: enough to make the overhead of
    # calls negligible, without using much memory.
    samples_per_group = 2**19

    # Chunks of long recordings contain fewer clips, so that even a few recordings keep several
    # workers busy. A chunk of about this many bytes is worth sending to a worker.
    bytes_per_chunk = 2**21

    # Results are finished together up to about this number of values, so that they are still in the
    # processor's cache.
    values_per_group = 2**16

    def __call__(self, clips):
        """Return rows and ClipFacts of clips, and the errors of those that cannot be read."""
        output = np.zeros((len(clips), *self.row_shape), dtype=self.dtype)
        facts, errors = [None] * len(clips), []
        for first, results in self._finishable(clips, facts, errors):
            self.finish(results, output[first : first + len(results)])
        return (output, facts), errors

    def _finishable(self, clips, facts, errors):
        """Yield the results of consecutive clips, and the index of the first.

        Set the facts of clips, and append errors.
        """
        first, results, n_values = 0, [], 0
        for index, result in self._results(clips, facts):
            if isinstance(result, AudioReadError):
                errors.append(result)
                continue
            if n_values > self.values_per_group or index != first + len(results):
                if results:
                    yield first, results
                first, results, n_values = index, [], 0
            results.append(result)
            n_values += result.size
        if results:
            yield first, results

    def finish(self, results, rows):
        """Write the final rows of clips into an array of zeros."""
        for row, result in zip(rows, results, strict=True):
            row[...] = result

    def _results(self, clips, facts):
        """Yield (index, result or error) in any order, from the cache if possible; set facts."""
        numbered = list(enumerate(clips))
        cache = self._open_cache() if isinstance(clips[0], Clip) else None
        if cache is None:
            yield from self._compute_clips(numbered, facts)
            return
        keys, settled, missing = {}, set(), []
        for index, clip in numbered:
            if clip.is_in_memory:
                missing.append((index, clip))
                continue
            try:
                status = stat_audio(clip.path)
                keys[index] = self.key(clip, status)
                if is_settled(status):
                    settled.add(index)
            except AudioReadError as error:
                yield index, error
        for index, value in zip(keys, cache.get_many(keys.values()), strict=True):
            if value is None:
                missing.append((index, clips[index]))
            else:
                facts[index] = ClipFacts(*_FACTS.unpack_from(value))
                yield index, self.from_bytes(memoryview(value)[_FACTS.size :])
        new = {}
        for index, result in self._compute_clips(missing, facts):
            if index in settled and self._is_unchanged(clips[index], keys[index], result):
                new[keys[index]] = _FACTS.pack(*facts[index]) + result.tobytes()
            yield index, result
        cache.put_many(new)

    def _is_unchanged(self, clip, key, result):
        """Return whether the file has not changed since its key was computed."""
        if isinstance(result, AudioReadError):
            return False
        try:
            return self.key(clip, stat_audio(clip.path)) == key
        except AudioReadError:
            return False

    def _open_cache(self):
        if self.cache is None:
            return None
        try:
            return Cache(self.cache)
        except ValueError as error:
            # A model may run on a machine without its cache: this takes longer, with the same
            # results.
            warn_user(f"{error} Continuing without it.")
            return None

    def key(self, clip, status):
        """Return the cache key of a clip: it depends on the file, the interval and the settings."""
        return clip_key(self._shared_key, clip, status)

    @cached_property
    def _shared_key(self):
        """The part that the keys of all clips share, hashed once.

        Backends of `scipy.fft` differ by rounding, so each one has its own entries.
        """
        backends = chosen_backends()
        names = () if backends is None else backends.names
        return make_key(_FACTS.format, self.version, self.settings, *names).hex()

    def _compute_clips(self, numbered_clips, facts):
        """Yield (index, result or error), computing a group of clips at a time; set facts."""
        clips, group, n_samples = dict(numbered_clips), {}, 0
        for index, samples in self._read(numbered_clips):
            if isinstance(samples, AudioReadError):
                yield index, samples
                continue
            group[index] = samples
            seconds = len(samples) / self.settings.sampling_rate
            clip = clips[index]
            is_cut_off = isinstance(clip, Clip) and has_cut_end(clip)
            facts[index] = ClipFacts(seconds, is_silent(samples), is_cut_off)
            n_samples += len(samples)
            if n_samples > self.samples_per_group:
                yield from self._compute_group(group)
                group, n_samples = {}, 0
        yield from self._compute_group(group)

    def _read(self, numbered_clips):
        """Yield (index, samples or error)."""
        indices, clips = [index for index, _ in numbered_clips], [c for _, c in numbered_clips]
        if clips and isinstance(clips[0], Clip):
            settings = self.settings
            found = read_clips(clips, self.samples, settings.sampling_rate, settings.channel)
        else:
            found = map(self.samples, clips)
        return zip(indices, found, strict=True)

    def _compute_group(self, group):
        if group:
            yield from zip(group, self.compute(list(group.values())), strict=True)

    def samples(self, clip):
        """Return the samples of a clip at the sampling rate of the settings."""
        if isinstance(clip, Clip):
            samples, _ = read_samples(clip, self.settings.sampling_rate, self.settings.channel)
            return samples if self.accepts_integers else to_float32(samples)
        check_channel_of_waveforms([clip], self.settings.channel)
        return clip


def compute_rows(extraction, clips, *, n_jobs, verbose, description, known_lengths=None):
    """Return the array with one row per clip; raise one AudioReadError for all bad files.

    Warn of unusual clips; `known_lengths` is the parameter `known` of `report_clips`.
    """
    if extraction.cache is not None:
        extraction = replace(extraction, cache=absolute_path(extraction.cache))
    output = np.empty((len(clips), *extraction.row_shape), dtype=extraction.dtype)
    done, facts, errors = 0, [], []
    for (chunk, chunk_facts), chunk_errors in map_clips(
        extraction,
        clips,
        n_jobs=n_jobs,
        verbose=verbose,
        description=description,
        chunk_size=_chunk_size(clips, extraction.bytes_per_chunk),
    ):
        output[done : done + len(chunk)] = chunk
        done += len(chunk)
        facts += chunk_facts
        errors += chunk_errors
    raise_errors(errors)
    report_clips(clips, facts, known_lengths)
    return output


def _chunk_size(clips, n_bytes):
    """Choose the number of clips per chunk from the sizes of a few clips; `n_jobs` is ignored."""
    # With an odd step, the sample contains both kinds of files if short and long ones alternate.
    sample = clips[:: -(-len(clips) // _N_SIZES_CHECKED) | 1]
    mean_bytes = sum(map(_n_bytes, sample)) / len(sample)
    if mean_bytes * CHUNK_SIZE <= n_bytes:
        return CHUNK_SIZE
    return max(_MIN_CHUNK_SIZE, int(n_bytes / mean_bytes))


def _n_bytes(clip):
    """Return the size of a whole recording or a waveform; 0 if the size is not readily known."""
    if not isinstance(clip, Clip):
        return clip.nbytes
    if clip.start or clip.end is not None:
        return 0
    if clip.is_in_memory:
        return clip.path.nbytes
    try:
        return os.stat(clip.path).st_size
    except (OSError, ValueError):
        return 0
