"""What displays draw: levels of recordings and the axes of their spectrograms."""

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._audio.reading import read_clip, read_info
from skdaf._features.filter_banks import hz_to_mel, mel_to_hz
from skdaf._features.spectrogram import compute_spectrograms, mel_levels

# More frames than there are pixels across are averaged before they are drawn.
MOST_FRAMES = 2000

# Seconds of a long recording that are in memory at once.
_SECONDS_AT_ONCE = 60.0


# --- axes of spectrograms ---------------------------------------------------------------------


def band_edges(settings):
    """Return the `n_mels + 1` borders between mel bands in Hz, halfway between their peaks."""
    low, high = hz_to_mel([settings.fmin, settings.fmax])
    peaks = np.linspace(low, high, settings.n_mels + 2)
    return mel_to_hz((peaks[:-1] + peaks[1:]) / 2)


def input_edges(frontend, settings, clip):
    """Return the `n_frames_ + 1` borders, in seconds of the clip, of what a front end gives."""
    n_own = settings.n_frames(_n_samples(clip, settings.sampling_rate))
    stretch = n_own / frontend.n_frames_ if frontend.length == "resize" else 1.0
    return _frame_edges(frontend.n_frames_, settings, stretch)


def _frame_edges(n_frames, settings, n_together):
    """Return borders in seconds of frames that are each made of several: centred on their times."""
    hop = settings.hop_length / settings.sampling_rate
    return (np.arange(n_frames + 1) * n_together - 0.5) * hop


# --- levels of one clip -----------------------------------------------------------------------


def settings_for(frontend, clip):
    """Return the settings that a `SpectrogramTransformer` has for a clip."""
    return frontend._settings(frontend._rates([clip])[0])


def own_spectrogram(settings, clip):
    """Compute the spectrogram of a clip at its own length, in decibels below its peak.

    Returns
    -------
    spectrogram : ndarray of shape (n_frames, n_bins)
        Of a long clip neighbouring frames are averaged, so that at most `MOST_FRAMES` are left.
    times : ndarray of shape (n_frames + 1,)
        Borders of the frames in seconds, from zero to the end of the clip.
    """
    n_samples = _n_samples(clip, settings.sampling_rate)
    n_frames = settings.n_frames(n_samples)
    n_together = -(-n_frames // MOST_FRAMES)
    if n_together > 1 and settings.features == "mel":
        spectrogram = _overview(settings, clip, n_frames, n_together)
    else:
        samples = _samples(clip, 0, n_samples, settings)
        spectrogram = _means(compute_spectrograms([samples], settings)[0], n_together)
    times = _frame_edges(len(spectrogram), settings, n_together)
    times[[0, -1]] = 0.0, n_samples / settings.sampling_rate
    return spectrogram, times


def _n_samples(clip, rate):
    if not isinstance(clip, Clip):
        return len(clip)
    info = read_info(clip)
    return -(-info.n_frames * rate // info.sampling_rate)


def _means(rows, n_together):
    """Average neighbouring rows; the last mean may be of fewer."""
    firsts = np.arange(0, len(rows), n_together)
    return np.add.reduceat(rows, firsts, axis=0) / np.diff([*firsts, len(rows)])[:, None]


def _overview(settings, clip, n_frames, n_together):
    """Compute the mel levels of a long clip part by part: the mean power of several frames."""
    hop = settings.hop_length
    n_at_once = n_together * max(
        1, int(_SECONDS_AT_ONCE * settings.sampling_rate / hop / n_together)
    )
    # Frames at the border of a part look into its neighbours.
    margin = -(-settings.n_fft // (2 * hop))
    powers = []
    for first in range(0, n_frames, n_at_once):
        last, before = min(first + n_at_once, n_frames), min(first, margin)
        samples = _samples(clip, (first - before) * hop, (last + margin) * hop, settings)
        levels = mel_levels(samples, settings)[before : before + last - first]
        powers.append(_means(10.0 ** (levels.astype(float) / 10.0), n_together))
    levels = 10.0 * np.log10(np.concatenate(powers))
    floor = -np.inf if settings.top_db is None else -settings.top_db
    return np.maximum(levels - levels.max(), floor).astype(np.float32)


def _samples(clip, first, last, settings):
    """Return the samples from first to last of a clip, fewer at its end."""
    if not isinstance(clip, Clip):
        return clip[first:last]
    rate = settings.sampling_rate
    # A whole clip is read as such: its end is exact then, whatever the rates are.
    if first == 0 and last >= _n_samples(clip, rate):
        return read_clip(clip, rate, settings.channel)[0]
    end = clip.start + last / rate
    part = Clip(
        clip.path, clip.start + first / rate, end if clip.end is None else min(end, clip.end)
    )
    return read_clip(part, rate, settings.channel)[0]
