"""SpectrogramTransformer: turn clips into spectrograms of the same size."""

import math
import os
from dataclasses import asdict, astuple
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_sounds, validate_sounds_for
from skdaf._audio.lengths import is_range_in_seconds, median_and_range, rate_and_lengths
from skdaf._core.estimator import Estimator, is_flag, is_positive_count, is_seconds
from skdaf._core.limits import MAX_FRAME
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.user_warnings import warn_user
from skdaf._core.validation import ExplainedOptions, Hertz, Seconds, StrictInterval, fit_context
from skdaf._features.extraction import compute_rows
from skdaf._features.filter_banks import count_empty_bands
from skdaf._features.resizing import METHODS, CommonLength, warn_about_unusual_clips
from skdaf._features.spectrogram import FEATURES, SpectrogramSettings, are_settings
from skdaf._features.spectrogram_extraction import SpectrogramExtraction
from skdaf._features.standardizing import share_to_subtract
from skdaf._features.windows import warn_about_gaps


@public
class SpectrogramTransformer(TransformerMixin, Estimator):
    """Turn audio clips into spectrograms of the same size.

    This is the front end of the networks in this package. It reads files of any format, sampling
    rate and number of channels, computes spectrograms in decibels, and gives every clip the same
    number of frames. The spectrogram of a clip never depends on the other clips.

    Parameters
    ----------
    features : {"mel", "mfcc", "mel+chroma"}, default="mel"
        What a frame contains: the levels of `n_mels` mel bands; `n_mfcc` cepstral coefficients
        with their deltas and delta-deltas; the mel bands followed by 12 pitch classes.
    sampling_rate : int, default=None
        The rate in Hz to which all clips are resampled. If None, `fit` uses the most common rate of
        the files and of other sounds with a known rate (the lower one if there is a tie), and 16000
        for waveforms without a rate. Resampling a file takes about as long as reading it.
    window_length : float, default=0.032
        Length of the analysis window in seconds.
    hop_length : float, default=0.010
        Step from one frame to the next in seconds. Halving it doubles the number of frames, unless
        `fit` squeezes the clips (see `n_frames`).
    n_mels : int, default=40
        Number of mel bands.
    n_mfcc : int, default=13
        Number of cepstral coefficients, with ``features="mfcc"``.
    fmin : float, default=0.0
        Lower end of the mel bands in Hz.
    fmax : float, default=None
        Upper end of the mel bands in Hz. If None, half the sampling rate.
    top_db : float, default=80.0
        Dynamic range in dB: lower levels are raised to `top_db` below the highest level of the
        clip. If None, levels are not limited.
    standardize : bool, default=True
        Whether to give each clip zero mean and unit variance over all its values. Before that,
        levels more than 50 dB below the highest level are softened: they keep 0.3 of the distance
        below that point, because the level of pauses depends more on the microphone than on the
        sound. With ``features="mfcc"``, nothing is softened.
    mean_subtraction : {"auto"} or float, default="auto"
        With ``standardize=True``, the share (0 to 1) of the mean spectrum of each clip, which is
        the mean over time of each bin, to subtract before standardizing. It makes clips from
        different microphones, rooms and speakers more similar, but removes what stays the same in
        a clip. 1 is known as cepstral mean normalization. If "auto", `fit` chooses
        ``T / (T + 3)``, where T is the median length of its clips in seconds: the shorter clips
        are, the more of their content is in the mean.
    n_frames : int, default=None
        Number of frames of every spectrogram. If None, `fit` chooses it from the lengths of its
        clips: the 95th percentile with ``length="pad"``, else the median. If the median is more
        than 250, clips are squeezed to 250 frames, but at most by a factor of four: networks train
        faster and are as accurate.
    length : {"auto", "resize", "tile", "pad"}, default="auto"
        How clips of other lengths get that number of frames. "resize" stretches or squeezes each
        clip along time (bicubic). "tile" repeats short clips and keeps the middle of long ones, so
        that time passes at the same speed in all clips. "pad" appends silence or drops the end.
        If "auto", `fit` chooses "tile" if lengths differ a lot (the 90th percentile is more than
        four times the 10th), else "resize". The standardized values of padded clips stay within 10
        standard deviations of the mean: silence is raised to that limit, and a clip that exceeds
        it anywhere is scaled down.
    channel : int, default=None
        The channel of files to use, counted from 0. If None, all channels are averaged. Waveforms
        have one channel, so the value must be None or 0 for them.
    cache : str or os.PathLike, default=None
        Folder in which to store the spectrograms of files. All folds, candidates, processes and
        later runs use it, and computers that share a file system can share it. Entries depend on
        the file's path, size and time stamps, and on the parameters above except `standardize`,
        `mean_subtraction`, `n_frames` and `length`. Damaged entries are computed again. Nothing is
        ever removed: delete the folder to free the space. A relative path is relative to the
        current directory. A fitted transformer that cannot use the folder warns and continues
        without it. If None, nothing is stored.
    n_jobs : int, default=None
        Number of joblib workers; `joblib.parallel_config` chooses the backend. The results do not
        depend on it.
    verbose : int, default=0
        If 1, show a progress bar.

    Attributes
    ----------
    sampling_rate_ : int
        The sampling rate in Hz.
    n_frames_ : int
        Number of frames of every spectrogram.
    n_bins_ : int
        Number of values per frame.
    length_ : {"resize", "tile", "pad"}
        How clips get `n_frames_` frames.
    mean_subtraction_ : float
        The share of the mean spectrum that is subtracted.
    clip_length_ : float
        Median length of the clips in seconds; files of earlier releases lack it.
    n_features_in_ : int
        Number of samples per waveform, if fitted on a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if fitted on a table of samples whose columns have names.

    Notes
    -----
    Mel bands follow Slaney's scale with triangles of equal area, on centered frames with a
    periodic Hann window. With ``standardize=False``, ``features="mel"`` equals librosa's
    ``melspectrogram`` followed by ``power_to_db(ref=np.max)`` for the same samples, unless the clip
    is resized. Cepstral coefficients are the orthonormal cosine transform of these levels; their
    deltas are slopes over nine frames (fewer in shorter clips). Chroma is relative to the strongest
    pitch class of its frame, tuned to A4 = 440 Hz.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE TASSP 28(4), 1980.
    .. [2] M. Slaney, "Auditory Toolbox", Interval Research Corporation, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import SpectrogramTransformer
    >>> rng = np.random.default_rng(0)
    >>> waveforms = rng.standard_normal((4, 8000))  # half a second at 16 kHz
    >>> SpectrogramTransformer(n_mels=64).fit_transform(waveforms).shape
    (4, 51, 64)
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "sampling_rate_": is_positive_count,
        "_rate_is_of_files": is_flag,
        "n_frames_": is_positive_count,
        "n_bins_": is_positive_count,
        "length_": lambda value: type(value) is str and value in METHODS,
        "mean_subtraction_": lambda value: isinstance(value, float) and 0 <= value <= 1,
        "_squeeze": lambda value: isinstance(value, float) and 1 <= value < math.inf,
        "_fitted_settings": are_settings,
        "clip_length_": is_seconds,
        "_clip_lengths": is_range_in_seconds,
    }

    _parameter_constraints = {
        "features": [StrOptions(set(FEATURES))],
        "sampling_rate": [Hertz(Integral, 100, None, closed="left"), None],
        "window_length": [Seconds(MAX_FRAME)],
        "hop_length": [Seconds(MAX_FRAME)],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Hertz(Real, 0, None, closed="left")],
        "fmax": [Hertz(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "standardize": ["boolean"],
        "mean_subtraction": [StrictInterval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "n_frames": [Interval(Integral, 1, None, closed="left"), None],
        "length": [
            ExplainedOptions({"auto", *METHODS}, "how clips get `n_frames` frames, not a number")
        ],
        "channel": [Interval(Integral, 0, None, closed="left"), None],
        "cache": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        features: Literal["mel", "mfcc", "mel+chroma"] = "mel",
        *,
        sampling_rate: int | None = None,
        window_length: float = 0.032,
        hop_length: float = 0.010,
        n_mels: int = 40,
        n_mfcc: int = 13,
        fmin: float = 0.0,
        fmax: float | None = None,
        top_db: float | None = 80.0,
        standardize: bool = True,
        mean_subtraction: Literal["auto"] | float = "auto",
        n_frames: int | None = None,
        length: Literal["auto", "resize", "tile", "pad"] = "auto",
        channel: int | None = None,
        cache: PathLike | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.features = features
        self.sampling_rate = sampling_rate
        self.window_length = window_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.n_mfcc = n_mfcc
        self.fmin = fmin
        self.fmax = fmax
        self.top_db = top_db
        self.standardize = standardize
        self.mean_subtraction = mean_subtraction
        self.n_frames = n_frames
        self.length = length
        self.channel = channel
        self.cache = cache
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: object = None) -> Self:
        """Choose the sampling rate, the common length and the mean subtraction.

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
        self : SpectrogramTransformer
            The fitted transformer.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.

        Warns
        -----
        UserWarning
            If the window is too short to separate the mel bands, so that some are always silent,
            or shorter than `hop_length`, so that the audio in between is not used.
            If clips have a single frame, or are resized or tiled and ten times longer than most.
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
        settings = self._settings(self.sampling_rate_)
        self._warn_about_empty_bands(settings)
        warn_about_gaps(self, "window_length", "hop_length")
        # A plain dict, so that estimators are the only types of this package in saved models.
        self._fitted_settings = asdict(settings)
        self.n_bins_ = settings.n_bins
        self.clip_length_, self._clip_lengths = median_and_range(n_samples, self.sampling_rate_)
        lengths = [settings.n_frames(n) for n in n_samples]
        self._choose_length(lengths)
        seconds = [(n - 1) * self.hop_length for n in lengths]
        warn_about_unusual_clips(clips, seconds, self.length_)
        self.mean_subtraction_ = self._choose_mean_subtraction(float(np.median(seconds)))
        return self

    def transform(self, X: Clips) -> NDArray[np.float32]:
        """Compute the spectrograms.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`. Waveforms without a rate must be sampled at `sampling_rate_`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, `n_frames_`, `n_bins_`), float32
            In decibels, or in standard deviations with ``standardize=True``.

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
            self._extraction_at_one_rate(),
            validate_sounds_for(self, X),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            description="Spectrograms",
            known_lengths=vars(self).get("_clip_lengths"),
        )

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Do nothing: spectrograms have three dimensions and remain NumPy arrays.

        With this method, you can call ``pipeline.set_output(transform="pandas")`` for the other
        steps of a pipeline.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self : SpectrogramTransformer
            The transformer itself.
        """
        return self

    def _choose_length(self, lengths):
        chosen = CommonLength.choose(self.length, self.n_frames, lengths)
        self.length_, self.n_frames_, self._squeeze = astuple(chosen)

    def _common_length(self):
        return CommonLength(self.length_, self.n_frames_, self._squeeze)

    def _choose_mean_subtraction(self, seconds):
        if self.mean_subtraction == "auto":
            return share_to_subtract(seconds)
        return float(self.mean_subtraction)

    def _settings(self, rate):
        """Return the parameters in samples and Hz."""
        return SpectrogramSettings.from_seconds(
            rate,
            features=self.features,
            window_length=self.window_length,
            hop_length=self.hop_length,
            n_mels=self.n_mels,
            n_mfcc=self.n_mfcc,
            fmin=self.fmin,
            fmax=self.fmax,
            top_db=self.top_db,
            channel=self.channel,
        )

    def _warn_about_empty_bands(self, settings):
        n_empty = count_empty_bands(settings)
        if n_empty == self.n_mels:
            raise ValueError(
                f"All mel bands between fmin={settings.fmin:g} and fmax={settings.fmax:g} Hz are "
                f"narrower than a window of window_length={self.window_length} (seconds) can "
                "resolve, so spectrograms would be silent. Frequencies are in Hz."
            )
        if n_empty:
            warn_user(
                f"{n_empty} of n_mels={self.n_mels} mel bands are always silent: with "
                f"window_length={self.window_length} (seconds) at {settings.sampling_rate} Hz they "
                "are narrower than the window can resolve. Use fewer mel bands or a longer window."
            )

    def _rates(self, clips):
        """Return the sampling rate to which each clip is resampled."""
        return [self.sampling_rate_] * len(clips)

    def _extraction_at_one_rate(self):
        """Return how spectrograms are computed from waveforms at `sampling_rate_`."""
        return self._extraction(SpectrogramSettings(**self._fitted_settings))

    def _extraction(self, settings, kind=SpectrogramExtraction):
        return kind(
            settings=settings,
            length=self._common_length(),
            standardize=self.standardize,
            mean_subtraction=self.mean_subtraction_,
            cache=self.cache,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
