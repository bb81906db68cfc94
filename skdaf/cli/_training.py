"""Commands that train models: train, transfer, combine."""

from functools import partial

import click

from skdaf.cli._annotations import (
    annotation_options,
    check_task,
    have_several_labels,
    labeled_clips,
    one_label_of_clips,
)
from skdaf.cli._calibration import (
    calibrate_option,
    calibrated,
    check_calibration,
    count_fits,
    fit_calibrated,
)
from skdaf.cli._combining import (
    check_method,
    check_models_or_config,
    combined_classifier,
    config_option,
    fit_labels,
    method_options,
    pipeline_of_config,
    search_of_config,
)
from skdaf.cli._fitting import fit, fit_numbers, fit_options, note_classes_of_source
from skdaf.cli._groups import group_option, holds_out
from skdaf.cli._handcrafted import (
    check_combined,
    combined_with_network,
    fit_combined,
    handcrafted_option,
    pretrained_option,
)
from skdaf.cli._held_out import LabeledClips
from skdaf.cli._models import load, network_in, set_cache
from skdaf.cli._options import (
    WholeNumber,
    cache_option,
    configure,
    model_argument,
    training_options,
    trust_option,
)
from skdaf.cli._parts import note_parts_used
from skdaf.cli._paths import CheckpointPath, InputPath, OutputFolder
from skdaf.cli._pretrained import (
    ModelOrName,
    check_can_be_saved,
    is_pretrained,
    make_pretrained,
)
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._recordings import folders_argument, recordings_options

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
@group_option
@annotation_options
@task_option(
    "Learn classes from labels, numbers from a column of --table, or embeddings without labels.",
    *("regression", "representation"),
)
@handcrafted_option
@pretrained_option
@calibrate_option
@class_weight_option
@click.option(
    "--cache",
    type=OutputFolder(),
    metavar="FOLDER",
    help="Keep spectrograms and features in this folder, and reuse them: in the folds of --cv, and "
    "when you train on the same files again.",
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
    annotations,
    task,
    handcrafted,
    pretrained,
    calibrate,
    class_weight,
    cache,
    channel,
    checkpoint,
    output,
    settings,
    test_fraction,
    cv,
    predictions,
    scores,
    seed,
    n_jobs,
):
    """Train a network on folders of recordings, one folder per class.

    Pass the folder that contains the class folders, or the class folders themselves; or --table if
    a table names the recordings and their labels. --task regression learns the numbers in a table:
    --column target=NAME. --task representation does not use labels: pass any folders and files, or
    a table.

    With --annotations, pass recordings, or folders of them, in which tables say what occurs when.

    With --handcrafted or --pretrained, the model is a combined classifier, as
    make_combined_classifier(CNNAudioClassifier()) returns it.

    Example: skdaf train recordings -o model.skops --set learning_rate=0.01
    """
    from skdaf import CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder

    values = _common(seed, n_jobs) | {"checkpoint": checkpoint}
    if cache is not None:
        values["frontend__cache"] = cache
    if channel is not None:
        values["frontend__channel"] = channel
    values |= _class_weight(class_weight, task) | dict(settings)
    check_task(annotations, task)
    options = fit_options(output, test_fraction, cv, predictions, scores, values["checkpoint"])
    several = have_several_labels(recordings, annotations)
    if calibrate:
        check_calibration(task, several)
    if handcrafted or pretrained:
        check_combined(handcrafted, pretrained, task, several)
        others = {"handcrafted": handcrafted, "pretrained": pretrained}
        model = combined_with_network(values, **others, cache=cache, n_jobs=n_jobs)
        options["train"] = fit_combined
    elif task == "representation":
        model = configure(ConvAutoencoderEmbedder(), values)
    else:
        model = configure(
            CNNAudioRegressor() if task == "regression" else CNNAudioClassifier(), values
        )
    if calibrate:
        model = calibrated(model)
        # The folds of the calibration are not part of the model.
        options |= {"train": fit_calibrated, "noted": {"cv": None}}
    if task == "regression":
        fit_numbers(model, recordings, **options)
    elif task == "representation":
        clips = recordings.unlabeled()
        fit(model, clips, None, recordings.groups, recordings.folds, **options)
    else:
        fit(model, *labeled_clips(recordings, annotations), **options)


