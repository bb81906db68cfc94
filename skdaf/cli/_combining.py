"""The option --config of "skdaf combine": configuration files of deep_audio_features."""

from contextlib import contextmanager

import click
from click.core import ParameterSource

from skdaf.cli._models import set_for_this_run
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


def pipeline_of_config(path, layers_dropped, output, n_jobs):
    """Return a configuration and the unfitted pipeline that it describes."""
    from skdaf._legacy.combiner.config import CombinerConfig
    from skdaf._legacy.combiner.models import find_model_files
    from skdaf._legacy.combiner.pipeline import make_pipeline

    with _missing_packages_as_sentences():
        config = CombinerConfig.read(path)
        models = find_model_files(config, verbose=verbosity())
    check_output_is_not_listed(path, output, models)
    pipeline = make_pipeline(config, models, layers_dropped=layers_dropped)
    set_for_this_run(pipeline, verbose=verbosity(), n_jobs=n_jobs)
    return config, pipeline


def calibrate_by_groups(classifier, paths, labels, groups):
    """Fit a CalibratedClassifierCV, whose folds are whole groups if there are several."""
    from sklearn.model_selection import StratifiedGroupKFold

    if groups is not None and groups.count > 1:
        folds = StratifiedGroupKFold(min(5, groups.count))
        classifier.set_params(cv=list(folds.split(paths, labels, groups.values)))
    return classifier.fit(paths, labels)


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


@contextmanager
def _missing_packages_as_sentences():
    """Let the command show errors about packages that are not installed, like other errors."""
    try:
        yield
    except ImportError as error:
        raise ValueError(str(error)) from error
