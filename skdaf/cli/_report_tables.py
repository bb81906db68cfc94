"""Reports of classifiers and regressors as a table, with a row for each class, group and target."""

from skdaf.cli._multilabel import label_scores
from skdaf.cli._reports import regression_scores
from skdaf.cli._scores import mean_scores, scores_of_clips


def report_table(found, true, targets=("target",), groups=None, folds=None):
    """Return the scores of predictions as a table.

    The column `kind` says what a row is about: "class" (or "label", of several per clip), "total",
    "fold" or "group". Scores that a row does not have are missing.

    Parameters
    ----------
    found : Predictions
    true : array-like, or DataFrame
        Labels, an indicator of several, or numbers; None for an autoencoder.
    targets : sequence of str
        The names of the numbers. The table has a row for each of them, in all and in each group.
    groups : Groups, default=None
        The group of each clip. The worst ones come first.
    folds : dict, default=None
        The rows of each fold of a cross-validation, by its name.
    """
    import pandas as pd

    if found.kind == "numbers":
        rows = _rows_of_numbers(found, true, targets, groups, folds or {})
    else:
        of_kind = {"classes": _rows_of_classes, "labels": _labels, "errors": _errors}
        rows = of_kind[found.kind](found, true)
        rows += _rows_of_folds(found, true, folds or {}) + _rows_of_groups(found, true, groups)
    return pd.DataFrame(rows)


def _errors(found, true):
    """Return the row of an autoencoder."""
    means = _mean_of_clips(scores_of_clips(found, true))
    return [{"kind": "total", "name": "", "clips": len(found.values), **means}]


def _mean_of_clips(scores):
    return {name.replace(" ", "_"): mean for name, mean in scores.mean().items()}


def _rows_of_classes(found, true):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    predicted = found.values.tolist()
    true = [*map(str, true)]
    names = sorted({*true, *predicted})
    options = {"labels": names, "zero_division": 0}
    scores = zip(*precision_recall_fscore_support(true, predicted, **options), strict=True)
    rows = [_row("class", name, *values) for name, values in zip(names, scores, strict=True)]
    means = precision_recall_fscore_support(true, predicted, average="macro", **options)[:3]
    total = _row("total", "", *means, len(true)) | {"accuracy": accuracy_score(true, predicted)}
    return [*rows, total]


def _row(kind, name, precision, recall, f1, clips):
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return {"kind": kind, "name": name, "clips": clips, **scores}


def _labels(found, true):
    """Return the rows for several labels per clip; the means are of the labels that occur."""
    scores, exact = label_scores(found, true)
    means = scores[scores.support > 0].drop(columns="support").mean()
    clips = scores.pop("support")
    rows = [
        {"kind": "label", "name": name, "clips": clips[name], **values}
        for name, values in scores.to_dict("index").items()
    ]
    total = {"kind": "total", "name": "", "clips": len(found.values), **means}
    return [*rows, total | {"all_labels_right": exact}]


def _rows_of_folds(found, true, folds):
    scores = scores_of_clips(found, true)
    return [
        {"kind": "fold", "name": name, "clips": len(rows), **_mean_of_clips(scores.iloc[rows])}
        for name, rows in folds.items()
    ]


def _rows_of_groups(found, true, groups):
    if groups is None:
        return []
    table = mean_scores(scores_of_clips(found, true), groups.values)
    table.columns = [name.replace(" ", "_") for name in table]
    return [
        {"kind": "group", "name": name, **values} for name, values in table.to_dict("index").items()
    ]


def _rows_of_numbers(found, true, targets, groups, folds):
    import numpy as np

    places = [("total", "", np.arange(len(found.values)))]
    places += [("fold", name, rows) for name, rows in folds.items()]
    if groups is not None:
        names = np.array([*map(str, groups.values)], object)
        order = mean_scores(scores_of_clips(found, true, targets), names).index
        places += [("group", name, np.flatnonzero(names == name)) for name in order]
    true = np.asarray(true, dtype=float)
    return [
        {"kind": kind, "name": name, "target": target, "clips": len(rows), **values}
        for kind, name, rows in places
        for target, values in regression_scores(found.values[rows], true[rows], targets)
        .to_dict("index")
        .items()
    ]
