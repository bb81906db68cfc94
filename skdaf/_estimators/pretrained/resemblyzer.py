"""The voice encoder of Resemblyzer: one vector of 256 numbers that describes who is speaking.

Here are the network [1]_ and its front end; only the weights are those of the package, which are
under the Apache License 2.0. The package itself needs webrtcvad, which must be compiled.

References
----------
.. [1] L. Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018.
"""

from functools import lru_cache, partial

import numpy as np
import torch
from scipy import fft, signal
from torch import nn

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._estimators.pretrained.backbone import Backbone
from skdaf._estimators.pretrained.names import PACKAGES
from skdaf._estimators.pretrained.packages import find_in_package, refuse_output, sha256_of
from skdaf._features.filter_banks import mel_filter_bank
from skdaf._features.spectrogram import SpectrogramSettings
from skdaf._networks.device import resolve_device, single_torch_thread

_MODEL = "resemblyzer"
_INSTALL = PACKAGES[_MODEL]["resemblyzer"]

_SAMPLING_RATE = 16_000

# The front end: power spectrograms on the mel scale, of 25 ms every 10 ms, without a logarithm.
_WINDOW_LENGTH = 400
_HOP_LENGTH = 160
_N_MELS = 40

# The network takes parts of 1.6 s, and 1.3 of them start per second. The last one is dropped if
# more than a quarter of it would be padding, unless it is the only one.
_N_FRAMES = 160
_STEP = round(_SAMPLING_RATE / 1.3 / _HOP_LENGTH)
_MIN_COVERAGE = 0.75

_N_FEATURES = 256

# More at once need more memory than the fast caches have, and take longer.
_MAX_PARTS = 32
_FRAMES_PER_BLOCK = 1024


def load_resemblyzer(*, device="cpu", output=None, batch_size=32):
    """Return the network of the package resemblyzer.

    A waveform becomes one row of 256 numbers of unit length, the same that the package's
    `VoiceEncoder.embed_utterance` returns for the same samples. What the package's
    `preprocess_wav` does before, making quiet recordings louder and cutting out silence, is not
    part of it.

    Raises
    ------
    ImportError
        If resemblyzer is not installed.
    ValueError
        If there is an `output`, or the file of weights cannot be used.
    """
    refuse_output(_MODEL, output)
    path = find_in_package("resemblyzer", "pretrained.pt", model=_MODEL, command=_INSTALL)
    device = resolve_device(device)
    network = _load_network(path).to(device)
    return Backbone(
        name=_MODEL,
        sampling_rate=_SAMPLING_RATE,
        n_features=_N_FEATURES,
        apply=partial(_apply, network, device=device, batch_size=min(batch_size, _MAX_PARTS)),
        sha256=sha256_of(path),
    )


class _VoiceEncoder(nn.Module):
    """Three LSTM layers; the last state becomes a vector of unit length, without negative parts."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(_N_MELS, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, _N_FEATURES)

    def forward(self, mels):
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu())


def _load_network(path):
    network = _VoiceEncoder()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        network.load_state_dict({name: state[name] for name in network.state_dict()})
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} does not contain the weights of the voice encoder ({error}). Install "
            f"resemblyzer again with: {_INSTALL}"
        ) from error
    return network.eval()


def _apply(network, waveforms, *, device, batch_size):
    """Return one row per waveform; parts of all waveforms share batches."""
    if not waveforms:
        return []
    rows, parts, counts = [], [], []
    for waveform in waveforms:
        found = _parts(waveform)
        counts.append(len(found))
        parts.extend(found)
    embedded = _embed(network, parts, device, batch_size)
    for part in np.split(embedded, np.cumsum(counts)[:-1]):
        mean = part.mean(axis=0)
        norm = np.linalg.norm(mean)
        rows.append((mean / (norm if norm else 1.0))[None])
    return rows


def _embed(network, parts, device, batch_size):
    """Return one vector per part, `(n_parts, 256)`."""
    vectors = []
    with single_torch_thread, torch.inference_mode():
        for first in range(0, len(parts), batch_size):
            exit_thread_at_shutdown()
            batch = torch.from_numpy(np.stack(parts[first : first + batch_size]))
            vectors.append(network(batch.to(device)).cpu().numpy())
    return np.concatenate(vectors)


def _parts(waveform):
    """Return the mel spectrograms of the parts of a waveform, each `(160, 40)`."""
    starts = _starts(len(waveform))
    missing = (starts[-1] + _N_FRAMES) * _HOP_LENGTH - len(waveform)
    mel = _mel_spectrogram(np.pad(waveform, (0, max(0, missing))))
    return [mel[start : start + _N_FRAMES] for start in starts]


def _starts(n_samples):
    """Return the first frames of the parts."""
    n_frames = -(-(n_samples + 1) // _HOP_LENGTH)
    starts = list(range(0, max(1, n_frames - _N_FRAMES + _STEP + 1), _STEP))
    covered = n_samples - starts[-1] * _HOP_LENGTH
    if len(starts) > 1 and covered < _MIN_COVERAGE * _N_FRAMES * _HOP_LENGTH:
        starts.pop()
    return starts


def _mel_spectrogram(waveform):
    """Return the power in mel bands, `(n_frames, 40)`; frames are centered on their times."""
    padded = np.pad(waveform, _WINDOW_LENGTH // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_LENGTH)[::_HOP_LENGTH]
    window, bank = _window_and_bank()
    mels = []
    for first in range(0, len(frames), _FRAMES_PER_BLOCK):
        spectrum = fft.rfft(frames[first : first + _FRAMES_PER_BLOCK] * window, axis=1)
        mels.append((spectrum.real**2 + spectrum.imag**2) @ bank)
    return np.concatenate(mels)


@lru_cache(maxsize=1)
def _window_and_bank():
    settings = SpectrogramSettings(
        features="mel",
        sampling_rate=_SAMPLING_RATE,
        window_length=_WINDOW_LENGTH,
        hop_length=_HOP_LENGTH,
        n_mels=_N_MELS,
        n_mfcc=_N_MELS,
        fmin=0.0,
        fmax=_SAMPLING_RATE / 2,
        top_db=None,
    )
    window = signal.get_window("hann", _WINDOW_LENGTH)
    return window.astype(np.float32), mel_filter_bank(settings).astype(np.float32)
