"""What `PretrainedFeatureExtractor` checks in fit and transform, beyond its parameters."""

import os
from weakref import WeakSet

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._core.limits import (
    MAX_RESAMPLED_SAMPLES,
    MAX_VALUES,
    MAX_WINDOWS_PER_SECOND,
    check_at_most,
)
from skdaf._core.user_warnings import warn_user

# Extractors that have warned about waveforms without a rate. Each one warns once.
_warned: WeakSet = WeakSet()


def choose_window(backbone, window, step):
    """Return the length of windows in seconds, or None for whole clips.

    Raises
    ------
    ValueError
        If the network takes windows of another length, there is a step but no window, or windows
        are too long or too many.
    """
    fixed = backbone.window
    if None not in (fixed, window) and not np.isclose(fixed, window):
        raise ValueError(f"window={window}, but the model takes windows of {fixed:g} s: omit it.")
    window = fixed or window
    if window is None:
        if step is not None:
            raise ValueError(f"step={step} needs windows, but window is None.")
        return None
    per_second = 1 / (step or window)
    what = f"Windows per second (one each step, window={window:g}, step={step})"
    check_at_most(per_second, MAX_WINDOWS_PER_SECOND, what)
    if fixed is not None:  # shorter clips are padded
        n_samples = window * backbone.sampling_rate
        check_at_most(n_samples, MAX_RESAMPLED_SAMPLES, f"window={window:g} (seconds), in samples,")
    return float(window)


def check_n_features(n_names, pooling, n_rows):
    """Return the number of pooled features; raise ValueError if it is too large.

    Parameters
    ----------
    n_names : int
        The number of features per row.
    pooling : str
    n_rows : int
        The number of rows, which are kept with ``pooling="none"``.
    """
    n_features = n_names * (n_rows if pooling == "none" else 2 if pooling == "mean+std" else 1)
    check_at_most(n_features, MAX_VALUES, f"Features per clip with pooling={pooling!r}")
    return n_features


def check_cache(cache, model, sha256):
    """Raise ValueError if there is a cache, but the model has no fingerprint."""
    if cache is not None and sha256 is None:
        raise ValueError(
            f"cache={str(os.fspath(cache))!r} needs a model with a fingerprint, but one of the "
            f"kind {model.kind!r} has none: its code could change. Use cache=None, or "
            "Pipeline(memory=)."
        )


def check_device(device):
    """Raise ValueError if torch does not know a device, even for models that ignore it."""
    if str(device) in ("auto", "cpu"):
        return
    import torch  # not at the top: many models do not need it

    try:
        torch.device(str(device))
    except RuntimeError as error:
        raise ValueError(
            f"device={str(device)!r} is unknown: expected 'auto', 'cpu', 'cuda', 'mps' or another "
            "torch device."
        ) from error


def check_weights(model, backbone, expected):
    """Raise ValueError if the weights are not those that `fit` found.

    The package or folder may have changed, and a saved model may name the hash of other weights,
    under which a cache would store its features.
    """
    if (model.sha256 or backbone.sha256) != expected:
        raise ValueError(
            f"The weights of {model.name} are not those that fit found: their SHA-256 is "
            f"{model.sha256 or backbone.sha256}, expected {expected}. Install the version that fit "
            "used, or fit again."
        )


def check_rate(backbone, expected):
    """Raise ValueError if the model takes another sampling rate than in `fit`."""
    if backbone.sampling_rate != expected:
        raise ValueError(
            f"The model takes {backbone.sampling_rate} Hz, but fit used {expected} Hz: fit again."
        )


def warn_about_rate(extractor, clips, rate):
    """Warn once about waveforms whose rate nobody has named."""
    if extractor.sampling_rate is not None or isinstance(clips[0], Clip) or extractor in _warned:
        return
    _warned.add(extractor)
    warn_user(
        f"X contains waveforms without a sampling rate: {rate} Hz is assumed, the rate of the "
        "model. If they have a different rate, pass [(samples, sampling_rate), ...] to resample "
        f"them; otherwise, set sampling_rate={rate}."
    )
