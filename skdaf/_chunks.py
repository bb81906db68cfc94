"""From a chunk of clips to one array: reading, cache, spectrograms, one length.

This is what workers run: plain callables that take a list of clips and know no estimator.
"""

import os
from dataclasses import dataclass

import numpy as np

from skdaf import _spectrogram
from skdaf._audio import AudioReadError, Clip, read_clip, read_info, stat_audio
from skdaf._cache import Cache, make_key

# Counted up whenever the same parameters begin to give other values.
_CACHE_VERSION = 1

# Samples whose spectrograms are computed together: enough to pay for the call, little memory.
_SAMPLES_PER_GROUP = 2**19


def read_headers(clips):
    """Return (sampling rate, number of frames) of each clip, and the errors met."""
    infos, errors = [], []
    for clip in clips:
        try:
            info = read_info(clip)
            infos.append((info.sampling_rate, info.n_frames))
        except AudioReadError as error:
            errors.append(error)
    return infos, errors


@dataclass(frozen=True)
class SpectrogramRecipe:
    """How a chunk of clips becomes one array."""

    settings: _spectrogram.Settings
    n_frames: int
    length: str
    standardize: bool
    cache: str | os.PathLike | None

    def __call__(self, clips):
        """Return the spectrograms `(n_clips, n_frames, n_bins)`, and the errors met."""
        output = np.zeros((len(clips), self.n_frames, self.settings.n_bins), dtype=np.float32)
        errors = []
        for index, result in self._own_lengths(clips):
            if isinstance(result, AudioReadError):
                errors.append(result)
            else:
                output[index] = self._finish(result)
        return output, errors

    def _finish(self, spectrogram):
        """Standardize a spectrogram and bring it to the common length."""
        silence = _spectrogram.silent_frame(self.settings)
        if self.standardize:
            mean, scale = _spectrogram.standardization(spectrogram)
            spectrogram, silence = (spectrogram - mean) / scale, (silence - mean) / scale
        if self.length == "pad":
            return _spectrogram.pad_or_cut(spectrogram, self.n_frames, silence)
        return _spectrogram.resize(spectrogram, self.n_frames)

    def _own_lengths(self, clips):
        """Yield (index, spectrogram or error), in any order, from the cache where it has them."""
        numbered = list(enumerate(clips))
        if self.cache is None or not isinstance(clips[0], Clip):
            yield from self._compute(numbered)
            return
        keys, cache = {}, Cache(self.cache)
        for index, clip in numbered:
            try:
                keys[index] = _cache_key(clip, self.settings)
            except AudioReadError as error:
                yield index, error
        missing = []
        for index, value in zip(keys, cache.get_many(keys.values()), strict=True):
            if value is None:
                missing.append((index, clips[index]))
            else:
                yield index, np.frombuffer(value, np.float32).reshape(-1, self.settings.n_bins)
        new = {}
        for index, result in self._compute(missing):
            if not isinstance(result, AudioReadError):
                new[keys[index]] = result.tobytes()
            yield index, result
        cache.put_many(new)

    def _compute(self, numbered_clips):
        """Yield (index, spectrogram or error), computing a group of clips at a time."""
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
            results = _spectrogram.spectrograms(list(group.values()), self.settings)
            yield from zip(group, results, strict=True)

    def _samples(self, clip):
        if isinstance(clip, Clip):
            return read_clip(clip, self.settings.sampling_rate)[0]
        return clip


def _cache_key(clip, settings):
    """Return a name that changes with the file, the span and all parameters."""
    status = stat_audio(clip.path)
    file = (os.path.abspath(clip.path), status.st_size, status.st_mtime_ns, clip.start, clip.end)
    return make_key(_CACHE_VERSION, file, settings)
