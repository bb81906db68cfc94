"""From samples to spectrograms of one size: array functions without files or state.

A spectrogram is float32 of shape `(n_frames, n_bins)`. Every map here is linear but for the power
and the logarithm, so each one is a matrix that is made once and kept.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import fft, sparse
from scipy.signal import get_window, savgol_filter

from skdaf._core.limits import check_mel_bands, check_windows
from skdaf._features.frame_blocks import frame_blocks, multiply_parts

N_CHROMA = 12

# Power below this is treated as silence, as librosa does.
_POWER_FLOOR = 1e-10

# A frame without any energy has no strongest pitch class.
_TINY = np.finfo(np.float32).tiny

# Samples (of overlapping frames) transformed at once, and frames at least: enough to pay for the
# calls, and samples, spectra and powers stay in the processor's cache.
_SAMPLES_PER_BLOCK = 2**17
_FRAMES_PER_BLOCK = 64

# Neighbouring mel bands share one product over the few frequencies where they are not zero: at most
# so many of them, and half as many where those frequencies are not that few.
_BANDS_PER_PRODUCT = 16
_FREQUENCIES_PER_PRODUCT = 128

_LONGEST_DELTA = 9

# Levels further below the peak, in dB, are softened, and what is left of their distance from there.
# Found by trial on new speakers, and on scenes in new rooms.
_DEEP = np.float32(50.0)
_SHARE_OF_DEPTH = np.float32(0.3)

# Below this size a resize of zeros and all is done before a sparse product has begun.
_LARGEST_DENSE_RESIZE = 2**12


@dataclass(frozen=True)
class Settings:
    """All that a spectrogram depends on, in samples and Hz: also its name in a cache."""

    features: str
    sampling_rate: int
    window_length: int
    hop_length: int
    n_mels: int
    n_mfcc: int
    fmin: float
    fmax: float
    top_db: float | None
    channel: int | None = None

    # How far pitches are from A4 = 440 Hz, in semitones.
    tuning = 0.0

    def __post_init__(self):
        check_windows(self.sampling_rate, self.window_length, self.hop_length)
        check_mel_bands(self.n_mels, self.n_fft // 2 + 1)

    @property
    def n_fft(self):
        """The shortest even transform, not below the window, whose length is quick to compute."""
        return 2 * fft.next_fast_len((self.window_length + 1) // 2, real=True)

    @property
    def n_bins(self):
        return {
            "mel": self.n_mels,
            "mfcc": 3 * self.n_mfcc,
            "mel+chroma": self.n_mels + N_CHROMA,
        }[self.features]

    def n_frames(self, n_samples):
        """Return the number of centred frames of a clip."""
        return 1 + n_samples // self.hop_length


# --- filter banks ----------------------------------------------------------------------------


def hz_to_mel(frequency):
    """Slaney's scale: linear below 1 kHz (3 mel in 200 Hz), logarithmic above."""
    frequency = np.asarray(frequency, dtype=float)
    octaves = np.log(np.maximum(frequency, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(frequency < 1000.0, 3.0 * frequency / 200.0, 15.0 + 27.0 * octaves)


def mel_to_hz(mel):
    """Invert `hz_to_mel`."""
    mel = np.asarray(mel, dtype=float)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


def mel_edges(n_mels, fmin, fmax):
    """Return the corners of the mel bands in Hz: band k peaks at k + 1, between k and k + 2."""
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))


def mel_filter_bank(settings):
    """Return triangles of equal area on the mel scale, `(n_fft // 2 + 1, n_mels)`."""
    edges = mel_edges(settings.n_mels, settings.fmin, settings.fmax)
    frequencies = fft.rfftfreq(settings.n_fft, 1.0 / settings.sampling_rate)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - low) / (centre - low)
    falling = (high - frequencies) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


