"""Several labels per recording: indicators, tables of predictions, scores."""

# What is between the labels in the results of `skdaf predict`.
_SEPARATOR = "; "


def is_indicator(labels):
    """Return whether the labels of a command are an indicator."""
    return getattr(labels, "ndim", 1) == 2


def joined(present, classes):
    """Return the labels of each recording as one text.

    Parameters
    ----------
    present : ndarray of shape (n_files, n_labels), bool
    classes : sequence of length n_labels
    """
    rows = (zip(classes, row, strict=True) for row in present)
    return [_SEPARATOR.join(str(label) for label, flag in row if flag) for row in rows]


def strata(labels, share):
    """Return what to stratify by if a share of the recordings is held out."""
    from skdaf._estimators.indicators import label_sets

    return label_sets(labels.to_numpy(), 2 / share) if is_indicator(labels) else labels


def as_indicator(labels, classes):
    """Return an indicator whose columns are the classes of a model."""
    import pandas as pd

    if not is_indicator(labels):
        labels = pd.get_dummies(pd.Series(labels), dtype=int)
    return labels.reindex(columns=[str(label) for label in classes], fill_value=0)


def label_scores(found, labels):
    """Return a table of the scores of each label, and the share of exactly right recordings.

    `found` are the `Predictions` of several labels.
    """
    import pandas as pd
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    true = as_indicator(labels, found.names)
    names = ["precision", "recall", "f1", "support"]
    columns = precision_recall_fscore_support(true.to_numpy(), found.values, zero_division=0)
    table = pd.DataFrame(dict(zip(names, columns, strict=True)), index=true.columns)
    if found.probabilities is not None:
        pairs = zip(true.to_numpy().T, found.probabilities.T, strict=True)
        table["average_precision"] = [
            average_precision_score(column, one) if column.any() else float("nan")
            for column, one in pairs
        ]
    return table, float((found.values == true.to_numpy().astype(bool)).all(axis=1).mean())


def scores_text(found, labels):
    """Return the scores of a classifier of several labels as text."""
    import pandas as pd

    from skdaf.cli._text import visible

    table, exact = label_scores(found, labels)
    means = table[table.support > 0].mean().to_frame("(mean)").T.astype(object)
    means["support"] = ""
    shown = pd.concat([table.astype(object), means]).rename(index=visible)
    shown.columns = [name.replace("_", " ") for name in shown]
    text = shown.to_string(float_format="{:.3f}".format, na_rep="-")
    n = len(found.values)
    return f"{text}\nAll labels right: {exact:.3f} of {n} recording{'s' * (n != 1)}"


def scores_data(found, labels):
    """Return the same as dicts; scores that do not exist are None."""
    table, exact = label_scores(found, labels)
    rows = table.astype(object).where(table.notna(), None).to_dict("index")
    return {"clips": len(found.values), "labels": rows, "all_labels_right": exact}
