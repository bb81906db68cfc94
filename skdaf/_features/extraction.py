"""From clips to one array: chunks of work, reading, the cache, errors.

What a front end or a set of features has to say for itself is a `ClipRecipe`; the rest is here.
"""

import os
import time
import warnings
from functools import cached_property

import numpy as np

from skdaf._audio.clips import AudioReadError, Clip, raise_errors
from skdaf._audio.lengths import check_channel_of_waveforms
from skdaf._audio.reading import read_clip, stat_audio
from skdaf._core.cache import Cache, make_key
from skdaf._core.parallel import CHUNK_SIZE, map_chunks

# Samples worked on together: enough to pay for the call, little memory.
_SAMPLES_PER_GROUP = 2**19

# A chunk of long recordings holds fewer of them, so that a few already keep several workers busy:
# so many bytes are worth a worker's while.
_BYTES_PER_CHUNK = 2**21
_SMALLEST_CHUNK = 4
_N_WEIGHED = 8

# More than the steps in which file systems count time, in ns: ticks of a clock, or two seconds.
_FINE_STEP, _COARSE_STEP = 50_000_000, 2_100_000_000


class ClipRecipe:
    """How clips become the rows of an array; workers get one and a chunk of clips.

    A recipe has `settings`, which say all that a result depends on (their `repr` is part of its
    name in the cache, their `sampling_rate` is what files are resampled to, their `channel` is
    what is read of them), `cache` (a folder or
    None), `version` (counted up when the same settings begin to give other values), and

    - `of_samples(waveforms)`: one result for each of several waveforms, an array;
    - `from_bytes(value)`: the array that a result was before `tobytes`;
    - `finish(result, row)`: fill the row that it becomes, an array of zeros so far;
    - `row_shape` and `dtype` of the rows.
    """

    def __call__(self, clips):
        """Return an array with one row a clip, and the errors met."""
        output = np.zeros((len(clips), *self.row_shape), dtype=self.dtype)
        errors = []
        for index, result in self._results(clips):
            if isinstance(result, AudioReadError):
                errors.append(result)
            else:
                self.finish(result, output[index])
        return output, errors

    def finish(self, result, row):
        row[...] = result

    def _results(self, clips):
        """Yield (index, result or error), in any order, from the cache where it has them."""
        numbered = list(enumerate(clips))
        cache = self._open_cache() if isinstance(clips[0], Clip) else None
        if cache is None:
            yield from self._compute(numbered)
            return
        keys, settled, missing = {}, set(), []
        for index, clip in numbered:
            if clip.is_in_memory:
                missing.append((index, clip))
                continue
            try:
                status = stat_audio(clip.path)
                keys[index] = self.key(clip, status)
                if _is_settled(status):
                    settled.add(index)
            except AudioReadError as error:
                yield index, error
        for index, value in zip(keys, cache.get_many(keys.values()), strict=True):
            if value is None:
                missing.append((index, clips[index]))
            else:
                yield index, self.from_bytes(value)
        new = {}
        for index, result in self._compute(missing):
            if index in settled and self._is_as_before(clips[index], keys[index], result):
                new[keys[index]] = result.tobytes()
            yield index, result
        cache.put_many(new)

    def _is_as_before(self, clip, key, result):
        """Return whether a result is that of the file whose state the key was made of."""
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
            # A model may be used where its cache is not: that costs time, not the results.
            warnings.warn(f"{error}; going on without it.", stacklevel=2)
            return None

    def key(self, clip, status):
        """Return a name that changes with the file, the span and all settings."""
        path = os.path.abspath(clip.path)
        # Tools can set the time of modification back; that of any change they cannot.
        state = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
        return make_key(self._name, path, state, clip.start, clip.end)

    @cached_property
    def _name(self):
        """What the keys of all clips share, shortened once."""
        return make_key(self.version, self.settings).hex()

    def _compute(self, numbered_clips):
        """Yield (index, result or error), computing a group of clips at a time."""
        group, n_samples = {}, 0
        for index, clip in numbered_clips:
            try:
                group[index] = self._samples(clip)
            except AudioReadError as error:
                yield index, error
                continue
            n_samples += len(group[index])
            if n_samples > _SAMPLES_PER_GROUP:
                yield from self._compute_group(group)
                group, n_samples = {}, 0
        yield from self._compute_group(group)

    def _compute_group(self, group):
        if group:
            yield from zip(group, self.of_samples(list(group.values())), strict=True)

    def _samples(self, clip):
        if isinstance(clip, Clip):
            return read_clip(clip, self.settings.sampling_rate, self.settings.channel)[0]
        check_channel_of_waveforms([clip], self.settings.channel)
        return clip


def _is_settled(status):
    """Return whether a change of the file from now on would show in its times.

    File systems count time in steps: two changes within one look like one.
    """
    changed = status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns
    step = _COARSE_STEP if changed % 10**9 == 0 else _FINE_STEP
    return not 0 <= time.time_ns() - changed <= step


def compute_rows(recipe, clips, *, n_jobs, verbose, description):
    """Return the array that a recipe makes of all clips; raise what went wrong, all together."""
    output = np.empty((len(clips), *recipe.row_shape), dtype=recipe.dtype)
    done, errors = 0, []
    for chunk, chunk_errors in map_chunks(
        recipe,
        clips,
        n_jobs=n_jobs,
        verbose=verbose,
        description=description,
        chunk_size=_chunk_size(clips),
    ):
        output[done : done + len(chunk)] = chunk
        done += len(chunk)
        errors += chunk_errors
    raise_errors(errors)
    return output


def _chunk_size(clips):
    """Choose how many clips a chunk holds, by the sizes of a few of them; not by the workers."""
    # An odd step meets both kinds of files where they alternate.
    some = clips[:: -(-len(clips) // _N_WEIGHED) | 1]
    mean_bytes = sum(map(_n_bytes, some)) / len(some)
    if mean_bytes * CHUNK_SIZE <= _BYTES_PER_CHUNK:
        return CHUNK_SIZE
    return max(_SMALLEST_CHUNK, int(_BYTES_PER_CHUNK / mean_bytes))


def _n_bytes(clip):
    """Return the size of a whole recording or a waveform; 0 where a look does not tell."""
    if not isinstance(clip, Clip):
        return clip.nbytes
    if clip.is_in_memory:
        return clip.path.nbytes
    if clip.start or clip.end is not None:
        return 0
    try:
        return os.stat(clip.path).st_size
    except (OSError, ValueError):
        return 0
