"""Predictions of one or several models, and their scores in all, per group and per fold."""

from typing import Any, NamedTuple


class Predictions(NamedTuple):
    """What a model predicts for some clips.

    Attributes
    ----------
    kind : {"classes", "labels", "numbers", "errors"}
        One class or several labels per clip, numbers, or errors of an autoencoder.
    values : ndarray
        The names of the classes, of shape (n_clips,); which labels are present, of shape
        (n_clips, n_labels); numbers of shape (n_clips, n_targets); or mean squared errors.
    names : list of str or None
        The names of several labels, or of the classes that have probabilities.
    probabilities : ndarray of shape (n_clips, n_labels), or None
        Those of several labels or, if they were asked for, of classes.
    """

    kind: str
    values: Any
    names: Any = None
    probabilities: Any = None


def predictions_of(model, X, has_labels=True, proba=False):
    """Return the `Predictions` of a fitted model; without labels, it is an autoencoder.

    If `proba` is true, those of a classifier that predicts probabilities contain them.
    """
    import numpy as np
    from sklearn.base import is_regressor

    from skdaf._estimators.fitted import names_of_labels
    from skdaf._segments.predict import is_multilabel, labels_and_probabilities

    if not has_labels:
        return Predictions("errors", np.full(len(X), -model.score(X)))
    if is_regressor(model):
        numbers = np.asarray(model.predict(X), dtype=float).reshape(len(X), -1)
        return Predictions("numbers", numbers)
    if is_multilabel(model):
        names = [str(name) for name in names_of_labels(model)]
        present, probabilities = labels_and_probabilities(model, X)
        return Predictions("labels", present, names, probabilities)
    if not proba:
        return Predictions("classes", np.array([*map(str, model.predict(X))], object))
    labels, probabilities = labels_and_probabilities(model, X)
    names = None if probabilities is None else [str(name) for name in names_of_labels(model)]
    return Predictions("classes", np.array([*map(str, labels)], object), names, probabilities)


def joined_predictions(parts, rows):
    """Return the predictions of several models as one.

    Parameters
    ----------
    parts : list of Predictions
    rows : list of ndarray
        For each of them, the places of its clips among all.
    """
    import numpy as np

    order = np.argsort(np.concatenate(rows))
    parts = _with_the_same_classes(parts)

    def join(name):
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)[order]

    return parts[0]._replace(values=join("values"), probabilities=join("probabilities"))


def _with_the_same_classes(parts):
    """Return predictions with the same columns of probabilities, as `cross_val_predict` does.

    A model that did not learn a class does not predict it: its probability is 0.
    """
    import numpy as np

    if all(part.names == parts[0].names for part in parts):
        return parts
    names, same = sorted({name for part in parts for name in part.names}), []
    for part in parts:
        probabilities = np.zeros((len(part.values), len(names)))
        probabilities[:, [names.index(name) for name in part.names]] = part.probabilities
        same.append(part._replace(names=names, probabilities=probabilities))
    return same


def scores_of_clips(found, true, targets=("target",)):
    """Return a table with a row for each clip, whose means are the scores.

    Parameters
    ----------
    found : Predictions
    true : array-like, or DataFrame
        Labels, an indicator of several, or numbers; not used for an autoencoder.
    targets : sequence of str
        The names of the numbers.
    """
    import numpy as np
    import pandas as pd

    from skdaf.cli._multilabel import as_indicator

    if found.kind == "errors":
        return pd.DataFrame({"mean squared error": found.values})
    if found.kind == "classes":
        return pd.DataFrame({"accuracy": found.values == np.array([*map(str, true)], object)})
    if found.kind == "labels":
        known = as_indicator(true, found.names).to_numpy()
        return pd.DataFrame({"all labels right": (found.values == known).all(axis=1)})
    errors = np.abs(found.values - np.asarray(true, dtype=float).reshape(found.values.shape))
    name = "mean absolute error"
    names = [name] if len(targets) == 1 else [f"{name} of {target}" for target in targets]
    return pd.DataFrame(errors, columns=names)


def mean_scores(scores, groups):
    """Return the number of clips and the mean scores of each group, worst first.

    Parameters
    ----------
    scores : DataFrame
        As from `scores_of_clips`.
    groups : sequence
        The group of each clip.
    """
    import numpy as np

    names = np.array([str(group) for group in groups], object)
    by_group = scores.astype(float).groupby(names, sort=True)
    table = by_group.mean()
    table.insert(0, "clips", by_group.size())
    # Errors in different units count the same.
    badness = (table[scores.columns] / scores.mean().replace(0, 1)).mean(axis=1)
    is_error = scores.columns[0].startswith("mean")
    return table.loc[badness.sort_values(ascending=not is_error, kind="stable").index]


def formatted(value, name):
    """Return a score as text: errors have units, all others are at most 1."""
    return f"{value:.4g}" if name.startswith("mean") else f"{value:.3f}"