@click.command(cls=Command)
@model_argument
@recordings_options(folders_argument)
@group_option
@annotation_options
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
@cache_option
@training_options
def transfer(
    model,
    recordings,
    annotations,
    frozen_layers,
    task,
    class_weight,
    checkpoint,
    trust,
    cache,
    output,
    settings,
    test_fraction,
    cv,
    predictions,
    scores,
    seed,
    n_jobs,
):
    """Train on new classes, starting from a trained network.

    MODEL can contain a classifier, a regressor or an autoencoder. FOLDER, --table and --annotations
    are the same as for "skdaf train".

    Example: skdaf transfer model.skops birds -o birds.skops --frozen-layers conv
    """
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNAudioClassifier, CNNAudioRegressor

    check_task(annotations, task)
    values = _common(seed, n_jobs) | {"checkpoint": checkpoint} | _class_weight(class_weight, task)
    values |= dict(settings)
    options = fit_options(output, test_fraction, cv, predictions, scores, values["checkpoint"])
    loaded = load(model, trust=trust, cache=cache)
    source = FrozenEstimator(network_in(model, loaded))
    new = (CNNAudioRegressor if task == "regression" else CNNAudioClassifier)(
        pretrained=source,
        frozen_layers=int(frozen_layers) if frozen_layers.isdecimal() else frozen_layers,
    )
    configure(new, values)
    # The file is for predictions: it need not contain the source, and the sources of the source.
    options["noted"] = {"pretrained": None}
    if task == "regression":
        fit_numbers(new, recordings, **options)
    else:
        clips, labels, *others = labeled_clips(recordings, annotations)
        # Inside another model, a network knows only the numbers of the classes.
        known = loaded if hasattr(loaded, "classes_") else source
        note_classes_of_source(known, labels, holds_out())
        fit(new, clips, labels, *others, **options)


@click.command(cls=Command)
@click.argument(
    "models",
    type=ModelOrName(),
    nargs=-1,
    metavar="[MODEL...]",
)
@config_option
@method_options
@recordings_options(data_option)
@group_option
@annotation_options
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
@trust_option
@cache_option
@training_options
def combine(
    models,
    config,
    method,
    proba,
    recordings,
    annotations,
    layers_dropped,
    handcrafted,
    trust,
    cache,
    output,
    settings,
    test_fraction,
    cv,
    predictions,
    scores,
    seed,
    n_jobs,
):
    """Combine trained networks and hand-crafted features.

    Pass recordings with --data or --table, or recordings with tables of annotations with --data and
    --annotations. The networks stay unchanged. MODEL may also be a pretrained network, as for
    "skdaf embed".

    Each network, and the hand-crafted features, vote with probabilities. --set takes the parameters
    of the VotingClassifier, such as weights=[2,1], cnn1__logistic__C or
    pretrained1__extractor__pooling. With --method svc, it takes those of the pipeline, such as
    svc__C, features__cnn1__pca__n_components or features__pretrained1__extractor__pooling.

    With --config instead of models, a configuration file of the combined classifier of
    deep_audio_features names the models and all settings, and the best SVM is searched for.

    Example: skdaf combine a.skops b.skops --data recordings -o combined.skops
    """
    from sklearn.calibration import CalibratedClassifierCV

    check_models_or_config(models, config)
    options = fit_options(output, test_fraction, cv, predictions, scores)
    if config is not None:
        check_method(method, config, False, proba)
        content, pipeline = pipeline_of_config(config, layers_dropped, options, n_jobs)
        set_cache(pipeline, cache)
        train = partial(search_of_config, content, seed=seed, n_jobs=n_jobs, proba=proba)
        clips = one_label_of_clips(recordings, annotations)
        fit(pipeline, *clips, train=train, **options)
        return
    several = have_several_labels(recordings, annotations)
    method = check_method(method, None, several, proba)
    extractors = [
        extractor
        for model in models
        for extractor in _extractors(model, layers_dropped, trust=trust, n_jobs=n_jobs)
    ]
    common = {"handcrafted": handcrafted, "seed": seed, "cache": cache, "n_jobs": n_jobs}
    model = combined_classifier(extractors, method, several, settings, **common)
    if proba:
        model = CalibratedClassifierCV(model, ensemble=False)
        # The folds of whole groups are not part of the model.
        options |= {"train": fit_calibrated, "noted": {"cv": None}}
    elif several:
        options["train"] = fit_labels
    clips = labeled_clips(recordings, annotations)
    # Its errors come before the note.
    count_fits(model, LabeledClips(*clips[:3], clips[1], clips[3]))
    if holds_out() and not all(map(is_pretrained, models)):
        note("Scores are too good if the networks were trained on clips that are held out now.")
    fit(model, *clips, **options)


def _class_weight(option, task):
    """Return the parameter that the option --class-weight sets, if any."""
    if option is not None and task != "classification":
        raise click.UsageError("--class-weight requires --task classification.")
    return {} if option is None else {"class_weight": None if option == "none" else option}


def _common(seed, n_jobs):
    return {"random_state": seed, "n_jobs": n_jobs, "verbose": verbosity()}


def _extractors(model, layers_dropped, **options):
    """Return the extractors for a pretrained network, or for the networks in a model file."""
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNFeatureExtractor
    from skdaf._estimators.fitted import find_networks

    if is_pretrained(model):
        check_can_be_saved(model)
        return [make_pretrained(model, n_jobs=options["n_jobs"])]
    loaded = load(model, **options)
    networks = find_networks(loaded)
    if not networks:
        raise ValueError(f"No network found in {model!r}.")
    note_parts_used(model, loaded, networks)
    dropped = 1 if layers_dropped is None else layers_dropped
    return [CNNFeatureExtractor(FrozenEstimator(n), layers_dropped=dropped) for n in networks]