def chroma_filter_bank(settings):
    """Return a Gaussian for each pitch class (C first, A4 at 440 Hz), `(n_fft // 2 + 1, 12)`.

    Each frequency spreads over the pitch classes near it, at least a semitone wide; the octaves
    around 440 Hz weigh most [1]_.

    References
    ----------
    .. [1] D. Ellis, "Chroma feature analysis and synthesis", 2007.
    """
    frequencies = np.arange(1, settings.n_fft) * (settings.sampling_rate / settings.n_fft)
    pitch = N_CHROMA * np.log2(frequencies / 27.5) - settings.tuning
    # The zero frequency has no pitch; it is put an octave and a half below the first one.
    pitch = np.concatenate([[pitch[0] - 1.5 * N_CHROMA], pitch])
    width = np.concatenate([np.maximum(np.diff(pitch), 1.0), [1.0]])[:, None]
    distance = (pitch[:, None] - np.arange(N_CHROMA) + N_CHROMA / 2) % N_CHROMA - N_CHROMA / 2
    weights = np.exp(-0.5 * (2.0 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * ((pitch / N_CHROMA - 5.0) / 2.0) ** 2)[:, None]
    return np.roll(weights, -3, axis=1)[: settings.n_fft // 2 + 1]


@lru_cache(maxsize=32)
def _banded_products(settings):
    """Cut the mel bank into dense blocks: (first frequency, last, bands, weights)."""
    return list(_cut(mel_filter_bank(settings), 0, settings.n_mels))


def _cut(bank, first, last):
    """Yield the blocks of the bands from first to last."""
    n_bands, bands = last - first, slice(first, last)
    used = np.flatnonzero(bank[:, bands].any(axis=1))
    if not used.size:
        return
    span = slice(used[0], used[-1] + 1)
    is_wide = span.stop - span.start > _FREQUENCIES_PER_PRODUCT
    if n_bands > _BANDS_PER_PRODUCT or (is_wide and n_bands == _BANDS_PER_PRODUCT):
        middle = (first + last) // 2
        yield from _cut(bank, first, middle)
        yield from _cut(bank, middle, last)
    else:
        yield span, bands, np.ascontiguousarray(bank[span, bands], np.float32)


@lru_cache(maxsize=32)
def _products_of_squares(settings):
    """Repeat each weight for the imaginary part: adding up is quicker inside the product."""
    return [
        (slice(2 * span.start, 2 * span.stop), bands, np.repeat(weights, 2, axis=0))
        for span, bands, weights in _banded_products(settings)
    ]


@lru_cache(maxsize=32)
def _chroma_weights(settings):
    return chroma_filter_bank(settings).astype(np.float32)


@lru_cache(maxsize=32)
def _window(settings):
    """Return a periodic Hann window, centred in the transform."""
    window = get_window("hann", settings.window_length)
    before = (settings.n_fft - settings.window_length) // 2
    return np.pad(window, (before, settings.n_fft - settings.window_length - before)).astype(
        np.float32
    )


def empty_bands(settings):
    """Count the mel bands that lie between two frequencies of the transform: always silent."""
    return int((~mel_filter_bank(settings).any(axis=0)).sum())


# --- samples to spectrograms -----------------------------------------------------------------


def spectrograms(waveforms, settings):
    """Compute the spectrograms of several clips together, each at its own length.

    The clips are laid out as one signal with half a window of silence between them. That is what
    centred frames see anyway, so each clip's frames are exactly those it has alone.

    Parameters
    ----------
    waveforms : list of ndarray of shape (n_samples,), float32
    settings : Settings

    Returns
    -------
    list of ndarray of shape (n_frames, n_bins), float32
    """
    first_frames, n_frames, signal = _lay_out(waveforms, settings)
    mel, chroma = _bank_outputs(first_frames, n_frames, signal, settings)
    results = []
    for first, n in zip(first_frames, n_frames, strict=True):
        frames = slice(first, first + n)
        log_mel = _below_peak(mel[frames], settings.top_db)
        if settings.features == "mel":
            results.append(log_mel)
        elif settings.features == "mfcc":
            results.append(mfcc(log_mel, settings.n_mfcc))
        else:
            results.append(np.hstack([log_mel, _chroma_decibels(chroma[frames], settings)]))
    return results


def mel_levels(samples, settings):
    """Return the level of each mel band of one clip in decibels, not relative to its peak."""
    settings = replace(settings, features="mel")
    mel, _ = _bank_outputs(*_lay_out([samples], settings), settings)
    return mel[: settings.n_frames(len(samples))]


def _lay_out(waveforms, settings):
    """Return the first frame and the number of frames of each clip, and the joint signal."""
    hop, half = settings.hop_length, settings.n_fft // 2
    gap = -(-half // hop)
    first_frames, end = [], 0
    for samples in waveforms:
        first_frames.append(end)
        end += -(-len(samples) // hop) + gap
    # The last clip needs silence after it up to the end of its last frame, which the gap holds.
    signal = np.empty(half + end * hop + half, dtype=np.float32)
    end = 0
    for first, samples in zip(first_frames, waveforms, strict=True):
        start = half + first * hop
        signal[end:start] = 0.0
        end = start + len(samples)
        signal[start:end] = samples
    signal[end:] = 0.0
    return first_frames, [settings.n_frames(len(samples)) for samples in waveforms], signal


def _bank_outputs(first_frames, n_frames, signal, settings):
    """Return the level of each mel band, and the power in each pitch class where wanted."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, settings.n_fft)
    frames = frames[:: settings.hop_length]
    mel = np.zeros((len(frames), settings.n_mels), dtype=np.float32)
    chroma = None
    if settings.features == "mel+chroma":
        chroma = np.empty((len(frames), N_CHROMA), dtype=np.float32)
    n_together = max(_FRAMES_PER_BLOCK, _SAMPLES_PER_BLOCK // settings.n_fft)
    windowed = np.empty((min(n_together, len(frames)), settings.n_fft), dtype=np.float32)
    for block, parts in frame_blocks(first_frames, n_frames, n_together):
        bands_of_block = mel[block]
        squares = _squares(frames[block], windowed[: len(bands_of_block)], settings)
        for span, bands, weights in _products_of_squares(settings):
            multiply_parts(parts, squares[:, span], weights, out=bands_of_block[:, bands])
        _levels(bands_of_block, out=bands_of_block)
        if chroma is not None:
            power = squares[:, ::2] + squares[:, 1::2]
            multiply_parts(parts, power, _chroma_weights(settings), out=chroma[block])
    return mel, chroma


def _squares(frames, windowed, settings):
    """Return the squares of the real and the imaginary parts of spectra, in turn."""
    np.multiply(frames, _window(settings), out=windowed)
    parts = fft.rfft(windowed, axis=1, overwrite_x=True).view(np.float32)
    return np.multiply(parts, parts, out=parts)


def _levels(power, out=None):
    """Return decibels."""
    levels = np.maximum(power, _POWER_FLOOR, out=out)
    np.log(levels, out=levels)
    levels *= np.float32(10.0 / np.log(10.0))
    return levels


def _below_peak(levels, top_db):
    """Make decibels relative to the loudest value of a clip, and cut them off at -top_db."""
    levels -= np.maximum.reduce(levels, axis=None)
    return levels if top_db is None else np.maximum(levels, -top_db, out=levels)


def _chroma_decibels(chroma, settings):
    """Return the level of each pitch class below the strongest one of its frame."""
    peaks = chroma.max(axis=1, keepdims=True)
    shares = np.divide(chroma, peaks, out=np.zeros_like(chroma), where=peaks > _TINY)
    return _below_peak(_levels(shares), settings.top_db)


def mfcc(log_mel, n_mfcc):
    """Return cepstral coefficients, their deltas and delta-deltas: `(n_frames, 3 * n_mfcc)`."""
    cepstra = fft.dct(log_mel, axis=1, norm="ortho")[:, :n_mfcc]
    return np.hstack([cepstra, _delta(cepstra, 1), _delta(cepstra, 2)])


def _delta(values, order):
    """Return the slope (or curvature) of a polynomial fitted to up to nine frames."""
    n_frames = len(values)
    width = min(_LONGEST_DELTA, n_frames - 1 + n_frames % 2)
    if width <= order:
        return np.zeros_like(values)
    return savgol_filter(values, width, polyorder=order, deriv=order, axis=0, mode="interp").astype(
        np.float32
    )


# --- one size for all ------------------------------------------------------------------------


def _bicubic(x):
    """Keys's cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=1024)
def resize_matrix(n_in, n_out):
    """Return the sparse `(n_out, n_in)` matrix of a bicubic resize with antialiasing.

    Output k looks at input position `(k + 1/2) * n_in / n_out`. Where frames are lost the kernel
    is stretched by the same ratio, so that it averages; weights sum to one, also at the borders.
    """
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    centres = (np.arange(n_out) + 0.5) * scale
    first = np.maximum((centres - 2.0 * stretch + 0.5).astype(int), 0)
    last = np.minimum((centres + 2.0 * stretch + 0.5).astype(int), n_in)
    columns = first[:, None] + np.arange((last - first).max())
    weights = _bicubic((columns - centres[:, None] + 0.5) / stretch)
    weights[columns >= last[:, None]] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(n_out)[:, None], columns.shape)
    used = weights != 0.0
    return sparse.csr_matrix(
        (weights[used].astype(np.float32), (rows[used], columns[used])), shape=(n_out, n_in)
    )


@lru_cache(maxsize=1024)
def _dense_resize_matrix(n_in, n_out):
    return resize_matrix(n_in, n_out).toarray()


def resize(spectrogram, n_frames):
    """Stretch or squeeze a spectrogram in time, as Pillow's bicubic resize does."""
    n_in = len(spectrogram)
    if n_in == n_frames:
        return spectrogram
    # A product with a vector may depend on where the vector lies in memory: those are left to the
    # sparse product, which adds up in the order of the frames.
    is_vector = n_frames == 1 or spectrogram.shape[1] == 1
    if n_in * n_frames <= _LARGEST_DENSE_RESIZE and not is_vector:
        return _dense_resize_matrix(n_in, n_frames) @ spectrogram
    return resize_matrix(n_in, n_frames) @ spectrogram


def pad_or_cut(spectrogram, n_frames, silence):
    """Append silent frames, or drop the last ones."""
    n_kept = len(spectrogram)
    if n_kept >= n_frames:
        return spectrogram[:n_frames]
    padded = np.empty((n_frames, spectrogram.shape[1]), dtype=np.float32)
    padded[:n_kept] = spectrogram
    padded[n_kept:] = silence
    return padded


@lru_cache(maxsize=32)
def silent_frame(settings):
    """Return what the quietest possible frame looks like: the filling of `pad_or_cut`."""
    floor = -100.0 if settings.top_db is None else -settings.top_db
    log_mel = np.full((1, settings.n_mels), floor, dtype=np.float32)
    if settings.features == "mfcc":
        return mfcc(log_mel, settings.n_mfcc)[0]
    return np.full(settings.n_bins, floor, dtype=np.float32)


def soften(levels):
    """Bring deep levels closer: how deep pauses are differs from microphone to microphone."""
    # Two lines that cross at -_DEEP: the flatter one is the higher one below.
    softened = levels * _SHARE_OF_DEPTH
    softened -= (1 - _SHARE_OF_DEPTH) * _DEEP
    return np.maximum(levels, softened, out=softened)


def standardization(spectrogram):
    """Return the mean and the scale that give a clip zero mean and unit variance."""
    values = spectrogram.reshape(-1)
    mean = np.add.reduce(values) / np.float32(values.size)
    centred = values - mean
    deviation = np.sqrt(np.dot(centred, centred) / np.float32(values.size))
    # Digital silence has no spread: only its mean goes.
    return mean, deviation if deviation > 1e-6 else np.float32(1.0)
