"""PyAudioAnalysisTransformer: hand-crafted features of clips, without pyAudioAnalysis itself."""

import os
from collections import Counter
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skdaf._audio import AudioReadError, Clip, read_clip, stat_audio
from skdaf._cache import Cache, make_key
from skdaf._chunks import read_headers
from skdaf._inputs import validate_clips
from skdaf._parallel import CHUNK_SIZE, map_chunks
from skdaf._short_term import FeatureSettings, clip_features

# The rate that waveforms are taken to have when none is given, in Hz.
_DEFAULT_RATE = 16_000

# Counted up whenever the same parameters begin to give other values.
_CACHE_VERSION = 1

# Samples whose features are computed together: enough to pay for the call, little memory.
_SAMPLES_PER_GROUP = 2**19


class PyAudioAnalysisTransformer(TransformerMixin, BaseEstimator):
    """Compute pyAudioAnalysis's hand-crafted features of audio clips.

    34 short-term features of level, spectrum, cepstrum and chroma, and their changes from frame to
    frame; their means and standard deviations over mid-term windows; the averages of those over
    the clip. One row of numbers a clip, ready for `StandardScaler` and any classifier, alone or
    beside the features of a network in a `FeatureUnion`. Nothing is learned from the sounds.

    The values are those of pyAudioAnalysis, which need not be installed: all frames of many clips
    are computed at once, some tens of times faster.

    Parameters
    ----------
    mid_window : float, default=1.0
        Length of the windows of the statistics, in seconds. The last ones of a clip are cut at its
        end, and still count fully in its average.
    mid_step : float, default=1.0
        Step from one of those windows to the next, in seconds.
    short_window : float, default=0.05
        Length of the frames, in seconds. Where frames are very short chroma and cepstrum have gaps;
        see Notes.
    short_step : float, default=0.05
        Step from frame to frame, in seconds. Time grows in inverse proportion.
    deltas : bool, default=True
        Whether to add the changes from frame to frame: 136 features instead of 68.
    sampling_rate : int, default=None
        The rate in Hz that everything is resampled to. None takes the commonest rate among the
        files seen by `fit` (the lower one of a tie), and 16000 for waveforms.
    cache : str or os.PathLike, default=None
        A folder that keeps the features of files on disk, for all folds, candidates, processes and
        later sessions. Entries depend on the file's path, size and time of change, and on the
        parameters above. Nothing is ever removed: delete the folder to be rid of it. It may be the
        folder of a `SpectrogramTransformer`.
    n_jobs : int, default=None
        Number of workers, through joblib: `joblib.parallel_config` decides where they run. The
        results are the same for any number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    sampling_rate_ : int
        The rate used, in Hz.
    n_features_in_ : int
        Number of samples of a waveform, when fitted on a two-dimensional array. Other forms of X
        have no such count.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when fitted on a table of samples whose columns have names.

    See Also
    --------
    SpectrogramTransformer : The front end of the networks.

    Notes
    -----
    A clip shorter than a frame is filled up with zeros. Durations are rounded to whole samples, and
    those of mid-term windows to whole frames, but to two samples and one frame at least.

    The levels of pyAudioAnalysis are those of 16-bit samples. It scales each recording to between
    -1 and 1, so that files of all sample widths, and waveforms of any scale, are treated alike.
    A clip's features therefore say nothing of its loudness.

    What is odd in the original is kept, since its numbers are what other work refers to: its
    cepstral filters sit an octave lower than their frequencies say, its chroma takes one bin of
    each semitone, and a first frame has no flux and no deltas. The features equal those of version
    0.3.14 to a relative 1e-6, or an absolute 1e-11 where they are zero but for rounding. Where
    that fails there is something to say all the same: at rates below 6856 Hz the filters beyond the
    spectrum are left empty; and in frames so short that chroma has more semitones than there are
    bins (22 ms at 8 kHz, 12 ms at 16 kHz, 5 ms at 44.1 kHz) those that do not fit are left out.

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

    _parameter_constraints = {
        "mid_window": [Interval(Real, 0, None, closed="neither")],
        "mid_step": [Interval(Real, 0, None, closed="neither")],
        "short_window": [Interval(Real, 0, None, closed="neither")],
        "short_step": [Interval(Real, 0, None, closed="neither")],
        "deltas": ["boolean"],
        "sampling_rate": [Interval(Integral, 100, None, closed="left"), None],
        "cache": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        mid_window=1.0,
        mid_step=1.0,
        short_window=0.05,
        short_step=0.05,
        deltas=True,
        sampling_rate=None,
        cache=None,
        n_jobs=None,
        verbose=0,
    ):
        self.mid_window = mid_window
        self.mid_step = mid_step
        self.short_window = short_window
        self.short_step = short_step
        self.deltas = deltas
        self.sampling_rate = sampling_rate
        self.cache = cache
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the sampling rate.

        Only the headers of files are read.

        Parameters
        ----------
        X : files or waveforms
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a float array of shape (n_clips, n_samples), or a list of
            one-dimensional arrays.
        y : None
            Ignored.

        Returns
        -------
        self : PyAudioAnalysisTransformer
            The fitted transformer.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.
        """
        kind, clips = self._validate(X, reset=True)
        if kind == "files":
            infos = self._read_infos(clips)
            self.sampling_rate_ = self.sampling_rate or _commonest(rate for rate, _ in infos)
        else:
            self.sampling_rate_ = self.sampling_rate or _DEFAULT_RATE
        return self

    def transform(self, X):
        """Compute the features.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`; waveforms must have the rate `sampling_rate_`.

        Returns
        -------
        features : ndarray of shape (n_clips, 136), or (n_clips, 68) without deltas; float64
            The means of all short-term features, then their standard deviations.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.
        """
        check_is_fitted(self)
        _, clips = self._validate(X, reset=False)
        settings = self._settings()
        output = np.empty((len(clips), len(settings.names)))
        done, errors = 0, []
        for chunk, chunk_errors in map_chunks(
            FeatureRecipe(settings, self.cache),
            clips,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            description="Features",
        ):
            output[done : done + len(chunk)] = chunk
            done += len(chunk)
            errors += chunk_errors
        _raise_errors(errors)
        return output

    def get_feature_names_out(self, input_features=None):
        """Return pyAudioAnalysis's names of the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, but for scikit-learn's check that they are those of `fit`.

        Returns
        -------
        names : ndarray of shape (n_features_out,), str objects
            "zcr_mean" to "delta chroma_std_std".
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(self._settings().names, dtype=object)

    def _validate(self, X, *, reset):
        kind, clips = validate_clips(self, X, reset=reset)
        if kind == "spectrograms":
            raise ValueError(
                f"{type(self).__name__} takes files or waveforms, got an array with 3 dimensions "
                f"and shape {clips.shape}: these features cannot be told from spectrograms."
            )
        return kind, clips

    def _read_infos(self, clips):
        """Return (sampling rate, number of frames) from each clip's header."""
        infos, errors = [], []
        for chunk, chunk_errors in map_chunks(
            read_headers, clips, n_jobs=self.n_jobs, chunk_size=4 * CHUNK_SIZE
        ):
            infos += chunk
            errors += chunk_errors
        _raise_errors(errors)
        return infos

    def _settings(self):
        return FeatureSettings.from_seconds(
            self.sampling_rate_,
            short_window=self.short_window,
            short_step=self.short_step,
            mid_window=self.mid_window,
            mid_step=self.mid_step,
            deltas=self.deltas,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


class ClipRecipe:
    """How a chunk of clips becomes results, one a clip, from the cache where it has them.

    `settings` says all that a result depends on, the sampling rate among it, and its `repr` is part
    of the result's name in the cache. A kind of result says how to compute some and how to store
    one, and has a version.
    """

    def results(self, clips):
        """Yield (index, result or error), in any order."""
        numbered = list(enumerate(clips))
        if self.cache is None or not isinstance(clips[0], Clip):
            yield from self._compute(numbered)
            return
        keys, cache = {}, Cache(self.cache)
        for index, clip in numbered:
            try:
                keys[index] = self._key(clip)
            except AudioReadError as error:
                yield index, error
        missing = []
        for index, value in zip(keys, cache.get_many(keys.values()), strict=True):
            if value is None:
                missing.append((index, clips[index]))
            else:
                yield index, self.from_bytes(value)
        new = {}
        for index, result in self._compute(missing):
            if not isinstance(result, AudioReadError):
                new[keys[index]] = result.tobytes()
            yield index, result
        cache.put_many(new)

    def _compute(self, numbered_clips):
        """Compute a group of clips at a time."""
        group, n_samples = {}, 0
        for index, clip in numbered_clips:
            try:
                group[index] = self._samples(clip)
            except AudioReadError as error:
                yield index, error
                continue
            n_samples += len(group[index])
            if n_samples > _SAMPLES_PER_GROUP:
                yield from self._compute_group(group)
                group, n_samples = {}, 0
        yield from self._compute_group(group)

    def _compute_group(self, group):
        if group:
            yield from zip(group, self.of_samples(list(group.values())), strict=True)

    def _samples(self, clip):
        if isinstance(clip, Clip):
            return read_clip(clip, self.settings.sampling_rate)[0]
        return clip

    def _key(self, clip):
        """Return a name that changes with the file, the span and all parameters."""
        status = stat_audio(clip.path)
        path = os.path.abspath(clip.path)
        file = (path, status.st_size, status.st_mtime_ns, clip.start, clip.end)
        return make_key(self.version, file, self.settings)


@dataclass(frozen=True)
class FeatureRecipe(ClipRecipe):
    """How a chunk of clips becomes one table of features."""

    settings: FeatureSettings
    cache: str | os.PathLike | None

    version = _CACHE_VERSION

    def __call__(self, clips):
        """Return the features `(n_clips, n_features)`, and the errors met."""
        output = np.zeros((len(clips), len(self.settings.names)))
        errors = []
        for index, result in self.results(clips):
            if isinstance(result, AudioReadError):
                errors.append(result)
            else:
                output[index] = result
        return output, errors

    def of_samples(self, clips):
        return clip_features(clips, self.settings)

    def from_bytes(self, value):
        return np.frombuffer(value)


def _commonest(rates):
    counts = Counter(rates)
    return min(counts, key=lambda rate: (-counts[rate], rate))


def _raise_errors(errors):
    if errors:
        raise AudioReadError.join(errors)
