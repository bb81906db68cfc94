"""Layers that torch does not have, and dropout that leaves torch's global generator alone."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SummarizeMaps(nn.Module):
    """Summarize maps of any length: what occurs where in frequency, and what occurs anywhere.

    The outputs for each network are the mean over time of each channel at each frequency, then
    the mean of each channel over time and frequency, then its maximum.
    """

    def __init__(self, n_networks: int = 1):
        super().__init__()
        self.n_networks = n_networks

    def forward(self, x):
        means, maxima = x.mean(dim=2), x.amax(dim=(2, 3))
        # Neither of the two copies any values, but views of a single network are much faster.
        if self.n_networks == 1:
            means, maxima = means[:, None], maxima[:, None]
        else:
            means, maxima = (v.unflatten(1, (self.n_networks, -1)) for v in (means, maxima))
        parts = [means.flatten(2), means.mean(dim=3), maxima]
        return torch.cat(parts, dim=2).flatten(1)

    def extra_repr(self):
        return f"n_networks={self.n_networks}"


class ParallelLinear(nn.Module):
    """Linear layers of several networks, side by side: each has its own part of the inputs."""

    def __init__(self, n_networks: int, n_in: int, n_out: int):
        super().__init__()
        self.n_networks = n_networks
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(n_networks * n_out, n_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_networks * n_out).uniform_(-bound, bound))

    def forward(self, x):
        inputs = x.unflatten(1, (self.n_networks, -1)).transpose(0, 1)
        weight = self.weight.unflatten(0, (self.n_networks, -1)).transpose(1, 2)
        return torch.bmm(inputs, weight).transpose(0, 1).flatten(1) + self.bias

    def extra_repr(self):
        n_out, n_in = self.weight.shape
        n_out //= self.n_networks
        return f"n_networks={self.n_networks}, in_features={n_in}, out_features={n_out}"


class MeanOverNetworks(nn.Module):
    """Average the outputs of several networks; in training, only separate them.

    In training, the shape is (n_clips, n_networks, n_outputs), so that each network has a loss of
    its own.
    """

    def __init__(self, n_networks: int):
        super().__init__()
        self.n_networks = n_networks

    def forward(self, x):
        outputs = x.unflatten(1, (self.n_networks, -1))
        return outputs if self.training else outputs.mean(dim=1)

    def extra_repr(self):
        return f"n_networks={self.n_networks}"


# Layers of torch that drop whole channels.
_CHANNEL_DROPOUTS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Dropout(nn.Module):
    """Dropout that draws from its own generator, set by `seed_dropout`.

    With `whole_channels`, it drops maps instead of single values, as `nn.Dropout2d` does.
    """

    def __init__(self, p, whole_channels=False):
        super().__init__()
        self.p, self.whole_channels = p, whole_channels
        self.generator = None

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        shape = x.shape[:2] + (1,) * (x.ndim - 2) if self.whole_channels else x.shape
        kept = torch.rand(shape, generator=self.generator, device=x.device) >= self.p
        return x * kept / max(1.0 - self.p, 1e-12)

    def extra_repr(self):
        return f"p={self.p}"


def replace_dropout(module: nn.Module) -> None:
    """Replace every dropout layer of torch inside a module with the `Dropout` of this file."""
    for name, child in module.named_children():
        if type(child) in (nn.Dropout, *_CHANNEL_DROPOUTS):
            setattr(module, name, Dropout(child.p, type(child) in _CHANNEL_DROPOUTS))
        else:
            replace_dropout(child)


def seed_dropout(network: nn.Module, seed: int, device: str) -> torch.Generator:
    """Give all dropout layers of a network the same new generator, and return it."""
    generator = torch.Generator(device=device).manual_seed(seed)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
    return generator


def use_running_statistics(network: nn.Module) -> None:
    """Let batch norm layers use their running statistics in training, without changing them.

    A batch of a single clip has no variance to normalize with.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
