"""Commands that use models: predict, segments, embed, report."""

import warnings

import click

from skdaf._core.files import replacing
from skdaf.cli._models import describer, inner_layers, load, load_classifier
from skdaf.cli._options import (
    folders_argument,
    format_option,
    layers_option,
    model_argument,
    output_option,
    paths_argument,
    table_options,
    using_options,
    window_options,
)
from skdaf.cli._paths import EmbeddingFile, InputPath, is_array, names_beside
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._reports import report_data, report_text
from skdaf.cli._tables import audio_files, format_by_name, labelled_files, show, write
from skdaf.cli._text import echo, to_json, visible


@click.command(cls=Command)
@model_argument
@paths_argument
@click.option("--proba", is_flag=True, help="Add a column of probabilities for each class.")
@click.option("--segments", is_flag=True, help="Predict each window of each recording.")
@window_options
@layers_option
@table_options
@using_options
def predict(
    model,
    paths,
    proba,
    segments,
    window,
    step,
    layers_dropped,
    format_,
    output,
    trust,
    n_jobs,
):
    """Predict the classes of files.

    Folders are searched for recordings, with all that is below them.

    Example: skdaf predict model.skops recordings --proba --format csv
    """
    import pandas as pd

    from skdaf._estimators.fitted import find_network

    _check_combination(proba, segments, layers_dropped)
    files, options = audio_files(paths), {"trust": trust, "n_jobs": n_jobs}
    if layers_dropped is not None:
        network = find_network(load(model, **options))
        # So many columns make no table that one could read.
        show(_features(inner_layers(network, layers_dropped), files), format_, output, "csv")
        return
    if segments:
        classifier = _classifier(model, proba, **options, verbose=0)
        tables = [_windows(classifier, file, window, step, proba) for file in files]
        show(pd.concat(tables, ignore_index=True), format_, output)
        return
    show(_predictions(_classifier(model, proba, **options), files, proba), format_, output)


def _check_combination(proba, segments, layers_dropped):
    if layers_dropped is not None and (proba or segments):
        raise click.UsageError("--layers-dropped gives no classes: leave out --proba, --segments.")
    source = click.get_current_context().get_parameter_source
    given = [name for name in ("window", "step") if source(name).name != "DEFAULT"]
    if given and not segments:
        raise click.UsageError(f"--{given[0]} has no effect without --segments.")


def _classifier(path, proba, **options):
    """Return a classifier, if it gives what is asked of it."""
    classifier = load_classifier(path, **options)
    if proba and not hasattr(classifier, "predict_proba"):
        raise ValueError(
            f"{path!r} gives no probabilities: leave out --proba (combine has --proba, for models "
            "that give some)."
        )
    return classifier


def _predictions(classifier, files, proba):
    import pandas as pd

    from skdaf._segments.predict import labels_and_probabilities
    from skdaf._segments.tables import probability_columns

    if not proba:
        return pd.DataFrame({"file": files, "label": classifier.predict(files)})
    labels, shares = labels_and_probabilities(classifier, files)
    names = probability_columns(classifier.classes_, ["file", "label"])
    return pd.DataFrame({"file": files, "label": labels, **dict(zip(names, shares.T, strict=True))})


def _windows(classifier, file, window, step, proba):
    from skdaf import predict_segments
    from skdaf._segments.tables import COLUMNS, probability_columns

    table = predict_segments(classifier, file, window=window, step=step, verbose=verbosity())
    names = probability_columns(classifier.classes_, ["file", *COLUMNS]) if proba else []
    table = table.iloc[:, : len(COLUMNS) + len(names)].set_axis([*COLUMNS, *names], axis="columns")
    table.insert(0, "file", file)
    return table


def _features(transformer, files):
    """Return a table of features with names, one row a file."""
    import pandas as pd

    values = transformer.transform(files)
    values = values.reshape(len(files), -1)
    try:
        names = transformer.get_feature_names_out()
    except (AttributeError, ValueError):  # somebody's transformer that does not name them
        names = [f"feature_{index}" for index in range(values.shape[1])]
    table = pd.DataFrame(values, columns=names)
    table.insert(0, "file", files)
    return table


