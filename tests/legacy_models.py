"""Small models with the layers of deep_audio_features, written to files as that library does."""

import pickle
from itertools import pairwise

import torch
from torch import nn

CLASSES = {0: "up", 1: "down", 2: "left"}
N_FRAMES = 18


class LegacyClassifier(nn.Module):
    def __init__(self, n_bins=128, widths=(1, 2, 3, 4, 5), n_outputs=3):
        super().__init__()
        for number, (n_in, n_out) in enumerate(pairwise(widths), 1):
            layers = nn.Conv2d(n_in, n_out, 5, padding=2), nn.BatchNorm2d(n_out)
            block = nn.Sequential(*layers, nn.LeakyReLU(), nn.MaxPool2d(2))
            self.add_module(f"conv_layer{number}", block)
        n_in = widths[-1] * (n_bins // 16)
        self.linear_layer1 = nn.Sequential(nn.Dropout(0.75), nn.Linear(n_in, 7), nn.LeakyReLU())
        self.linear_layer2 = nn.Sequential(nn.Dropout(0.5), nn.Linear(7, 6), nn.LeakyReLU())
        self.linear_layer3 = nn.Sequential(nn.Linear(6, n_outputs), nn.LeakyReLU())

    def forward(self, x, layers_dropped=0):
        for layer in list(self.children())[: 7 - layers_dropped]:
            x = layer(x.flatten(1) if isinstance(layer[1], (nn.Linear, nn.LeakyReLU)) else x)
        return x.flatten(1)


def conv_block(kind, n_in, n_out):
    return nn.Sequential(kind(n_in, n_out, 5, padding=2), nn.BatchNorm2d(n_out), nn.LeakyReLU())


class ConvEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        for number, (n_in, n_out) in enumerate([(1, 2), (2, 3), (3, 4)], 1):
            self.add_module(f"conv{number}", conv_block(nn.Conv2d, n_in, n_out))
            self.add_module(f"pool{number}", nn.MaxPool2d(2, return_indices=True))
        self.conv4 = nn.Conv2d(4, 5, 5, padding=2)
        self.pool4 = nn.MaxPool2d(2, return_indices=True)


class ConvDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        for number, (n_in, n_out) in enumerate([(5, 4), (4, 3), (3, 2)]):
            self.add_module(f"unpool{number}", nn.MaxUnpool2d(2))
            block = conv_block(nn.ConvTranspose2d, n_in, n_out)
            self.add_module(f"unconv{number + 1}", block)
        self.unpool3 = nn.MaxUnpool2d(2)
        self.unconv4 = nn.ConvTranspose2d(2, 1, 5, padding=2)


class ConvAutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = ConvEncoder(), ConvDecoder()

    def forward(self, x):
        places, sizes = [], []
        layers = list(self.encoder.children())
        for conv, pool in zip(layers[::2], layers[1::2], strict=True):
            x = conv(x)
            sizes.append(x.size())
            x, place = pool(x)
            places.append(place)
        embedding = x.flatten(1)
        layers = list(self.decoder.children())
        for unpool, unconv in zip(layers[::2], layers[1::2], strict=True):
            x = unconv(unpool(x, places.pop(), output_size=sizes.pop()))
        return x[:, 0], embedding


def make_network(kind, **options):
    """Return a network with random weights and statistics, none of which is 0 or 1."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = kind(**options).eval()
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.2 if name.endswith("var") else -0.6, 0.6)
    return network


def settings(**changes):
    """Return the settings in a file, with some changed."""
    return {
        "height": 128,
        "width": N_FRAMES,
        "zero_pad": False,
        "spec_size": (128, N_FRAMES),
        "fuse": False,
        "max_sequence_length": 40,
        "window_length": 0.05,
        "hop_length": 0.02,
        **changes,
    }


def classifier_model(network=None, **changes):
    """Return the dict in the file of a classifier, with some entries changed."""
    network = network or make_network(LegacyClassifier)
    values = {
        "type": "classifier",
        "state_dict": network.state_dict(),
        "classes_mapping": dict(CLASSES),
        "output_dim": 3,
        "validation_f1": 0.9,
    }
    return settings(**values) | changes


def autoencoder_model(network=None, **changes):
    """Return the dict in the file of an autoencoder, with some entries changed."""
    network = network or make_network(ConvAutoEncoder)
    values = {
        # Files of the original contain this method of torch's modules.
        "type": network.type,
        "state_dict": network.state_dict(),
        "representation_channels": 5,
        "validation_error": 33.2,
    }
    return settings(**values) | changes


# --- files ---


def dumps(model, protocol=4):
    """Return the bytes of a file with a model."""
    return pickle.dumps(model, protocol=protocol)


class Calls:
    """A value whose pickle calls a function when it is unpickled, as a malicious file does."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call
