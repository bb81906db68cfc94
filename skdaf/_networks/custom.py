"""Turn any module that a user's function returns into a sequence of named layers.

A sequence stays as it is. Any other module becomes two layers, "body" and "output", if it ends with
a linear layer, or a single layer "network" if it does not. Modules that return features instead of
one number per output get a linear layer "output".
"""

import copy
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import nn

from skdaf._core.callables import name_of
from skdaf._networks.architectures import Shape
from skdaf._networks.builders import Builder, receives_n_outputs
from skdaf._networks.layers import replace_dropout

# Clips in the batches that the module is applied to; batch norm needs several.
_N_CLIPS = 3


def as_layers(
    built: nn.Module, builder: Builder, input_shape: Shape, n_outputs: int, options: Iterable[str]
) -> nn.Sequential:
    """Return a copy of a module as layers for the library, with one number per output.

    Random numbers are drawn from torch's global generator.

    Parameters
    ----------
    built : nn.Module
        What `builder` returned.
    builder : callable
    input_shape : tuple of (n_frames, n_bins)
    n_outputs : int
    options : iterable of str
        The names of the options of the builder that are set.

    Raises
    ------
    TypeError
        If `built` is not a module, or does not return a tensor.
    ValueError
        If it cannot process spectrograms of this size, or returns another number of outputs.
    """
    name = f"network={name_of(builder)}"
    if not isinstance(built, nn.Module):
        raise TypeError(
            f"{name} must return an nn.Module for input of shape (n_clips, 1, n_frames, n_bins), "
            f"got {type(built).__name__}."
        )
    module = _copied(built, name)
    replace_dropout(module)
    inputs = torch.randn(_N_CLIPS, 1, *input_shape)
    n_found = _count_outputs(module, inputs, name)
    must_match = receives_n_outputs(builder, options)
    if must_match and n_found != n_outputs:
        raise ValueError(
            f"{name} must return {n_outputs} outputs per clip, got {n_found}. A function without "
            "the parameter n_outputs may return any number of features: it gets an output layer."
        )
    layers = _layers_of(module, inputs, n_outputs)
    if not must_match and not _ends_with_linear(layers, n_outputs):
        layers = _with_output(layers, n_found, n_outputs)
    return _in_fast_format(layers.train(), inputs)


def _copied(module, name):
    """Return a copy of a module, because a function may return the same module for each fit."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # modules may contain anything
        raise ValueError(
            f"{name} returned a module that cannot be copied, which training needs "
            f"({type(error).__name__}: {error})."
        ) from error


def _count_outputs(module, inputs, name):
    """Return how many numbers a module returns per clip, in training and in evaluation."""
    # Layers of unknown size, such as nn.LazyLinear, get their weights here.
    with torch.no_grad():
        _apply(module.eval(), inputs, name)
        _apply(module, inputs[:1], name)
        # A copy, because training changes running statistics.
        outputs = _apply(copy.deepcopy(module).train(), inputs, f"In training, {name}")
    module.train()
    return outputs.shape[1]


def _apply(module, inputs, name):
    """Apply a module, and check that it returns one row per clip."""
    shape = tuple(inputs.shape)
    try:
        outputs = module(inputs)
    except Exception as error:  # the code of a user may raise anything
        raise ValueError(
            f"{name} returned a module that fails for input of shape {shape}, "
            f"(n_clips, 1, n_frames, n_bins): {type(error).__name__}: {error}"
        ) from error
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(
            f"{name} must return a module whose output is a tensor of shape (n_clips, n_outputs), "
            f"got {type(outputs).__name__}."
        )
    if outputs.ndim != 2 or len(outputs) != len(inputs) or not outputs.is_floating_point():
        raise ValueError(
            f"{name} must return a module whose output has the shape (n_clips, n_outputs) and "
            f"contains real numbers, got {outputs.dtype} of shape {tuple(outputs.shape)} for "
            f"input of shape {shape}."
        )
    return outputs


def _layers_of(module, inputs, n_outputs):
    """Return a module as a sequence of layers; a single one if none of them can be told apart."""
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        # Not the class of a user, whose constructor may have other parameters.
        return nn.Sequential(_named_layers(module))
    return _split(module, inputs, n_outputs) or nn.Sequential(OrderedDict(network=module))


def _named_layers(sequence):
    children = sequence.named_modules(remove_duplicate=False)
    return OrderedDict((name, layer) for name, layer in children if name and "." not in name)


def _ends_with_linear(layers, n_outputs):
    last = layers
    while isinstance(last, nn.Sequential) and len(last):
        last = last[-1]
    return isinstance(last, nn.Linear) and last.out_features == n_outputs


def _with_output(layers, n_features, n_outputs):
    """Return layers that compute features, followed by a new linear layer."""
    named = _named_layers(layers)
    if "network" in named or "output" in named:
        named = OrderedDict(body=layers[0] if len(layers) == 1 else layers)
    return nn.Sequential(OrderedDict(**named, output=nn.Linear(n_features, n_outputs)))


def _split(module, inputs, n_outputs):
    """Return a module as "body" and "output", the linear layer that it ends with, or None.

    A trial with other weights shows whether the two give the same results as the module.
    """
    trial = copy.deepcopy(module).eval()
    head = _find_head(trial, inputs, n_outputs)
    if head is None:
        return None
    with torch.no_grad(), suppress(Exception):  # the module may use its last layer elsewhere
        nn.init.normal_(head.weight)
        expected = trial(inputs)
        if torch.allclose(_separate(trial, head)(inputs), expected, equal_nan=True):
            return _separate(module, _find_head(module.eval(), inputs, n_outputs))
    return None


def _find_head(module, inputs, n_outputs):
    """Return the linear layer, applied once, whose output is that of the module; or None."""
    calls = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: calls.append((layer, output)))
        for layer in module.modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        with torch.no_grad():
            outputs = module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    layers = [layer for layer, _ in calls]
    for layer, output in calls:
        is_last = output is outputs and layer is not module and layer.out_features == n_outputs
        if is_last and layers.count(layer) == 1:
            return layer
    return None


def _separate(module, head):
    """Take a layer out of a module, and return both in sequence."""
    for path, child in list(module.named_modules(remove_duplicate=False)):
        if child is head:
            parent, _, name = path.rpartition(".")
            setattr(module.get_submodule(parent), name, nn.Identity())
    return nn.Sequential(OrderedDict(body=module, output=head))


def _in_fast_format(layers, inputs):
    """Let convolutions process the channels of a point together, if all layers support that."""
    try:
        # torch's annotations lack this parameter.
        layers.to(memory_format=torch.channels_last)
        with torch.no_grad():
            copy.deepcopy(layers)(inputs)
    except RuntimeError:  # for example from Tensor.view, which needs the channels in order
        layers.to(memory_format=torch.contiguous_format)
    return layers
