"""Commands that train models: train, transfer, combine."""

from functools import partial

import click

from skdaf.cli._combining import (
    check_models_or_config,
    config_option,
    pipeline_of_config,
    search_of_config,
)
from skdaf.cli._copies import warn_about_copies
from skdaf.cli._models import load, save
from skdaf.cli._multilabel import is_indicator, strata
from skdaf.cli._options import (
    WholeNumber,
    configure,
    model_argument,
    training_options,
    trust_option,
)
from skdaf.cli._paths import CheckpointPath, InputPath
from skdaf.cli._pretrained import (
    ModelOrName,
    check_can_be_saved,
    is_pretrained,
    make_pretrained,
)
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._recordings import folders_argument, recordings_options
from skdaf.cli._reports import report_text
from skdaf.cli._text import echo

class_weight_option = click.option(
    "--class-weight",
    type=click.Choice(["none", "sqrt", "balanced"]),
    help="Compensate for classes of different sizes, not at all, partly or fully.  [default: sqrt] "
    "(For other weights: --set \"class_weight={'dog': 2.0, 'rain': 1.0}\".)",
)

data_option = click.option(
    "--data",
    "folders",
    type=InputPath(),
    multiple=True,
    metavar="FOLDER",
    help="Folder that contains the class folders, or a single class folder. Can be repeated.",
)

checkpoint_option = click.option(
    "--checkpoint",
    type=CheckpointPath(),
    metavar="FOLDER",
    help="Save every epoch in this folder. After an interruption, run the same command again to "
    "continue.",
)


def task_option(help_text, *tasks):
    """Return the option --task, whose default is classification."""
    return click.option(
        "--task",
        type=click.Choice(["classification", *tasks]),
        default="classification",
        show_default=True,
        help=help_text,
    )


@click.command(cls=Command)
@recordings_options(folders_argument)
@task_option(
    "Learn classes from labels, numbers from a column of --table, or embeddings without labels.",
    *("regression", "representation"),
)
@class_weight_option
@click.option(
    "--cache",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Keep spectrograms in this folder, and reuse them when you train on the same files again.",
)
@click.option(
    "--channel",
    type=WholeNumber(min=0),
    metavar="N",
    help="Use only this channel of the recordings, counted from 0.  [default: the mean of all "
    "channels]",
)
@checkpoint_option
@training_options
def train(
    recordings,
    task,
    class_weight,
    cache,
    channel,
    checkpoint,
    output,
    settings,
    test_fraction,
    seed,
    n_jobs,
):
    """Train a network on folders of recordings, one folder per class.

    Pass the folder that contains the class folders, or the class folders themselves; or --table if
    a table names the recordings and their labels. --task regression learns the numbers in a table:
    --column target=NAME. --task representation does not use labels: pass any folders and files, or
    a table.

    Example: skdaf train recordings -o model.skops --set learning_rate=0.01
    """
    from skdaf import CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder

    values = _common(seed, n_jobs) | {"checkpoint": checkpoint}
    if cache is not None:
        values["frontend__cache"] = cache
    if channel is not None:
        values["frontend__channel"] = channel
    values |= _class_weight(class_weight, task) | dict(settings)
    if task == "representation":
        model = configure(ConvAutoencoderEmbedder(), values)
        _fit(model, recordings.unlabeled(), None, test_fraction, output)
    elif task == "regression":
        model = configure(CNNAudioRegressor(), values)
        _fit_numbers(model, recordings, test_fraction, output)
    else:
        _fit(configure(CNNAudioClassifier(), values), *recordings.labeled(), test_fraction, output)


