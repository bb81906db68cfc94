"""Classification reports, as text and as data."""

from skdaf.cli._text import visible


def report_text(model, paths, labels):
    """Return scikit-learn's classification report and the confusion matrix as text."""
    from sklearn.metrics import classification_report

    predicted = [str(label) for label in model.predict(paths)]
    matrix = confusion_of(labels, predicted)
    names = [visible(name) for name in matrix]
    scores = classification_report(
        labels, predicted, labels=list(matrix), target_names=names, zero_division=0
    )
    matrix = matrix.set_axis(names, axis="index").set_axis(names, axis="columns")
    return f"{scores}\nConfusion matrix (rows: true, columns: predicted)\n{matrix.to_string()}"


def report_data(model, paths, labels):
    """Return the scores and the confusion matrix as dicts and lists."""
    from sklearn.metrics import classification_report

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
