"""Backbone: what all pretrained networks look like here, whatever framework runs them."""

from collections.abc import Callable
from dataclasses import dataclass


class MissingParameterError(ValueError):
    """A model does not contain a number that the user must pass, such as its sampling rate."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained network: from waveforms to rows of features.

    Parameters
    ----------
    name : str
        Prefix of the names of features.
    sampling_rate : int
        In Hz.
    n_features : int or None
        Numbers per row; None if only the network itself knows.
    apply : callable
        Takes a list of one-dimensional float32 waveforms, each of at least `min_samples`; returns
        a list of float32 arrays of shape (n_rows, n_features), with at least one row each. The
        rows of a waveform do not depend on the other waveforms, except for rounding.
    sha256 : str or None
        Of the weights.
    window : float, default=None
        If the network takes waveforms of one length, this length in seconds. The caller cuts
        clips into windows, and pads the last one with zeros.
    min_samples : int, default=1
        The caller pads shorter waveforms with zeros.
    license_note : str, default=None
        A sentence about a license that restricts how the network may be used.
    feature_names : tuple of str, default=None
        Names of the features, if they have any.
    """

    name: str
    sampling_rate: int
    n_features: int | None
    apply: Callable
    sha256: str | None
    window: float | None = None
    min_samples: int = 1
    license_note: str | None = None
    feature_names: tuple[str, ...] | None = None
