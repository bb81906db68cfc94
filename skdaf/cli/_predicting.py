"""Commands that apply a model to whole recordings: predict, embed."""

import click

from skdaf._core.files import replacing
from skdaf.cli._decimal_comma import decimal_comma_option
from skdaf.cli._inputs import errors_name_table, find_inputs, find_recordings
from skdaf.cli._models import load, load_predictor, make_extractor, network_in
from skdaf.cli._multilabel import joined
from skdaf.cli._options import (
    layers_option,
    model_argument,
    output_option,
    table_options,
    using_options,
    window_options,
)
from skdaf.cli._paths import EmbeddingFile, is_npy, list_file
from skdaf.cli._pretrained import (
    ModelOrName,
    fit_transformer,
    is_pretrained,
    load_source,
    settings_option,
)
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._recordings import (
    any_argument,
    recordings_options,
    unlabeled_table_option,
)
from skdaf.cli._skipping import readable, skip_option
from skdaf.cli._tables import show, write
from skdaf.cli._thresholds import as_threshold, threshold_option


@click.command(cls=Command)
@model_argument
@recordings_options(any_argument, unlabeled_table_option)
@click.option("--proba", is_flag=True, help="Add a column with the probability of each class.")
@click.option(
    "--segments",
    is_flag=True,
    help="Predict the class of each window of a recording instead of the whole recording.",
)
@window_options
@threshold_option
@layers_option
@skip_option
@table_options
@using_options
def predict(
    model,
    recordings,
    proba,
    segments,
    window,
    step,
    thresholds,
    layers_dropped,
    skip_unreadable,
    format_,
    output,
    trust,
    cache,
    n_jobs,
):
    """Predict the classes or the numbers of recordings.

    PATH is a recording, a folder, which is searched for recordings including subfolders, or a table
    (*.csv or *.tsv) with a row for each recording. A model that was trained on a table with other
    columns beside the recordings, such as a temperature, needs a table with these columns.

    Example: skdaf predict model.skops recordings --proba --format csv
    """
    _check_combination(proba, segments, layers_dropped, thresholds)
    _check_table(recordings, segments)
    clips = None if recordings.table else recordings.unlabeled()
    options = {"trust": trust, "cache": cache, "n_jobs": n_jobs, **_progress(segments)}
    windows = {"window": window, "step": step}
    if layers_dropped is not None:
        fitted = load(model, **options)
        network = network_in(model, fitted)
        inputs = find_recordings(recordings, clips)
        with readable(inputs.files, skip_unreadable, n_jobs) as files:
            table = _layers(network, inputs.of(files), layers_dropped, segments, windows)
            # CSV, because a text table would have too many columns to be readable.
            show(table, format_, output, "csv")
        return
    needs = {"proba": proba, "threshold": bool(thresholds), "tables": not segments}
    fitted = load_predictor(model, **needs, **options)
    inputs = find_inputs(model, fitted, recordings, clips)
    with readable(inputs.files, skip_unreadable, n_jobs) as files:
        if segments:
            windows["threshold"] = as_threshold(thresholds)
            table = _windows_of_all(fitted, files, proba, windows)
        else:
            inputs = inputs.of(files)
            with errors_name_table(recordings, inputs):
                table = _predictions(fitted, inputs, proba)
        show(table, format_, output)


def _check_combination(proba, segments, layers_dropped, thresholds):
    for option, is_given in (("--proba", proba), ("--threshold", thresholds)):
        if layers_dropped is not None and is_given:
            raise click.UsageError(f"--layers-dropped cannot be used with {option}.")
    _check_windows(segments)


def _check_table(recordings, segments):
    """Check that there is no table with --segments, whose windows are parts of whole recordings."""
    if segments and recordings.table is not None:
        raise click.UsageError("--segments takes recordings, not a table.")


def _check_windows(segments):
    """Check that there is no option for windows without --segments."""
    source = click.get_current_context().get_parameter_source
    parameters = click.get_current_context().command.params
    options = {parameter.name: parameter.opts[0] for parameter in parameters}
    names = [name for name in ("window", "step", "thresholds") if name in options]
    given = [name for name in names if source(name).name != "DEFAULT"]
    if given and not segments:
        raise click.UsageError(f"{options[given[0]]} requires --segments.")


def _progress(segments):
    """Return the option for `load` that keeps a model from showing a bar per batch of windows."""
    return {"verbose": 0} if segments else {}


def _predictions(predictor, inputs, proba):
    """Return a table of labels or numbers, with one row per recording or part of one."""
    import pandas as pd
    from sklearn.base import is_regressor

    from skdaf._estimators.fitted import names_of_labels
    from skdaf._segments.predict import (
        is_multilabel,
        labels_and_probabilities,
        numbers_by_column,
    )
    from skdaf._segments.tables import probability_columns

    found = _places(inputs)
    if is_regressor(predictor):
        return pd.DataFrame(found | numbers_by_column(predictor, inputs.X))
    several = is_multilabel(predictor)
    if not (proba or several):
        return pd.DataFrame(found | {"label": predictor.predict(inputs.X)})
    labels, probabilities = labels_and_probabilities(predictor, inputs.X)
    found["label"] = joined(labels, names_of_labels(predictor)) if several else labels
    if proba:
        names = probability_columns(names_of_labels(predictor), [*found])
        found |= dict(zip(names, probabilities.T, strict=True))
    return pd.DataFrame(found)


def _places(inputs):
    """Return the first columns of a table of results, as a dict: the file, or the part of it."""
    return {"file": inputs.files, **({} if inputs.times is None else inputs.times)}


