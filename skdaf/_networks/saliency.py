"""Saliency maps: which parts of a spectrogram are evidence for a class."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from skdaf._networks.building import layer_names
from skdaf._networks.device import single_torch_thread

# Maps with fewer rows or columns are too coarse to show where something is.
_MIN_ROWS = 8


def saliency_layer(network: nn.Sequential, input_shape: tuple[int, int]) -> int | str:
    """Return the layer to explain: the deepest whose maps are not too coarse.

    This is the index of a layer, or if no layer returns maps, the path of a module inside one.
    """
    shapes = _map_shapes(network, input_shape) or inner_map_shapes(network, input_shape)
    if not shapes:
        raise ValueError(
            f"None of the layers {layer_names(network)} returns maps over frames and bins."
        )
    smallest = np.minimum(_MIN_ROWS, input_shape)
    fine = [place for place, shape in shapes.items() if (np.array(shape) >= smallest).all()]
    return fine[-1] if fine else next(iter(shapes))


def _map_shapes(network, input_shape):
    """Return {index of the layer: (n_frames, n_bins) of its maps} for the layers with maps."""
    shapes = {}
    outputs = torch.zeros(1, 1, *input_shape)
    with torch.inference_mode():
        for index, layer in enumerate(network.eval()):
            outputs = layer(outputs)
            if outputs.ndim == 4:
                shapes[index] = tuple(outputs.shape[2:])
    return shapes


def inner_map_shapes(
    network: nn.Module, input_shape: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """Return the sizes of the maps of all modules inside layers, by path, as they are computed."""
    shapes: dict[str, tuple[int, int]] = {}

    def record(path, outputs):
        if isinstance(outputs, torch.Tensor) and outputs.ndim == 4:
            shapes[path] = tuple(outputs.shape[2:])

    # A copy, because another thread may be predicting with the network.
    network = copy.deepcopy(network).eval()
    for path, module in network.named_modules():
        if "." in path:
            module.register_forward_hook(lambda _, __, outputs, path=path: record(path, outputs))
    with torch.inference_mode():
        network(torch.zeros(1, 1, *input_shape))
    return shapes


def saliency_maps(
    network: nn.Sequential,
    spectrograms: NDArray[np.floating],
    classes: Sequence[int],
    layer: int | str,
    *,
    average_gradients: bool = False,
) -> NDArray[np.float32]:
    """Compute where a layer finds evidence for a class.

    The contribution of each value in the layer's maps is the value times the gradient of the
    class's logit with respect to it. The saliency is the sum of contributions over channels, where
    it is positive [1]_. With `average_gradients`, the gradients of a channel are first averaged
    over all frames and bins, which is Grad-CAM [2]_. Both methods are equivalent for networks that
    average over all frames and bins.

    Parameters
    ----------
    network : nn.Sequential
        On the CPU.
    spectrograms : ndarray of shape (n_clips, n_frames, n_bins)
    classes : sequence of int of length n_clips
        The index of the logit to explain for each clip.
    layer : int or str
        The index of the layer, or the path of a module inside one.
    average_gradients : bool, default=False

    Returns
    -------
    maps : ndarray of shape (n_clips, n_frames, n_bins), float32
        Between 0 and 1. The largest value of each clip is 1, or 0 if there is no evidence for the
        class.

    References
    ----------
    .. [1] R. Draelos and L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
       convolutional neural networks", 2020.
    .. [2] R. Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via
       gradient-based localization", ICCV 2017.
    """
    network.eval()
    if isinstance(layer, str):
        # A copy, because another thread may be predicting with the network.
        network = copy.deepcopy(network)
    maps = [
        _saliency_map(network, spectrogram, int(target), layer, average_gradients)
        for spectrogram, target in zip(spectrograms, classes, strict=True)
    ]
    return np.stack(maps)


def _saliency_map(network, spectrogram, target, layer, average_gradients):
    inputs = torch.tensor(np.asarray(spectrogram, dtype=np.float32))[None, None]
    with single_torch_thread:
        values, gradients = _values_and_gradients(network, inputs, target, layer)
        if average_gradients:
            gradients = gradients.mean(dim=(2, 3), keepdim=True)
        saliency = (values.detach() * gradients).sum(dim=1, keepdim=True).clamp(min=0)
        saliency = functional.interpolate(saliency, spectrogram.shape, mode="bilinear")[0, 0]
    return (saliency / saliency.max().clamp(min=torch.finfo().tiny)).numpy()


def _values_and_gradients(network, inputs, target, layer):
    """Return a layer's maps, and the gradients of a logit with respect to them."""
    if isinstance(layer, str):
        return _inside_layer(network, inputs, target, layer)
    with torch.no_grad():
        values = network[: layer + 1](inputs)
    if values.ndim != 4:
        raise ValueError(
            f"The layer {layer_names(network)[layer]!r} must return maps over frames and bins, got "
            f"an output of shape {tuple(values.shape[1:])}."
        )
    with torch.enable_grad():
        values.requires_grad_()
        logit = network[layer + 1 :](values)[0, target]
        [gradients] = torch.autograd.grad(logit, values)
    return values, gradients


def _inside_layer(network, inputs, target, path):
    """Return the same for a module inside a layer."""
    found = []
    module = network.get_submodule(path)
    hook = module.register_forward_hook(lambda _, __, outputs: found.append(outputs))
    try:
        with torch.enable_grad():
            # The weights of a network may be frozen.
            logit = network(inputs.requires_grad_())[0, target]
            [gradients] = torch.autograd.grad(logit, found[-1], materialize_grads=True)
    finally:
        hook.remove()
    return found[-1], gradients
