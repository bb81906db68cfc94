"""The outline of a model file: what a network estimator contains, without building it.

Building an estimator imports torch and scikit-learn, which takes seconds; an outline needs neither.
There is an outline if a file contains a fitted classifier or autoencoder with a built-in network
and front end, if its values are usual ones, and if its weights have the shapes that the network
needs. For all other files, including damaged ones, build the estimator instead: `load_model` also
says what is wrong with them.
"""

import ast
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from skdaf._core.archives import Archive
from skdaf._estimators.persistence.note import FORMAT, read_note
from skdaf._estimators.persistence.outline_values import is_certain
from skdaf._estimators.persistence.schema import read_schema, scalar
from skdaf._estimators.persistence.trusted_types import RUN_PARAMETERS
from skdaf._networks.sizes import check_options, is_option, is_size, layer_sizes

# The modules of the estimators that have an outline.
_MODULES = {
    "CNNAudioClassifier": "skdaf._estimators.classifier",
    "ConvAutoencoderEmbedder": "skdaf._estimators.autoencoder",
    "SpectrogramTransformer": "skdaf._features.spectrogram_transformer",
}
_FRONT_END = "SpectrogramTransformer"

# scikit-learn breaks longer texts into pieces when it prints an estimator.
_MAX_TEXT_LENGTH, _MAX_LENGTH = 30, 700


class NoOutlineError(ValueError):
    """Raised for a file that has no outline."""


class EstimatorState(NamedTuple):
    """The name of the class of an estimator in a file, and its attributes."""

    kind: str
    state: dict[str, Any]


def read_outline(path):
    """Return the `EstimatorState` of the fitted network estimator in a file, and its layers.

    The types in the file are checked as in `load_model`, and no code is run. A file that
    `load_model` refuses has no outline.

    Parameters
    ----------
    path : str

    Returns
    -------
    estimator : EstimatorState
        Its `frontend_` is an EstimatorState too, or None.
    layers : list of LayerSizes

    Raises
    ------
    NoOutlineError
        If the file has no outline.
    """
    try:
        if read_note(path)["format"] > FORMAT:
            raise NoOutlineError("a newer format")
        with Archive(path, repr(path)) as archive:
            estimator = _decoded(read_schema(archive), archive)
        return estimator, _checked_layers(estimator)
    except Exception as error:  # damaged files raise all kinds of errors
        raise NoOutlineError(str(error)) from error


def shown(estimator):
    """Return an estimator with its parameters as scikit-learn prints it, on one line."""
    changed = []
    for name, default in sorted(_parameters(estimator.kind).items()):
        value = default if name in RUN_PARAMETERS else estimator.state.get(name, default)
        if repr(value) != repr(default):
            _expect(type(value) in (bool, float, int, str, type(None)))
            _expect(not isinstance(value, str) or len(value) <= _MAX_TEXT_LENGTH)
            changed.append(f"{name}={value!r}")
    text = f"{estimator.kind}({', '.join(changed)})"
    _expect(len(text) <= _MAX_LENGTH)
    return text


def _expect(condition):
    if not condition:
        raise NoOutlineError("another kind of model")


def _decoded(node, archive):
    """Return the value of a node of the schema; an object becomes an EstimatorState."""
    if node.loader == "JsonNode":
        return scalar(node)
    if node.loader == "NdArrayNode":
        _expect(node.name == "numpy.ndarray" and node.state["type"] == "numpy")
        return archive.array(node.state["file"])
    if node.loader in ("ListNode", "TupleNode"):
        values = [_decoded(child, archive) for child in node.children]
        return tuple(values) if node.loader == "TupleNode" else values
    if node.loader == "DictNode":
        kinds, *children = node.children
        _expect(node.name == "builtins.dict")
        _expect(all(kind.name == "builtins.str" for kind in kinds.children))
        _expect(len(kinds.children) == len(children))
        values = [_decoded(child, archive) for child in children]
        return dict(zip(node.state["content"], values, strict=True))
    _expect(node.loader == "ObjectNode" and node.name.startswith("skdaf."))
    (state,) = node.children
    estimator = EstimatorState(node.name.removeprefix("skdaf."), _decoded(state, archive))
    _expect(estimator.kind in _MODULES and type(estimator.state) is dict)
    _check_attributes(estimator)
    return estimator


def _check_attributes(estimator):
    """Check all values but those that `load_model` replaces."""
    defaults = _parameters(estimator.kind)
    for name, value in estimator.state.items():
        is_replaced = name in defaults and name in RUN_PARAMETERS
        _expect(is_replaced or is_certain(estimator.kind, name, value, defaults))


def _check_front_end(frontend):
    if frontend is not None:
        _expect(type(frontend) is EstimatorState and frontend.kind == _FRONT_END)
        _expect(type(frontend.state["sampling_rate_"]) is int)


def _checked_layers(estimator):
    """Return the sizes of the layers, if the weights in the file fit them."""
    _expect(type(estimator) is EstimatorState and estimator.kind != _FRONT_END)
    state = estimator.state
    _check_front_end(state["frontend_"])
    architecture = state["_architecture"]
    _expect(set(architecture) == {"network", "input_shape", "n_outputs", "options"})
    options = architecture["options"]
    _expect(is_size(architecture["n_outputs"]))
    _expect(all(map(is_option, options, options.values())))
    check_options(architecture["input_shape"], architecture["n_outputs"], options)
    _expect(tuple(architecture["input_shape"]) == state["input_shape_"])
    counts = [*state["input_shape_"], state["n_epochs_"], state["best_epoch_"]]
    _expect(len(counts) == 4 and all(map(is_size, counts)))
    if estimator.kind == "CNNAudioClassifier":
        classes, names = state["classes_"], state.get("_label_names")
        for labels in (classes, classes if names is None else names):
            is_array = isinstance(labels, np.ndarray)
            _expect(is_array and labels.shape == (architecture["n_outputs"],))
    layers = layer_sizes(**architecture)
    _expect(layers is not None)
    needed = {f"{layer.name}.{n}": shape for layer in layers for n, shape in layer.weights.items()}
    _expect({name: array.shape for name, array in state["network_"].items()} == needed)
    _expect(all(array.dtype.kind in "fi" for array in state["network_"].values()))
    return layers


@cache
def _parameters(kind):
    """Return the defaults of the parameters of a class, read from its source.

    Importing the class would import scikit-learn.
    """
    with open(find_spec(_MODULES[kind]).origin, encoding="utf-8") as file:
        source = ast.parse(file.read())
    arguments = _named(_named(source, kind), "__init__").args
    names = [argument.arg for argument in (*arguments.args[1:], *arguments.kwonlyargs)]
    defaults = map(ast.literal_eval, [*arguments.defaults, *arguments.kw_defaults])
    return dict(zip(names, defaults, strict=True))


def _named(tree, name):
    """Return the class or function with a name in the body of a syntax tree."""
    return next(part for part in tree.body if getattr(part, "name", None) == name)
