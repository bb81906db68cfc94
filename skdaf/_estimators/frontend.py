"""The front end of a network estimator, which turns clips into spectrograms of the same size."""

import copy
import math
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from skdaf._audio.clips import AudioReadError, raise_errors
from skdaf._audio.inputs import validate_clips, validated
from skdaf._audio.lengths import median_and_range, rate_and_lengths
from skdaf._audio.unusual_clips import (
    ClipReport,
    current_report,
    known_lengths,
    reporting_to,
)
from skdaf._core.arrays import blocks
from skdaf._core.estimator import Estimator
from skdaf._core.parallel import CHUNK_SIZE
from skdaf._core.progress import JoinedProgress
from skdaf._estimators.fitted import iterate_parts
from skdaf._estimators.parameters import with_nested_default
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

# Parameters of a front end that do not change its output, so that they can be set after a fit.
_RUN_SETTINGS = {"cache", "n_jobs", "verbose"}

# Predictions keep about this many bytes of spectrograms in memory at a time.
_BYTES_PER_BATCH = 2**26


class FrontendMixin(Estimator):
    """Mixin for estimators with the parameters `frontend`, `n_jobs` and `verbose`.

    Fitting sets `input_shape_` and `frontend_` (None if X contains spectrograms).
    """

    _inner_names = tuple(f"frontend__{n}" for n in SpectrogramTransformer._get_param_names())

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, and of its front end as ``frontend__name``.

        If `frontend` is None and you set one of its parameters, it becomes a
        `SpectrogramTransformer`. `cache`, `n_jobs` and `verbose` of the front end also apply to
        predictions of a fitted estimator; its other parameters apply to the next fit.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : estimator instance
            The estimator itself.
        """
        super().set_params(**with_nested_default(self, params, "frontend", SpectrogramTransformer))
        fitted = vars(self).get("frontend_")
        if isinstance(self.frontend, SpectrogramTransformer):
            # That of a pretrained network can be a pipeline.
            fitted = find_spectrograms(fitted) or fitted
        if fitted is not None:
            fitted.set_params(**_given_settings(params, fitted))
        return self

    def _fit_frontend(self, kind, clips, y=None, source=None):
        """Fit the front end, or copy that of a fitted estimator; return the spectrograms."""
        if source is not None:
            return self._copy_frontend(source, kind, clips)
        if kind == "spectrograms":
            self.frontend_, spectrograms = None, clips
        else:
            frontend = clone(self.frontend or SpectrogramTransformer())
            self._share_settings(frontend)
            # Its `fit` warns of unusual lengths.
            with validated(frontend, kind, clips), known_lengths():
                spectrograms = _check_spectrograms(frontend.fit_transform(clips, y), clips)
            # Set only now, so that an earlier fit is unchanged if a file cannot be read.
            self.frontend_ = frontend
        self.input_shape_ = spectrograms.shape[1:]
        return spectrograms

    def _copy_frontend(self, source, kind, clips):
        """Copy the front end of a fitted estimator and return the spectrograms of the clips."""
        frontend = copy.deepcopy(source.frontend_)
        first = find_spectrograms(frontend)
        is_measured = kind != "spectrograms" and first is not None
        if is_measured:
            own = {} if self.frontend is None else self.frontend.get_params()
            first.set_params(**{name: own[name] for name in _RUN_SETTINGS if own.get(name)})
            self._share_settings(frontend)
            first.clip_length_, first._clip_lengths = measure(clips, first)
        self.frontend_ = frontend
        self.input_shape_ = source.input_shape_
        with known_lengths() if is_measured else nullcontext():
            return self._apply_frontend(kind, clips)

    def _apply_frontend(self, kind, clips):
        """Return the spectrograms of clips from the fitted front end."""
        self._check_kind(kind, clips)
        return clips if kind == "spectrograms" else self._transform(kind, clips, check=True)

    def _share_settings(self, frontend):
        """Pass `n_jobs` and `verbose` to a front end that does not set them itself."""
        own = {} if self.frontend is None else _settings(self.frontend)
        for name, known in _settings(frontend).items():
            if not own.get(name):
                value = getattr(self, name)
                # In a Pipeline, verbose is True or False.
                value = bool(value) if isinstance(known, bool) else value
                # Setting a parameter takes a tenth of the time of a prediction for one clip.
                if known != value:
                    frontend.set_params(**{name: value})

    def _iterate_spectrograms(self, X):
        """Yield the spectrograms of X in batches, so that memory stays bounded."""
        kind, clips = validate_clips(self, X, reset=False)
        self._check_kind(kind, clips)
        bytes_per_clip = np.dtype(np.float32).itemsize * math.prod(self.input_shape_)
        # Whole chunks, so that the size of a batch does not change any bytes.
        n_clips = CHUNK_SIZE * max(1, _BYTES_PER_BATCH // (CHUNK_SIZE * bytes_per_clip))
        outer = current_report()
        report = outer or ClipReport()
        with JoinedProgress(len(clips)) as progress:
            for first in range(0, len(clips), n_clips):
                batch = clips[first : first + n_clips]
                if kind != "spectrograms":
                    # Not around the `yield`, because the caller may show bars of its own.
                    report.first_row = first
                    with progress.active(), reporting_to(report):
                        batch = self._transform_some(kind, clips[first:], n_clips)
                yield batch
        if outer is None:
            report.warn()

    def _transform_some(self, kind, clips, n_clips):
        """Return the spectrograms of the first clips.

        If one of them cannot be read, the error also lists all others that cannot.
        """
        errors = []
        for first in range(0, len(clips), n_clips):
            try:
                spectrograms = self._transform(kind, clips[first : first + n_clips])
            except AudioReadError as error:
                errors.append(error)
            else:
                if not errors:
                    return spectrograms
        raise_errors(errors)

    def _transform(self, kind, clips, check=False):
        with validated(self.frontend_, kind, clips):
            spectrograms = self.frontend_.transform(clips)
        return _check_spectrograms(spectrograms, clips) if check else spectrograms

    def _check_kind(self, kind, clips):
        """Check that the estimator was fitted on the same kind of X."""
        if kind == "spectrograms":
            if clips.shape[1:] != self.input_shape_:
                raise ValueError(
                    f"X contains spectrograms of shape {clips.shape[1:]}, but "
                    f"{type(self).__name__} was fitted on {self.input_shape_} "
                    "(n_frames, n_bins)."
                )
        elif self.frontend_ is None:
            raise ValueError(
                f"This {type(self).__name__} was fitted on spectrograms and has no front end: "
                f"X must be an array of shape (n_clips, {self.input_shape_[0]}, "
                f"{self.input_shape_[1]})."
            )
        else:
            self._share_settings(self.frontend_)


def find_spectrograms(frontend):
    """Return the SpectrogramTransformer in a front end, which may be a pipeline, or None."""
    parts = iterate_parts(frontend)
    return next((part for part in parts if isinstance(part, SpectrogramTransformer)), None)


def measure(clips, frontend):
    """Return the median length of clips, and those of the shortest and the longest, in seconds.

    `frontend` is the fitted SpectrogramTransformer that they are for.
    """
    options = {name: getattr(frontend, name) for name in ("channel", "cache", "n_jobs")}
    rate, n_samples = rate_and_lengths(clips, frontend.sampling_rate_, **options)
    return median_and_range(n_samples, rate)


def has_only_run_settings(frontend):
    """Return whether a front end is the default one, except for `cache`, `n_jobs` and `verbose`."""
    if type(frontend) is not SpectrogramTransformer:
        return False
    default, own = SpectrogramTransformer().get_params(), frontend.get_params()
    return all(own[name] == value for name, value in default.items() if name not in _RUN_SETTINGS)


def _given_settings(params, frontend):
    """Return those of the parameters ``frontend__name`` that a fitted front end can take over."""
    given = {
        name.removeprefix("frontend__"): value
        for name, value in params.items()
        if name.startswith("frontend__") and name.split("__")[-1] in _RUN_SETTINGS
    }
    known = frontend.get_params() if given else ()
    return {name: value for name, value in given.items() if name in known}


def _settings(frontend):
    """Return the values of those of `n_jobs` and `verbose` that a front end has."""
    kind = type(frontend)
    if kind.get_params is BaseEstimator.get_params:
        return {name: getattr(frontend, name) for name in _setting_names(kind)}
    params = frontend.get_params(deep=False)
    return {name: params[name] for name in ("n_jobs", "verbose") if name in params}


@lru_cache
def _setting_names(kind):
    """Return which of the settings a class has; scikit-learn looks at its signature each time."""
    return tuple({"n_jobs", "verbose"}.intersection(kind._get_param_names()))


def _check_spectrograms(spectrograms, clips):
    """Check that a front end returned one finite spectrogram per clip."""
    spectrograms = np.asarray(spectrograms)
    if spectrograms.ndim != 3 or len(spectrograms) != len(clips):
        raise ValueError(
            f"The front end must return an array of shape ({len(clips)}, n_frames, n_bins), "
            f"got {spectrograms.shape}."
        )
    if not all(np.isfinite(block).all() for block in blocks(spectrograms)):
        raise ValueError("The front end returned NaN or infinite values.")
    return spectrograms
