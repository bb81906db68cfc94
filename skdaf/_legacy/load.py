"""load_deep_audio_features: load models of deep_audio_features without running their files."""

import io
import math
import os
from pathlib import Path

import numpy as np
import torch

from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._estimators.autoencoder import ConvAutoencoderEmbedder
from skdaf._estimators.classifier import CNNAudioClassifier
from skdaf._features.filter_banks import N_CHROMA
from skdaf._legacy.entries import check_entries
from skdaf._legacy.spectrogram_transformer import LegacySpectrogramTransformer
from skdaf._legacy.unpickle import Reference, read_pickle
from skdaf._networks.building import weight_shapes

_N_MELS = 128
_KERNEL_SIZE = 5

# Both networks halve frames and bins four times.
_MIN_FRAMES = 16

# --- the names that such a file may contain ---

_STORAGE = "torch.storage._load_from_bytes"
_TENSOR = "torch._utils._rebuild_tensor_v2"

# Files of autoencoders also contain the whole module, and some a NumPy number; both are ignored.
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

# --- names of its layers, and the corresponding names in this package ---

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
def load_deep_audio_features(
    path: PathLike | bytes, *, sampling_rate: int | None = None
) -> CNNAudioClassifier | ConvAutoencoderEmbedder:
    """Load a model saved by deep_audio_features, without running anything in its file.

    These files (``.pt``) are pickles, and unpickling a file runs code from it. This function does
    not unpickle the file. It reads the values in it, rejects everything that such files do not
    normally contain, and uses the weights and the settings.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        A file written by ``train_model`` of deep_audio_features (0.2.18), with a classifier or an
        autoencoder.
    sampling_rate : int, default=None
        The sampling rate in Hz of the recordings on which the model was trained, which its file
        does not contain. Other recordings are resampled to it. If None, every file keeps its own
        rate, as in deep_audio_features, and waveforms are assumed to have 16000 Hz. This is correct
        only if all files have the rate of the training recordings.

    Returns
    -------
    estimator : CNNAudioClassifier or ConvAutoencoderEmbedder
        A fitted estimator with the same spectrograms, layers and outputs as the original, which
        applies an activation to the logits. The classes are in the order of the file. The
        attributes `history_`, `n_epochs_`, `best_epoch_` and `n_clips_` do not exist, because the
        file does not contain them. If you clone the estimator and fit the clone, its network has
        the same layers, but no activation on the logits (or, for an autoencoder, is the network of
        this package).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, is not a pickle, contains anything that such files do not need, or
        lacks a part of the model. The error names the file and the reason. Nothing in the file has
        been run.

    See Also
    --------
    save_model : Save the estimator in a format of this package.

    Notes
    -----
    Models trained with ``FORCE_SIZE`` are supported only if that size keeps all bins.

    Examples
    --------
    >>> from skdaf import load_deep_audio_features
    >>> classifier = load_deep_audio_features("digits.pt")  # doctest: +SKIP
    >>> classifier.predict(["seven.wav"])  # doctest: +SKIP
    array(['7'], dtype='<U1')

    Other pickles are refused:

    >>> import pathlib, pickle, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "digits.pt")
    >>> _ = path.write_bytes(pickle.dumps(print))
    >>> load_deep_audio_features(path)
    Traceback (most recent call last):
    ...
    ValueError: ...digits.pt' cannot be loaded as a model of deep_audio_features: it refers to
    'builtins.print', which such files do not contain. Nothing in it was run.
    >>> folder.cleanup()
    """
    LegacySpectrogramTransformer(sampling_rate=sampling_rate)._validate_params()
    path = os.fsdecode(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {path!r}.")
    content = Path(path).read_bytes()
    try:
        if not content.startswith(b"\x80"):
            raise ValueError("it is not a pickle of protocol 2 or later")
        # Read from memory, so that wrong lengths in the file do not allocate anything.
        model = read_pickle(io.BytesIO(content), {*_UNUSED, _STORAGE, _TENSOR})
        return _make_estimator(model, sampling_rate)
    except (ValueError, RuntimeError) as error:
        # torch raises RuntimeError.
        raise ValueError(
            f"{path!r} cannot be loaded as a model of deep_audio_features: {error}. "
            "Nothing in it was run."
        ) from error


# --- the estimator ---------------------------------------------------------------------------


def _make_estimator(model, sampling_rate):
    """Return the estimator that the values of a file describe."""
    is_classifier = check_entries(model)
    frontend = _make_frontend(model, sampling_rate)
    return (_make_classifier if is_classifier else _make_autoencoder)(model, frontend)


def _make_frontend(model, sampling_rate):
    n_bins = _N_MELS + N_CHROMA * model["fuse"]
    image_bins, image_frames = model["spec_size"]
    n_frames = model["max_sequence_length"] if model["zero_pad"] else image_frames
    if not model["zero_pad"] and image_bins != n_bins:
        raise ValueError(
            f"its spectrograms of {n_bins} bins are resized to {image_bins}, which is not supported"
        )
    if n_frames < _MIN_FRAMES:
        raise ValueError(
            f"its spectrograms have {n_frames} frames, but four pooling layers need {_MIN_FRAMES}"
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
        "channels": _n_outputs(tensors, "conv1.conv", "conv2.conv", "conv3.conv", "conv4.conv"),
        "kernel_size": _KERNEL_SIZE,
        "hidden_units": _n_outputs(tensors, "dense1.linear", "dense2.linear"),
    }
    classes = np.array([name for _, name in sorted(model["classes_mapping"].items())])
    estimator = CNNAudioClassifier(frontend, network="daf", **options)
    return _fitted(estimator, "legacy daf", len(classes), options, tensors, classes_=classes)


def _make_autoencoder(model, frontend):
    tensors = _read_tensors(model["state_dict"], _AUTOENCODER_LAYERS)
    options = {
        "channels": _n_outputs(tensors, "conv1.conv", "conv2.conv", "conv3.conv"),
        "kernel_size": _KERNEL_SIZE,
    }
    n_channels = model["representation_channels"]
    estimator = ConvAutoencoderEmbedder(frontend, n_channels=n_channels, **options)
    return _fitted(estimator, "legacy autoencoder", n_channels, options, tensors)


def _fitted(estimator, network, n_outputs, options, tensors, **learned):
    """Return the fitted estimator, set up from weights as unpickling does."""
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
    """Return the tensors of a state dict under the layer names of this package."""
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


def _n_outputs(tensors, *layers):
    """Return the number of outputs of some layers, from the lengths of their biases."""
    return tuple(max(1, tensors[f"{layer}.bias"].numel()) for layer in layers)


def _check_shapes(tensors, expected):
    """Check the weights against those of the network before it is built."""
    for name, (shape, dtype) in expected.items():
        found = tuple(tensors[name].shape), tensors[name].dtype
        if found != (shape, dtype):
            raise ValueError(f"its weight {name!r} must be {(shape, dtype)}, got {found}")


def _read_tensor(value, storages):
    """Return a tensor that uses the values of its storage, after checking their number.

    `storages` contains the storages read so far, because several tensors may share one.
    """
    if not _is_call(value, _TENSOR) or len(value.arguments) < 4:
        raise ValueError("it is not a tensor")
    storage, offset, size, stride = value.arguments[:4]
    if not _is_call(storage, _STORAGE) or len(storage.arguments) != 1:
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
        raise ValueError(f"it needs more than the {len(values)} values of its storage")
    return torch.as_strided(values, size, stride, offset)


def _is_call(value, name):
    return type(value) is Reference and value.name == name and value.arguments is not None


def _read_storage(content):
    """Return the values in a torch storage: five pickles, a count, the values.

    Everything except the values is checked first, so that `torch.load` never sees wrong sizes, or
    formats that are unsafe with torch before 2.6.
    """
    if type(content) is not bytes:
        raise ValueError("its storage is damaged")
    stream = io.BytesIO(content)
    try:
        parts = [read_pickle(stream, _STORAGE_TYPES, persistent=True) for _ in range(5)]
    except ValueError as error:
        raise ValueError(f"in its storage, {error}") from error
    dtype, count = _parse_storage(parts[3])
    # The count appears twice: in the description, and in 8 bytes before the values.
    if len(content) - stream.tell() != 8 + count * dtype.itemsize:
        raise ValueError(f"its storage does not contain the {count} values that it should")
    try:
        storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"torch refuses its storage ({reason})") from error
    return torch.empty(0, dtype=dtype).set_(storage)


def _parse_storage(reference):
    """Return the type and the number of the values of a storage, from its description."""
    is_call = type(reference) is Reference and reference.arguments
    described = reference.arguments[0] if is_call else ()
    if type(described) is not tuple or len(described) != 6 or described[0] != "storage":
        raise ValueError("its storage has no valid description")
    kind, count, view = described[1], described[4], described[5]
    is_type = type(kind) is Reference and kind.name in _STORAGE_TYPES and kind.arguments is None
    if not is_type or view is not None:
        raise ValueError("its storage has no valid description")
    if type(count) is not int or not 0 <= count < 2**40:
        raise ValueError("its storage has an impossible number of values")
    return _STORAGE_TYPES[kind.name], count
