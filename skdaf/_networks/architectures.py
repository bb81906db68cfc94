"""Network architectures: sequences of named layers for spectrograms of any size.

A builder takes the size of a spectrogram and the number of outputs, and returns an `nn.Sequential`
whose top-level children are the layers. In a classifier, conv blocks come first, then dense blocks;
the last layer returns plain logits. The input has shape `(n_clips, 1, n_frames, n_bins)`.

To add an architecture, write a builder here and add it to `NETWORKS` (in `building`).
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from torch import nn

from skdaf._networks.layers import MeanOverNetworks, ParallelLinear, SummarizeMaps
from skdaf._networks.sizes import (
    halving_steps,
    size_after_pooling,
    size_after_stride,
    sizes_before_pooling,
)

Shape = tuple[int, int]


def build_cnn(
    input_shape: Shape,
    n_outputs: int,
    *,
    channels: Sequence[int] | None = None,
    kernel_size: int | None = None,
    hidden_units: Sequence[int] | None = None,
    dropout: float | None = None,
    n_networks: int = 1,
) -> nn.Sequential:
    """Build a small network that summarizes maps, so its size does not depend on clip length.

    Several networks stand side by side in the same layers, as groups of channels: they share
    nothing but their input, and the last layer averages their outputs.

    The first block processes the whole spectrogram. It halves it with a stride instead of pooling,
    which is faster and was as accurate in experiments.
    """
    channels = (16, 32, 64, 128) if channels is None else channels
    blocks = [_strided_block, _early_pooled_block]
    convs, size = conv_blocks(
        input_shape, channels, kernel_size or 3, nn.ReLU, blocks, n_networks=n_networks
    )
    head = cnn_head(channels[-1], size, n_outputs, hidden_units, dropout, n_networks)
    return nn.Sequential(OrderedDict(convs + head))


def build_daf(
    input_shape: Shape,
    n_outputs: int,
    *,
    channels: Sequence[int] | None = None,
    kernel_size: int | None = None,
    hidden_units: Sequence[int] | None = None,
    dropout: float | None = None,
) -> nn.Sequential:
    """Build the network CNN1 of deep_audio_features: four conv blocks, three dense layers."""
    channels = (32, 64, 128, 256) if channels is None else channels
    hidden_units = (1024, 256) if hidden_units is None else hidden_units
    # The original has the most dropout before its first dense layer, and none before its last.
    defaults = [0.75] + [0.5] * len(hidden_units)
    dropouts = defaults if dropout is None else [dropout] * len(defaults)
    dropouts = [*dropouts[: len(hidden_units)], 0.0]
    convs, size = conv_blocks(input_shape, channels, kernel_size or 5, nn.LeakyReLU)
    n_in = channels[-1] * size[0] * size[1]
    first = {"flatten": nn.Flatten()}
    dense = _dense_blocks(first, n_in, hidden_units, dropouts, nn.LeakyReLU, n_outputs)
    return nn.Sequential(OrderedDict(convs + dense))


def build_autoencoder(
    input_shape: Shape,
    n_outputs: int,
    *,
    channels: Sequence[int] | None = None,
    kernel_size: int | None = None,
) -> nn.Sequential:
    """Build an encoder that ends in `n_outputs` small maps, and a decoder that mirrors it."""
    channels = (16, 32, 64, 128) if channels is None else channels
    kernel_size = kernel_size or 3
    encoder, _ = build_encoder(input_shape, n_outputs, channels, kernel_size)
    decoder, n_in = [], n_outputs
    sizes = sizes_before_pooling(input_shape, len(channels))
    for number, (n_out, size) in enumerate(zip(channels[::-1], sizes[::-1], strict=True), 1):
        block = OrderedDict(
            conv=nn.Conv2d(n_in, n_out, kernel_size, padding=kernel_size // 2),
            norm=nn.BatchNorm2d(n_out),
            activation=nn.ReLU(),
            unpool=nn.Upsample(size=size),
        )
        decoder.append((f"deconv{number}", nn.Sequential(block)))
        n_in = n_out
    output = nn.Conv2d(n_in, 1, kernel_size, padding=kernel_size // 2)
    return nn.Sequential(OrderedDict([*encoder, *decoder, ("output", output)]))


def build_encoder(input_shape, n_maps, channels, kernel_size):
    """Return the named layers of an encoder, and the size of its output maps."""
    convs, size = conv_blocks(input_shape, channels, kernel_size, nn.ReLU)
    return [*convs, ("embedding", nn.Conv2d(channels[-1], n_maps, 1))], size


# --- parts of networks -----------------------------------------------------------------------


def conv_blocks(size, channels, kernel_size, activation, builders=None, n_networks=1):
    """Return named conv blocks and their output size.

    The functions `builders` build the first blocks, and the last of them builds all others.
    """
    blocks, n_in = [], 1
    builders = builders or [_pooled_block]
    for number, n_out in enumerate(channels, 1):
        # All networks see the same input.
        groups = n_networks if number > 1 else 1
        conv = partial(nn.Conv2d, n_in, n_out * n_networks, kernel_size, groups=groups)
        build = builders[min(number, len(builders)) - 1]
        block, size = build(conv, size, kernel_size, activation)
        blocks.append((f"conv{number}", block))
        n_in = n_out * n_networks
    return blocks, size


def cnn_head(n_maps, size, n_outputs, hidden_units=None, dropout=None, n_networks=1):
    """Return the layers that follow conv blocks: a summary of maps, dense blocks, the output."""
    hidden_units = (128,) if hidden_units is None else hidden_units
    dropout = 0.3 if dropout is None else dropout
    first = {"summary": SummarizeMaps(n_networks)}
    dropouts = [dropout] * (len(hidden_units) + 1)
    n_in = n_maps * (size[1] + 2)
    return _dense_blocks(first, n_in, hidden_units, dropouts, nn.ReLU, n_outputs, n_networks)


def _pooled_block(conv, size, kernel_size, activation):
    """Return a conv block (convolution, batch norm, pooling, activation) and its output size.

    Pooling comes before the activation. The result is the same, because these activations are
    monotonic, and the activation takes a quarter of the time.
    """
    convolution = conv(padding=kernel_size // 2)
    block = OrderedDict(
        conv=convolution,
        norm=nn.BatchNorm2d(convolution.out_channels),
        pool=nn.MaxPool2d(halving_steps(size)),
        activation=activation(),
    )
    return nn.Sequential(block), size_after_pooling(size)


def _early_pooled_block(conv, size, kernel_size, activation):
    """Return a conv block that pools before batch norm, which leaves a quarter of its work."""
    convolution = conv(padding=kernel_size // 2)
    block = OrderedDict(
        conv=convolution,
        pool=nn.MaxPool2d(halving_steps(size)),
        norm=nn.BatchNorm2d(convolution.out_channels),
        activation=activation(),
    )
    return nn.Sequential(block), size_after_pooling(size)


def _strided_block(conv, size, kernel_size, activation):
    """Return a conv block that halves the size with a stride, for a quarter of the work."""
    stride = halving_steps(size)
    convolution = conv(stride=stride, padding=kernel_size // 2)
    block = OrderedDict(
        conv=convolution,
        norm=nn.BatchNorm2d(convolution.out_channels),
        activation=activation(),
    )
    return nn.Sequential(block), size_after_stride(size)


def _dense_blocks(first, n_in, units, dropouts, activation, n_outputs, n_networks=1):
    """Return named dense blocks and the output layer; the first begins with the layers `first`."""
    blocks = []
    for number, n_out in enumerate((*units, n_outputs), 1):
        is_output = number > len(units)
        block = OrderedDict(first if number == 1 else {})
        if dropouts[number - 1]:
            block["dropout"] = nn.Dropout(dropouts[number - 1])
        block["linear"] = _linear(n_networks, n_in, n_out)
        if not is_output:
            block["activation"] = activation()
        elif n_networks > 1:
            block["mean"] = MeanOverNetworks(n_networks)
        blocks.append(("output" if is_output else f"dense{number}", nn.Sequential(block)))
        n_in = n_out
    return blocks


def _linear(n_networks, n_in, n_out):
    return nn.Linear(n_in, n_out) if n_networks == 1 else ParallelLinear(n_networks, n_in, n_out)
