"""load_deep_audio_features: models of deep_audio_features, read without trusting them."""

import io
import math
import os
from pathlib import Path

import numpy as np
import torch

from skdaf._core.public import public
from skdaf._estimators.autoencoder import ConvAutoencoderEmbedder
from skdaf._estimators.classifier import CNNAudioClassifier
from skdaf._features.filter_banks import N_CHROMA
from skdaf._legacy.spectrogram_transformer import LegacySpectrogramTransformer
from skdaf._legacy.unpickle import Asked, read_pickle
from skdaf._networks.building import weight_shapes

_N_MELS = 128
_KERNEL_SIZE = 5

# Both networks halve frames and bins four times.
_FEWEST_FRAMES = 16
_LARGEST_COUNT = 2**20
# All names in an array take as much memory as the longest.
_MOST_CHARACTERS = 10**6

# --- what such a file may name ---

_STORAGE = "torch.storage._load_from_bytes"
_TENSOR = "torch._utils._rebuild_tensor_v2"

# The autoencoder's files also hold the whole module, and some a NumPy number: neither is needed.
_UNUSED = {
    "builtins.getattr",
    "builtins.set",
    "deep_audio_features.models.convAE.ConvAutoEncoder",
    "deep_audio_features.models.convAE.ConvDecoder",
    "deep_audio_features.models.convAE.ConvEncoder",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "torch._utils._rebuild_parameter",
    "torch.nn.modules.activation.LeakyReLU",
    "torch.nn.modules.batchnorm.BatchNorm2d",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.conv.Conv2d",
    "torch.nn.modules.conv.ConvTranspose2d",
    "torch.nn.modules.pooling.MaxPool2d",
    "torch.nn.modules.pooling.MaxUnpool2d",
}

_STORAGE_TYPES = {"torch.FloatStorage": torch.float32, "torch.LongStorage": torch.int64}

# --- its layers, and what they are called here ---

