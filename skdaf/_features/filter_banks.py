"""Mel and chroma filter banks of spectrograms: matrices from frequencies to bins.

All functions take the `SpectrogramSettings` of a spectrogram. Matrices that every call needs are
computed once per settings and cached.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

N_CHROMA = 12

# Neighboring mel bands share one matrix product over the few frequencies where they are not zero:
# at most this many bands, and half as many if they span more than this many frequencies.
_BANDS_PER_PRODUCT = 16
_FREQUENCIES_PER_PRODUCT = 128


# --- mel --------------------------------------------------------------------------------------


def hz_to_mel(frequency):
    """Convert Hz to Slaney's mel scale: linear below 1 kHz (3 mel per 200 Hz), then logarithmic."""
    frequency = np.asarray(frequency, dtype=float)
    octaves = np.log(np.maximum(frequency, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(frequency < 1000.0, 3.0 * frequency / 200.0, 15.0 + 27.0 * octaves)


def mel_to_hz(mel):
    """Convert mel to Hz, the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, dtype=float)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


def mel_edges(n_mels, fmin, fmax):
    """Return the edges of the mel bands in Hz.

    Band k rises from edge k to edge k + 1, and falls to edge k + 2.
    """
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))


def mel_filter_bank(settings):
    """Return triangles of equal area on the mel scale, `(n_fft // 2 + 1, n_mels)`."""
    edges = mel_edges(settings.n_mels, settings.fmin, settings.fmax)
    frequencies = fft.rfftfreq(settings.n_fft, 1.0 / settings.sampling_rate)[:, None]
    low, center, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - low) / (center - low)
    falling = (high - frequencies) / (high - center)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


def count_empty_bands(settings):
    """Count the mel bands that fall between two frequencies of the transform: they stay silent."""
    return int((~mel_filter_bank(settings).any(axis=0)).sum())


@lru_cache(maxsize=32)
def mel_blocks(settings):
    """Split the mel filter bank into dense blocks: (frequencies, bands, weights)."""
    return list(_split_bands(mel_filter_bank(settings), 0, settings.n_mels))


@lru_cache(maxsize=32)
def mel_blocks_of_squares(settings):
    """Return `mel_blocks` for alternating squares of real and imaginary parts.

    Each weight occurs twice, because the matrix product adds the two squares fastest.
    """
    return [
        (slice(2 * span.start, 2 * span.stop), bands, np.repeat(weights, 2, axis=0))
        for span, bands, weights in mel_blocks(settings)
    ]


def _split_bands(bank, first, last):
    """Yield the dense blocks of the bands from `first` to `last`."""
    n_bands, bands = last - first, slice(first, last)
    used = np.flatnonzero(bank[:, bands].any(axis=1))
    if not used.size:
        return
    span = slice(used[0], used[-1] + 1)
    is_wide = span.stop - span.start > _FREQUENCIES_PER_PRODUCT
    if n_bands > _BANDS_PER_PRODUCT or (is_wide and n_bands == _BANDS_PER_PRODUCT):
        middle = (first + last) // 2
        yield from _split_bands(bank, first, middle)
        yield from _split_bands(bank, middle, last)
    else:
        yield span, bands, np.ascontiguousarray(bank[span, bands], np.float32)


# --- chroma -----------------------------------------------------------------------------------


def chroma_filter_bank(settings):
    """Return a Gaussian for each pitch class (C first, A4 at 440 Hz), `(n_fft // 2 + 1, 12)`.

    Each frequency spreads over the pitch classes near it, by at least a semitone; the octaves
    around 440 Hz have the largest weights [1]_.

    References
    ----------
    .. [1] D. Ellis, "Chroma feature analysis and synthesis", 2007.
    """
    frequencies = np.arange(1, settings.n_fft) * (settings.sampling_rate / settings.n_fft)
    pitch = N_CHROMA * np.log2(frequencies / 27.5) - settings.tuning
    # The zero frequency has no pitch; it is placed an octave and a half below the first one.
    pitch = np.concatenate([[pitch[0] - 1.5 * N_CHROMA], pitch])
    width = np.concatenate([np.maximum(np.diff(pitch), 1.0), [1.0]])[:, None]
    distance = (pitch[:, None] - np.arange(N_CHROMA) + N_CHROMA / 2) % N_CHROMA - N_CHROMA / 2
    weights = np.exp(-0.5 * (2.0 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * ((pitch / N_CHROMA - 5.0) / 2.0) ** 2)[:, None]
    return np.roll(weights, -3, axis=1)[: settings.n_fft // 2 + 1]


@lru_cache(maxsize=32)
def chroma_weights(settings):
    """Return `chroma_filter_bank` as float32, computed once per settings."""
    return chroma_filter_bank(settings).astype(np.float32)
