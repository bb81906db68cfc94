"""Commands for model files: info, convert, export."""

import math
import os

import click

from skdaf._core.requirements import check_installed, how_to_install
from skdaf.cli._calibration import temperatures
from skdaf.cli._class_weights import names_of_weights
from skdaf.cli._models import is_model_file, load_any, needed_packages, save
from skdaf.cli._options import (
    model_argument,
    trust_option,
)
from skdaf.cli._outline import describe_outline, rounded_length
from skdaf.cli._paths import InputPath, OutputFile
from skdaf.cli._pretrained import ModelOrName, describe, is_pretrained
from skdaf.cli._program import Command, CommandWithoutTables, note, quiet_option
from skdaf.cli._settings import in_one_line, training_facts
from skdaf.cli._text import echo, to_json, visible


@click.command(cls=CommandWithoutTables)
@click.argument("model", type=ModelOrName())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@trust_option
def info(model, as_json, trust):
    """Show the classes or targets, front end and layers of a model file.

    Also show how it was trained: the epoch that was kept, its losses and scores, and the settings.
    For each layer, the table shows the number of outputs per clip, the number of weights, and the
    value of --layers-dropped that makes other commands return its output. For a pretrained
    network (see "skdaf embed"), show its sampling rate, window and license.

    Example: skdaf info model.skops
    """
    if is_pretrained(model):
        facts = describe(model)
        echo(to_json(facts) if as_json else _as_text(facts))
        return
    description = describe_outline(model)
    if description is None:
        description = _scikit_learn(model) | _describe(load_any(model, trust=trust))
    facts = {"file": model, "bytes": os.path.getsize(model)} | _release(model) | description
    echo(to_json(facts) if as_json else _as_text(facts))


def _release(path):
    from skdaf._estimators.persistence.note import read_note

    try:
        return {"written by": f"skdaf {read_note(path)['skdaf']}"}
    except ValueError:  # a pickle does not contain the version
        return {}


def _scikit_learn(path):
    """Return the release of scikit-learn whose estimators are in a file, if there are some."""
    from skdaf._estimators.persistence.versions import scikit_learn_of

    release = scikit_learn_of(path)
    return {"scikit-learn": release} if release else {}


def _describe(model):
    from skdaf._estimators.fitted import find_networks, names_of_labels, unwrap_calibrated
    from skdaf._segments.predict import is_multilabel

    facts = {"estimator": type(model).__name__, "fitted": _is_fitted(model)}
    inner = unwrap_calibrated(model)
    if _children(inner):
        facts["steps"] = dict(_steps(inner))
    if hasattr(inner, "named_estimators_") and getattr(inner, "weights", None) is not None:
        facts["weights"] = [f"{weight:g}" for weight in inner.weights]
    if hasattr(model, "calibrated_classifiers_"):
        facts["calibration"] = model.method
        facts |= _temperature(model)
    if hasattr(model, "classes_"):
        several = is_multilabel(inner)
        facts["labels" if several else "classes"] = [str(name) for name in names_of_labels(model)]
    facts |= _table_columns(model)
    if not facts["fitted"]:
        facts["parameters"] = _one_line(model)
    needed = needed_packages(model)
    if needed:
        facts["packages"] = needed
    networks = find_networks(model)
    facts["networks"] = [_describe_network(network, inner, facts) for network in networks]
    return facts


def _temperature(model):
    """Return the temperature of a calibrated model, if it has one; of several models, all."""
    values = [round(value, 4) for value in temperatures(model)]
    if len(values) > 1:
        return {"temperature": [f"{value:g}" for value in values]}
    return {"temperature": values[0]} if values else {}


def _table_columns(model):
    """Return the columns of the table that a model expects, if it does not take recordings."""
    from skdaf._estimators.table_columns import find_table_columns

    columns = find_table_columns(model)
    if columns is None:
        return {}
    return {"columns": columns.names, "columns of recordings": columns.recordings}


def _steps(model, prefix=""):
    """Yield (parameter name, description) for each step of a pipeline and its parts."""
    for name, step in _children(model):
        if _children(step):
            yield from _steps(step, f"{prefix}{name}__")
        else:
            yield prefix + name, _one_line(step)


def _children(model):
    """Return the named parts of a pipeline, a union or a vote; none of other estimators."""
    for attribute in ("steps", "transformer_list"):
        if hasattr(model, attribute):
            return getattr(model, attribute)
    return list(getattr(model, "named_estimators_", {}).items())


def _one_line(value):
    return " ".join(str(value).split())


