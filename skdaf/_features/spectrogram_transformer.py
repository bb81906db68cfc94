"""SpectrogramTransformer: what turns clips into spectrograms of one size."""

import os
import warnings
from dataclasses import asdict, dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_sounds, validate_sounds_for
from skdaf._audio.lengths import rate_and_lengths
from skdaf._core.estimator import Estimator, is_count, is_flag, is_positive_count
from skdaf._core.limits import check_recording, check_size
from skdaf._core.public import public
from skdaf._core.validation import fit_context
from skdaf._features import spectrogram as _spectrogram
from skdaf._features.extraction import ClipRecipe, compute_rows

FEATURES = ("mel", "mfcc", "mel+chroma")

# What a fitted transformer keeps of its parameters, in samples and Hz.
_SETTINGS = {
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

# With length="pad" no standardized value is further from zero than this.
_MOST_DEVIATIONS = np.float32(10.0)


def _is_settings(value):
    """Return whether a value from a file could be the settings of spectrograms."""
    return (
        type(value) is dict
        and value.keys() - {"channel"} == _SETTINGS.keys()
        and (value.get("channel") is None or is_count(value["channel"]))
        and all(isinstance(value[name], kind) for name, kind in _SETTINGS.items())
        and all(value[name] > 0 for name, kind in _SETTINGS.items() if kind is int)
        and value["features"] in FEATURES
        and (value["features"] != "mfcc" or value["n_mfcc"] <= value["n_mels"])
    )


@public
class SpectrogramTransformer(TransformerMixin, Estimator):
    """Turn audio clips into spectrograms of one size.

    The front end of the networks of this package: it reads files of any format, rate and channel
    count, computes a spectrogram in decibels, and brings every clip to the same number of frames.
    A clip's spectrogram never depends on the clips beside it.

    Parameters
    ----------
    features : {"mel", "mfcc", "mel+chroma"}, default="mel"
        What a frame holds: the levels of `n_mels` mel bands; `n_mfcc` cepstral coefficients with
        their deltas and delta-deltas; the mel bands followed by 12 pitch classes.
    sampling_rate : int, default=None
        The rate in Hz that everything is resampled to. None takes the commonest rate among the
        files and other sounds with a rate that `fit` sees (the lower one of a tie), and 16000 for
        waveforms without one. Resampling costs about as much as reading.
    window_length : float, default=0.032
        Length of the analysis window in seconds.
    hop_length : float, default=0.010
        Step from frame to frame in seconds. Time and memory grow in inverse proportion.
    n_mels : int, default=64
        Number of mel bands.
    n_mfcc : int, default=13
        Number of cepstral coefficients, with ``features="mfcc"``.
    fmin : float, default=0.0
        Lower end of the mel bands in Hz.
    fmax : float, default=None
        Upper end of the mel bands in Hz; None is half the sampling rate.
    top_db : float, default=80.0
        Levels further than this below the loudest value of the clip are raised to it, in dB.
        None keeps them.
    standardize : bool, default=True
        Whether to give each clip zero mean and unit variance over all its values. Before that,
        levels more than 50 dB below the loudest value keep 0.3 of their distance from there (not
        with ``features="mfcc"``): how deep the pauses are says more about the microphone than
        about the sound.
    n_frames : int, default=None
        Number of frames of every spectrogram. None learns it from the clips seen by `fit`: their
        median with ``length="resize"``, their 95th percentile with ``length="pad"``.
    length : {"resize", "pad"}, default="resize"
        How a clip of another length gets there: "resize" stretches it along time (bicubic),
        "pad" appends silence or cuts the end off. With `standardize` no value of a padded clip is
        further than 10 standard deviations from its mean: the silence ends there, and a clip of
        which a single moment stands out further is scaled down.
    channel : int, default=None
        The channel of files that is taken, counted from 0. None averages all channels. Waveforms
        have one channel: None or 0.
    cache : str or os.PathLike, default=None
        A folder that keeps the spectrograms of files on disk, for all folds, candidates,
        processes and later sessions; machines that share a file system may share it. Entries
        depend on the file's path, size and times of change, and on the parameters above but
        `n_frames`, `length` and `standardize`; damaged ones are computed again. Nothing is ever
        removed: delete the folder to be rid of it. A relative path is looked up where the program
        runs; a fitted transformer that finds no usable folder warns and goes on without.
    n_jobs : int, default=None
        Number of workers, through joblib: `joblib.parallel_config` decides where they run. The
        results are the same for any number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    sampling_rate_ : int
        The rate used, in Hz.
    n_frames_ : int
        Number of frames of every spectrogram.
    n_bins_ : int
        Number of values in a frame.
    n_features_in_ : int
        Number of samples of a waveform, when fitted on a two-dimensional array. Other forms of X
        have no such count.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when fitted on a table of samples whose columns have names.

    Notes
    -----
    Mel bands follow Slaney's scale with triangles of equal area, on centred frames under a
    periodic Hann window. ``features="mel"`` equals, for the same samples and with
    ``standardize=False``, librosa's ``melspectrogram`` followed by ``power_to_db(ref=np.max)``.
    Cepstral coefficients are the orthonormal cosine transform of those levels; their deltas are
    slopes over nine frames (fewer for shorter clips). Chroma is relative to the strongest pitch
    class of its frame, tuned to A4 = 440 Hz.

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
    >>> SpectrogramTransformer(n_mels=40).fit_transform(waveforms).shape
    (4, 51, 40)
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "sampling_rate_": is_positive_count,
        "_rate_is_of_files": is_flag,
        "n_frames_": is_positive_count,
        "n_bins_": is_positive_count,
        "_fitted_settings": _is_settings,
    }

    _parameter_constraints = {
        "features": [StrOptions(set(FEATURES))],
        "sampling_rate": [Interval(Integral, 100, None, closed="left"), None],
        "window_length": [Interval(Real, 0, 1, closed="right")],
        "hop_length": [Interval(Real, 0, 1, closed="right")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "standardize": ["boolean"],
        "n_frames": [Interval(Integral, 1, None, closed="left"), None],
        "length": [StrOptions({"resize", "pad"})],
        "channel": [Interval(Integral, 0, None, closed="left"), None],
        "cache": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        features="mel",
        *,
        sampling_rate=None,
        window_length=0.032,
        hop_length=0.010,
        n_mels=64,
        n_mfcc=13,
        fmin=0.0,
        fmax=None,
        top_db=80.0,
        standardize=True,
        n_frames=None,
        length="resize",
        channel=None,
        cache=None,
        n_jobs=None,
        verbose=0,
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
        self.n_frames = n_frames
        self.length = length
        self.channel = channel
        self.cache = cache
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the sampling rate and the number of frames.

        Only the headers of files are read.

        Parameters
        ----------
        X : files or waveforms
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a list of ``(samples, sampling_rate)`` pairs, an array or tensor
            of shape (n_clips, n_samples), or a list of one-dimensional ones.
        y : None
            Ignored.

        Returns
        -------
        self : SpectrogramTransformer
            The fitted transformer.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.

        Warns
        -----
        UserWarning
            If the window is too short to tell the mel bands apart, so that some are always silent.
        """
        clips = validate_sounds(self, X, reset=True)
        self.sampling_rate_, n_samples = rate_and_lengths(
            clips,
            self.sampling_rate,
            channel=self.channel,
            cache=self.cache,
            n_jobs=self.n_jobs,
        )
        self._rate_is_of_files = self.sampling_rate is None and isinstance(clips[0], Clip)
        settings = self._settings(self.sampling_rate_)
        self._warn_of_empty_bands(settings)
        # A plain dict: saved models then hold no type of this package but the estimators.
        self._fitted_settings = asdict(settings)
        self.n_bins_ = settings.n_bins
        self.n_frames_ = self.n_frames or self._usual_length(
            [settings.n_frames(n) for n in n_samples]
        )
        return self

    def transform(self, X):
        """Compute the spectrograms.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`; waveforms without a rate must have `sampling_rate_`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, `n_frames_`, `n_bins_`), float32
            Decibels, or standard deviations with ``standardize=True``.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.

        Warns
        -----
        UserWarning
            Once, if X holds waveforms without a rate and `sampling_rate_` was learned from files.
        """
        check_is_fitted(self)
        return compute_rows(
            self._recipe(),
            validate_sounds_for(self, X),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            description="Spectrograms",
        )

    def set_output(self, *, transform=None):
        """Do nothing: spectrograms have three dimensions and stay a NumPy array.

        Kept so that ``pipeline.set_output(transform="pandas")`` reaches the steps behind this one.

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

    def _usual_length(self, n_frames):
        quantile = 0.5 if self.length == "resize" else 0.95
        return int(np.quantile(n_frames, quantile, method="higher"))

    def _settings(self, rate):
        """Say all parameters in samples and Hz, and check what only now can be checked."""
        fmax = float(rate / 2 if self.fmax is None else self.fmax)
        if not self.fmin < fmax <= rate / 2:
            raise ValueError(
                f"The mel bands must lie between 0 and half the sampling rate of {rate} Hz, "
                f"got fmin={self.fmin!r} and fmax={self.fmax!r}."
            )
        if self.features == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} must not be greater than n_mels={self.n_mels}.")
        return _spectrogram.Settings(
            features=self.features,
            sampling_rate=int(rate),
            window_length=max(1, round(self.window_length * rate)),
            hop_length=max(1, round(self.hop_length * rate)),
            n_mels=int(self.n_mels),
            n_mfcc=int(self.n_mfcc),
            fmin=float(self.fmin),
            fmax=fmax,
            top_db=None if self.top_db is None else float(self.top_db),
            channel=None if self.channel is None else int(self.channel),
        )

    def _warn_of_empty_bands(self, settings):
        n_empty = _spectrogram.empty_bands(settings)
        if n_empty:
            warnings.warn(
                f"{n_empty} of n_mels={self.n_mels} mel bands are always silent: with "
                f"window_length={self.window_length} (seconds) at {settings.sampling_rate} Hz they "
                "are narrower than the window can resolve. Use fewer mel bands or a longer window.",
                UserWarning,
                stacklevel=4,
            )

    def _rates(self, clips):
        """Return the rate at which each clip is taken."""
        return [self.sampling_rate_] * len(clips)

    def _recipe(self):
        return SpectrogramRecipe(
            settings=_spectrogram.Settings(**self._fitted_settings),
            n_frames=self.n_frames_,
            length=self.length,
            standardize=self.standardize,
            cache=self.cache,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


@dataclass(frozen=True)
class SpectrogramRecipe(ClipRecipe):
    """How clips become spectrograms of one size; the cache keeps them at their own lengths."""

    settings: _spectrogram.Settings
    n_frames: int
    length: str
    standardize: bool
    cache: str | os.PathLike | None

    version = 4
    dtype = np.float32

    def __post_init__(self):
        check_size(*self.row_shape)

    @property
    def row_shape(self):
        return self.n_frames, self.settings.n_bins

    @property
    def padding(self):
        """The frame that short clips are filled up with."""
        return _spectrogram.silent_frame(self.settings)

    def of_samples(self, waveforms):
        longest = max(map(len, waveforms))
        check_recording(self.settings.n_frames(longest), self.settings.n_bins)
        return _spectrogram.spectrograms(waveforms, self.settings)

    def from_bytes(self, value):
        return np.frombuffer(value, np.float32).reshape(-1, self.settings.n_bins)

    def finish(self, spectrogram, row):
        """Bring a spectrogram to the common length, standardized by what it was at its own."""
        padding = self.padding if self.length == "pad" else None
        if self.standardize and self.settings.features != "mfcc":
            spectrogram = _spectrogram.soften(spectrogram)
            padding = None if padding is None else _spectrogram.soften(padding)
        if self.length == "resize":
            fitted = _spectrogram.resize(spectrogram, self.n_frames)
        else:
            fitted = _spectrogram.pad_or_cut(spectrogram, self.n_frames, padding)
        if not self.standardize:
            row[...] = fitted
            return
        mean, scale = _spectrogram.standardization(spectrogram)
        if self.length == "pad":
            # A click has hardly any spread, and silence would be hundreds of deviations below it.
            farthest = np.abs(spectrogram - mean).max()
            scale = np.maximum(scale, farthest / _MOST_DEVIATIONS)
        np.subtract(fitted, mean, out=row)
        row /= scale
        if self.length == "pad":
            np.clip(row, -_MOST_DEVIATIONS, _MOST_DEVIATIONS, out=row)
