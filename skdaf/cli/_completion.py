"""Shell completion of --set: the names of the parameters of the estimator."""

import ast
from pathlib import Path

from click.shell_completion import BashComplete, CompletionItem, add_completion_class

import skdaf
from skdaf._estimators.pretrained.names import is_pretrained

_CLASSIFIER = "_estimators/classifier.py", "CNNAudioClassifier"
_REGRESSOR = "_estimators/regressor.py", "CNNAudioRegressor"
_EMBEDDER = "_estimators/autoencoder.py", "ConvAutoencoderEmbedder"
_PRETRAINED = "_estimators/pretrained/transformer.py", "PretrainedFeatureExtractor"
_FRONTEND = "_features/spectrogram_transformer.py", "SpectrogramTransformer"

# The estimator that a command trains, by the value of --task.
_BY_TASK = {"regression": _REGRESSOR, "representation": _EMBEDDER}


def complete_parameter(context, incomplete):
    """Return what --set can be completed to: names of parameters, each with an equals sign."""
    if "=" in incomplete:
        return []
    names = [f"{name}=" for name in _names(context)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _names(context):
    if context.info_name == "combine":
        return _names_of_combined(context.params)
    if context.info_name in ("embed", "index"):
        return _names_in_source(*_PRETRAINED)
    estimator = _BY_TASK.get(context.params.get("task"), _CLASSIFIER)
    own = _names_in_source(*estimator)
    own += [f"frontend__{name}" for name in _names_in_source(*_FRONTEND)]
    return [*own, *_names_beside(own)] if context.params.get("handcrafted") else own


def _names_in_source(file, name):
    """Return the parameters of an estimator.

    They are read from the source of its `__init__`, because it takes seconds to import torch.
    """
    source = (Path(skdaf.__file__).parent / file).read_text(encoding="utf-8")
    (cls,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    (init,) = (
        node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    _, *names = [argument.arg for argument in (*init.args.args, *init.args.kwonlyargs)]
    return sorted(names)


def _names_beside(own):
    """Return the parameters of `skdaf train --handcrafted` beside those of the network."""
    from skdaf import CNNAudioClassifier, make_combined_classifier

    names = make_combined_classifier(CNNAudioClassifier()).get_params()
    return sorted(name for name in names if name.removeprefix("cnn1__") not in own)


def _names_of_combined(params):
    """Return the parameters of the model of `skdaf combine`, which scikit-learn knows."""
    from skdaf import CNNFeatureExtractor, PretrainedFeatureExtractor, make_combined_classifier

    combined = make_combined_classifier(
        [
            PretrainedFeatureExtractor(None) if is_pretrained(model) else CNNFeatureExtractor()
            for model in params.get("models") or [""]
        ],
        handcrafted=params.get("handcrafted") is not False,
        method=params.get("method") or "vote",
    )
    return sorted(combined.get_params())


class _BashComplete(BashComplete):
    """Completion for bash without a space after an equals sign, so that the value can follow."""

    source_template = BashComplete.source_template.replace(
        "    return 0\n",
        '    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *= ]]; then\n'
        "        compopt -o nospace\n"
        "    fi\n\n"
        "    return 0\n",
    )


add_completion_class(_BashComplete)
