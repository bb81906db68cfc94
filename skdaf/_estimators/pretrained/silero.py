"""The voice activity detector of silero-vad: what its memory contains, averaged over a clip.

The network reads 32 ms at a time and keeps two vectors of 128 numbers, the hidden and the cell
state of an LSTM. It was trained to find speech, for which it has to know other sounds as well.
The code and the weights are under the MIT license.
"""

from functools import partial

import numpy as np

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._estimators.pretrained.backbone import Backbone
from skdaf._estimators.pretrained.names import PACKAGES
from skdaf._estimators.pretrained.packages import (
    find_in_package,
    import_package,
    refuse_output,
    sha256_of,
)

_MODEL = "silero-vad"
_INSTALL = PACKAGES[_MODEL]["onnxruntime"]

_SAMPLING_RATE = 16_000

# The network takes chunks of 32 ms, each after the last 4 ms of the chunk before it.
_CHUNK = 512
_CONTEXT = 64

_STATE_SIZE = 128

# Larger batches are slower: each step then needs more memory than the fast caches have.
_MAX_CLIPS = 8


def load_silero(*, device="cpu", output=None, batch_size=32):
    """Return the network of the package silero-vad, 5.1 or later.

    A waveform becomes one row of 512 numbers: the means of the hidden and of the cell state over
    all chunks, then their standard deviations. The last chunk is padded with zeros. The network
    always runs on the processor, because its steps are too small for other devices. Releases 5 and
    6 of the package have different weights, and so different features.

    Raises
    ------
    ImportError
        If silero-vad or onnxruntime is not installed.
    ValueError
        If there is an `output`, or the file of the network cannot be used.
    """
    refuse_output(_MODEL, output)
    path = find_in_package("silero_vad", "data/silero_vad.onnx", model=_MODEL, command=_INSTALL)
    session = _open(path)
    return Backbone(
        name="silero_vad",
        sampling_rate=_SAMPLING_RATE,
        n_features=4 * _STATE_SIZE,
        apply=partial(_apply, session, max_clips=min(batch_size, _MAX_CLIPS)),
        sha256=sha256_of(path),
    )


def _open(path):
    """Return a session of onnxruntime that uses one thread."""
    runtime = import_package("onnxruntime", _INSTALL)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [tensor.name for tensor in (*session.get_inputs(), *session.get_outputs())]
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as an ONNX network ({error}). Install silero-vad again "
            f"with: {_INSTALL}"
        ) from error
    if not {"input", "state", "sr", "stateN"} <= set(names):
        raise ValueError(
            f"{str(path)!r} has the inputs and outputs {names}: expected those of silero-vad 5.1 "
            "or later."
        )
    return session


def _apply(session, waveforms, max_clips):
    """Return one row per waveform; clips of similar length share a batch."""
    rows = [None] * len(waveforms)
    order = sorted(range(len(waveforms)), key=lambda position: -len(waveforms[position]))
    for first in range(0, len(order), max_clips):
        positions = order[first : first + max_clips]
        batch = _summarize(session, [waveforms[position] for position in positions])
        for position, row in zip(positions, batch, strict=True):
            rows[position] = row[None]
    return rows


def _summarize(session, waveforms):
    """Return the means and deviations of the states of some waveforms, the longest first."""
    n_chunks = np.array([-(-len(waveform) // _CHUNK) for waveform in waveforms])
    sums = np.zeros((2, 2, len(waveforms), _STATE_SIZE))
    for state in _states(session, waveforms, n_chunks):
        running = state.shape[1]
        sums[0, :, :running] += state
        sums[1, :, :running] += np.square(state, dtype=float)
    means, squares = sums / n_chunks[:, None]
    deviations = np.sqrt(np.maximum(squares - means**2, 0.0))
    summary = np.stack([*means, *deviations], axis=1)
    return summary.reshape(len(waveforms), -1).astype(np.float32)


def _states(session, waveforms, n_chunks):
    """Yield the states after each chunk, `(2, n, 128)`, of the n waveforms that have not ended."""
    inputs = np.zeros((len(waveforms), _CONTEXT + _CHUNK), np.float32)
    state = np.zeros((2, len(waveforms), _STATE_SIZE), np.float32)
    rate = np.array(_SAMPLING_RATE, np.int64)
    for step in range(n_chunks[0]):
        exit_thread_at_shutdown()
        running = int((n_chunks > step).sum())
        inputs[:, :_CONTEXT] = inputs[:, -_CONTEXT:]
        inputs[:, _CONTEXT:] = 0.0
        for row, waveform in enumerate(waveforms[:running]):
            chunk = waveform[step * _CHUNK : (step + 1) * _CHUNK]
            inputs[row, _CONTEXT : _CONTEXT + len(chunk)] = chunk
        feed = {
            "input": inputs[:running],
            "state": np.ascontiguousarray(state[:, :running]),
            "sr": rate,
        }
        (state,) = session.run(["stateN"], feed)
        yield state