@click.command(cls=Command)
@model_argument
@recordings_options(folders_argument)
@click.option(
    "--frozen-layers",
    default="0",
    show_default=True,
    metavar="K",
    help='Number of layers, counted from the input, whose weights stay unchanged, or "conv" for '
    "all convolutional layers.",
)
@task_option("Learn classes from labels, or numbers from a column of --table.", "regression")
@class_weight_option
@checkpoint_option
@trust_option
@training_options
def transfer(
    model,
    recordings,
    frozen_layers,
    task,
    class_weight,
    checkpoint,
    trust,
    output,
    settings,
    test_fraction,
    seed,
    n_jobs,
):
    """Train on new classes, starting from a trained network.

    MODEL can contain a classifier, a regressor or an autoencoder. FOLDER and --table are the same
    as for "skdaf train".

    Example: skdaf transfer model.skops birds -o birds.skops --frozen-layers conv
    """
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNAudioClassifier, CNNAudioRegressor
    from skdaf._estimators.fitted import find_network

    values = _common(seed, n_jobs) | {"checkpoint": checkpoint} | _class_weight(class_weight, task)
    source = FrozenEstimator(find_network(load(model, trust=trust)))
    new = (CNNAudioRegressor if task == "regression" else CNNAudioClassifier)(
        pretrained=source,
        frozen_layers=int(frozen_layers) if frozen_layers.isdecimal() else frozen_layers,
    )
    configure(new, values | dict(settings))
    # The new file contains the path of the old one, not its weights.
    noted = {"pretrained": model}
    if task == "regression":
        _fit_numbers(new, recordings, test_fraction, output, noted)
    else:
        _fit(new, *recordings.labeled(), test_fraction, output, noted)


@click.command(cls=Command)
@click.argument(
    "models",
    type=ModelOrName(),
    nargs=-1,
    metavar="[MODEL...]",
)
@config_option
@recordings_options(data_option)
@click.option(
    "--layers-dropped",
    type=WholeNumber(min=0),
    metavar="K",
    help="Use the output of each network without its last K layers.  [default: 1; with --config, "
    "all layers after the last convolutional one]",
)
@click.option(
    "--handcrafted/--no-handcrafted",
    default=True,
    help="Whether to add the hand-crafted features of pyAudioAnalysis.  [default: handcrafted]",
)
@click.option(
    "--proba",
    is_flag=True,
    help="Also learn to predict probabilities. This uses cross-validation and trains the SVM six "
    "times.",
)
@trust_option
@training_options
def combine(
    models,
    config,
    recordings,
    layers_dropped,
    handcrafted,
    proba,
    trust,
    output,
    settings,
    test_fraction,
    seed,
    n_jobs,
):
    """Train an SVM on the features of trained networks.

    Pass recordings with --data or --table. The networks stay unchanged. --set takes the parameters
    of the pipeline, such as svc__C or features__cnn1__pca__n_components. MODEL may also be a
    pretrained network, as for "skdaf embed"; its parameters have names such as
    features__pretrained1__extractor__pooling.

    With --config instead of models, a configuration file of the combined classifier of
    deep_audio_features names the models and all settings, and the best SVM is searched for.

    Example: skdaf combine a.skops b.skops --data recordings -o combined.skops
    """
    check_models_or_config(models, config)
    if config is not None:
        content, pipeline = pipeline_of_config(config, layers_dropped, output, n_jobs)
        train = partial(search_of_config, content, seed=seed, n_jobs=n_jobs, proba=proba)
        _fit(pipeline, *recordings.with_one_label(), test_fraction, output, train=train)
        return
    from sklearn.calibration import CalibratedClassifierCV

    from skdaf import make_combined_classifier

    extractors = [
        extractor
        for model in models
        for extractor in _extractors(model, layers_dropped, trust=trust, n_jobs=n_jobs)
    ]
    pipeline = make_combined_classifier(extractors, handcrafted=handcrafted, method="svc")
    if handcrafted:
        part = "features__handcrafted__extractor__"
        pipeline.set_params(**{f"{part}n_jobs": n_jobs, f"{part}verbose": verbosity()})
    configure(pipeline, {"svc__random_state": seed} | dict(settings))
    if proba:
        pipeline = CalibratedClassifierCV(pipeline, ensemble=False)
    _fit(pipeline, *recordings.with_one_label(), test_fraction, output)


