"""The spectrogram of one clip at its own length, and the times and frequencies of its axes."""

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._audio.reading import read_clip, read_info
from skdaf._features.filter_banks import hz_to_mel, mel_to_hz
from skdaf._features.spectrogram import compute_spectrograms, mel_levels

# With more frames than a figure has pixels, neighboring frames are averaged before drawing.
MAX_FRAMES = 2000

# A long recording is processed in parts of this many seconds.
_SECONDS_PER_PART = 60.0


def settings_for(frontend, clip):
    """Return the `SpectrogramSettings` that a fitted `SpectrogramTransformer` uses for a clip."""
    return frontend._settings(frontend._rates([clip])[0])


def band_edges(settings):
    """Return the `n_mels + 1` edges of the mel bands in Hz, halfway between their peaks."""
    low, high = hz_to_mel([settings.fmin, settings.fmax])
    peaks = np.linspace(low, high, settings.n_mels + 2)
    return mel_to_hz((peaks[:-1] + peaks[1:]) / 2)


def clip_spectrogram(settings, clip):
    """Compute the spectrogram of a clip at its own length, in decibels below its peak.

    Returns
    -------
    spectrogram : ndarray of shape (n_frames, n_bins)
        Neighboring frames of long clips are averaged, so that there are at most `MAX_FRAMES`.
    times : ndarray of shape (n_frames + 1,)
        Edges of the frames in seconds, from zero to the end of the clip.
    """
    n_samples = _n_samples(clip, settings.sampling_rate)
    n_frames = settings.n_frames(n_samples)
    n_together = -(-n_frames // MAX_FRAMES)
    if n_together > 1 and settings.features == "mel":
        spectrogram = _averaged_spectrogram(settings, clip, n_frames, n_together)
    else:
        samples = _samples(clip, 0, n_samples, settings)
        spectrogram = _average(compute_spectrograms([samples], settings)[0], n_together)
    times = _frame_edges(len(spectrogram), settings, n_together)
    times[[0, -1]] = 0.0, n_samples / settings.sampling_rate
    return spectrogram, times


def input_times(frontend, settings, clip):
    """Return the `n_frames_ + 1` edges, in seconds of the clip, of the frames of `transform`."""
    n_own = settings.n_frames(_n_samples(clip, settings.sampling_rate))
    first, step = frontend._common_length().first_and_step(n_own)
    return _frame_edges(frontend.n_frames_, settings, step, first)


def _frame_edges(n_frames, settings, n_together, first=0):
    """Return the edges, in seconds, of frames that are averages of several centered frames."""
    hop = settings.hop_length / settings.sampling_rate
    return ((first + np.arange(n_frames + 1)) * n_together - 0.5) * hop


def _n_samples(clip, rate):
    if not isinstance(clip, Clip):
        return len(clip)
    info = read_info(clip)
    return -(-info.n_frames * rate // info.sampling_rate)


def _average(rows, n_together):
    """Average groups of neighboring rows; the last group may be smaller."""
    firsts = np.arange(0, len(rows), n_together)
    return np.add.reduceat(rows, firsts, axis=0) / np.diff([*firsts, len(rows)])[:, None]


def _averaged_spectrogram(settings, clip, n_frames, n_together):
    """Compute the mel levels of a long clip part by part, from the mean power of several frames."""
    hop = settings.hop_length
    n_per_part = n_together * max(
        1, int(_SECONDS_PER_PART * settings.sampling_rate / hop / n_together)
    )
    # Frames at the edges of a part need samples of its neighbors.
    margin = -(-settings.n_fft // (2 * hop))
    powers = []
    for first in range(0, n_frames, n_per_part):
        last, before = min(first + n_per_part, n_frames), min(first, margin)
        samples = _samples(clip, (first - before) * hop, (last + margin) * hop, settings)
        levels = mel_levels(samples, settings)[before : before + last - first]
        powers.append(_average(10.0 ** (levels.astype(float) / 10.0), n_together))
    levels = 10.0 * np.log10(np.concatenate(powers))
    floor = -np.inf if settings.top_db is None else -settings.top_db
    return np.maximum(levels - levels.max(), floor).astype(np.float32)


def _samples(clip, first, last, settings):
    """Return the samples of a clip from `first` to `last`, or to its end."""
    if not isinstance(clip, Clip):
        return clip[first:last]
    rate = settings.sampling_rate
    # Reading a clip as a whole gives its exact end, whatever the sampling rates are.
    if first == 0 and last >= _n_samples(clip, rate):
        return read_clip(clip, rate, settings.channel)[0]
    end = clip.start + last / rate
    part = Clip(
        clip.path, clip.start + first / rate, end if clip.end is None else min(end, clip.end)
    )
    return read_clip(part, rate, settings.channel)[0]
