"""Layers that torch does not have, and dropout that leaves torch's global generator alone."""

import torch
from torch import nn


class MeanOverTime(nn.Module):
    """Average over the frames, so that the position of a sound in its clip does not matter."""

    def forward(self, x):
        return x.mean(dim=2)


class Dropout(nn.Module):
    """Dropout that draws from its own generator, set by `seed_dropout`."""

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.generator = None

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.p
        return x * kept / max(1.0 - self.p, 1e-12)

    def extra_repr(self):
        return f"p={self.p}"


def replace_dropout(module: nn.Module) -> None:
    """Replace every `nn.Dropout` inside a module with the `Dropout` of this file."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p))
        else:
            replace_dropout(child)


def seed_dropout(network: nn.Module, seed: int, device: str) -> torch.Generator:
    """Give all dropout layers of a network the same new generator, and return it."""
    generator = torch.Generator(device=device).manual_seed(seed)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
    return generator