@click.command(cls=Command)
@model_argument
@click.argument("recording", type=InputPath(dir_okay=False))
@window_options
@click.option(
    "--smooth",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Give each window the label of most of this time around it: an odd multiple of the step.",
)
@click.option(
    "--min-duration",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Give shorter segments to their neighbours.",
)
@click.option("--proba", is_flag=True, help="Add the mean probability of each class.")
@click.option(
    "--truth",
    type=InputPath(dir_okay=False),
    help="Annotations of the recording (labels of Audacity, or start,end,label): show how well "
    "the segments agree with them instead of the segments.",
)
@format_option
@output_option("Write the segments to this file: *.csv, *.json, or else labels for Audacity.")
@using_options
def segments(
    model,
    recording,
    window,
    step,
    smooth,
    min_duration,
    proba,
    truth,
    format_,
    output,
    trust,
    n_jobs,
):
    """Find out what is heard when in a long recording.

    Neighbouring windows of one class become one segment.

    Example: skdaf segments model.skops meeting.wav --step 0.5 -o labels.txt
    """
    from skdaf import merge_segments, predict_segments

    if truth is not None and format_ == "csv":
        raise click.UsageError("--format csv is none for a report: choose table or json.")
    annotations = None if truth is None else _read_truth(truth)
    classifier = _classifier(model, proba, trust=trust, n_jobs=n_jobs, verbose=0)
    found = merge_segments(
        predict_segments(classifier, recording, window=window, step=step, verbose=verbosity()),
        min_duration=min_duration,
        smooth=smooth,
    )
    found = found if proba else found[["start", "end", "label"]]
    if output is not None:
        _write_segments(found, output, format_ if truth is None else None)
    if annotations is not None:
        _show_agreement(annotations, found, format_)
    elif output is None:
        show(found, format_)


def _read_truth(path):
    """Return annotations that segments can be compared with, before time goes into these."""
    from skdaf import read_segments

    table = read_segments(path)
    is_span, has_label = table.start < table.end, table.label != ""
    spans = table[is_span & has_label]
    for n_left_out, problem in (
        ((~is_span).sum(), "without a duration"),
        ((is_span & ~has_label).sum(), "without a label"),
    ):
        if n_left_out:
            segments = "segment" if n_left_out == 1 else "segments"
            warnings.warn(f"Left out {n_left_out} {segments} {problem} in {path!r}.", stacklevel=2)
    if spans.empty:
        raise ValueError(f"{path!r} holds no segments: expected lines of start, end and label.")
    return spans


def _write_segments(found, output, format_):
    from skdaf import write_segments

    if format_ or format_by_name(output):
        show(found, format_, output)
    else:
        write_segments(found, output)
        note(f"Wrote {len(found)} segments to {output}")


def _show_agreement(annotations, found, format_):
    """Write how well segments agree with annotations, as a page or as JSON."""
    from skdaf import segment_report

    if format_ != "json":
        shown = (table.assign(label=table.label.map(visible)) for table in (annotations, found))
        echo(str(segment_report(*shown)))
        return
    report = segment_report(annotations, found)
    facts = {
        name: value.to_dict("index") if hasattr(value, "to_dict") else value
        for name, value in vars(report).items()
    }
    # JSON has no NaN, which stands where there are no boundaries.
    facts = {name: None if value != value else value for name, value in facts.items()}
    echo(to_json(facts))


@click.command(cls=Command)
@model_argument
@paths_argument
@output_option(
    "The file to write: *.npy, with the names in *.files.txt beside it, or *.csv.",
    EmbeddingFile(),
)
@layers_option
@using_options
def embed(model, paths, output, layers_dropped, trust, n_jobs):
    """Turn files into embeddings, or features of a classifier.

    Of a classifier these are what its last layer sees, of an autoencoder its embedding, of a
    pipeline what comes before the classifier. Without --output CSV goes to the standard output.

    Example: skdaf embed model.skops recordings -o features.npy
    """
    files = audio_files(paths)
    as_array = output is not None and is_array(output)
    if as_array:
        _check_lines(files)
    transformer = describer(load(model, trust=trust, n_jobs=n_jobs), layers_dropped)
    if as_array:
        _save_array(transformer.transform(files), files, output)
    else:
        show(_features(transformer, files), "csv", output)


def _check_lines(files):
    """Insist that each name is one line, before time goes into the values."""
    broken = [file for file in files if "\n" in file or "\r" in file]
    if broken:
        raise ValueError(
            f"The name {broken[0]!r} holds a line break, so the list beside an array cannot hold "
            "it: write *.csv instead."
        )


def _save_array(values, files, output):
    import numpy as np

    write("\n".join(files), names_beside(output))
    with replacing(output) as part:
        np.save(part, values)
    note(f"Wrote {' x '.join(map(str, values.shape))} values to {output}")


@click.command(cls=Command)
@model_argument
@folders_argument
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    help="How to write the report.  [default: by the name of the output file, else table]",
)
@output_option("Write to this file.")
@using_options
def report(model, folders, format_, output, trust, n_jobs):
    """Compare predictions with the class folders that files lie in.

    FOLDER is as for "train". The names of the folders must be those of the model's classes.

    Example: skdaf report model.skops new_recordings
    """
    classifier = load_classifier(model, trust=trust, n_jobs=n_jobs)
    files, labels = labelled_files(folders)
    known = [str(name) for name in classifier.classes_]
    unknown = sorted(set(map(str, labels)) - set(known))
    if unknown:
        raise ValueError(
            f"The model has no class for the folders {unknown}: its classes are {known}."
        )
    if (format_ or format_by_name(output)) == "json":
        write(to_json(report_data(classifier, files, labels)), output)
    else:
        write(report_text(classifier, files, labels), output)
    if output is not None:
        note(f"Wrote {output}")
