"""Find out what a model is, load it, and keep it for further calls."""

import copy
import hashlib
import importlib
import os
import sys
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from skdaf._core.callables import name_of
from skdaf._core.user_warnings import warn_user
from skdaf._estimators.pretrained.backbone import MissingParameterError
from skdaf._estimators.pretrained.names import (
    NAMED,
    ONNX_ENDINGS,
    TORCHSCRIPT_ENDINGS,
    did_you_mean,
)
from skdaf._estimators.pretrained.onnx_file import read_onnx

# Modules and functions that load the other kinds of models.
_ADAPTERS = {
    "onnx": ("onnx_file", "load_onnx"),
    "torchscript": ("torch_models", "load_torchscript"),
    "module": ("torch_models", "load_module"),
    "function": ("functions", "load_function"),
    "transformers": ("transformers_folder", "load_transformers_folder"),
}

# How many loaded networks a process keeps: more than one classifier usually contains.
_N_KEPT = 8

_warned: set[str] = set()


@dataclass(frozen=True)
class Model:
    """A model that has been found, but not loaded.

    Parameters
    ----------
    kind : {"named", "onnx", "torchscript", "transformers", "module", "function"}
    identity : object
        Differs if the model does.
    value : object
        What the adapter needs: a name, the bytes of a file as an array, the path of a folder, a
        module or a function.
    name : str
        What messages call it.
    sha256 : str or None
        Of the bytes of a file.
    """

    kind: str
    identity: Any
    value: Any = field(compare=False, repr=False)
    name: str = field(compare=False)
    sha256: str | None = field(default=None, compare=False)


class _Same:
    """Equal only for the same object."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self):
        return id(self.value)


def find_model(model):
    """Return the Model that the parameter of `PretrainedFeatureExtractor` describes.

    Raises
    ------
    FileNotFoundError
        If a path does not exist, and is not a name either.
    TypeError, ValueError
        If it is something else.
    """
    if isinstance(model, np.ndarray) and model.dtype == np.uint8 and model.ndim == 1:
        return _of_bytes("onnx", np.ascontiguousarray(model))
    if isinstance(model, (str, os.PathLike)):
        name = str(os.fspath(model))
        return Model("named", name, name, name) if name in NAMED else _of_path(name)
    torch = sys.modules.get("torch")
    is_module = torch is not None and isinstance(model, torch.nn.Module)
    if isinstance(model, type) or hasattr(model, "fit") or not callable(model):
        raise TypeError(_unknown(model))
    if is_module:
        model = copy.deepcopy(model)  # it may be trained further
    kind = "module" if is_module else "function"
    return Model(kind, _Same(model), model, type(model).__name__ if is_module else name_of(model))


def _of_bytes(kind, content, path=None):
    sha256 = hashlib.sha256(content).hexdigest()
    return Model(kind, sha256, content, path or f"the saved {kind} file", sha256)


def _of_path(path):
    if os.path.isdir(path):
        files = sorted((entry.name, *_state(entry)) for entry in os.scandir(path))
        path = os.path.abspath(path)
        return Model("transformers", (path, *files), path, path)
    if not os.path.exists(path):
        raise FileNotFoundError(_not_found(path))
    if _kind_of_file(path) == "torchscript":
        return _of_bytes("torchscript", np.fromfile(path, np.uint8), path)
    return _of_bytes("onnx", read_onnx(path), path)


def _state(entry):
    status = entry.stat()
    return status.st_size, status.st_mtime_ns


def _kind_of_file(path):
    if path.lower().endswith(ONNX_ENDINGS):
        return "onnx"
    if path.lower().endswith(TORCHSCRIPT_ENDINGS):
        return "torchscript"
    if zipfile.is_zipfile(path):
        raise ValueError(
            f"model={path!r} is neither an .onnx nor a TorchScript file (.pt). For a file of "
            "save_model, use CNNFeatureExtractor(path)."
        )
    raise ValueError(
        f"model={path!r} must end with .onnx, or with .pt for TorchScript, or be a folder of "
        "transformers."
    )


def _not_found(path):
    return (
        f"model={path!r} is neither the name of a model ({', '.join(sorted(NAMED))}) nor an "
        f"existing file or folder. Nothing is ever downloaded.{did_you_mean(path)}"
    )


def _unknown(model):
    advice = "pass the network itself, not its class" if isinstance(model, type) else ""
    if hasattr(model, "fit") and not advice:
        advice = "for a network of this package, use CNNFeatureExtractor"
    return (
        f"model must be one of the names {', '.join(sorted(NAMED))}, the path of an .onnx or "
        "TorchScript file or of a folder of transformers, an nn.Module, or a function of waveforms "
        f"(n, n_samples), got {model!r:.200}" + (f": {advice}." if advice else ".")
    )


def load(model, *, sampling_rate, window, output, device, batch_size):
    """Return the Backbone of a Model.

    Raises
    ------
    ImportError
        If a package is not installed.
    ValueError
        If the model cannot be loaded, or a parameter is missing or does not fit.
    """
    options = {"output": output, "device": device, "batch_size": batch_size}
    if model.kind in ("onnx", "torchscript", "module", "function"):
        options["sampling_rate"] = sampling_rate
    if model.kind == "onnx":
        options["window"] = window
    try:
        backbone = _load(model, tuple(options.items()))
    except ValueError as error:
        kind = MissingParameterError if isinstance(error, MissingParameterError) else ValueError
        raise kind(f"Cannot use the model {model.name!r}: {error}") from error
    if backbone.license_note and backbone.name not in _warned:
        _warned.add(backbone.name)
        warn_user(backbone.license_note)
    if sampling_rate not in (None, backbone.sampling_rate):
        raise ValueError(
            f"sampling_rate={sampling_rate}, but {model.name} takes {backbone.sampling_rate} Hz: "
            "omit it, and files are resampled."
        )
    return backbone


@lru_cache(maxsize=_N_KEPT)
def _load(model, options):
    module, function = NAMED[model.value] if model.kind == "named" else _ADAPTERS[model.kind]
    adapter = importlib.import_module(f"{__package__}.{module}")
    arguments = () if model.kind == "named" else (model.value,)
    return getattr(adapter, function)(*arguments, **dict(options))