def _layers(network, inputs, layers_dropped, segments, windows):
    """Return a table of the outputs of a layer for recordings, or for windows of them."""
    extractor = make_extractor(network, layers_dropped).fit(inputs.X)
    return _features(extractor, inputs, _feature_windows(network, segments, **windows))


def _windows_of_all(predictor, files, proba, windows):
    """Return a table of labels or numbers, with one row per window of each recording."""
    import pandas as pd

    tables = [_windows(predictor, file, proba, windows) for file in files]
    return pd.concat(tables, ignore_index=True)


def _windows(predictor, file, proba, windows):
    """Return a table of labels or numbers, with one row per window."""
    from sklearn.base import is_regressor

    from skdaf import predict_segments
    from skdaf._estimators.fitted import names_of_labels
    from skdaf._segments.tables import COLUMNS, probability_columns

    table = predict_segments(predictor, file, **windows, verbose=verbosity())
    if not is_regressor(predictor):
        names = probability_columns(names_of_labels(predictor), ["file", *COLUMNS]) if proba else []
        table = table.iloc[:, : len(COLUMNS) + len(names)]
        table = table.set_axis([*COLUMNS, *names], axis="columns")
    table.insert(0, "file", file)
    return table


def _feature_windows(fitted, segments, window, step):
    """Return the windows for `_features`; by default, they are as long as the training clips."""
    from skdaf._segments.window_lengths import window_or_default

    return {"window": window_or_default(fitted, window), "step": step} if segments else None


def _features(transformer, inputs, windows=None):
    """Return a table of features with a row per recording or, with windows, per window of one."""
    import pandas as pd

    from skdaf._segments.transform import feature_table

    if windows is not None:
        tables = [_features_of_windows(transformer, file, windows) for file in inputs.files]
        return pd.concat(tables, ignore_index=True)
    places = _places(inputs)
    table = feature_table(transformer, transformer.transform(inputs.X), [*places])
    # The output of a transformer of tables can have another index.
    return pd.concat([pd.DataFrame(places), table.reset_index(drop=True)], axis="columns")


def _features_of_windows(transformer, file, windows):
    from skdaf import transform_segments
    from skdaf._segments.transform import feature_table

    table = transform_segments(transformer, file, **windows, verbose=verbosity())
    table = feature_table(transformer, table, ["file"])
    table.insert(0, "file", file)
    return table


@click.command(cls=Command)
@click.argument("model", type=ModelOrName())
@recordings_options(any_argument, unlabeled_table_option)
@output_option(
    "File to write: *.csv, or *.npy with the file names in *.files.txt next to it.",
    EmbeddingFile(),
)
@decimal_comma_option
@click.option(
    "--segments",
    is_flag=True,
    help="Compute the embedding of each window of a recording instead of the whole recording.",
)
@window_options
@layers_option
@settings_option
@skip_option
@using_options
def embed(
    model,
    recordings,
    output,
    segments,
    window,
    step,
    layers_dropped,
    settings,
    skip_unreadable,
    trust,
    cache,
    n_jobs,
):
    """Compute embeddings of recordings.

    An autoencoder returns its embeddings, a classifier the input of its last layer, and a pipeline
    the output of the steps before its classifier. MODEL may also be a pretrained network:
    silero-vad, resemblyzer, birdnet, an ONNX or TorchScript file, or a folder of transformers.

    PATH and --table are the same as for "skdaf predict". Without --output, embeddings are printed
    as CSV.

    Example: skdaf embed model.skops recordings -o features.npy
    """
    as_array = output is not None and is_npy(output)
    _check_windows(segments)
    if as_array and segments:
        raise click.UsageError("With --segments, --output must end in .csv.")
    _check_table(recordings, segments)
    clips = None if recordings.table else recordings.unlabeled()
    options = {"settings": settings, "trust": trust, "cache": cache, "n_jobs": n_jobs}
    options["verbose"] = 0 if segments else None
    source = load_source(model, layers_dropped=layers_dropped, **options)
    if is_pretrained(model) or layers_dropped is not None:
        inputs = find_recordings(recordings, clips)
    else:
        inputs = find_inputs(model, source, recordings, clips)
    if as_array:
        _check_names(inputs)
    with readable(inputs.files, skip_unreadable, n_jobs) as files:
        inputs = inputs.of(files)
        with errors_name_table(recordings, inputs):
            transformer = fit_transformer(model, source, inputs.X, layers_dropped)
            if as_array:
                _save_array(transformer.transform(inputs.X), files, output)
                return
            # A pretrained network was not trained on clips, but fitted on the recordings.
            known = None if is_pretrained(model) else transformer
            table = _features(transformer, inputs, _feature_windows(known, segments, window, step))
        show(table, "csv", output)


def _check_names(inputs):
    """Check, before the embeddings are computed, that a line can name each row of an array."""
    if inputs.times is not None:
        raise ValueError(
            "The table has parts of recordings (start, end), which cannot be listed in "
            "*.files.txt: write *.csv instead of *.npy."
        )
    files = inputs.files
    broken = [file for file in files if "\n" in file or "\r" in file]
    if broken:
        raise ValueError(
            f"The file name {broken[0]!r} contains a line break and cannot be listed in "
            "*.files.txt: write *.csv instead of *.npy."
        )


def _save_array(values, files, output):
    import numpy as np

    write("\n".join(files), list_file(output))
    with replacing(output) as part:
        np.save(part, values)
    note(f"Wrote {' x '.join(map(str, values.shape))} values to {output}")
