"""Saliency maps: where in its input a network finds what speaks for a class."""

import numpy as np
import torch
from torch.nn import functional

from skdaf._networks.building import layer_names
from skdaf._networks.device import single_torch_thread

# Maps with fewer rows or columns than this show places too coarsely.
_COARSEST = 8


def saliency_layer(network, input_shape):
    """Return the number of the layer to look at: the deepest whose maps are not too coarse."""
    shapes = _map_shapes(network, input_shape)
    if not shapes:
        raise ValueError(
            f"None of the layers {layer_names(network)} gives maps over frames and bins."
        )
    smallest = np.minimum(_COARSEST, input_shape)
    fine = [number for number, shape in shapes.items() if (shape >= smallest).all()]
    return max(fine, default=min(shapes))


def _map_shapes(network, input_shape):
    """Return {number of the layer: (n_frames, n_bins) of its maps} for the layers that have any."""
    shapes = {}
    outputs = torch.zeros(1, 1, *input_shape)
    with torch.inference_mode():
        for number, layer in enumerate(network.eval()):
            outputs = layer(outputs)
            if outputs.ndim == 4:
                shapes[number] = tuple(outputs.shape[2:])
    return shapes


def saliency_maps(network, spectrograms, classes, layer, *, average_gradients=False):
    """Find out where a layer sees what speaks for a class.

    Every value of the layer's maps times the gradient of the class's logit there is how much
    that value contributes; the sum over channels, where it is positive, is the saliency [1]_.
    With `average_gradients` the gradients of a channel are first averaged over all places, which
    is Grad-CAM [2]_. The two agree for networks that average over all places themselves.

    Parameters
    ----------
    network : nn.Sequential
        On the CPU.
    spectrograms : ndarray of shape (n_clips, n_frames, n_bins)
    classes : sequence of int of length n_clips
        Which logit to explain.
    layer : int
        The number of the layer.
    average_gradients : bool

    Returns
    -------
    maps : ndarray of shape (n_clips, n_frames, n_bins), float32
        At least 0; 1 is the largest of each clip, unless nothing speaks for the class.

    References
    ----------
    .. [1] R. Draelos and L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
       convolutional neural networks", 2020.
    .. [2] R. Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via
       gradient-based localization", ICCV 2017.
    """
    network.eval()
    maps = [
        _one_map(network, spectrogram, int(number), layer, average_gradients)
        for spectrogram, number in zip(spectrograms, classes, strict=True)
    ]
    return np.stack(maps)


def _one_map(network, spectrogram, number, layer, average_gradients):
    inputs = torch.tensor(np.asarray(spectrogram, dtype=np.float32))[None, None]
    with single_torch_thread:
        with torch.no_grad():
            values = network[: layer + 1](inputs)
        if values.ndim != 4:
            raise ValueError(
                f"The layer {layer_names(network)[layer]!r} gives no maps over frames and bins but "
                f"an output of shape {tuple(values.shape[1:])}."
            )
        with torch.enable_grad():
            values.requires_grad_()
            logit = network[layer + 1 :](values)[0, number]
            [gradients] = torch.autograd.grad(logit, values)
        if average_gradients:
            gradients = gradients.mean(dim=(2, 3), keepdim=True)
        saliency = (values.detach() * gradients).sum(dim=1, keepdim=True).clamp(min=0)
        saliency = functional.interpolate(saliency, spectrogram.shape, mode="bilinear")[0, 0]
    return (saliency / saliency.max().clamp(min=torch.finfo().tiny)).numpy()
