"""Network builders: sequences of named layers for spectrograms of any size.

A builder takes the size of a spectrogram and the number of outputs, and returns an `nn.Sequential`
whose top-level children are the layers: conv blocks first, then dense blocks, the last of which
gives plain logits. Input is `(n_clips, 1, n_frames, n_bins)`.
"""

import threading
from collections import OrderedDict
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skdaf._core.limits import (
    LARGEST_KERNEL,
    MOST_ACTIVATIONS,
    MOST_BLOCKS,
    MOST_MULTIPLICATIONS,
    MOST_UNITS,
    MOST_WEIGHTS,
    check_at_most,
    check_size,
)

_build_lock = threading.Lock()


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own, so that the global one stays untouched."""

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


class MeanOverTime(nn.Module):
    """Average over the frames that are left: what was heard counts, not when."""

    def forward(self, x):
        return x.mean(dim=2)


class PoolingBlock(nn.Sequential):
    """Layers and a max pooling that can tell what it took from where."""

    def forward(self, x, taken=None):
        x = super().forward(x)
        if taken is None:
            return functional.max_pool2d(x, 2)
        size = x.shape[-2:]
        x, places = functional.max_pool2d(x, 2, return_indices=True)
        taken.append((places, size))
        return x


class UnpoolingBlock(nn.Sequential):
    """Layers behind the inverse of the last max pooling: each value goes where it came from."""

    def forward(self, x, taken):
        places, size = taken.pop()
        return super().forward(functional.max_unpool2d(x, places, 2, output_size=size))


class UnpoolingAutoencoder(nn.Sequential):
    """Pooling blocks, then as many unpooling blocks."""

    def forward(self, x):
        taken = []
        for layer in self:
            x = layer(x, taken)
        return x


def _halves(size):
    """Return the steps that halve each side that is longer than one."""
    return tuple(2 if side > 1 else 1 for side in size)


def _pooling(size):
    """Return a pooling that halves each side that is longer than one, and the size after it."""
    kernel = _halves(size)
    return nn.MaxPool2d(kernel), tuple(side // k for side, k in zip(size, kernel, strict=True))


def _conv_block(size, n_in, n_out, kernel_size, activation):
    """Return a conv block (convolution, batch norm, pooling, activation) and the size after it.

    An activation that never falls gives the same before and after pooling; after it, it has a
    quarter of the work.
    """
    pool, size = _pooling(size)
    block = OrderedDict(
        conv=nn.Conv2d(n_in, n_out, kernel_size, padding=kernel_size // 2),
        norm=nn.BatchNorm2d(n_out),
        pool=pool,
        activation=activation(),
    )
    return nn.Sequential(block), size


def _strided_block(size, n_in, n_out, kernel_size, activation):
    """Return a conv block that halves the size as it convolves: a quarter of the work."""
    stride = _halves(size)
    block = OrderedDict(
        conv=nn.Conv2d(n_in, n_out, kernel_size, stride=stride, padding=kernel_size // 2),
        norm=nn.BatchNorm2d(n_out),
        activation=activation(),
    )
    return nn.Sequential(block), tuple(-(-n // k) for n, k in zip(size, stride, strict=True))


def conv_blocks(size, channels, kernel_size, activation, first=_conv_block):
    """Return named conv blocks and the size after the last; `first` builds the first of them."""
    blocks, n_in = [], 1
    for number, n_out in enumerate(channels, 1):
        build = first if number == 1 else _conv_block
        block, size = build(size, n_in, n_out, kernel_size, activation)
        blocks.append((f"conv{number}", block))
        n_in = n_out
    return blocks, size


def _dense_blocks(first, n_in, units, dropouts, activation, n_outputs):
    """Return named dense blocks and the output layer; `first` opens the first of them."""
    blocks = []
    for number, n_out in enumerate((*units, n_outputs), 1):
        is_output = number > len(units)
        block = OrderedDict(first if number == 1 else {})
        if dropouts[number - 1]:
            block["dropout"] = nn.Dropout(dropouts[number - 1])
        block["linear"] = nn.Linear(n_in, n_out)
        if not is_output:
            block["activation"] = activation()
        blocks.append(("output" if is_output else f"dense{number}", nn.Sequential(block)))
        n_in = n_out
    return blocks


def build_cnn(
    input_shape, n_outputs, *, channels=None, kernel_size=None, hidden_units=None, dropout=None
):
    """Build a small network that averages over time: its size does not depend on clips' length.

    Frequencies are kept apart to the end; averaging over them too costs accuracy on new speakers.
    The first block, which sees the whole spectrogram, halves it by its stride instead of pooling:
    less work, equally accurate in trials.
    """
    channels = (16, 32, 64, 128) if channels is None else channels
    convs, size = conv_blocks(input_shape, channels, kernel_size or 3, nn.ReLU, _strided_block)
    head = _cnn_head(channels[-1] * size[1], hidden_units, dropout, n_outputs)
    return nn.Sequential(OrderedDict(convs + head))


def _cnn_head(n_in, hidden_units, dropout, n_outputs):
    """Return what follows conv blocks: a mean over time, dense blocks, the output."""
    hidden_units = (128,) if hidden_units is None else hidden_units
    dropout = 0.3 if dropout is None else dropout
    first = {"pool": MeanOverTime(), "flatten": nn.Flatten()}
    dropouts = [dropout] * (len(hidden_units) + 1)
    return _dense_blocks(first, n_in, hidden_units, dropouts, nn.ReLU, n_outputs)


def build_daf(
    input_shape, n_outputs, *, channels=None, kernel_size=None, hidden_units=None, dropout=None
):
    """Build the layout of deep_audio_features' CNN1: four conv blocks, three dense layers."""
    channels = (32, 64, 128, 256) if channels is None else channels
    hidden_units = (1024, 256) if hidden_units is None else hidden_units
    # The original drops most before its first dense layer, and nothing before its last.
    usual = [0.75] + [0.5] * len(hidden_units)
    dropouts = usual if dropout is None else [dropout] * len(usual)
    dropouts = [*dropouts[: len(hidden_units)], 0.0]
    convs, size = conv_blocks(input_shape, channels, kernel_size or 5, nn.LeakyReLU)
    n_in = channels[-1] * size[0] * size[1]
    first = {"flatten": nn.Flatten()}
    dense = _dense_blocks(first, n_in, hidden_units, dropouts, nn.LeakyReLU, n_outputs)
    return nn.Sequential(OrderedDict(convs + dense))


