"""Reports of classifiers and regressors, as text and as data."""

from skdaf.cli._multilabel import scores_data, scores_text
from skdaf.cli._text import visible


def report_text(model, paths, labels, targets=("target",)):
    """Return the scores of a model as text.

    For a classifier, these are scikit-learn's classification report and the confusion matrix, or
    the scores of each of several labels per recording. For a regressor, `labels` are numbers, and
    `targets` their names.
    """
    from sklearn.base import is_regressor
    from sklearn.metrics import classification_report

    from skdaf._segments.predict import is_multilabel

    if is_regressor(model):
        scores = regression_scores(model, paths, labels, targets)
        names = [name.replace("_", " ") for name in scores.columns]
        table = scores.set_axis(names, axis="columns").rename(index=visible).T
        return f"{table.to_string(float_format='{:.4g}'.format)}\n{len(paths)} clips"
    if is_multilabel(model):
        return scores_text(model, paths, labels)
    predicted = [str(label) for label in model.predict(paths)]
    matrix = confusion_of(labels, predicted)
    names = [visible(name) for name in matrix]
    scores = classification_report(
        labels, predicted, labels=list(matrix), target_names=names, zero_division=0
    )
    matrix = matrix.set_axis(names, axis="index").set_axis(names, axis="columns")
    return f"{scores}\nConfusion matrix (rows: true, columns: predicted)\n{matrix.to_string()}"


def report_data(model, paths, labels, targets=("target",)):
    """Return the same as dicts and lists; scores that do not exist are None."""
    from sklearn.base import is_regressor
    from sklearn.metrics import classification_report

    from skdaf._segments.predict import is_multilabel

    if is_regressor(model):
        scores = regression_scores(model, paths, labels, targets)
        rows = scores.astype(object).where(scores.notna(), None).to_dict("index")
        return {"clips": len(paths), "targets": rows}
    if is_multilabel(model):
        return scores_data(model, paths, labels)
    predicted = [str(label) for label in model.predict(paths)]
    matrix = confusion_of(labels, predicted)
    return {
        "scores": classification_report(labels, predicted, zero_division=0, output_dict=True),
        "classes": list(matrix.columns),
        "confusion_matrix": matrix.to_numpy().tolist(),
    }


def confusion_of(labels, predicted):
    """Return the confusion matrix as a table; rows are true labels."""
    import pandas as pd
    from sklearn.metrics import confusion_matrix

    names = sorted({*map(str, labels), *predicted})
    return pd.DataFrame(confusion_matrix(labels, predicted, labels=names), names, names)


def regression_scores(model, paths, numbers, targets):
    """Return a table of the scores of a regressor, with a row for each target.

    `standard_deviation` is that of the true numbers: the root mean squared error of always
    predicting their mean.
    """
    import numpy as np
    import pandas as pd

    true, predicted = (
        np.asarray(values, dtype=float).reshape(len(paths), -1)
        for values in (numbers, model.predict(paths))
    )
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
