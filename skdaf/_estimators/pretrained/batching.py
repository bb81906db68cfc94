"""Apply a network that takes a batch of waveforms of one length."""

import numpy as np


def map_batches(function, waveforms, batch_size):
    """Return what `function` returns for each waveform, as rows of float32.

    Waveforms of the same length are stacked, at most `batch_size` of them. No waveform is padded,
    so no result depends on another waveform.

    Parameters
    ----------
    function : callable
        Takes an array of shape (n, n_samples); returns an array of shape (n,), (n, n_features) or
        (n, n_rows, n_features).
    waveforms : list of ndarray
    batch_size : int
    """
    results = [None] * len(waveforms)
    for positions in _batches(waveforms, batch_size):
        batch = np.stack([waveforms[position] for position in positions])
        outputs = rows_of(function(batch), len(batch))
        for position, rows in zip(positions, outputs, strict=True):
            results[position] = rows
    return results


def _batches(waveforms, batch_size):
    """Yield lists of positions of waveforms of the same length."""
    by_length = {}
    for position, waveform in enumerate(waveforms):
        by_length.setdefault(len(waveform), []).append(position)
    for positions in by_length.values():
        for first in range(0, len(positions), batch_size):
            yield positions[first : first + batch_size]


def rows_of(outputs, n_waveforms):
    """Return the outputs of a network as a float32 array of shape (n, n_rows, n_features).

    Raises
    ------
    ValueError
        If the outputs have another shape, are not finite, or there is not one per waveform.
    """
    outputs = np.asarray(outputs)
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    if outputs.ndim == 2:
        outputs = outputs[:, None, :]
    if outputs.ndim != 3 or len(outputs) != n_waveforms or outputs.size == 0:
        raise ValueError(
            f"The model returned an output of shape {outputs.shape} for {n_waveforms} waveforms: "
            "expected (n, n_features) or (n, n_rows, n_features)."
        )
    if outputs.dtype.kind not in "fiub":
        raise ValueError(f"The model returned an output of type {outputs.dtype}: expected numbers.")
    with np.errstate(over="ignore"):
        outputs = outputs.astype(np.float32)
    if not np.isfinite(outputs).all():
        raise ValueError("The model returned NaN or infinity for a clip.")
    return outputs