_CLASSIFIER_LAYERS = {
    **{f"conv_layer{number}.0": f"conv{number}.conv" for number in (1, 2, 3, 4)},
    **{f"conv_layer{number}.1": f"conv{number}.norm" for number in (1, 2, 3, 4)},
    "linear_layer1.1": "dense1.linear",
    "linear_layer2.1": "dense2.linear",
    "linear_layer3.0": "output.linear",
}
_AUTOENCODER_LAYERS = {
    **{f"encoder.conv{number}.0": f"conv{number}.conv" for number in (1, 2, 3)},
    **{f"encoder.conv{number}.1": f"conv{number}.norm" for number in (1, 2, 3)},
    "encoder.conv4": "embedding.conv",
    **{f"decoder.unconv{number}.0": f"deconv{number}.conv" for number in (1, 2, 3)},
    **{f"decoder.unconv{number}.1": f"deconv{number}.norm" for number in (1, 2, 3)},
    "decoder.unconv4": "output.conv",
}
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@public
def load_deep_audio_features(path, *, sampling_rate=None):
    """Load a model that was saved by deep_audio_features, without trusting its file.

    Such files (``.pt``) are pickles, and whoever unpickles one runs what it asks for. This reader
    runs nothing: it follows the pickle on plain values, refuses what such files do not hold, and
    takes the weights and the settings.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        A file written by ``train_model`` of deep_audio_features (0.2.18), of a classifier or of
        an autoencoder.
    sampling_rate : int, default=None
        The rate in Hz of the recordings that the model was trained on, to which others are then
        resampled. The file does not tell it. None takes every file at its own rate, as
        deep_audio_features does, which is right where all files have the rate of those; and
        waveforms to have 16000 Hz.

    Returns
    -------
    estimator : CNNAudioClassifier or ConvAutoencoderEmbedder
        Fitted, with the spectrograms, the layers and the outputs of the original, and its
        activation on the logits. The classes are in the order of the file. It has no `history_`,
        `n_epochs_` and `best_epoch_`, which the file does not hold. A clone of it is an unfitted
        network like it, without that activation; an autoencoder's is one of this package.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file asks for anything that such files do not need, is damaged or no pickle, or
        does not hold all that belongs to a model; it names the file and says why. Nothing in it
        has been run then either.

    See Also
    --------
    save_model : Save the estimator in a format of this package.

    Notes
    -----
    Of a model trained with ``FORCE_SIZE`` only sizes that keep all bins are loaded.

    Examples
    --------
    >>> from skdaf import load_deep_audio_features
    >>> classifier = load_deep_audio_features("digits.pt")  # doctest: +SKIP
    >>> classifier.predict(["seven.wav"])  # doctest: +SKIP
    array(['7'], dtype='<U1')

    A pickle that would do something else is refused:

    >>> import pathlib, pickle, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "digits.pt")
    >>> _ = path.write_bytes(pickle.dumps(print))
    >>> load_deep_audio_features(path)
    Traceback (most recent call last):
    ...
    ValueError: ...digits.pt' is not loaded as a model of deep_audio_features: it asks for
    'builtins.print', which such files do not need. Nothing in it was run.
    >>> folder.cleanup()
    """
    LegacySpectrogramTransformer(sampling_rate=sampling_rate)._validate_params()
    path = os.fsdecode(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {path!r}.")
    content = Path(path).read_bytes()
    try:
        if not content.startswith(b"\x80"):
            raise ValueError("it is no pickle of protocol 2 or later, as such files are")
        # In memory: a file's claim to hold more than it does then costs nothing.
        model = read_pickle(io.BytesIO(content), {*_UNUSED, _STORAGE, _TENSOR})
        return _make_estimator(model, sampling_rate)
    except (ValueError, RuntimeError) as error:
        # Torch's errors are the latter.
        raise ValueError(
            f"{path!r} is not loaded as a model of deep_audio_features: {error}. "
            "Nothing in it was run."
        ) from error


# --- the estimator ---------------------------------------------------------------------------


def _is_count(value):
    return type(value) is int and 0 < value <= _LARGEST_COUNT


def _is_duration(value):
    return type(value) in (int, float) and 0 < value <= 1


def _is_size(value):
    return type(value) is tuple and len(value) == 2 and all(map(_is_count, value))


def _is_mapping(value):
    is_complete = type(value) is dict and set(value) == set(range(len(value)))
    names = list(value.values()) if is_complete else []
    return (
        len(names) > 1
        and all(type(name) is str for name in names)
        and len(set(names)) == len(names)
        and len(names) * max(map(len, names)) <= _MOST_CHARACTERS
    )


# What a model holds: how to tell, and in words.
_ENTRIES = {
    "state_dict": (lambda value: type(value) is dict, "a dict of tensors"),
    "zero_pad": (lambda value: type(value) is bool, "True or False"),
    "fuse": (lambda value: type(value) is bool, "True or False"),
    "spec_size": (_is_size, "a pair (n_bins, n_frames)"),
    "max_sequence_length": (_is_count, "a number of frames"),
    "window_length": (_is_duration, "at most one second"),
    "hop_length": (_is_duration, "at most one second"),
}
_CLASSIFIER_ENTRIES = {
    **_ENTRIES,
    "type": (lambda value: value == "classifier", "'classifier'"),
    "classes_mapping": (_is_mapping, "a dict of at least two names, numbered from 0"),
}
_AUTOENCODER_ENTRIES = {
    **_ENTRIES,
    "representation_channels": (_is_count, "a number of channels"),
}


def _make_estimator(model, sampling_rate):
    """Return the estimator that the plain values of a file stand for."""
    if type(model) is not dict:
        raise ValueError(f"it holds {_shown(model)} instead of a dict")
    is_classifier = "representation_channels" not in model
    entries = _CLASSIFIER_ENTRIES if is_classifier else _AUTOENCODER_ENTRIES
    for name, (is_valid, expected) in entries.items():
        if name not in model:
            raise ValueError(f"its dict has no entry {name!r}")
        if not is_valid(model[name]):
            raise ValueError(f"its {name!r} must be {expected}, got {_shown(model[name])}")
    frontend = _make_frontend(model, sampling_rate)
    return (_make_classifier if is_classifier else _make_autoencoder)(model, frontend)


def _shown(value):
    """Return a value for an error, however large or nested it is."""
    if type(value) is Asked:
        return f"what {value.name!r} would give"
    parts = value[:3] if type(value) is tuple else [value]
    is_plain = all(type(part) in (str, int, float, bool) for part in parts)
    return repr(value)[:60] if is_plain else f"a {type(value).__name__}"


def _make_frontend(model, sampling_rate):
    n_bins = _N_MELS + N_CHROMA * model["fuse"]
    image_bins, image_frames = model["spec_size"]
    n_frames = model["max_sequence_length"] if model["zero_pad"] else image_frames
    if not model["zero_pad"] and image_bins != n_bins:
        raise ValueError(
            f"its spectrograms of {n_bins} bins were resized to {image_bins}, which is not "
            "supported"
        )
    if n_frames < _FEWEST_FRAMES:
        raise ValueError(
            f"its spectrograms have {n_frames} frames, and four poolings need {_FEWEST_FRAMES}"
        )
    return LegacySpectrogramTransformer(
        "mel+chroma" if model["fuse"] else "mel",
        sampling_rate=sampling_rate,
        window_length=float(model["window_length"]),
        hop_length=float(model["hop_length"]),
        n_mels=_N_MELS,
        standardize=False,
        n_frames=n_frames,
        length="pad" if model["zero_pad"] else "resize",
    )


def _make_classifier(model, frontend):
    tensors = _read_tensors(model["state_dict"], _CLASSIFIER_LAYERS)
    options = {
        "channels": _widths(tensors, "conv1.conv", "conv2.conv", "conv3.conv", "conv4.conv"),
        "kernel_size": _KERNEL_SIZE,
        "hidden_units": _widths(tensors, "dense1.linear", "dense2.linear"),
    }
    classes = np.array([name for _, name in sorted(model["classes_mapping"].items())])
    estimator = CNNAudioClassifier(frontend, network="daf", **options)
    return _fitted(estimator, "old daf", len(classes), options, tensors, classes_=classes)


def _make_autoencoder(model, frontend):
    tensors = _read_tensors(model["state_dict"], _AUTOENCODER_LAYERS)
    options = {
        "channels": _widths(tensors, "conv1.conv", "conv2.conv", "conv3.conv"),
        "kernel_size": _KERNEL_SIZE,
    }
    n_channels = model["representation_channels"]
    estimator = ConvAutoencoderEmbedder(frontend, n_channels=n_channels, **options)
    return _fitted(estimator, "old autoencoder", n_channels, options, tensors)


def _fitted(estimator, network, n_outputs, options, tensors, **learned):
    """Give an estimator a network, as unpickling does."""
    frontend = estimator.frontend._as_fitted()
    architecture = {
        "network": network,
        "input_shape": (frontend.n_frames_, frontend.n_bins_),
        "n_outputs": n_outputs,
        "options": options,
    }
    _check_shapes(tensors, weight_shapes(**architecture))
    estimator.__setstate__(
        {
            **vars(estimator),
            **learned,
            "frontend_": frontend,
            "input_shape_": architecture["input_shape"],
            "_architecture": architecture,
            "network_": {name: tensor.numpy() for name, tensor in tensors.items()},
        }
    )
    return estimator


# --- the weights -----------------------------------------------------------------------------


def _read_tensors(state, layers):
    """Return the tensors of a state dict under the names that they have here."""
    names = {
        f"{old}.{leaf}": f"{new}.{leaf}"
        for old, new in layers.items()
        for leaf in ("weight", "bias", *(_STATISTICS if new.endswith(".norm") else ()))
    }
    for problem, wrong in (("lacks", names.keys() - state), ("also has", state.keys() - names)):
        if wrong:
            some = ", ".join(sorted(repr(name)[:60] for name in wrong)[:3])
            raise ValueError(f"its state_dict {problem} {len(wrong)} tensors: {some}")
    tensors, storages = {}, {}
    for old, new in names.items():
        try:
            tensors[new] = _read_tensor(state[old], storages)
        except ValueError as error:
            raise ValueError(f"its tensor {old!r} cannot be read: {error}") from error
    return tensors


def _widths(tensors, *layers):
    """Return the number of outputs of some layers, as their biases tell."""
    return tuple(max(1, tensors[f"{layer}.bias"].numel()) for layer in layers)


def _check_shapes(tensors, expected):
    """Insist on the weights that a network of these widths has, before it is made."""
    for name, (shape, dtype) in expected.items():
        found = tuple(tensors[name].shape), tensors[name].dtype
        if found != (shape, dtype):
            raise ValueError(f"its weight {name!r} is {found}, but {(shape, dtype)} is expected")


def _read_tensor(value, storages):
    """Return a tensor on the values of its storage, if they are enough for what it claims.

    `storages` keeps what has been read: many tensors may share the bytes of one.
    """
    if type(value) is not Asked or value.name != _TENSOR or len(value.arguments or ()) < 4:
        raise ValueError("it is no tensor")
    storage, offset, size, stride = value.arguments[:4]
    if type(storage) is not Asked or storage.name != _STORAGE or len(storage.arguments or ()) != 1:
        raise ValueError("it has no storage")
    if type(size) is not tuple or type(stride) is not tuple or not len(size) == len(stride) <= 4:
        raise ValueError("its shape is damaged")
    if not all(type(n) is int and 0 <= n < 2**40 for n in (offset, *size, *stride)):
        raise ValueError("its shape is damaged")
    content = storage.arguments[0]
    if id(content) not in storages:
        storages[id(content)] = _read_storage(content)
    values = storages[id(content)]
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > len(values) or (math.prod(size) and last >= len(values)):
        raise ValueError(f"it claims more than the {len(values)} values that there are")
    return torch.as_strided(values, size, stride, offset)


def _read_storage(content):
    """Return the values in a torch storage: five pickles, a count, the values.

    All but the values is looked at first. The claims in it, and the formats that versions of torch
    before 2.6 are not safe against, so never reach `torch.load`.
    """
    if type(content) is not bytes:
        raise ValueError("its storage is damaged")
    stream = io.BytesIO(content)
    try:
        parts = [read_pickle(stream, _STORAGE_TYPES, persistent=True) for _ in range(5)]
    except ValueError as error:
        raise ValueError(f"in its storage, {error}") from error
    dtype, count = _described(parts[3])
    # The count is there twice: where the storage is described, and in 8 bytes before its values.
    if len(content) - stream.tell() != 8 + count * dtype.itemsize:
        raise ValueError(f"its storage does not hold the {count} values that it claims")
    try:
        storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"torch refuses its storage ({reason})") from error
    return torch.empty(0, dtype=dtype).set_(storage)


def _described(reference):
    """Return the type and the count of the values of a storage."""
    described = reference.arguments[0] if type(reference) is Asked and reference.arguments else ()
    if type(described) is not tuple or len(described) != 6 or described[0] != "storage":
        raise ValueError("its storage is not described")
    kind, count, view = described[1], described[4], described[5]
    is_type = type(kind) is Asked and kind.name in _STORAGE_TYPES and kind.arguments is None
    if not is_type or view is not None:
        raise ValueError("its storage is not described")
    if type(count) is not int or not 0 <= count < 2**40:
        raise ValueError("its storage claims an impossible number of values")
    return _STORAGE_TYPES[kind.name], count
