"""Weights of classes, which --set gives by name: check them, and fit them to a model's clips."""

from functools import wraps

from skdaf.cli._multilabel import is_indicator


def check_class_weights(model, labels):
    """Raise ValueError if a model has weights for what is no label, before anything is trained.

    Parameters
    ----------
    model : estimator
    labels : ndarray or DataFrame
        The labels of all clips, or an indicator of several.
    """
    from skdaf._estimators.labels import check_keys_of_weights, check_weights_of_classes

    for weights in _weights(model, labels).values():
        check_keys_of_weights(weights, _names(labels))
        check_weights_of_classes(weights)
        _check_some_weight(weights, _names(labels))


def with_class_weights(train):
    """Return a function that trains a classifier after its weights were fitted to the clips.

    `train` is a function (model, clips, labels, groups) -> fitted model.
    """

    @wraps(train)
    def train_with_weights(model, paths, labels, groups):
        set_class_weights(model, labels)
        return train(model, paths, labels, groups)

    return train_with_weights


def set_class_weights(model, labels):
    """Omit the weights of classes without clips, such as in a fold.

    Models in a vote, and those that are calibrated, learn the numbers of the sorted classes: they
    get the weights of these numbers.
    """
    names = _names(labels)
    for parameter, weights in _weights(model, labels).items():
        _check_some_weight(weights, names)
        model.set_params(**{parameter: _for_learning(model, weights, names)})


def _check_some_weight(weights, names):
    if all(weights.get(name, 1) == 0 for name in names):
        raise ValueError(
            f"class_weight is 0 for all classes with clips to learn from: {names}. Raise the "
            "weight of at least two of them."
        )


def _for_learning(model, weights, names):
    """Return the weights of those classes that a model learns, by what it calls them."""
    numbers = {number: weights[name] for number, name in enumerate(names) if name in weights}
    if _learns_numbers(model):
        return numbers
    known = {name: weight for name, weight in weights.items() if name in names}
    if not _learns_both(model):
        return known
    # All of them, because a weight of an unknown class is only accepted beside those of all others.
    both = dict.fromkeys((*range(len(names)), *names), 1)
    return both | numbers | known


def names_of_weights(model, network, classes):
    """Return the names of the classes whose numbers a network in a model has learned, if any.

    Parameters
    ----------
    model : estimator
        A fitted model, not calibrated.
    network : estimator
        One that is the model, or in it.
    classes : list of str
        The classes of the model, or of the calibrated classifier around it.
    """
    was_trained = any(part is network for part in (model, *getattr(model, "estimators_", ())))
    numbers = [*range(len(classes))]
    if not was_trained or [*getattr(network, "classes_", ())] != numbers:
        return {}
    return dict(zip(map(str, numbers), classes, strict=True))


def _weights(model, labels):
    """Return the parameters of a model that are weights of named classes."""
    parameters = model.get_params(deep=not is_indicator(labels))
    return {
        name: value
        for name, value in parameters.items()
        if name.rpartition("__")[2] == "class_weight" and isinstance(value, dict)
    }


def _names(labels):
    import numpy as np

    return labels.columns.tolist() if is_indicator(labels) else np.unique(labels).tolist()


def _learns_both(model):
    """Return whether a model fits copies to numbers, and then one to names."""
    from sklearn.calibration import CalibratedClassifierCV

    return isinstance(model, CalibratedClassifierCV) and not model.ensemble


def _learns_numbers(model):
    from sklearn.ensemble import VotingClassifier

    # scikit-learn numbers the classes before it scales probabilities by a temperature.
    return isinstance(model, VotingClassifier) or getattr(model, "method", "") == "temperature"
