"""Layers of networks as ONNX operations."""

from torch import nn

from skdaf._estimators.export.custom_layers import add_with_torch
from skdaf._estimators.export.graph import integers
from skdaf._networks.layers import Dropout, MeanOverNetworks, ParallelLinear, SummarizeMaps
from skdaf._networks.legacy import PoolingBlock, UnpoolingAutoencoder
from skdaf._networks.weights import to_arrays


def add_network(graph, network, x, input_shape):
    """Apply a network to spectrograms.

    Parameters
    ----------
    graph : OnnxGraph
    network : nn.Sequential
        Layers in evaluation mode.
    x : str
        A tensor of shape (n_clips, 1, n_frames, n_bins).
    input_shape : tuple of (n_frames, n_bins)

    Returns
    -------
    outputs : str
        A tensor of shape (n_clips, n_outputs).
    """
    if _is_known(network):
        outputs = _add(graph, network, x)
    else:
        # torch's exporter knows more layers, but it takes seconds, and it needs a further package.
        outputs = add_with_torch(graph, network, x, input_shape)
    return graph.op("Flatten", outputs, axis=1)


def _is_known(module):
    if _is_changed(module):
        return False
    if _is_sequence(module):
        return all(map(_is_known, module))
    condition = _CONDITIONS.get(type(module))
    return type(module) in _LAYERS and (condition is None or condition(module))


def _is_changed(module):
    """Return whether hooks, or a method of this object alone, change what a module computes."""
    hooks = module._forward_hooks, module._forward_pre_hooks
    return any(hooks) or "forward" in vars(module)


def _is_sequence(module):
    """Return whether a module applies its layers one after the other."""
    return isinstance(module, nn.Sequential) and type(module).forward in (
        nn.Sequential.forward,
        PoolingBlock.forward,
        UnpoolingAutoencoder.forward,
    )


def _add(graph, module, x):
    if not _is_sequence(module):
        return _LAYERS[type(module)](graph, module, x)
    for layer in module:
        x = _add(graph, layer, x)
    if isinstance(module, PoolingBlock):
        return graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return x


def _weights(module):
    """Return the weight and, if there is one, the bias of a layer as arrays."""
    return to_arrays(tensor for tensor in (module.weight, module.bias) if tensor is not None)


# --- layers of torch ---------------------------------------------------------------------------


def _pair(value):
    return list(value) if isinstance(value, (tuple, list)) else [value, value]


def _conv(graph, module, x):
    return graph.op(
        "Conv",
        x,
        *_weights(module),
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        dilations=list(module.dilation),
        group=module.groups,
        pads=[*module.padding, *module.padding],
    )


def _batch_norm(graph, module, x):
    parts = module.weight, module.bias, module.running_mean, module.running_var
    return graph.op("BatchNormalization", x, *to_arrays(parts), epsilon=module.eps)


def _max_pool(graph, module, x):
    return graph.op(
        "MaxPool",
        x,
        kernel_shape=_pair(module.kernel_size),
        strides=_pair(module.stride),
        pads=2 * _pair(module.padding),
        dilations=_pair(module.dilation),
    )


def _linear(graph, module, x):
    weight, *bias = _weights(module)
    return graph.op("Gemm", x, weight, *bias, transB=1)


def _nothing(graph, module, x):
    return x


# --- layers of this package --------------------------------------------------------------------


def _summarize_maps(graph, module, x):
    n_networks = module.n_networks
    over_time = graph.op("ReduceMean", x, integers(2), keepdims=0)
    parts = (
        over_time,
        graph.op("ReduceMean", over_time, integers(2), keepdims=0),
        graph.op("ReduceMax", x, integers(2, 3), keepdims=0),
    )
    by_network = [graph.op("Reshape", part, integers(0, n_networks, -1)) for part in parts]
    return graph.op("Flatten", graph.op("Concat", *by_network, axis=2), axis=1)


def _parallel_linear(graph, module, x):
    weight, bias = _weights(module)
    n_networks = module.n_networks
    weight = weight.reshape(n_networks, -1, weight.shape[1]).transpose(0, 2, 1)
    inputs = graph.op("Reshape", x, integers(0, n_networks, -1))
    inputs = graph.op("Transpose", inputs, perm=[1, 0, 2])
    outputs = graph.op("MatMul", inputs, weight)
    outputs = graph.op("Transpose", outputs, perm=[1, 0, 2])
    return graph.op("Add", graph.op("Flatten", outputs, axis=1), bias)


def _mean_over_networks(graph, module, x):
    outputs = graph.op("Reshape", x, integers(0, module.n_networks, -1))
    return graph.op("ReduceMean", outputs, integers(1), keepdims=0)


_LAYERS = {
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.MaxPool2d: _max_pool,
    nn.Linear: _linear,
    nn.ReLU: lambda graph, module, x: graph.op("Relu", x),
    nn.LeakyReLU: lambda graph, module, x: graph.op("LeakyRelu", x, alpha=module.negative_slope),
    nn.Flatten: lambda graph, module, x: graph.op("Flatten", x, axis=1),
    nn.Identity: _nothing,
    Dropout: _nothing,
    SummarizeMaps: _summarize_maps,
    ParallelLinear: _parallel_linear,
    MeanOverNetworks: _mean_over_networks,
}


def _has_statistics(module):
    return module.running_mean is not None and module.weight is not None


def _has_plain_padding(module):
    return module.padding_mode == "zeros" and not isinstance(module.padding, str)


# The settings of layers with which they are as above.
_CONDITIONS = {
    nn.Conv2d: lambda module: (
        module.padding_mode == "zeros" and not isinstance(module.padding, str)
    ),
    nn.BatchNorm1d: _has_statistics,
    nn.BatchNorm2d: _has_statistics,
    nn.MaxPool2d: lambda module: not (module.return_indices or module.ceil_mode),
    nn.Flatten: lambda module: (module.start_dim, module.end_dim) == (1, -1),
}
