"""Values of attributes that an estimator in a model file can certainly have, for its outline.

`load_model` checks values with the constraints of the classes, which need scikit-learn. These rules
need nothing, and accept less: a file with other values has no outline, so it is loaded. A test
compares them with the constraints.
"""

import math

import numpy as np

_SMALLEST, _LARGEST = 1e-300, 1e300


def _is_integer(least, largest=2**31):
    return lambda value: type(value) is int and least <= value <= largest


def _is_number(least, largest=_LARGEST, kinds=(int, float)):
    return lambda value: type(value) in kinds and least <= value <= largest


def _is_one_of(*texts):
    return lambda value: type(value) is str and value in texts


def _is_flag(value):
    return type(value) is bool


def _is_frontend(value):
    return getattr(value, "kind", None) == "SpectrogramTransformer"


def _are_sizes(value):
    return type(value) in (list, tuple) and bool(value) and all(map(_is_integer(1), value))


def _are_weights(value):
    return type(value) is dict and all(
        isinstance(array, np.ndarray) and array.dtype.kind in "fi" for array in value.values()
    )


def _are_counts(value):
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
    return is_vector and bool((np.isfinite(value) & (value >= 0)).all())


def _is_range(value):
    is_number = _is_number(_SMALLEST, kinds=(float,))
    is_pair = type(value) is tuple and len(value) == 2 and all(map(is_number, value))
    return is_pair and value[0] <= value[1]


def _is_vector(value):
    return isinstance(value, np.ndarray) and value.ndim == 1


def _or_none(rule):
    return lambda value: value is None or rule(value)


_FEATURES = _is_one_of("mel", "mfcc", "mel+chroma")
_LENGTHS = ("resize", "tile", "pad")
_INDICATORS = ("bool", "int32", "int64", "uint8", "float32", "float64")

# Of other parameters, only the default has an outline.
_PARAMETERS = {
    **dict.fromkeys(("channels", "hidden_units"), _are_sizes),
    **dict.fromkeys(("kernel_size", "n_networks", "n_channels"), _is_integer(1)),
    **dict.fromkeys(("max_epochs", "patience"), _is_integer(1)),
    **dict.fromkeys(("n_mels", "n_mfcc", "n_frames"), _is_integer(1)),
    **dict.fromkeys(("channel", "frozen_layers", "random_state"), _is_integer(0)),
    **dict.fromkeys(("learning_rate", "fmax", "top_db"), _is_number(_SMALLEST)),
    **dict.fromkeys(("weight_decay", "fmin"), _is_number(0)),
    **dict.fromkeys(("window_length", "hop_length"), _is_number(_SMALLEST, 1)),
    **dict.fromkeys(("dropout", "label_smoothing"), _is_number(0, math.nextafter(1, 0))),
    **dict.fromkeys(("early_stopping", "warm_start", "standardize"), _is_flag),
    "augment": _or_none(_is_one_of("stretch", "noise", "mixup", "mask", "shift")),
    "batch_size": _is_integer(2),
    "class_weight": _is_one_of("balanced", "sqrt"),
    "features": _FEATURES,
    "frontend": _is_frontend,
    "length": _is_one_of(*_LENGTHS),
    "mean_subtraction": _is_number(0, 1, (float,)),
    "network": _is_one_of("cnn", "daf"),
    "precision": _is_one_of("float32", "bfloat16"),
    "sampling_rate": _is_integer(100),
    "scoring": _is_one_of("loss", "score"),
    "validation_fraction": _is_number(_SMALLEST, math.nextafter(1, 0)),
}

_SETTINGS = {
    "features": _FEATURES,
    **dict.fromkeys(("sampling_rate", "window_length", "hop_length"), _is_integer(1)),
    **dict.fromkeys(("n_mels", "n_mfcc"), _is_integer(1)),
    **dict.fromkeys(("fmin", "fmax"), _is_number(0, kinds=(float,))),
    "top_db": _or_none(_is_number(0, kinds=(float,))),
    "channel": _or_none(_is_integer(0)),
}


def _are_settings(value):
    if type(value) is not dict or {"channel", *value} != set(_SETTINGS):
        return False
    return all(_SETTINGS[name](part) for name, part in value.items()) and (
        value["features"] != "mfcc" or value["n_mfcc"] <= value["n_mels"]
    )


_OF_NETWORKS = {
    "frontend_": _or_none(_is_frontend),
    "input_shape_": lambda value: type(value) is tuple,
    "network_": _are_weights,
    "_architecture": lambda value: type(value) is dict,
    "history_": lambda value: type(value) is dict,
    "n_epochs_": _is_integer(0),
    "best_epoch_": _is_integer(0),
    "n_clips_": _is_integer(0),
    "_optimizer_state": _are_weights,
    "n_features_in_": _is_integer(0),
}
_FITTED = {
    "CNNAudioClassifier": {
        **_OF_NETWORKS,
        "classes_": _is_vector,
        "_indicator_dtype": _or_none(_is_one_of(*_INDICATORS)),
        "_is_indicator_sparse": _is_flag,
        "_label_names": _or_none(_is_vector),
        "_class_counts": _are_counts,
    },
    "ConvAutoencoderEmbedder": _OF_NETWORKS,
    "SpectrogramTransformer": {
        "sampling_rate_": _is_integer(1),
        "_rate_is_of_files": _is_flag,
        "n_frames_": _is_integer(1),
        "n_bins_": _is_integer(1),
        "length_": _is_one_of(*_LENGTHS),
        "mean_subtraction_": _is_number(0, 1, (float,)),
        "_squeeze": _is_number(1, kinds=(float,)),
        "_fitted_settings": _are_settings,
        "clip_length_": _is_number(_SMALLEST, kinds=(float,)),
        "_clip_lengths": _is_range,
        "n_features_in_": _is_integer(0),
    },
}


def is_certain(kind, name, value, defaults):
    """Return whether an estimator can certainly have a value.

    Parameters
    ----------
    kind : str
        The name of its class.
    name : str
        The name of the attribute.
    value : object
    defaults : dict
        The parameters of the class and their defaults.
    """
    if name in defaults:
        default = defaults[name]
        if type(value) is type(default) and value == default:
            return True
        rule = _PARAMETERS.get(name)
    else:
        rule = _FITTED[kind].get(name)
    return rule is not None and rule(value)
