"""Adapters for torch: modules, and files of TorchScript."""

import copy
import io
import warnings
from functools import partial

import torch
from torch import nn

from skdaf._core.arrays import as_array
from skdaf._estimators.pretrained.backbone import Backbone, MissingParameterError
from skdaf._estimators.pretrained.batching import map_batches
from skdaf._networks.device import resolve_device, single_torch_thread


def load_torchscript(content, **options):
    """Return the Backbone of a TorchScript file, given its bytes as an array.

    Raises
    ------
    ValueError
        If it is not such a file, or a parameter is missing.
    """
    try:
        with warnings.catch_warnings():
            # Recent versions say that new files should have another format.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(io.BytesIO(content.tobytes()), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            "The file is not TorchScript. Weights alone and pickled modules are not loaded, "
            "because they do not contain the network, or can run code: write the network with "
            f"torch.jit.save, or pass the nn.Module. torch says: {str(error)[:200]}"
        ) from error
    return load_module(module, **options)


def load_module(module, *, sampling_rate, output, device, batch_size):
    """Return the Backbone of an nn.Module that takes tensors of shape (n, n_samples).

    Parameters
    ----------
    module : torch.nn.Module
        It is set to evaluation mode; another device gets a copy.
    sampling_rate : int
        In Hz.
    output : int, str or None
        Which item of a tuple or dict that the module returns.
    device : str
    batch_size : int
    """
    if sampling_rate is None:
        raise MissingParameterError(
            f"sampling_rate is required for the module {type(module).__name__}: the rate (Hz) of "
            "the waveforms that it takes."
        )
    device = resolve_device(device)
    module = module if device == "cpu" else copy.deepcopy(module).to(device)
    network = _Network(module.eval(), output, device)
    return Backbone(
        name="feature",
        sampling_rate=sampling_rate,
        n_features=None,
        apply=partial(map_batches, network, batch_size=batch_size),
        sha256=None,
    )


class _Network:
    """Call a module with a batch of waveforms."""

    def __init__(self, module: nn.Module, output, device):
        self._module, self._output, self._device = module, output, device

    def __call__(self, batch):
        with single_torch_thread, torch.inference_mode():
            outputs = self._module(torch.from_numpy(batch).to(self._device))
            return as_array(_choose(outputs, self._output))


def _choose(outputs, chosen):
    """Return one of the outputs of a module."""
    if isinstance(outputs, torch.Tensor):
        if chosen is not None:
            raise ValueError(f"output={chosen!r}, but the module returns a single tensor: omit it.")
        return outputs
    is_dict = hasattr(outputs, "keys")
    names = list(outputs.keys()) if is_dict else list(range(len(outputs)))
    if chosen is None and len(names) == 1:
        chosen = names[0]
    is_position = isinstance(chosen, int) and -len(names) <= chosen < len(names)
    if is_dict and is_position:
        chosen = names[chosen]
    if not (is_position or chosen in names):
        raise ValueError(
            f"output={chosen!r} must be one of the outputs of the module, which are {names}."
        )
    return outputs[chosen]
