"""LegacySpectrogramTransformer: spectrograms as deep_audio_features makes them."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import fft
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.inputs import validate_sounds_for
from skdaf._audio.lengths import read_infos
from skdaf._audio.reading import Clip
from skdaf._core.limits import check_recording
from skdaf._core.public import public
from skdaf._features import spectrogram as _spectrogram
from skdaf._features.extraction import compute_rows
from skdaf._features.spectrogram_transformer import SpectrogramRecipe, SpectrogramTransformer

# The rate that waveforms are taken to have when none is given, in Hz.
_DEFAULT_RATE = 16_000

# Frames whose peaks are looked for at once.
_FRAMES_PER_BLOCK = 1024


@dataclass(frozen=True)
class _OldSettings(_spectrogram.Settings):
    """Spectrograms whose transform is exactly as long as the window."""

    tuning: float = 0.0

    @property
    def n_fft(self):
        return self.window_length

    def n_frames(self, n_samples):
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length


class _OldRecipe(SpectrogramRecipe):
    """Spectrograms that are filled up with the level of their peak, and with pitches in tune."""

    @property
    def padding(self):
        return np.zeros(self.settings.n_bins, dtype=np.float32)

    def of_samples(self, waveforms):
        if self.settings.features != "mel+chroma":
            return super().of_samples(waveforms)
        for samples in waveforms:
            check_recording(self.settings.n_frames(len(samples)), self.settings.n_bins)
        return [
            _spectrogram.spectrograms(
                [samples], replace(self.settings, tuning=_tuning(samples, self.settings))
            )[0]
            for samples in waveforms
        ]


@public
class LegacySpectrogramTransformer(SpectrogramTransformer):
    """Turn audio clips into spectrograms as deep_audio_features does.

    It is the front end of what `load_deep_audio_features` returns, and differs from
    `SpectrogramTransformer`, whose parameters it has, where the original does: without a
    `sampling_rate` every file is taken at its own; the Fourier transform is exactly as long as the
    window, which is cut to whole samples; ``length="pad"`` fills up with 0 dB, the level of the
    peak; chroma follows the tuning of each clip.

    Parameters
    ----------
    features : str
        "mel", "mfcc" or "mel+chroma". All parameters mean what they mean in
        `SpectrogramTransformer`.
    sampling_rate : int or None
        In Hz; None takes every file at its own rate.
    window_length, hop_length : float
        In seconds.
    n_mels, n_mfcc : int
        Numbers of mel bands and of cepstral coefficients.
    fmin, fmax : float
        In Hz.
    top_db : float
        In dB below the peak.
    standardize : bool
        Whether each spectrogram is standardized.
    n_frames : int or None
        Frames per clip.
    length : str
        "resize" or "pad".
    channel : int or None
        The channel to use; None takes the mean of all.
    cache : path or None
        A folder that keeps spectrograms.
    n_jobs : int or None
        Number of workers.
    verbose : int
        Whether a progress bar is shown.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import LegacySpectrogramTransformer
    >>> waveforms = np.random.default_rng(0).standard_normal((4, 8000))
    >>> LegacySpectrogramTransformer(window_length=0.05, n_mels=40).fit_transform(waveforms).shape
    (4, 51, 40)
    """

    def transform(self, X):
        """Compute the spectrograms.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`; waveforms without a rate must have `sampling_rate_`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, n_frames, n_bins), float32
            As of `SpectrogramTransformer`.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.
        """
        check_is_fitted(self)
        clips = validate_sounds_for(self, X)
        rates = self._rates(clips)
        spectrograms = np.empty((len(clips), self.n_frames_, self.n_bins_), dtype=np.float32)
        for rate in sorted(set(rates)):
            rows = [row for row, own in enumerate(rates) if own == rate]
            spectrograms[rows] = compute_rows(
                self._recipe(rate),
                [clips[row] for row in rows],
                n_jobs=self.n_jobs,
                verbose=self.verbose,
                description=f"Spectrograms at {rate} Hz",
            )
        return spectrograms

    def _rates(self, clips):
        """Return the rate at which each clip is taken."""
        if self.sampling_rate is not None or not isinstance(clips[0], Clip):
            return super()._rates(clips)
        return [info.sampling_rate for info in read_infos(clips, n_jobs=self.n_jobs)]

    def _settings(self, rate):
        settings = asdict(super()._settings(rate))
        settings["window_length"] = max(1, int(self.window_length * rate))
        settings["hop_length"] = max(1, int(self.hop_length * rate))
        return _OldSettings(**settings)

    def _recipe(self, rate):
        return _OldRecipe(
            settings=self._settings(rate),
            n_frames=self.n_frames_,
            length=self.length,
            standardize=self.standardize,
            cache=self.cache,
        )

    def _as_fitted(self):
        """Return a copy with what `fit` would learn; `n_frames` must be given."""
        fitted = clone(self)
        fitted.sampling_rate_ = self.sampling_rate or _DEFAULT_RATE
        fitted.n_frames_ = self.n_frames
        fitted.n_bins_ = self._settings(fitted.sampling_rate_).n_bins
        return fitted


def _tuning(samples, settings):
    """Estimate how far a clip is from A4 = 440 Hz, in semitones, as librosa does.

    The peaks of all spectra are read between the frequencies; of the louder half of them, the
    commonest distance to the nearest semitone counts.
    """
    padded = np.pad(samples, settings.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)
    frames = frames[:: settings.hop_length]
    peaks = [
        _spectral_peaks(_power(frames[first : first + _FRAMES_PER_BLOCK], settings), settings)
        for first in range(0, len(frames), _FRAMES_PER_BLOCK)
    ]
    pitches, levels = map(np.concatenate, zip(*peaks, strict=True))
    pitches = pitches[levels >= np.median(levels)] if levels.size else pitches
    if not pitches.size:
        return 0.0
    distances = np.mod(_spectrogram.N_CHROMA * np.log2(pitches / 27.5), 1.0)
    distances[distances >= 0.5] -= 1.0
    counts, edges = np.histogram(distances, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _power(frames, settings):
    return np.abs(fft.rfft(frames * _spectrogram._window(settings), axis=1)) ** 2


def _spectral_peaks(power, settings, lowest=150.0, highest=4000.0):
    """Return the frequencies of spectral peaks, and their levels, interpolated by parabolas."""
    before, here, after = power[:, :-2], power[:, 1:-1], power[:, 2:]
    slope, bend = (after - before) / 2, after + before - 2 * here
    has_top = np.abs(slope) < np.abs(bend)
    shift = np.divide(-slope, bend, out=np.zeros_like(slope), where=has_top)
    audible = here > 0.1 * power.max(axis=1, keepdims=True)
    is_peak = audible & (here > before) & (here >= after)
    # As if the transform were of even length, which librosa takes for granted here.
    spacing = settings.sampling_rate / (2 * (power.shape[1] - 1))
    positions = np.arange(1, power.shape[1] - 1)
    highest = min(highest, settings.sampling_rate / 2)
    is_peak &= (positions * spacing >= lowest) & (positions * spacing < highest)
    frequencies = (positions + shift) * spacing
    return frequencies[is_peak], (here + slope * shift / 2)[is_peak]