def _is_fitted(model):
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def _describe_network(network, model, facts_of_model):
    frames, bins = network.input_shape_
    frontend = network.frontend_
    facts = {
        "estimator": type(network).__name__,
        "front end": "none" if frontend is None else _one_line(frontend),
        "sampling rate": getattr(frontend, "sampling_rate_", None),
        "seconds per clip": None if frontend is None else rounded_length(vars(frontend)),
        "input": f"{frames} frames x {bins} bins",
    }
    names = names_of_weights(model, network, facts_of_model.get("classes", []))
    facts |= training_facts(vars(network), names)
    if hasattr(network, "target_mean_"):
        facts["targets"] = _targets(network)
    return {**facts, "layers": _layers(network.layer_summary())}


def _targets(regressor):
    """Return the mean and the standard deviation of each target in training, in its units."""
    from skdaf._segments.tables import value_columns

    names = value_columns(len(regressor.target_mean_))
    pairs = zip(regressor.target_mean_.tolist(), regressor.target_scale_.tolist(), strict=True)
    return [
        {"target": name, "mean": mean, "scale": scale}
        for name, (mean, scale) in zip(names, pairs, strict=True)
    ]


def _layers(summary):
    return [
        {
            "layer": layer.name,
            "outputs": math.prod(layer.output_shape),
            "weights": layer.n_parameters,
            "layers-dropped": len(summary) - number,
        }
        for number, layer in enumerate(summary.itertuples(index=False), start=1)
    ]


def _as_text(facts):
    lines = []
    for name, value in facts.items():
        if name == "networks":
            lines += ["\n" + _as_text(network) for network in value]
        elif name in ("targets", "layers"):
            lines.append(_right_aligned(value))
        elif name in ("results", "settings"):
            advice = " (for scores on new clips: skdaf report)" if name == "results" else ""
            lines.append(visible(f"{name}: {in_one_line(value)}{advice}"))
        elif isinstance(value, dict):
            lines += [f"{name}:", *(visible(f"  {key}: {part}") for key, part in value.items())]
        elif isinstance(value, list):
            lines.append(visible(f"{name}: {', '.join(value)}"))
        elif value is not None:
            lines.append(visible(f"{name}: {value}"))
    return "\n".join(lines)


def _right_aligned(rows):
    """Return a table of dicts with the same keys, as pandas prints it without its index."""
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        # The names of columns of numbers begin with a space.
        name = name if isinstance(values[0], str) else f" {name}"
        width = max(map(len, [name, *cells]))
        columns.append([cell.rjust(width) for cell in (name, *cells)])
    return "\n".join(map(" ".join, zip(*columns, strict=True)))


@click.command(cls=Command)
@click.argument("old", type=InputPath(dir_okay=False))
@click.argument("new", type=OutputFile())
@click.option(
    "--sampling-rate",
    type=int,
    metavar="HZ",
    help="Sampling rate of the training recordings, which is not stored in OLD.  [default: use "
    "each recording at its own rate, as deep_audio_features does]",
)
@quiet_option
def convert(old, new, sampling_rate):
    """Convert a model of deep_audio_features.

    OLD is the original file (*.pt), and NEW is the file to write (*.skops). OLD is a pickle, but no
    code from it is run.

    Example: skdaf convert old.pt new.skops --sampling-rate 8000
    """
    from skdaf import load_deep_audio_features

    if is_model_file(old):
        raise ValueError(f"{old!r} is a model of skdaf already: use it as it is.")
    save(load_deep_audio_features(old, sampling_rate=sampling_rate), new)


@click.command(cls=CommandWithoutTables)
@model_argument
@click.argument("output", type=OutputFile(), metavar="OUTPUT")
@trust_option
@quiet_option
def export(model, output, trust):
    """Write a model as an ONNX file, which runs without skdaf.

    OUTPUT is the file to write (*.onnx). It contains the front end and the network: its input is a
    waveform, and its output is what the model predicts, or its embedding. The sampling rate of the
    waveform and the classes are in the metadata of the file.

    Example: skdaf export model.skops model.onnx
    """
    if output.lower().endswith((".skops", ".joblib", ".pkl")):
        raise click.UsageError(f"OUTPUT {output!r} must be the name of an ONNX file (*.onnx).")
    check_installed("onnx", "skdaf export", how_to_install("onnx", "export"))  # before slow imports
    from skdaf import export_onnx

    try:
        export_onnx(load_any(model, trust=trust), output)
    except TypeError as error:  # something else in a pickle
        raise ValueError(str(error)) from error
    note(f"Wrote {output}")
