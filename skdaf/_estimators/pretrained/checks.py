"""What `PretrainedFeatureExtractor` checks in fit and transform, beyond its parameters."""

import os
import warnings
from weakref import WeakSet

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._core.limits import MAX_WINDOWS_PER_SECOND, check_at_most

# Extractors that have warned about waveforms without a rate. Each one warns once.
_warned: WeakSet = WeakSet()


def choose_window(backbone, window, step):
    """Return the length of windows in seconds, or None for whole clips.

    Raises
    ------
    ValueError
        If the network takes windows of another length, or there is a step but no window.
    """
    fixed = backbone.window
    if None not in (fixed, window) and not np.isclose(fixed, window):
        raise ValueError(f"window={window}, but the model takes windows of {fixed:g} s: omit it.")
    window = fixed or window
    if step is not None:
        if window is None:
            raise ValueError(f"step={step} needs windows, but window is None.")
        check_at_most(1 / step, MAX_WINDOWS_PER_SECOND, "Windows per second (one each step)")
    return None if window is None else float(window)


def check_cache(cache, model, sha256):
    """Raise ValueError if there is a cache, but the model has no fingerprint."""
    if cache is not None and sha256 is None:
        raise ValueError(
            f"cache={os.fspath(cache)!r} needs a model with a fingerprint, but a {model.kind} has "
            "none: its code could change. Use cache=None, or Pipeline(memory=)."
        )


def check_weights(model, backbone, expected):
    """Raise ValueError if an installed package or a folder has changed since `fit`."""
    if model.kind in ("named", "transformers") and backbone.sha256 != expected:
        raise ValueError(
            f"The weights of {model.name} are not those that fit found: their SHA-256 is "
            f"{backbone.sha256}, expected {expected}. Install the version that fit used, or fit "
            "again."
        )


def warn_about_rate(extractor, clips, rate):
    """Warn once about waveforms whose rate nobody has named."""
    if extractor.sampling_rate is not None or isinstance(clips[0], Clip) or extractor in _warned:
        return
    _warned.add(extractor)
    warnings.warn(
        f"X contains waveforms without a sampling rate: {rate} Hz is assumed, the rate of the "
        "model. If they have a different rate, pass [(samples, sampling_rate), ...] to resample "
        f"them; otherwise, set sampling_rate={rate}.",
        UserWarning,
        stacklevel=4,
    )
