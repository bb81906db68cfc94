"""LegacySpectrogramTransformer: compute spectrograms as deep_audio_features does."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_sounds_for
from skdaf._audio.lengths import read_infos
from skdaf._audio.samples import to_float32
from skdaf._audio.unusual_clips import one_report
from skdaf._core.limits import check_recording
from skdaf._core.public import public
from skdaf._core.typing import Clips
from skdaf._features.extraction import compute_rows
from skdaf._features.filter_banks import N_CHROMA
from skdaf._features.spectrogram import (
    SpectrogramSettings,
    analysis_window,
    are_settings,
    compute_spectrograms,
)
from skdaf._features.spectrogram_extraction import SpectrogramExtraction
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

# The sampling rate (Hz) of waveforms if none is given.
_DEFAULT_RATE = 16_000

# Frames that are searched for spectral peaks together.
_FRAMES_PER_BLOCK = 1024


@dataclass(frozen=True)
class _LegacySettings(SpectrogramSettings):
    """Settings of spectrograms whose transform is exactly as long as the window."""

    tuning: float = 0.0

    @property
    def n_fft(self):
        return self.window_length

    def n_frames(self, n_samples):
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length


def _are_legacy_settings(value):
    """Return whether a value from a file could be the settings of a fitted front end."""
    if type(value) is not dict or type(value.get("tuning")) is not float:
        return False
    return are_settings({name: part for name, part in value.items() if name != "tuning"})


class _LegacyExtraction(SpectrogramExtraction):
    """Compute spectrograms that are padded with 0 dB, with chroma tuned to each clip."""

    @property
    def padding(self):
        return np.zeros(self.settings.n_bins, dtype=np.float32)

    def compute(self, waveforms):
        if self.settings.features != "mel+chroma":
            return super().compute(waveforms)
        waveforms = [to_float32(samples) for samples in waveforms]
        for samples in waveforms:
            check_recording(self.settings.n_frames(len(samples)), self.settings.n_bins)
        return [
            compute_spectrograms(
                [samples],
                replace(self.settings, tuning=_estimate_tuning(samples, self.settings)),
            )[0]
            for samples in waveforms
        ]


@public
class LegacySpectrogramTransformer(SpectrogramTransformer):
    """Turn audio clips into spectrograms as deep_audio_features does.

    This is the front end of the estimators that `load_deep_audio_features` returns. It has the
    parameters of `SpectrogramTransformer`, with these differences:

    - with ``sampling_rate=None``, every file keeps its own sampling rate;
    - the Fourier transform is exactly as long as the window, whose length is rounded down to whole
      samples;
    - ``length="pad"`` appends frames of 0 dB, the highest level;
    - chroma is tuned to each clip.

    Parameters
    ----------
    features : {"mel", "mfcc", "mel+chroma"}, default="mel"
        What a frame contains.
    sampling_rate : int, default=None
        The rate in Hz to which all clips are resampled. If None, files keep their own rates, and
        waveforms are assumed to have 16000 Hz.
    window_length, hop_length : float, default=0.032, 0.010
        Length of the analysis window, and step from one frame to the next, in seconds.
    n_mels, n_mfcc : int, default=40, 13
        Number of mel bands and of cepstral coefficients.
    fmin, fmax : float, default=0.0, None
        Lower and upper end of the mel bands in Hz. If `fmax` is None, half the sampling rate.
    top_db : float, default=80.0
        Dynamic range in dB: lower levels are raised to `top_db` below the highest level of the
        clip. If None, levels are not limited.
    standardize : bool, default=True
        Whether to give each clip zero mean and unit variance.
    mean_subtraction : {"auto"} or float, default="auto"
        With ``standardize=True``, the share of the mean spectrum to subtract from each clip.
    n_frames : int, default=None
        Number of frames of every spectrogram. If None, `fit` chooses it.
    length : {"auto", "resize", "tile", "pad"}, default="auto"
        How clips of other lengths get that number of frames.
    channel : int, default=None
        The channel of files to use. If None, all channels are averaged.
    cache : str or os.PathLike, default=None
        Folder in which to store the spectrograms of files. If None, nothing is stored.
    n_jobs : int, default=None
        Number of joblib workers.
    verbose : int, default=0
        If 1, show a progress bar.

    See Also
    --------
    SpectrogramTransformer : Describes the parameters in detail.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import LegacySpectrogramTransformer
    >>> waveforms = np.random.default_rng(0).standard_normal((4, 8000))
    >>> LegacySpectrogramTransformer(window_length=0.05, n_mels=40).fit_transform(waveforms).shape
    (4, 51, 40)
    """

    _saved_attributes = {
        **SpectrogramTransformer._saved_attributes,
        "_fitted_settings": _are_legacy_settings,
    }

    def transform(self, X: Clips) -> NDArray[np.float32]:
        """Compute the spectrograms.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`. Waveforms without a rate must be sampled at `sampling_rate_`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, n_frames, n_bins), float32
            As from `SpectrogramTransformer`.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.
        """
        check_is_fitted(self)
        clips = validate_sounds_for(self, X)
        rates = self._rates(clips)
        spectrograms = np.empty((len(clips), self.n_frames_, self.n_bins_), dtype=np.float32)
        with one_report():
            for rate in sorted(set(rates)):
                rows = [row for row, own in enumerate(rates) if own == rate]
                spectrograms[rows] = compute_rows(
                    self._extraction(self._settings(rate)),
                    [clips[row] for row in rows],
                    n_jobs=self.n_jobs,
                    verbose=self.verbose,
                    description=f"Spectrograms at {rate} Hz",
                    known_lengths=vars(self).get("_clip_lengths"),
                )
        return spectrograms

    def _rates(self, clips):
        """Return the sampling rate at which each clip is used."""
        if self.sampling_rate is not None or not isinstance(clips[0], Clip):
            return super()._rates(clips)
        return [info.sampling_rate for info in read_infos(clips, n_jobs=self.n_jobs)]

    def _settings(self, rate):
        settings = asdict(super()._settings(rate))
        settings["window_length"] = max(1, int(self.window_length * rate))
        settings["hop_length"] = max(1, int(self.hop_length * rate))
        return _LegacySettings(**settings)

    def _extraction_at_one_rate(self):
        if self.sampling_rate is None:
            raise ValueError(
                "This LegacySpectrogramTransformer uses each file at its own rate. Set a rate: "
                "load_deep_audio_features(path, sampling_rate=...)."
            )
        if self.features == "mel+chroma":
            raise ValueError(
                "This LegacySpectrogramTransformer tunes its chroma to each clip, which needs its "
                "transform: it cannot be expressed by one set of filters."
            )
        return self._extraction(self._settings(self.sampling_rate))

    def _extraction(self, settings, kind=_LegacyExtraction):
        return super()._extraction(settings, kind)

    def _as_fitted(self):
        """Return a fitted copy without calling `fit`; `n_frames` must be given."""
        fitted = clone(self)
        fitted.sampling_rate_ = self.sampling_rate or _DEFAULT_RATE
        fitted._choose_length([self.n_frames])
        fitted.mean_subtraction_ = fitted._choose_mean_subtraction(0.0)
        fitted.n_bins_ = self._settings(fitted.sampling_rate_).n_bins
        return fitted


def _estimate_tuning(samples, settings):
    """Estimate how far the tuning of a clip is from A4 = 440 Hz, in semitones, as librosa does.

    Spectral peaks are interpolated between frequencies. The result is the most common distance from
    the nearest semitone among the louder half of them.
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
    distances = np.mod(N_CHROMA * np.log2(pitches / 27.5), 1.0)
    distances[distances >= 0.5] -= 1.0
    counts, edges = np.histogram(distances, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _power(frames, settings):
    return np.abs(fft.rfft(frames * analysis_window(settings), axis=1)) ** 2


def _spectral_peaks(power, settings, lowest=150.0, highest=4000.0):
    """Return the frequencies and levels of spectral peaks, interpolated by parabolas."""
    before, here, after = power[:, :-2], power[:, 1:-1], power[:, 2:]
    slope, bend = (after - before) / 2, after + before - 2 * here
    has_top = np.abs(slope) < np.abs(bend)
    shift = np.divide(-slope, bend, out=np.zeros_like(slope), where=has_top)
    audible = here > 0.1 * power.max(axis=1, keepdims=True)
    is_peak = audible & (here > before) & (here >= after)
    # librosa assumes a transform of even length here.
    spacing = settings.sampling_rate / (2 * (power.shape[1] - 1))
    positions = np.arange(1, power.shape[1] - 1)
    highest = min(highest, settings.sampling_rate / 2)
    is_peak &= (positions * spacing >= lowest) & (positions * spacing < highest)
    frequencies = (positions + shift) * spacing
    return frequencies[is_peak], (here + slope * shift / 2)[is_peak]
