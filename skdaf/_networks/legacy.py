"""The exact architectures of deep_audio_features, for its saved models.

They are only built when such a model is loaded. "daf" in `architectures` is the version for new
networks.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import wraps
from typing import Any

from torch import nn
from torch.nn import functional

from skdaf._networks.architectures import Shape, build_daf


class PoolingBlock(nn.Sequential):
    """Layers followed by max pooling that can record the position of each maximum."""

    def forward(self, x, pooled=None):
        x = super().forward(x)
        if pooled is None:
            return functional.max_pool2d(x, 2)
        size = x.shape[-2:]
        x, indices = functional.max_pool2d(x, 2, return_indices=True)
        pooled.append((indices, size))
        return x


class UnpoolingBlock(nn.Sequential):
    """The inverse of the last max pooling, which returns values to their positions, then layers."""

    def forward(self, x, pooled):
        indices, size = pooled.pop()
        return super().forward(functional.max_unpool2d(x, indices, 2, output_size=size))


class UnpoolingAutoencoder(nn.Sequential):
    """Pooling blocks, then the same number of unpooling blocks."""

    def forward(self, x):
        pooled = []
        for layer in self:
            x = layer(x, pooled)
        return x


@wraps(build_daf, assigned=())
def build_legacy_daf(input_shape: Shape, n_outputs: int, **options: Any) -> nn.Sequential:
    """Build CNN1 as in deep_audio_features, with an activation on the logits."""
    network = build_daf(input_shape, n_outputs, **options)
    network[-1].add_module("activation", nn.LeakyReLU())
    return network


def build_legacy_autoencoder(
    input_shape: Shape,
    n_outputs: int,
    *,
    channels: Sequence[int] | None = None,
    kernel_size: int | None = None,
) -> nn.Sequential:
    """Build the autoencoder of deep_audio_features, whose decoder inverts the max pooling."""
    channels = (64, 128, 256) if channels is None else channels
    kernel_size = kernel_size or 5
    encoder, _ = build_legacy_encoder(input_shape, n_outputs, channels, kernel_size)
    padding = kernel_size // 2
    decoder, n_in = [], n_outputs
    for number, n_out in enumerate(channels[::-1], 1):
        block = OrderedDict(
            conv=nn.ConvTranspose2d(n_in, n_out, kernel_size, padding=padding),
            norm=nn.BatchNorm2d(n_out),
            activation=nn.LeakyReLU(),
        )
        decoder.append((f"deconv{number}", UnpoolingBlock(block)))
        n_in = n_out
    conv = nn.ConvTranspose2d(n_in, 1, kernel_size, padding=padding)
    last = UnpoolingBlock(OrderedDict(conv=conv))
    return UnpoolingAutoencoder(OrderedDict([*encoder, *decoder, ("output", last)]))


def build_legacy_encoder(input_shape, n_maps, channels, kernel_size):
    """Return the named layers of the encoder, which also pools the embedding, and their size."""
    padding = kernel_size // 2
    layers, n_in = [], 1
    for number, n_out in enumerate(channels, 1):
        block = OrderedDict(
            conv=nn.Conv2d(n_in, n_out, kernel_size, padding=padding),
            norm=nn.BatchNorm2d(n_out),
            activation=nn.LeakyReLU(),
        )
        layers.append((f"conv{number}", PoolingBlock(block)))
        n_in = n_out
    conv = nn.Conv2d(n_in, n_maps, kernel_size, padding=padding)
    embedding = PoolingBlock(OrderedDict(conv=conv))
    n_poolings = len(channels) + 1
    size = tuple(side // 2**n_poolings for side in input_shape)
    return [*layers, ("embedding", embedding)], size
