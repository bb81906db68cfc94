"""Apply the layers of a network in evaluation mode, with less overhead than calling the modules.

For a single clip, calling a module takes about as long as its work. The functions here call the
same operations of torch on the same weights, so the outputs have the same bytes, and the network
can change at any time. Modules with hooks, and modules of other classes, are called as usual.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import module as torch_module

from skdaf._networks.layers import Dropout

# Empty unless someone has registered hooks for all modules. Old versions of torch have no function
# that tells, and fewer kinds of hooks.
_GLOBAL_HOOKS = [
    vars(torch_module).get(f"_global_{kind}", {})
    for kind in (
        "forward_pre_hooks",
        "forward_hooks",
        "forward_hooks_always_called",
        "forward_hooks_with_kwargs",
        "backward_pre_hooks",
        "backward_hooks",
    )
]


def forward(
    network: nn.Sequential, inputs: torch.Tensor, n_layers: int | None = None
) -> torch.Tensor:
    """Return the outputs of a network in evaluation mode, or those of its first layers.

    They are the same as those of ``network(inputs)``, or of ``network[:n_layers](inputs)``.
    """
    if any(_GLOBAL_HOOKS):
        return network[:n_layers](inputs) if n_layers is not None else network(inputs)
    if n_layers is None:
        return _apply(network, inputs)
    for layer in list(network._modules.values())[:n_layers]:
        inputs = _apply(layer, inputs)
    return inputs


def is_training(network: nn.Module) -> bool:
    """Return whether a network, or any module in it, is in training mode."""
    children = network._modules.values()
    return network.training or any(is_training(child) for child in children if child is not None)


def has_only_known_modules(network: nn.Module) -> bool:
    """Return whether all modules are of torch or of this package, unchanged and without hooks."""
    if any(_GLOBAL_HOOKS):
        return False
    return all(_is_known(module) and _is_plain(module) for module in network.modules())


def _is_known(module):
    return type(module).__module__.startswith(("torch.nn.", "skdaf."))


def _is_plain(module):
    has_hooks = module._forward_hooks or module._forward_pre_hooks
    return not has_hooks and "forward" not in module.__dict__


def _apply(module, x):
    function = _FUNCTIONS.get(type(module))
    if function is None or not _is_plain(module):
        return module(x)
    return function(module, x)


def _apply_sequence(module, x):
    for layer in module._modules.values():
        x = _apply(layer, x)
    return x


_WEIGHTS = {"weight", "bias"}

# `_parameters` and `_buffers`, because looking up the attributes of a module is slow. Networks of
# users may have a weight elsewhere, and layers that stay in training mode.


def _apply_conv(module, x):
    weights = module._parameters
    if module.padding_mode != "zeros" or not weights.keys() >= _WEIGHTS:
        return module(x)
    return torch.conv2d(
        x,
        weights["weight"],
        weights["bias"],
        module.stride,
        module.padding,
        module.dilation,
        module.groups,
    )


def _apply_norm(module, x):
    weights, statistics = module._parameters, module._buffers
    if module.training or not weights.keys() >= _WEIGHTS or not _has_statistics(statistics):
        return module(x)
    return torch.batch_norm(
        x,
        weights["weight"],
        weights["bias"],
        statistics["running_mean"],
        statistics["running_var"],
        False,
        module.momentum or 0.0,
        module.eps,
        torch.backends.cudnn.enabled,
    )


def _has_statistics(buffers):
    found = buffers.get("running_mean"), buffers.get("running_var")
    return all(statistic is not None for statistic in found)


def _apply_pool(module, x):
    if module.return_indices:
        return module(x)
    return torch.max_pool2d(
        x, module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode
    )


def _apply_linear(module, x):
    weights = module._parameters
    if not weights.keys() >= _WEIGHTS:
        return module(x)
    return functional.linear(x, weights["weight"], weights["bias"])


def _apply_dropout(module, x):
    return module(x) if module.training else x


_FUNCTIONS = {
    nn.Sequential: _apply_sequence,
    nn.Conv2d: _apply_conv,
    nn.BatchNorm2d: _apply_norm,
    nn.MaxPool2d: _apply_pool,
    nn.Linear: _apply_linear,
    nn.ReLU: lambda module, x: torch.relu(x),
    nn.Flatten: lambda module, x: torch.flatten(x, module.start_dim, module.end_dim),
    Dropout: _apply_dropout,
}
