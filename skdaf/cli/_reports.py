"""Reports of classifiers and regressors, as text and as data."""

import warnings

from skdaf.cli._counts import counted
from skdaf.cli._multilabel import scores_data, scores_text
from skdaf.cli._scores import formatted, mean_scores, scores_of_clips
from skdaf.cli._text import visible

# A text shows at most this many groups.
_MAX_GROUPS = 20


def report_text(found, true, targets=("target",), groups=None):
    """Return the scores of predictions as text.

    For classes, these are scikit-learn's classification report and the confusion matrix; for
    several labels per recording, the scores of each label; for numbers, those of each target.

    Parameters
    ----------
    found : Predictions
    true : array-like, or DataFrame
        Labels, an indicator of several, or numbers; None for an autoencoder.
    targets : sequence of str
        The names of the numbers.
    groups : Groups, default=None
        The group of each clip, for a table of the scores of each.
    """
    if found.kind == "errors":
        clips = counted(len(found.values), "clip")
        return f"mean squared error on {clips}: {found.values.mean():.4g}"
    if found.kind == "numbers":
        text = _numbers_text(found, true, targets)
    else:
        text = (scores_text if found.kind == "labels" else _classes_text)(found, true)
    return text if groups is None else f"{text}\n\n{_groups_text(found, true, targets, groups)}"


def _numbers_text(found, numbers, targets):
    scores = regression_scores(found.values, numbers, targets)
    names = [name.replace("_", " ") for name in scores.columns]
    table = scores.set_axis(names, axis="columns").rename(index=visible).T
    return f"{table.to_string(float_format='{:.4g}'.format)}\n{counted(len(found.values), 'clip')}"


def _classes_text(found, labels):
    from sklearn.metrics import classification_report

    predicted = found.values.tolist()
    matrix = confusion_of(labels, predicted)
    names = [visible(name) for name in matrix]
    scores = classification_report(
        labels, predicted, labels=list(matrix), target_names=names, zero_division=0
    )
    matrix = matrix.set_axis(names, axis="index").set_axis(names, axis="columns")
    return f"{scores}\nConfusion matrix (rows: true, columns: predicted)\n{matrix.to_string()}"


def _groups_text(found, true, targets, groups):
    table = mean_scores(scores_of_clips(found, true, targets), groups.values)
    names = [name for name in table if name != "clips"]
    shown = table[:_MAX_GROUPS].rename(index=visible)
    for name in names:
        shown[name] = [formatted(value, name) for value in shown[name]]
    shown.columns = [visible(name) for name in shown]
    text = f"Per {visible(groups.what)}, worst first\n{shown.to_string()}"
    others = table[_MAX_GROUPS:]
    if others.empty:
        return text
    ranges = ", ".join(f"{visible(name)} {range_of(others[name], name)}" for name in names)
    return f"{text}\n{len(others)} more: {ranges}"


def range_of(values, name):
    """Return the lowest and the highest of some scores as text."""
    return f"{formatted(min(values), name)} to {formatted(max(values), name)}"


def report_data(found, true, targets=("target",), groups=None):
    """Return the same as dicts and lists; scores that do not exist are None."""
    data = _data(found, true, targets)
    if groups is None:
        return data
    table = mean_scores(scores_of_clips(found, true, targets), groups.values)
    table.columns = [name.replace(" ", "_") for name in table]
    return data | {"groups": table.astype(object).to_dict("index")}


def _data(found, true, targets):
    from sklearn.metrics import classification_report

    if found.kind == "numbers":
        scores = regression_scores(found.values, true, targets)
        rows = scores.astype(object).where(scores.notna(), None).to_dict("index")
        return {"clips": len(found.values), "targets": rows}
    if found.kind == "labels":
        return scores_data(found, true)
    predicted = found.values.tolist()
    matrix = confusion_of(true, predicted)
    return {
        "scores": classification_report(true, predicted, zero_division=0, output_dict=True),
        "classes": list(matrix.columns),
        "confusion_matrix": matrix.to_numpy().tolist(),
    }


def confusion_of(labels, predicted):
    """Return the confusion matrix as a table; rows are true labels."""
    import pandas as pd
    from sklearn.metrics import confusion_matrix

    names = sorted({*map(str, labels), *predicted})
    with warnings.catch_warnings():
        # The matrix of a single class is right, too.
        warnings.filterwarnings("ignore", "A single label was found")
        matrix = confusion_matrix(labels, predicted, labels=names)
    return pd.DataFrame(matrix, names, names)


def regression_scores(predicted, numbers, targets):
    """Return a table of the scores of a regressor, with a row for each target.

    `standard_deviation` is that of the true numbers: the root mean squared error of always
    predicting their mean.
    """
    import numpy as np
    import pandas as pd

    true = np.asarray(numbers, dtype=float).reshape(len(predicted), -1)
    if true.shape != predicted.shape:
        raise ValueError(
            f"The model predicts {predicted.shape[1]} numbers per clip, but --column target= names "
            f"{true.shape[1]} ({', '.join(targets)}). Repeat it for each target, in the order of "
            "training."
        )
    errors, deviations = predicted - true, true.std(axis=0)
    squares = (errors**2).mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Without differences between the true numbers, there is no R2.
        r2 = np.where(deviations > 0, 1 - squares / deviations**2, np.nan)
    scores = {
        "R2": r2,
        "mean_absolute_error": np.abs(errors).mean(axis=0),
        "median_absolute_error": np.median(np.abs(errors), axis=0),
        "root_mean_squared_error": np.sqrt(squares),
        "standard_deviation": deviations,
    }
    return pd.DataFrame(scores, index=list(targets))
