"""Types of networks of the library transformers: what they take, and which rows they return.

Each type is a function of waveforms of one length, `(n, n_samples)`, that returns an array of shape
`(n, n_rows, n_features)`. Its attributes say how the network is loaded:

- `extractor`: the class of transformers that prepares waveforms;
- `prefix`: which part of the weights is used;
- `attention`: which implementation is fast and available;
- `shortest`, `longest`: numbers of samples that it can take; `longest` may be None.
"""

import numpy as np
import torch

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._estimators.pretrained.batching import map_batches
from skdaf._networks.device import single_torch_thread


def apply_in_pieces(model, waveforms, batch_size):
    """Return the rows of each waveform; longer ones than the network takes are cut.

    The last piece of a waveform is padded with zeros to the shortest length, if necessary.
    """
    pieces = [_cut(waveform, model.shortest, model.longest) for waveform in waveforms]
    results = iter(map_batches(model, [piece for cut in pieces for piece in cut], batch_size))
    return [np.concatenate([next(results) for _ in cut]) for cut in pieces]


def _cut(waveform, shortest, longest):
    step = longest or len(waveform)
    pieces = [waveform[first : first + step] for first in range(0, len(waveform), step)]
    pieces[-1] = np.pad(pieces[-1], (0, max(0, shortest - len(pieces[-1]))))
    return pieces


class HiddenStates:
    """Apply a network of transformers, and choose one of its hidden states.

    Parameters
    ----------
    network : PreTrainedModel
    output : int or None
        Index into the hidden states; None is the network's own output.
    device : str
    """

    def __init__(self, network, output, device):
        self._network, self._output, self._device = network, output, device

    def __call__(self, inputs):
        exit_thread_at_shutdown()
        with single_torch_thread, torch.inference_mode():
            outputs = self._network(
                inputs.to(self._device),
                output_hidden_states=self._output is not None,
                return_dict=True,
            )
            if self._output is None:
                return outputs.last_hidden_state.cpu().numpy()
            return outputs.hidden_states[self._output].cpu().numpy()


class _Type:
    """What most types have in common."""

    prefix = ""
    attention = "sdpa"
    longest = None

    def __init__(self, encode, extractor, config):
        self._encode, self._extractor = encode, extractor

    @staticmethod
    def usual_front_end(config):
        """Return the settings of the front end for a folder that has none."""
        return {}

    @staticmethod
    def n_features(config, output):
        return config.hidden_size

    def _prepare(self, waveforms):
        """Return what the network takes, as a tensor."""
        prepared = self._extractor(
            list(waveforms), sampling_rate=self._extractor.sampling_rate, return_tensors="pt"
        )
        return prepared[self._extractor.model_input_names[0]]


class WaveformNetwork(_Type):
    """wav2vec 2.0 and its relatives: convolutions on waveforms, then attention; 20 ms per row."""

    extractor = "Wav2Vec2FeatureExtractor"

    def __init__(self, encode, extractor, config):
        super().__init__(encode, extractor, config)
        self.shortest = 1
        for length, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            self.shortest = (self.shortest - 1) * stride + length

    @staticmethod
    def n_features(config, output):
        # The last hidden state passes through an adapter, if there is one; the others do not.
        has_adapter = output is None and getattr(config, "add_adapter", False)
        return config.output_hidden_size if has_adapter else config.hidden_size

    def __call__(self, waveforms):
        return self._encode(self._prepare(waveforms))


class WavLM(WaveformNetwork):
    """WavLM, whose attention depends on distances in a way of its own."""

    attention = "eager"


class SpectrogramPatches(_Type):
    """The audio spectrogram transformer: a row per patch of 16 frames and 16 mel bands.

    Rows are in the order of times, then of frequencies; there are none after the end of a clip.
    """

    extractor = "ASTFeatureExtractor"

    # The front end of transformers has no parameters for these, in samples at 16 kHz.
    _WINDOW_LENGTH = 400
    _HOP_LENGTH = 160

    def __init__(self, encode, extractor, config):
        super().__init__(encode, extractor, config)
        if (extractor.max_length, extractor.num_mel_bins) != (
            config.max_length,
            config.num_mel_bins,
        ):
            raise ValueError(
                f"The front end returns {extractor.max_length} frames of {extractor.num_mel_bins} "
                f"mel bands, but the network takes {config.max_length} of {config.num_mel_bins}."
            )
        self.shortest = self._WINDOW_LENGTH
        self.longest = self._WINDOW_LENGTH + (config.max_length - 1) * self._HOP_LENGTH
        self._stride = config.time_stride
        self._n_bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1

    @staticmethod
    def usual_front_end(config):
        return {"max_length": config.max_length, "num_mel_bins": config.num_mel_bins}

    def __call__(self, waveforms):
        tokens = self._encode(self._prepare(waveforms))
        patches = tokens[:, 2:]  # the first two stand for the whole clip
        grid = patches.reshape(len(tokens), self._n_bands, -1, tokens.shape[2])
        n_frames = 1 + (waveforms.shape[1] - self._WINDOW_LENGTH) // self._HOP_LENGTH
        kept = grid[:, :, : -(-n_frames // self._stride)]
        return kept.transpose(0, 2, 1, 3).reshape(len(tokens), -1, tokens.shape[2])


class WhisperEncoder(_Type):
    """The encoder of Whisper: 20 ms per row.

    It takes exactly 30 s: shorter clips are padded, longer ones are split.
    """

    extractor = "WhisperFeatureExtractor"
    prefix = "encoder."
    shortest = 1

    # The second of two convolutions takes every second frame.
    _STRIDE = 2

    def __init__(self, encode, extractor, config):
        super().__init__(encode, extractor, config)
        n_frames = self._STRIDE * config.max_source_positions
        if (extractor.nb_max_frames, extractor.feature_size) != (n_frames, config.num_mel_bins):
            raise ValueError(
                f"The front end returns {extractor.nb_max_frames} frames of "
                f"{extractor.feature_size} mel bands, but the network takes {n_frames} of "
                f"{config.num_mel_bins}."
            )
        self.longest = extractor.n_samples
        self._samples_per_row = self._STRIDE * extractor.hop_length

    @classmethod
    def usual_front_end(cls, config):
        seconds = cls._STRIDE * config.max_source_positions // 100  # 10 ms per frame
        return {"feature_size": config.num_mel_bins, "chunk_length": seconds}

    def __call__(self, waveforms):
        n_rows = -(-waveforms.shape[1] // self._samples_per_row)
        return self._encode(self._prepare(waveforms))[:, :n_rows]


#: Types by `model_type` in config.json.
TYPES: dict[str, type[_Type]] = {
    "audio-spectrogram-transformer": SpectrogramPatches,
    "data2vec-audio": WaveformNetwork,
    "hubert": WaveformNetwork,
    "unispeech-sat": WaveformNetwork,
    "wav2vec2": WaveformNetwork,
    "wavlm": WavLM,
    "whisper": WhisperEncoder,
}
