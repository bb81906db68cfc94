"""The options --handcrafted and --pretrained of "skdaf train": a network and others, which vote."""

import warnings

import click

from skdaf.cli._models import set_cache, set_for_this_run
from skdaf.cli._options import check_names, configure, parameter_names
from skdaf.cli._pretrained import ModelOrName, check_can_be_saved, is_pretrained, make_pretrained
from skdaf.cli._program import verbosity

handcrafted_option = click.option(
    "--handcrafted",
    is_flag=True,
    help="Train a combined classifier: its probabilities are the averages of those of the network "
    "and of a classifier on the hand-crafted features of pyAudioAnalysis. --set takes the "
    "parameters of the network and those of the combined classifier, such as weights=[2,1].",
)

pretrained_option = click.option(
    "--pretrained",
    type=ModelOrName(),
    multiple=True,
    metavar="MODEL",
    help="Train a combined classifier as with --handcrafted, in which a classifier on the features "
    'of this pretrained network votes, too, such as "silero-vad" or an ONNX file. Can be repeated.',
)

# The block of the network in the combined classifier.
_NETWORK = "cnn1"


def check_combined(handcrafted, pretrained, task, several):
    """Raise UsageError if no combined classifier can learn the task, or contain a network.

    Parameters
    ----------
    handcrafted, pretrained, task
        The options.
    several : bool
        Whether there are several labels per clip.
    """
    option = "--handcrafted" if handcrafted else "--pretrained"
    if task != "classification":
        raise click.UsageError(f"{option} requires --task classification.")
    if several:
        raise click.UsageError(
            f"{option} is for one label per clip, not for several: omit it. To add the "
            "features, pass the trained network to skdaf combine --method svc."
        )
    for model in pretrained:
        if not is_pretrained(model):
            raise click.UsageError(
                f"--pretrained {model} is a model file. To combine trained networks, use "
                f"skdaf combine; to train one further, skdaf transfer."
            )
        check_can_be_saved(model)


def combined_with_network(values, *, handcrafted, pretrained, cache, n_jobs):
    """Return an unfitted combined classifier of a network to train and others.

    Parameters
    ----------
    values : dict
        Parameters of the network, with or without its prefix, and of the combined classifier.
    handcrafted : bool
        Whether to add hand-crafted features.
    pretrained : sequence of str
        Pretrained networks.
    cache : str or None
        The folder in which to keep spectrograms and features.
    n_jobs : int or None
    """
    from skdaf import CNNAudioClassifier, make_combined_classifier

    network = CNNAudioClassifier()
    of_network, others = {}, {}
    known = {*parameter_names(network)}
    for name, value in values.items():
        inner = name.removeprefix(f"{_NETWORK}__")
        of_network.update({inner: value}) if inner in known else others.update({name: value})
    extractors = [make_pretrained(model, n_jobs=n_jobs) for model in pretrained]
    combined = make_combined_classifier([network, *extractors], handcrafted=handcrafted)
    check_names(others, [*sorted(known), *parameter_names(combined)], "The combined classifier")
    # The hand-crafted block uses the channel of the network.
    blocks = [configure(network, of_network), *extractors]
    combined = make_combined_classifier(blocks, handcrafted=handcrafted)
    set_for_this_run(combined, verbosity(), n_jobs)
    set_cache(combined, cache)
    return configure(combined, others)


def network_to_train(model):
    """Return the network in an unfitted combined classifier, or the model if it is none."""
    return dict(getattr(model, "estimators", ())).get(_NETWORK, model)


def fit_combined(model, paths, labels, groups):
    """Return the fitted model; if its network holds out clips, it holds out whole groups."""
    return fit_with_groups(model, network_to_train(model), paths, labels, groups)


def fit_with_groups(model, network, paths, labels, groups):
    """Return a fitted model; a network in it gets the groups, if any, by metadata routing."""
    from sklearn import config_context

    from skdaf._estimators.fitted import iterate_parts

    # Of a single group, `fit` could hold out none.
    if groups is None or groups.count < 2 or not hasattr(network, "set_fit_request"):
        return model.fit(paths, labels)
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        # Here, nobody asked for groups: they are passed in case that `fit` holds out clips.
        warnings.filterwarnings("ignore", "groups has no effect")
        network.set_fit_request(groups=True)
        model.fit(paths, labels, groups=groups.values)
    for part in [*iterate_parts(model)]:
        vars(part).pop("_metadata_request", None)  # it belongs to this fit, not to the model
    return model
