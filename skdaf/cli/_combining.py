"""What "skdaf combine" trains: votes, an SVM, or what --config describes.

Configuration files are those of deep_audio_features.
"""

import click
from click.core import ParameterSource

from skdaf.cli._models import set_cache, set_for_this_run
from skdaf.cli._options import combine_options, configure
from skdaf.cli._paths import InputPath, check_output_is_not_listed
from skdaf.cli._program import note, verbosity

config_option = click.option(
    "--config",
    type=InputPath(dir_okay=False),
    metavar="FILE",
    help="Use the models and settings of this configuration file (YAML) of the combined classifier "
    "of deep_audio_features. Models that it names by an address or a Google Drive id are "
    "downloaded.",
)

method_options = combine_options(
    click.option(
        "--method",
        type=click.Choice(["vote", "svc"]),
        help="Average the probabilities of all blocks, each of which votes, or train one SVM on "
        "all features together.  [default: vote; svc with --config or several labels per clip]",
    ),
    click.option(
        "--proba",
        is_flag=True,
        help="With --method svc or --config: also learn to predict probabilities. This uses "
        "cross-validation and trains the SVM six times. Votes always have probabilities.",
    ),
)

# Options whose values the file contains, or that do not apply to its models.
_WITHOUT_CONFIG = {"settings": "--set", "handcrafted": "--handcrafted", "trust": "--trust"}


def check_models_or_config(models, config):
    """Check that a command got either models or a configuration file, and options that fit."""
    if bool(models) == (config is not None):
        got = f" (got {models[0]!r} too)" if models else ""
        raise click.UsageError(f"Pass models or --config{', not both' if got else ''}{got}.")
    context = click.get_current_context()
    for name, option in _WITHOUT_CONFIG.items():
        is_given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if config is not None and is_given:
            raise click.UsageError(f"{option} cannot be used with --config.")


def check_method(method, config, several, proba):
    """Return the method of a command, and check that it fits the labels and other options.

    `several` says whether clips have any number of labels.
    """
    if method == "vote" and config is not None:
        raise click.UsageError("--config describes an SVM: omit --method vote.")
    if method == "vote" and several:
        raise click.UsageError(
            "--method vote is for one label per clip. With several, use --method svc."
        )
    method = method or ("vote" if config is None and not several else "svc")
    if proba and method == "vote":
        raise click.UsageError("--proba requires --method svc: votes always have probabilities.")
    if proba and several:
        raise click.UsageError("--proba is for one label per clip, not for several.")
    return method


def combined_classifier(extractors, method, several, settings, *, handcrafted, seed, cache, n_jobs):
    """Return an unfitted combined classifier.

    `several` says whether clips have any number of labels, and `settings` are its parameters.
    """
    from sklearn.multiclass import OneVsRestClassifier

    from skdaf import make_combined_classifier

    model = make_combined_classifier(extractors, handcrafted=handcrafted, method=method)
    if handcrafted:
        part = f"{'features__' * (method == 'svc')}handcrafted__extractor__"
        model.set_params(**{f"{part}n_jobs": n_jobs, f"{part}verbose": verbosity()})
    set_cache(model, cache)
    _check_settings(settings, method)
    if method == "vote":
        return configure(model, dict(settings))
    model.set_params(svc__random_state=seed)
    if several:
        model.set_params(svc=OneVsRestClassifier(model["svc"]))
    return configure(model, dict(settings))


def _check_settings(settings, method):
    """Raise UsageError for parameters of the models of the other method."""
    for name, _ in settings:
        owner = "svc" if name.startswith(("svc__", "features__")) else method
        owner = "vote" if name in ("weights", "voting") else owner
        if owner != method:
            raise click.UsageError(f"--set {name} is for --method {owner}.")


def fit_labels(model, paths, labels, groups):
    """Fit a classifier of several labels, and let it know their names."""
    import numpy as np

    model.fit(paths, labels.to_numpy())
    model[-1].label_names_ = np.array([str(name) for name in labels.columns])
    return model


def pipeline_of_config(path, layers_dropped, options, n_jobs):
    """Return a configuration and the unfitted pipeline that it describes.

    Check that the files to write, of which `options` from `fit_options` has the names, are not
    among its models.
    """
    from skdaf._legacy.combiner.config import CombinerConfig
    from skdaf._legacy.combiner.models import find_model_files
    from skdaf._legacy.combiner.pipeline import make_pipeline

    config = CombinerConfig.read(path)
    models = find_model_files(config, verbose=verbosity())
    tables = {f"--{name}": options[name] for name in ("predictions", "scores")}
    check_output_is_not_listed(path, options["output"], models, tables)
    pipeline = make_pipeline(config, models, layers_dropped=layers_dropped)
    set_for_this_run(pipeline, verbose=verbosity(), n_jobs=n_jobs)
    return config, pipeline


def search_of_config(config, pipeline, paths, labels, groups=None, *, seed, n_jobs, proba):
    """Return the best pipeline for some clips, fitted; it predicts probabilities if `proba`.

    The folds of the search are those of deep_audio_features, which knows no `groups`.
    """
    from sklearn.calibration import CalibratedClassifierCV

    from skdaf._legacy.combiner.search import search_svc

    result = search_svc(
        pipeline,
        paths,
        labels,
        scoring=config.metric,
        what=f"{config.path!r}: which_classifier.parameters.metric",
        random_state=seed,
        n_jobs=n_jobs,
        verbose=verbosity(),
    )
    best = sorted(result.best_params.items())
    chosen = ", ".join(f"{name.removeprefix('svc__')}={value}" for name, value in best)
    note(
        f"Chose {chosen} of {result.n_candidates} candidates: {config.metric} "
        f"{result.mean_score:.3f} in cross-validation (standard deviation {result.std_score:.3f})"
    )
    if not proba:
        return result.best_estimator
    return CalibratedClassifierCV(result.best_estimator, ensemble=False).fit(paths, labels)
