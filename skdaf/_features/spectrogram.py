"""From waveforms to spectrograms: array functions without files or state.

A spectrogram is a float32 array of shape `(n_frames, n_bins)`. `filter_banks` contains the matrices
from frequencies to bins; `resizing` brings spectrograms to the same size.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft
from scipy.ndimage import convolve1d
from scipy.signal import get_window, savgol_coeffs, savgol_filter

from skdaf._audio.samples import INT16_STEP, to_float32
from skdaf._core.estimator import is_count
from skdaf._core.limits import check_mel_bands, check_windows
from skdaf._features.filter_banks import N_CHROMA, chroma_weights, mel_blocks_of_squares
from skdaf._features.fourier import transform_frames
from skdaf._features.frame_blocks import multiply_parts
from skdaf._features.shared_frames import blocks_of_squares, frames_of_clips

FEATURES = ("mel", "mfcc", "mel+chroma")

# Power below this counts as silence, as in librosa.
POWER_FLOOR = 1e-10

# A frame with less power than this has no strongest pitch class.
TINY = np.finfo(np.float32).tiny

# Samples (of overlapping frames) that are transformed together, and the minimum number of frames:
# enough to make the overhead of calls negligible, few enough to stay in the processor's cache.
_SAMPLES_PER_BLOCK = 2**17
_FRAMES_PER_BLOCK = 64

MAX_DELTA_FRAMES = 9


@dataclass(frozen=True)
class SpectrogramSettings:
    """Everything that a spectrogram depends on, in samples and Hz; its repr is part of cache keys.

    Attributes
    ----------
    features : {"mel", "mfcc", "mel+chroma"}
    sampling_rate : int
        In Hz.
    window_length, hop_length : int
        In samples.
    n_mels, n_mfcc : int
    fmin, fmax : float
        In Hz.
    top_db : float or None
    channel : int or None
        The channel to read from files; None averages all channels.
    """

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

    # Deviation of the tuning from A4 = 440 Hz, in semitones.
    tuning = 0.0

    def __post_init__(self):
        check_windows(self.sampling_rate, self.window_length, self.hop_length)
        check_mel_bands(self.n_mels, self.n_fft // 2 + 1)

    @classmethod
    def from_seconds(
        cls,
        sampling_rate,
        *,
        features="mel",
        window_length=0.032,
        hop_length=0.010,
        n_mels=40,
        n_mfcc=13,
        fmin=0.0,
        fmax=None,
        top_db=80.0,
        channel=None,
    ):
        """Convert the parameters of `SpectrogramTransformer`, and check their consistency."""
        upper = float(sampling_rate / 2 if fmax is None else fmax)
        if not fmin < upper <= sampling_rate / 2:
            raise ValueError(
                f"The mel bands must lie between 0 and half the sampling rate of {sampling_rate} "
                f"Hz, got fmin={fmin!r} and fmax={fmax!r}."
            )
        if features == "mfcc" and n_mfcc > n_mels:
            raise ValueError(f"n_mfcc={n_mfcc} must not be greater than n_mels={n_mels}.")
        return cls(
            features=features,
            sampling_rate=int(sampling_rate),
            window_length=max(1, round(window_length * sampling_rate)),
            hop_length=max(1, round(hop_length * sampling_rate)),
            n_mels=int(n_mels),
            n_mfcc=int(n_mfcc),
            fmin=float(fmin),
            fmax=upper,
            top_db=None if top_db is None else float(top_db),
            channel=None if channel is None else int(channel),
        )

    @property
    def n_fft(self):
        """The shortest even length with a fast transform that is at least as long as the window."""
        return 2 * fft.next_fast_len((self.window_length + 1) // 2, real=True)

    @property
    def n_bins(self):
        return {
            "mel": self.n_mels,
            "mfcc": 3 * self.n_mfcc,
            "mel+chroma": self.n_mels + N_CHROMA,
        }[self.features]

    def n_frames(self, n_samples):
        """Return the number of centered frames of a clip."""
        return 1 + n_samples // self.hop_length


_TYPES = {
    "features": str,
    "sampling_rate": int,
    "window_length": int,
    "hop_length": int,
    "n_mels": int,
    "n_mfcc": int,
    "fmin": float,
    "fmax": float,
    "top_db": (float, type(None)),
}


def are_settings(value):
    """Return whether a value from a file could be the `SpectrogramSettings` of a fitted front end.

    Files of earlier releases have no `channel`.
    """
    return (
        type(value) is dict
        and value.keys() - {"channel"} == _TYPES.keys()
        and (value.get("channel") is None or is_count(value["channel"]))
        and all(isinstance(value[name], kind) for name, kind in _TYPES.items())
        and all(value[name] > 0 for name, kind in _TYPES.items() if kind is int)
        and value["features"] in FEATURES
        and (value["features"] != "mfcc" or value["n_mfcc"] <= value["n_mels"])
    )


# --- waveforms to spectrograms ---------------------------------------------------------------


def compute_spectrograms(waveforms, settings):
    """Compute the spectrograms of several clips together, each at its own length.

    The clips are concatenated into one signal with half a window of silence between them. Centered
    frames at the ends of a clip contain silence in any case, so the frames are the same as for each
    clip alone.

    Parameters
    ----------
    waveforms : list of ndarray of shape (n_samples,), float32
    settings : SpectrogramSettings

    Returns
    -------
    list of ndarray of shape (n_frames, n_bins), float32
    """
    clips, signal, scale = _concatenate(waveforms, settings)
    mel, chroma = _mel_and_chroma(clips, signal, scale, settings)
    first_frames, n_frames = [clip.first for clip in clips], [clip.n_frames for clip in clips]
    _limit_to_peaks(mel, first_frames, n_frames, settings.top_db)
    if settings.features == "mel+chroma":
        _chroma_decibels(chroma, out=chroma)
        _limit_to_peaks(chroma, first_frames, n_frames, settings.top_db)
        mel = np.hstack([mel, chroma])
    elif settings.features == "mfcc":
        mel = _mfcc(mel, settings.n_mfcc, first_frames, n_frames)
    return [mel[first : first + n] for first, n in zip(first_frames, n_frames, strict=True)]


def mel_levels(samples, settings):
    """Return the absolute level of each mel band of one clip in decibels."""
    settings = replace(settings, features="mel")
    mel, _ = _mel_and_chroma(*_concatenate([samples], settings), settings)
    return mel[: settings.n_frames(len(samples))]


def _concatenate(waveforms, settings):
    """Return the ClipFrames of each clip, the common signal, and its scale.

    The signal contains 16-bit samples as they are; times the scale, full scale is 1.
    """
    hop, half = settings.hop_length, settings.n_fft // 2
    gap = -(-half // hop)
    first_frames, end = [], 0
    for samples in waveforms:
        first_frames.append(end)
        end += -(-len(samples) // hop) + gap
    scale = INT16_STEP
    if any(samples.dtype.kind == "f" for samples in waveforms):
        waveforms, scale = [to_float32(samples) for samples in waveforms], np.float32(1.0)
    # The last clip needs silence until the end of its last frame; the gap after it is that long.
    signal = np.empty(half + end * hop + half, dtype=np.float32)
    end = 0
    for first, samples in zip(first_frames, waveforms, strict=True):
        start = half + first * hop
        signal[end:start] = 0.0
        end = start + len(samples)
        signal[start:end] = samples
    signal[end:] = 0.0
    return frames_of_clips(waveforms, first_frames, settings), signal, scale


def _mel_and_chroma(clips, signal, scale, settings):
    """Return the level of each mel band, and the power in each pitch class (or None)."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, settings.n_fft)
    frames = frames[:: settings.hop_length]
    # The scale is a power of two, so this does not change the products with the window.
    window = scale * analysis_window(settings)
    mel = np.zeros((len(frames), settings.n_mels), dtype=np.float32)
    chroma = None
    if settings.features == "mel+chroma":
        chroma = np.zeros((len(frames), N_CHROMA), dtype=np.float32)
    n_together = max(_FRAMES_PER_BLOCK, _SAMPLES_PER_BLOCK // settings.n_fft)
    windowed = np.empty((min(n_together, len(frames)), settings.n_fft), dtype=np.float32)

    def squares_of(block):
        return _squares(frames[block], window, windowed[: block.stop - block.start])

    for block, parts, squares in blocks_of_squares(squares_of, clips, n_together):
        bands_of_block = mel[block]
        for span, bands, weights in mel_blocks_of_squares(settings):
            multiply_parts(parts, squares[:, span], weights, out=bands_of_block[:, bands])
        _decibels(bands_of_block, out=bands_of_block)
        if chroma is not None:
            power = squares[:, ::2] + squares[:, 1::2]
            multiply_parts(parts, power, chroma_weights(settings), out=chroma[block])
    return mel, chroma


def _squares(frames, window, out):
    """Return the squares of the real and the imaginary parts of spectra, alternating.

    The array `out` is overwritten by something else.
    """
    np.multiply(frames, window, out=out)
    parts = transform_frames(out).view(np.float32)
    return np.multiply(parts, parts, out=parts)


@lru_cache(maxsize=32)
def analysis_window(settings):
    """Return a periodic Hann window, centered in the transform."""
    values = get_window("hann", settings.window_length)
    before = (settings.n_fft - settings.window_length) // 2
    after = settings.n_fft - settings.window_length - before
    return np.pad(values, (before, after)).astype(np.float32)


def _decibels(power, out=None):
    levels = np.maximum(power, POWER_FLOOR, out=out)
    np.log(levels, out=levels)
    levels *= np.float32(10.0 / np.log(10.0))
    return levels


def _limit_to_peaks(levels, first_frames, n_frames, top_db):
    """Make levels relative to the highest one of each clip, and raise them to at least -top_db.

    Frames between two clips count as frames of the first one, except for its peak.
    """
    n_bins = levels.shape[1]
    spans = [
        bound * n_bins
        for first, n in zip(first_frames, n_frames, strict=True)
        for bound in (first, first + n)
    ]
    if spans[-1] == levels.size:
        spans.pop()
    peaks = np.maximum.reduceat(levels.reshape(-1), spans)[::2]
    if len(peaks) > 1:
        n_slots = [end - first for first, end in pairwise([*first_frames, len(levels)])]
        peaks = np.repeat(peaks, n_slots)[:, None]
    levels -= peaks
    if top_db is not None:
        np.maximum(levels, -top_db, out=levels)


def _chroma_decibels(chroma, out):
    """Write the level of each pitch class relative to the strongest one of its frame."""
    peaks = chroma.max(axis=1, keepdims=True)
    shares = np.divide(chroma, peaks, out=np.zeros_like(chroma), where=peaks > TINY)
    _decibels(shares, out=out)


def mfcc(log_mel, n_mfcc):
    """Return cepstral coefficients, their deltas and delta-deltas: `(n_frames, 3 * n_mfcc)`."""
    return _mfcc(log_mel, n_mfcc, [0], [len(log_mel)])


def _mfcc(log_mel, n_mfcc, first_frames, n_frames):
    """Return the same for several clips in one array."""
    cepstra = fft.dct(log_mel, axis=1, norm="ortho")[:, :n_mfcc]
    features = np.hstack(
        [cepstra, *(convolve1d(cepstra, _delta_weights(k), axis=0) for k in (1, 2))]
    )
    half, deltas = MAX_DELTA_FRAMES // 2, features[:, n_mfcc:]
    for first, n in zip(first_frames, n_frames, strict=True):
        if n < MAX_DELTA_FRAMES:
            own = cepstra[first : first + n]
            deltas[first : first + n] = np.hstack([_delta_of_few(own, k) for k in (1, 2)])
            continue
        # The slope of a line is the same everywhere, and so is the curvature of a parabola.
        last = first + n - 1
        deltas[first : first + half] = deltas[first + half]
        deltas[last - half + 1 : last + 1] = deltas[last - half]
    return features


@lru_cache
def _delta_weights(order):
    """Return the weights of the slope (order 1) or curvature (2) of a polynomial."""
    return savgol_coeffs(MAX_DELTA_FRAMES, polyorder=order, deriv=order)


def _delta_of_few(values, order):
    """Return the slope or curvature of fewer than nine frames: of an odd number, if possible."""
    n_frames = len(values)
    width = n_frames - 1 + n_frames % 2
    if width <= order:
        return np.zeros_like(values)
    return savgol_filter(values, width, polyorder=order, deriv=order, axis=0, mode="interp").astype(
        np.float32
    )


@lru_cache(maxsize=32)
def silent_frame(settings):
    """Return the quietest possible frame, with which short clips are padded."""
    floor = -100.0 if settings.top_db is None else -settings.top_db
    log_mel = np.full((1, settings.n_mels), floor, dtype=np.float32)
    if settings.features == "mfcc":
        # The result is kept, so it must not depend on the backend of this call.
        with fft.set_backend("scipy"):
            return mfcc(log_mel, settings.n_mfcc)[0]
    return np.full(settings.n_bins, floor, dtype=np.float32)
