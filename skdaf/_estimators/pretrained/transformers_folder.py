"""Adapter for a local folder of the library transformers: its checks, and loading.

Such a folder contains ``config.json`` and the weights. It may come from a stranger: nothing in it
is run, so that pickled weights and models that bring code of their own are refused. Nothing is
downloaded either.
"""

import json
import os
import warnings
from functools import partial
from pathlib import Path

from skdaf._core.contexts import SharedContext
from skdaf._estimators.pretrained.backbone import Backbone
from skdaf._estimators.pretrained.names import PACKAGES
from skdaf._estimators.pretrained.packages import import_package, sha256_of
from skdaf._estimators.pretrained.transformers_types import (
    TYPES,
    HiddenStates,
    apply_in_pieces,
)
from skdaf._networks.device import resolve_device

_INSTALL = PACKAGES["transformers"]["transformers"]

# Either file can contain the settings of the front end.
_FRONT_END_FILES = ("preprocessor_config.json", "processor_config.json")

# Random vectors that only training uses. Released weights often lack them.
_UNUSED_WEIGHTS = ("masked_spec_embed",)


def load_transformers_folder(path, *, device="cpu", output=None, batch_size=32):
    """Return the network in a local folder of transformers.

    A waveform becomes one row per frame that contains some of it: no row is made of padding alone.
    Frames of the type "audio-spectrogram-transformer" are its patches, in the order of their times,
    without the two tokens that stand for all of them.

    Networks that take clips of at most 10 or 30 s get longer ones in pieces. The others take clips
    of any length, but the memory that they need grows with its square: cut clips of more than a
    minute into windows.

    Parameters
    ----------
    path : str or os.PathLike
        A folder with ``config.json`` and weights in files that end with ``.safetensors``, as
        `save_pretrained` writes them. If there is no ``preprocessor_config.json``, the front end
        has the settings that are usual for this type of network, at 16 kHz.
    device : str, default="cpu"
    output : int, default=None
        Which of the hidden states to return: 0 is the input of the first layer, and k the output of
        layer k. Negative numbers count from the last. If None, the network's own output.
    batch_size : int, default=32
        The maximum number of clips that are processed together. Only clips of the same length are,
        so that no padding changes the result.

    Raises
    ------
    ImportError
        If transformers is not installed.
    ValueError
        If the folder contains no such network, needs code or pickled weights, or lacks weights; or
        if there is no such output.
    """
    path = Path(os.fspath(path))
    kind = TYPES[_check_folder(path)]
    device = resolve_device(device)
    transformers = import_package("transformers", _INSTALL)
    with _quiet_transformers:
        network = _load_network(transformers, path, kind)
        extractor = _load_front_end(transformers, path, kind, network.config)
    _check_output(output, network.config.num_hidden_layers, path)
    encode = HiddenStates(network.to(device), output, device)
    model = kind(encode, extractor, network.config)
    return Backbone(
        name=network.config.model_type.replace("-", "_"),
        sampling_rate=extractor.sampling_rate,
        n_features=kind.n_features(network.config, output),
        apply=partial(apply_in_pieces, model, batch_size=batch_size),
        sha256=sha256_of(*_files(path)),
        min_samples=model.shortest,
    )


# --- the folder ---


def _check_folder(path):
    """Return the type of the network in a folder, if nothing in the folder has to be run."""
    config = _read_json(path / "config.json")
    if config is None:
        raise ValueError(
            f"The folder {str(path)!r} has no file config.json: it is not a folder that "
            "save_pretrained of transformers has written."
        )
    model_type = config.get("model_type")
    for name in ("config.json", *_FRONT_END_FILES):
        if "auto_map" in (_read_json(path / name) or {}):
            raise ValueError(
                f"The network in {str(path)!r} needs code of its own (auto_map in {name}), which "
                "is never run."
            )
    if not isinstance(model_type, str) or model_type not in TYPES:
        raise ValueError(
            f"{str(path / 'config.json')!r} has model_type={model_type!r}. The supported types are "
            f"{', '.join(sorted(TYPES))}."
        )
    if (path / "adapter_config.json").exists():
        raise ValueError(
            f"The folder {str(path)!r} contains an adapter (adapter_config.json), not a whole "
            "network: merge the two, and save the result."
        )
    _check_weights(path)
    return model_type


def _check_weights(path):
    if not list(path.glob("*.safetensors")):
        pickled = sorted(file.name for file in path.glob("*.bin"))
        reason = (
            f" Pickled weights ({pickled[0]}) are not read: they can run code." if pickled else ""
        )
        raise ValueError(
            f"The folder {str(path)!r} contains no file of weights that ends with .safetensors."
            f"{reason} Convert weights that you trust with model.save_pretrained(folder)."
        )


def _read_json(path):
    """Return the content of a JSON file; None if there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is not a JSON file ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{str(path)!r} must contain a JSON object, got {content!r:.100}.")
    return content


def _files(path):
    """Return the files that features depend on."""
    names = ("config.json", *_FRONT_END_FILES, "model.safetensors.index.json")
    settings = [path / name for name in names if (path / name).exists()]
    return [*settings, *sorted(path.glob("*.safetensors"))]


# --- loading ---


def _load_network(transformers, path, kind):
    """Return the network in evaluation mode, in float32."""
    try:
        network, report = transformers.AutoModel.from_pretrained(
            str(path),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation=kind.attention,
            output_loading_info=True,
        )
    except Exception as error:
        raise ValueError(f"The network in {str(path)!r} cannot be loaded: {error}") from error
    missing = [
        name
        for name in sorted(report["missing_keys"])
        if name.startswith(kind.prefix) and not name.endswith(_UNUSED_WEIGHTS)
    ]
    if missing:
        raise ValueError(
            f"The files of weights in {str(path)!r} lack {len(missing)} of the weights that "
            f"config.json describes, such as {missing[0]!r}."
        )
    network = network.get_encoder() if kind.prefix else network
    return network.float().eval()


def _load_front_end(transformers, path, kind, config):
    """Return the feature extractor of the folder, or the usual one if the folder has none."""
    extractor = getattr(transformers, kind.extractor)
    settings = [_read_json(path / name) or {} for name in _FRONT_END_FILES]
    try:
        with warnings.catch_warnings():
            # The usual 128 mel bands are narrower than the distance of two frequencies, in places.
            warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
            if settings[0] or "feature_extractor" in settings[1]:
                return extractor.from_pretrained(str(path), local_files_only=True)
            return extractor(**kind.usual_front_end(config))
    except Exception as error:
        raise ValueError(
            f"The settings of the front end in {str(path)!r} cannot be used: {error}"
        ) from error


def _check_output(output, n_layers, path):
    is_number = isinstance(output, int) and not isinstance(output, bool)
    if output is not None and not (is_number and -n_layers - 1 <= output <= n_layers):
        raise ValueError(
            f"output={output!r} must be None or a number from 0 to {n_layers}, or from "
            f"-{n_layers + 1} to -1: the network in {str(path)!r} has {n_layers} layers, and 0 is "
            "the input of the first."
        )


class _QuietTransformers(SharedContext):
    """Turn off progress bars, and messages about weights that are checked here."""

    def begin(self):
        from transformers.utils import logging

        self._before = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def end(self):
        from transformers.utils import logging

        verbosity, has_progress_bars = self._before
        logging.set_verbosity(verbosity)
        if has_progress_bars:
            logging.enable_progress_bar()


_quiet_transformers = _QuietTransformers()