def _class_weight(option, task):
    """Return the parameter that the option --class-weight sets, if any."""
    if option is not None and task != "classification":
        raise click.UsageError("--class-weight requires --task classification.")
    return {} if option is None else {"class_weight": None if option == "none" else option}


def _common(seed, n_jobs):
    return {"random_state": seed, "n_jobs": n_jobs, "verbose": verbosity()}


def _fit_numbers(model, recordings, test_fraction, output, noted=None):
    """Fit and save a regressor on the numbers in a table."""
    targets = recordings.target_names()
    _fit(model, *recordings.numbers(), test_fraction, output, noted, targets=targets)


def _fit(model, paths, labels, test_fraction, output, noted=None, targets=None, train=None):
    """Fit and save a model; report the scores on held-out clips, if any.

    `labels` are numbers if `targets` are given: the names of their columns. `train` is a function
    (model, clips, labels) -> fitted model, instead of `fit`.
    """
    classes = None if targets else labels
    (paths, labels), test_clips = _split(paths, labels, classes, test_fraction)
    if test_clips:
        warn_about_copies(paths, test_clips[0])
    note(f"Training on {len(paths)} clips{_kinds(classes)}")
    model = train(model, paths, labels) if train else model.fit(paths, labels)
    if hasattr(model, "history_"):
        note(_summary(model))
    report = test_clips and _report(model, *test_clips, targets)
    save(model.set_params(**(noted or {})), output)
    if report:
        echo(report)


def _kinds(classes):
    if classes is None:
        return ""
    if is_indicator(classes):
        return f" with {classes.shape[1]} labels"
    return f" of {len(set(classes))} classes"


def _split(paths, labels, classes, test_fraction):
    """Return (clips, labels) for training and for testing (None without `test_fraction`)."""
    if test_fraction is None:
        return (paths, labels), None
    from sklearn.model_selection import train_test_split
    from sklearn.utils import _safe_indexing

    stratify = None if classes is None else strata(classes, test_fraction)
    # Always the same clips, so that models with different seeds can be compared.
    try:
        chosen = train_test_split(
            range(len(paths)), test_size=test_fraction, stratify=stratify, random_state=0
        )
    except ValueError as error:
        who = "each class needs" if classes is not None else "there must be"
        raise ValueError(
            f"--test-fraction {test_fraction:g} cannot be used with {len(paths)} clips: {who} "
            f"clips for training and for testing ({error})."
        ) from error
    return tuple(
        ([paths[row] for row in rows], None if labels is None else _safe_indexing(labels, rows))
        for rows in chosen
    )


def _report(model, paths, labels, targets):
    if labels is None:
        return f"mean squared error on {len(paths)} clips: {-model.score(paths):.4g}"
    return report_text(model, paths, labels, targets)


def _summary(model):
    """Return a line about the result of training."""
    history = model.history_
    kind, name = ("accuracy", "score") if "train_score" in history else ("loss", "loss")
    values = [
        f"{history[key][model.best_epoch_ - 1]:.3f} {where}"
        for key, where in [(f"valid_{name}", "on held-out clips"), (f"train_{name}", "in training")]
        if key in history
    ]
    return f"Kept epoch {model.best_epoch_} of {model.n_epochs_}: {kind} {', '.join(values)}"


def _extractors(model, layers_dropped, **options):
    """Return the extractors for a pretrained network, or for the networks in a model file."""
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNFeatureExtractor
    from skdaf._estimators.fitted import find_networks

    if is_pretrained(model):
        check_can_be_saved(model)
        return [make_pretrained(model, n_jobs=options["n_jobs"])]
    networks = find_networks(load(model, **options))
    if not networks:
        raise ValueError(f"No network found in {model!r}.")
    dropped = 1 if layers_dropped is None else layers_dropped
    return [CNNFeatureExtractor(FrozenEstimator(n), layers_dropped=dropped) for n in networks]