def build_old_daf(input_shape, n_outputs, **options):
    """Build CNN1 as deep_audio_features has it, with an activation on the logits."""
    network = build_daf(input_shape, n_outputs, **options)
    network.output.add_module("activation", nn.LeakyReLU())
    return network


def build_autoencoder(input_shape, n_outputs, *, channels=None, kernel_size=None):
    """Build an encoder down to `n_outputs` small maps, and a decoder that mirrors it."""
    channels = (16, 32, 64, 128) if channels is None else channels
    kernel_size = kernel_size or 3
    encoder, sizes, _ = _encoder(input_shape, n_outputs, channels, kernel_size)
    decoder, n_in = [], n_outputs
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


def _encoder(input_shape, n_maps, channels, kernel_size):
    """Return the named layers of an encoder, the sizes before each pooling, and the last size."""
    convs, last_size = conv_blocks(input_shape, channels, kernel_size, nn.ReLU)
    sizes = [tuple(input_shape)]
    for _ in channels[1:]:
        sizes.append(_pooling(sizes[-1])[1])
    return [*convs, ("embedding", nn.Conv2d(channels[-1], n_maps, 1))], sizes, last_size


def build_old_autoencoder(input_shape, n_outputs, *, channels=None, kernel_size=None):
    """Build the layout of deep_audio_features' autoencoder, whose decoder knows of the poolings."""
    channels = (64, 128, 256) if channels is None else channels
    kernel_size = kernel_size or 5
    encoder, _, _ = _old_encoder(input_shape, n_outputs, channels, kernel_size)
    sides = {"kernel_size": kernel_size, "padding": kernel_size // 2}
    decoder, n_in = [], n_outputs
    for number, n_out in enumerate(channels[::-1], 1):
        block = OrderedDict(
            conv=nn.ConvTranspose2d(n_in, n_out, **sides),
            norm=nn.BatchNorm2d(n_out),
            activation=nn.LeakyReLU(),
        )
        decoder.append((f"deconv{number}", UnpoolingBlock(block)))
        n_in = n_out
    last = UnpoolingBlock(OrderedDict(conv=nn.ConvTranspose2d(n_in, 1, **sides)))
    return UnpoolingAutoencoder(OrderedDict([*encoder, *decoder, ("output", last)]))


def _old_encoder(input_shape, n_maps, channels, kernel_size):
    """Return what `_encoder` does, for `build_old_autoencoder`: it pools the embedding too."""
    sides = {"kernel_size": kernel_size, "padding": kernel_size // 2}
    layers, sizes, n_in = [], [tuple(input_shape)], 1
    for number, n_out in enumerate(channels, 1):
        block = OrderedDict(
            conv=nn.Conv2d(n_in, n_out, **sides),
            norm=nn.BatchNorm2d(n_out),
            activation=nn.LeakyReLU(),
        )
        layers.append((f"conv{number}", PoolingBlock(block)))
        sizes.append(tuple(side // 2 for side in sizes[-1]))
        n_in = n_out
    embedding = PoolingBlock(OrderedDict(conv=nn.Conv2d(n_in, n_maps, **sides)))
    last_size = tuple(side // 2 for side in sizes[-1])
    return [*layers, ("embedding", embedding)], sizes, last_size


_ENCODERS = {"autoencoder": _encoder, "old autoencoder": _old_encoder}


def build_on_encoder(
    input_shape,
    n_outputs,
    *,
    n_maps,
    encoder="autoencoder",
    channels=None,
    kernel_size=None,
    hidden_units=None,
    dropout=None,
):
    """Build a classifier whose conv layers are an autoencoder's encoder."""
    channels = (16, 32, 64, 128) if channels is None else channels
    layers, _, size = _ENCODERS[encoder](input_shape, n_maps, channels, kernel_size or 3)
    head = _cnn_head(n_maps * size[1], hidden_units, dropout, n_outputs)
    return nn.Sequential(OrderedDict(layers + head))


NETWORKS = {"cnn": build_cnn, "daf": build_daf}

# Networks that are not chosen by name, but rebuilt by name from a saved model.
_OTHER_NETWORKS = {
    "autoencoder": build_autoencoder,
    "on encoder": build_on_encoder,
    "old autoencoder": build_old_autoencoder,
    "old daf": build_old_daf,
}


@contextmanager
def _seeded(seed):
    """Draw initial weights from a seed; give the global generator back as it was."""
    with _build_lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def build_network(network, input_shape, n_outputs, options, seed=0):
    """Build a network by name or with a builder, with initial weights drawn from `seed`.

    Parameters
    ----------
    network : str or callable
        A key of `NETWORKS`, or a builder with the same signature.
    input_shape : tuple of (n_frames, n_bins)
    n_outputs : int
    options : dict
        Keyword arguments of the builder.
    seed : int

    Returns
    -------
    nn.Sequential
    """
    if not callable(network):
        check_network(network, input_shape, n_outputs, options)
    builder = network if callable(network) else (NETWORKS | _OTHER_NETWORKS)[network]
    with _seeded(seed):
        built = builder(tuple(input_shape), n_outputs, **options)
    if not isinstance(built, nn.Sequential) or len(built) == 0:
        raise TypeError(
            f"network={network!r} must build an nn.Sequential of layers, "
            f"got {type(built).__name__}."
        )
    if not callable(network):
        check_work(built, network, input_shape)
    _own_dropout(built)
    return built.to(memory_format=torch.channels_last)


def recipe_from(source, n_outputs, options):
    """Return what `build_network` needs for a classifier that starts as another network.

    Parameters
    ----------
    source : dict
        What `build_network` needed for the other network.
    n_outputs : int
    options : dict
        Those of what follows the encoder, where the other network is an autoencoder.
    """
    recipe = {**source, "n_outputs": n_outputs}
    if is_autoencoder(source):
        recipe["network"] = "on encoder"
        # The conv options are the source's; what follows the encoder is the classifier's own.
        recipe["options"] = {
            **options,
            **source["options"],
            "n_maps": source["n_outputs"],
            "encoder": source["network"],
        }
    elif source["network"] == "old daf":
        recipe["network"] = "daf"
    return recipe


def is_autoencoder(recipe):
    """Return whether a recipe of `build_network` is that of an autoencoder."""
    return isinstance(recipe["network"], str) and recipe["network"] in _ENCODERS


def weight_shapes(network, input_shape, n_outputs, options):
    """Return the (shape, type) of each weight of a network of `build_network`, making none."""
    built = _without_memory(network, input_shape, n_outputs, options)
    return {name: (tuple(w.shape), w.dtype) for name, w in built.state_dict().items()}


def _without_memory(network, input_shape, n_outputs, options):
    """Build a network whose weights have shapes, but no values."""
    with torch.device("meta"):
        return (NETWORKS | _OTHER_NETWORKS)[network](tuple(input_shape), n_outputs, **options)


def check_network(network, input_shape, n_outputs, options):
    """Check how large a network of `build_network` would be, by name and without making it.

    Raises
    ------
    ValueError
        If it would fill the memory.
    """
    _check_sizes(input_shape, n_outputs, options)
    built = _without_memory(network, input_shape, n_outputs, options)
    n_weights = sum(weights.numel() for weights in built.parameters())
    check_at_most(n_weights, MOST_WEIGHTS, f"The number of weights of network={network!r}")


def check_work(built, network, input_shape):
    """Check how much memory and work a network needs for one clip.

    Raises
    ------
    ValueError
        If it would fill the memory, or take hours.
    """
    outputs, multiplications = _costs_of_a_clip(built, input_shape)
    check_at_most(outputs, MOST_ACTIVATIONS, f"The outputs of a part of network={network!r}")
    check_at_most(
        multiplications, MOST_MULTIPLICATIONS, f"The work of network={network!r} for a clip"
    )


def _check_sizes(input_shape, n_outputs, options):
    check_size(*input_shape)
    check_at_most(n_outputs, MOST_UNITS, "The number of outputs")
    for name in ("channels", "hidden_units"):
        sizes = options.get(name) or ()
        check_at_most(len(sizes), MOST_BLOCKS, f"The number of {name}")
        check_at_most(max(sizes, default=0), MOST_UNITS, name)
    check_at_most(options.get("kernel_size") or 0, LARGEST_KERNEL, "kernel_size")


def _costs_of_a_clip(network, input_shape):
    """Return the most outputs of a part of a network, and all multiplications, for one clip.

    A batch of no clips shows the shapes of all outputs at no cost.
    """
    costs = [(0, 0)]

    def count(module, _, output):
        n_multiplied = sum(weights[0].numel() for weights in module.parameters(recurse=False))
        n_outputs = output.shape[1:].numel()
        costs.append((n_outputs, n_outputs * n_multiplied))

    parts = [module for module in network.modules() if not list(module.children())]
    hooks = [part.register_forward_hook(count) for part in parts]
    was_training = network.training
    # Spectrograms may be too small for a network: its first call says so.
    with torch.inference_mode(), suppress(RuntimeError):
        network.eval()(torch.zeros(0, 1, *input_shape))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    outputs, multiplications = zip(*costs, strict=True)
    return max(outputs), sum(multiplications)


def check_recipe(recipe):
    """Insist that what a file says of a network is a description of one.

    Raises
    ------
    ValueError
        If it is something else, or if the network would be too large.
    """
    is_complete = type(recipe) is dict and set(recipe) == {
        *("network", "input_shape", "n_outputs", "options")
    }
    if not is_complete or recipe["network"] not in [*NETWORKS, *_OTHER_NETWORKS]:
        raise ValueError("the description of its network is damaged")
    options, shape = recipe["options"], recipe["input_shape"]
    if type(options) is not dict or not all(map(_is_option, options, options.values())):
        raise ValueError("the options of its network are damaged")
    is_shape = type(shape) in (tuple, list) and len(shape) == 2 and all(map(_is_size, shape))
    if not is_shape or not _is_size(recipe["n_outputs"]):
        raise ValueError("the sizes of its network are damaged")
    check_network(**recipe)


def _is_size(value):
    return type(value) is int and value > 0


def _is_option(name, value):
    if value is None:
        return name in ("channels", "kernel_size", "hidden_units", "dropout")
    if name in ("channels", "hidden_units"):
        return type(value) in (tuple, list) and all(map(_is_size, value))
    if name == "dropout":
        return type(value) in (int, float) and 0 <= value < 1
    return _is_size(value) if name in ("kernel_size", "n_maps") else value in _ENCODERS


def _own_dropout(module):
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p))
        else:
            _own_dropout(child)


def seed_dropout(network, seed, device):
    """Give all dropout layers of a network one fresh generator, and return it."""
    generator = torch.Generator(device=device).manual_seed(seed)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
    return generator


def layer_names(network):
    """Return the names of the layers, first to last."""
    return [name for name, _ in network.named_children()]


def output_shapes(network, input_shape):
    """Return the shape of what each layer of a network gives for one clip."""
    shapes = []
    hooks = [
        layer.register_forward_hook(lambda _, __, outputs: shapes.append(tuple(outputs.shape[1:])))
        for layer in network
    ]
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, *input_shape))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return shapes


def get_weights(network):
    """Return all parameters and running statistics as plain arrays."""
    weights = network.state_dict()
    return dict(zip(weights, to_arrays(weights.values()), strict=True))


def to_arrays(tensors):
    """Return copies of tensors as plain arrays."""
    # In C order: the bytes then do not depend on how a tensor lay in memory.
    return [np.array(tensor.detach().cpu().numpy(), order="C") for tensor in tensors]


@torch.no_grad()
def put_arrays(tensors, arrays):
    """Put arrays made by `to_arrays` into tensors of the same shapes, where those lie."""
    for tensor, array in zip(tensors, arrays, strict=True):
        if tensor.shape != array.shape:
            raise ValueError(f"expected an array of shape {tuple(tensor.shape)}, got {array.shape}")
        tensor.copy_(torch.tensor(array))


def copy_layers(source, target, names):
    """Give some layers of a network the weights that those of the same names have in another."""
    for name in names:
        getattr(target, name).load_state_dict(getattr(source, name).state_dict())


def count_conv_layers(network):
    """Return how many layers come before the first one that is dense."""
    for number, layer in enumerate(network):
        if any(isinstance(module, nn.Linear) for module in layer.modules()):
            return number
    return len(network)


def restore_network(weights, recipe):
    """Build a network that has the weights made by `get_weights`.

    Parameters
    ----------
    weights : dict of ndarray
    recipe : dict
        The arguments of `build_network`. It may come from a file: unless the weights are there that
        its numbers claim, a network of those sizes is not made.
    """
    if isinstance(recipe["network"], str):
        expected = {name: shape for name, (shape, _) in weight_shapes(**recipe).items()}
        found = {name: np.shape(array) for name, array in weights.items()}
        wrong = sorted(dict(expected.items() ^ found.items()))
        if wrong:
            raise ValueError(
                f"The weight {wrong[0]!r} has the shape {found.get(wrong[0])}, but the network "
                f"needs {expected.get(wrong[0])}."
            )
    network = build_network(**recipe)
    set_weights(network, weights)
    return network.eval()


def set_weights(network, weights):
    """Put arrays made by `get_weights` into a network."""
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
