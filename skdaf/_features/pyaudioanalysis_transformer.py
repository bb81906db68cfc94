"""PyAudioAnalysisTransformer: hand-crafted features of clips, without pyAudioAnalysis itself."""

import os
from dataclasses import dataclass
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_sounds, validate_sounds_for
from skdaf._audio.lengths import is_range_in_seconds, median_and_range, rate_and_lengths
from skdaf._core.estimator import Estimator, is_flag, is_positive_count, is_seconds
from skdaf._core.limits import MAX_FRAME, MAX_WINDOW
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.user_warnings import warn_user
from skdaf._core.validation import Hertz, Seconds, fit_context
from skdaf._features.extraction import Extraction, compute_rows
from skdaf._features.pyaudioanalysis import PyAudioAnalysisSettings, compute_features
from skdaf._features.windows import warn_about_gaps

# A shorter frame has a handful of frequencies, and its features mean little. One with a single
# sample has no spectrum.
_MIN_SAMPLES, _MIN_USEFUL_SAMPLES = 2, 16


@public
class PyAudioAnalysisTransformer(TransformerMixin, Estimator):
    """Compute pyAudioAnalysis's hand-crafted features of audio clips.

    The transformer computes 34 short-term features of level, spectrum, cepstrum and chroma, and
    their changes from frame to frame. It returns their means and standard deviations over mid-term
    windows, averaged over the clip: one row of numbers per clip, ready for `StandardScaler` and any
    classifier, alone or together with the features of a network in a `FeatureUnion`. Nothing is
    learned from the sounds.

    The values are the same as in pyAudioAnalysis, which does not have to be installed. All frames
    of many clips are computed together, which is tens of times faster.

    Parameters
    ----------
    mid_window : float, default=1.0
        Length of the mid-term windows in seconds, at most 900. Windows that extend beyond the end
        of a clip are cut there, and still have full weight in the average.
    mid_step : float, default=1.0
        Step from one mid-term window to the next in seconds, at most 900.
    short_window : float, default=0.05
        Length of the frames in seconds, at most 1. Chroma and cepstrum are incomplete in very short
        frames; see Notes.
    short_step : float, default=0.05
        Step from one frame to the next in seconds, at most 1. Halving it doubles the time.
    deltas : bool, default=True
        Whether to add the changes from frame to frame, for 136 features instead of 68.
    sampling_rate : int, default=None
        The rate in Hz to which all clips are resampled. If None, `fit` uses the most common rate of
        the files and of other sounds with a known rate (the lower one if there is a tie), and 16000
        for waveforms without a rate.
    channel : int, default=None
        The channel of files to use, counted from 0. If None, all channels are averaged. Waveforms
        have one channel, so the value must be None or 0 for them.
    cache : str or os.PathLike, default=None
        Folder in which to store the features of files. All folds, candidates, processes and later
        runs use it, and computers that share a file system can share it. Entries depend on the
        file's path, size and time stamps, and on the parameters above. Damaged entries are computed
        again. Nothing is ever removed: delete the folder to free the space. A
        `SpectrogramTransformer` can use the same folder. If None, nothing is stored.
    n_jobs : int, default=None
        Number of joblib workers; `joblib.parallel_config` chooses the backend. The results do not
        depend on it.
    verbose : int, default=0
        If 1, show a progress bar.

    Attributes
    ----------
    sampling_rate_ : int
        The sampling rate in Hz.
    clip_length_ : float
        Median length of the clips in seconds; files of earlier releases lack it.
    n_features_in_ : int
        Number of samples per waveform, if fitted on a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if fitted on a table of samples whose columns have names.

    See Also
    --------
    SpectrogramTransformer : The front end of the networks.

    Notes
    -----
    A clip shorter than a frame is padded with zeros. Durations are rounded to whole samples, and
    those of mid-term windows to whole frames, but to at least one sample and one frame.

    pyAudioAnalysis reads 16-bit samples and scales each recording to the range from -1 to 1. Here
    files of all sample widths, and waveforms of any scale, are treated the same way. Therefore the
    features of a clip do not depend on its loudness.

    Peculiarities of the original are preserved, because published results use its values: the
    cepstral filters are an octave below their nominal frequencies, chroma uses one bin per
    semitone, and the first frame has no flux and no deltas. The features equal those of version
    0.3.14 to within a relative error of 1e-6, or an absolute error of 1e-11 where they are zero up
    to rounding. Two cases in which pyAudioAnalysis fails work here: at sampling rates below
    6856 Hz, filters beyond the spectrum are left empty; in frames so short that chroma has more
    semitones than bins (22 ms at 8 kHz, 12 ms at 16 kHz, 5 ms at 44.1 kHz), semitones that do not
    fit are left out.

    References
    ----------
    .. [1] T. Giannakopoulos, "pyAudioAnalysis: An Open-Source Python Library for Audio Signal
       Analysis", PLOS ONE 10(12), 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import PyAudioAnalysisTransformer
    >>> rng = np.random.default_rng(0)
    >>> waveforms = rng.standard_normal((4, 8000))  # half a second at 16 kHz
    >>> transformer = PyAudioAnalysisTransformer().set_output(transform="pandas")
    >>> features = transformer.fit_transform(waveforms)
    >>> features.shape
    (4, 136)
    >>> print(*features.columns[[0, 8, 34, 135]], sep=", ")
    zcr_mean, mfcc_1_mean, delta zcr_mean, delta chroma_std_std
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "sampling_rate_": is_positive_count,
        "_rate_is_of_files": is_flag,
        "clip_length_": is_seconds,
        "_clip_lengths": is_range_in_seconds,
    }

    _parameter_constraints = {
        "mid_window": [Seconds(MAX_WINDOW)],
        "mid_step": [Seconds(MAX_WINDOW)],
        "short_window": [Seconds(MAX_FRAME)],
        "short_step": [Seconds(MAX_FRAME)],
        "deltas": ["boolean"],
        "sampling_rate": [Hertz(Integral, 100, None, closed="left"), None],
        "channel": [Interval(Integral, 0, None, closed="left"), None],
        "cache": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        mid_window: float = 1.0,
        mid_step: float = 1.0,
        short_window: float = 0.05,
        short_step: float = 0.05,
        deltas: bool = True,
        sampling_rate: int | None = None,
        channel: int | None = None,
        cache: PathLike | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.mid_window = mid_window
        self.mid_step = mid_step
        self.short_window = short_window
        self.short_step = short_step
        self.deltas = deltas
        self.sampling_rate = sampling_rate
        self.channel = channel
        self.cache = cache
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: object = None) -> Self:
        """Choose the sampling rate.

        Only the headers of files are read.

        Parameters
        ----------
        X : files or waveforms
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a list of ``(samples, sampling_rate)`` pairs, an array or tensor
            of shape (n_clips, n_samples), or a list of one-dimensional arrays or tensors.
        y : None
            Ignored.

        Returns
        -------
        self : PyAudioAnalysisTransformer
            The fitted transformer.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.
        ValueError
            If a frame has less than two samples, or is longer than a mid-term window.

        Warns
        -----
        UserWarning
            If a frame has less than 16 samples, or a step is longer than its window, so that the
            audio in between is not used.
        """
        clips = validate_sounds(self, X, reset=True, y=y)
        self.sampling_rate_, n_samples = rate_and_lengths(
            clips,
            self.sampling_rate,
            channel=self.channel,
            cache=self.cache,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        self._rate_is_of_files = self.sampling_rate is None and isinstance(clips[0], Clip)
        self.clip_length_, self._clip_lengths = median_and_range(n_samples, self.sampling_rate_)
        self._check_windows(self.sampling_rate_)
        return self

    def _check_windows(self, rate):
        """Raise ValueError for windows that cannot work, and warn about those that lose audio."""
        n_samples = self.short_window * rate
        found = f"short_window={self.short_window:g} (seconds) is {n_samples:.3g} samples at {rate}"
        if n_samples < _MIN_SAMPLES:
            raise ValueError(f"{found} Hz: expected at least {_MIN_SAMPLES}, and usually 0.02 s.")
        if self.mid_window < self.short_window:
            raise ValueError(
                f"mid_window={self.mid_window:g} must be at least as long as "
                f"short_window={self.short_window:g} (seconds), because it consists of frames."
            )
        if n_samples < _MIN_USEFUL_SAMPLES:
            warn_user(
                f"{found} Hz, too few for useful spectra. Frames usually have 0.02 to 0.05 s."
            )
        for window, step in (("short_window", "short_step"), ("mid_window", "mid_step")):
            warn_about_gaps(self, window, step)

    def transform(self, X: Clips) -> NDArray[np.float64]:
        """Compute the features.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`. Waveforms without a rate must be sampled at `sampling_rate_`.

        Returns
        -------
        features : ndarray of shape (n_clips, 136), or (n_clips, 68) without deltas; float64
            The means of all short-term features, followed by their standard deviations.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.

        Warns
        -----
        UserWarning
            If X contains waveforms without a rate, but `sampling_rate_` was chosen from files, once
            per estimator; if clips end after their files, or differ from `fit` by a factor of ten.
        """
        check_is_fitted(self)
        return compute_rows(
            PyAudioAnalysisExtraction(self._settings(), self.cache),
            validate_sounds_for(self, X),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            description="Features",
            known_lengths=vars(self).get("_clip_lengths"),
        )

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return pyAudioAnalysis's names of the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            If given, these must be the names seen by `fit`. Otherwise ignored.

        Returns
        -------
        names : ndarray of shape (n_features_out,), str objects
            From "zcr_mean" to "delta chroma_std_std".
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(self._settings().names, dtype=object)

    def _settings(self):
        return PyAudioAnalysisSettings.from_seconds(
            self.sampling_rate_,
            short_window=self.short_window,
            short_step=self.short_step,
            mid_window=self.mid_window,
            mid_step=self.mid_step,
            deltas=self.deltas,
            channel=self.channel,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


@dataclass(frozen=True)
class PyAudioAnalysisExtraction(Extraction):
    """Compute rows of features."""

    settings: PyAudioAnalysisSettings
    cache: PathLike | None

    version = 3
    dtype = np.float64
    accepts_integers = True

    @property
    def row_shape(self):
        return (len(self.settings.names),)

    def compute(self, waveforms):
        return compute_features(waveforms, self.settings)

    def from_bytes(self, value):
        return np.frombuffer(value)
