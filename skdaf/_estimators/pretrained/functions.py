"""Adapter for a function of waveforms."""

from functools import partial

from skdaf._core.arrays import as_array
from skdaf._core.callables import name_of
from skdaf._estimators.pretrained.backbone import Backbone, MissingParameterError
from skdaf._estimators.pretrained.batching import map_batches


def load_function(function, *, sampling_rate, output, device, batch_size):
    """Return the Backbone of a function that takes an array of shape (n, n_samples).

    Raises
    ------
    ValueError
        If no sampling rate is given, or `output` is.
    """
    if sampling_rate is None:
        raise MissingParameterError(
            f"sampling_rate is required for the function {name_of(function)}: the rate (Hz) of the "
            "waveforms that it takes."
        )
    if output is not None:
        raise ValueError(
            f"output={output!r} is for networks with several outputs: let the function return one."
        )
    return Backbone(
        name="feature",
        sampling_rate=sampling_rate,
        n_features=None,
        apply=partial(map_batches, partial(_call, function), batch_size=batch_size),
        sha256=None,
    )


def _call(function, batch):
    return as_array(function(batch))
