"""Load and save model files, and make transformers of loaded models."""

import os
import zipfile
from contextlib import contextmanager
from itertools import pairwise

import click

from skdaf._estimators.persistence.other_files import likely_content
from skdaf._estimators.pretrained.names import ONNX_ENDINGS, PACKAGES
from skdaf._estimators.pretrained.parts import check_packages_of, models_of
from skdaf._estimators.pretrained.requirements import kind_of, packages_of
from skdaf.cli._parts import note_parts_used
from skdaf.cli._paths import InputPath
from skdaf.cli._program import note, raw_arguments, verbosity

# Parameters that belong to a single run, with the values that model files store.
_RUN_PARAMETERS = {"n_jobs": None, "verbose": 0, "cache": None, "checkpoint": None}


class ModelFile(InputPath):
    """A model file, not a folder."""

    def __init__(self):
        super().__init__()
        self.name = "file"  # in the error about one that does not exist

    def convert(self, value, param, ctx):
        """Return the path; say what is wrong with a folder."""
        if os.path.isdir(value):
            advice = swapped(value) or (
                "To train a model on a folder of recordings, use: skdaf train FOLDER -o MODEL."
            )
            self.fail(f"{value!r} is a folder; expected a model file. {advice}", param, ctx)
        return super().convert(value, param, ctx)


def swapped(value):
    """Return the advice to swap the arguments of the command if a later one is a model file."""
    context = click.get_current_context(silent=True)
    words = raw_arguments(context)
    later = words[words.index(value) :] if value in words else []
    for before, word in pairwise(later):
        if not before.startswith("-") and os.path.isfile(word) and is_model_file(word):
            return f"The model comes first: {context.command_path} {word} {value}."
    return ""


def load(path, *, trust=False, cache=None, n_jobs=None, verbose=None):
    """Return the fitted estimator in a file; it shows progress bars unless --quiet is given."""
    model = load_any(path, trust=trust)
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    set_for_this_run(model, verbosity() if verbose is None else verbose, n_jobs)
    if not set_cache(model, cache):
        raise ValueError(
            f"The model in {path!r} computes nothing that --cache can keep, neither spectrograms "
            "nor features of skdaf: omit --cache."
        )
    return model


def set_cache(model, cache):
    """Set the folder in which a model keeps features, if any; return whether it computes some."""
    return cache is None or _set_everywhere(model, {"cache": cache})


def load_any(path, *, trust=False):
    """Return the estimator in a file, fitted or not."""
    if is_model_file(path):
        # Only now, so that other files are reported at once.
        from skdaf import load_model

        model = load_model(path)
    elif trust:
        model = _unpickle(path)
    elif path.lower().endswith(ONNX_ENDINGS):
        raise ValueError(
            f"{path!r} is no model file of skdaf, but an ONNX network: "
            'use "skdaf embed", or train a classifier on its features with "skdaf combine".'
        )
    elif advice := swapped(path):
        raise ValueError(f"{path!r} is no model file. {advice}")
    elif (content := likely_content(path)) is not None:
        raise ValueError(
            f"{path!r} was not written by save_model, or it is damaged: the file {content}."
        )
    else:
        raise ValueError(
            f"{path!r} was not written by save_model, or it is damaged. If it is a pickle that you "
            'trust, add --trust; for a model of deep_audio_features, use "skdaf convert".'
        )
    if not hasattr(model, "get_params"):
        raise ValueError(f"{path!r} contains a {type(model).__name__}, not an estimator.")
    return model


def is_model_file(path):
    """Return whether a file was written by `save_model`; it may be damaged."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return "schema.json" in file.namelist()
    except Exception:  # damaged archives raise all kinds of errors
        return False


def _unpickle(path):
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:  # damaged pickles raise all kinds of errors
        raise ValueError(f"{path!r} cannot be loaded as a pickle: {error!r}.") from error


def load_predictor(path, *, proba=False, threshold=False, tables=False, **options):
    """Return a fitted classifier or regressor.

    It can predict probabilities if `proba` or `threshold` is true. A classifier can be told from a
    regressor with `is_regressor` of scikit-learn. Models that expect a table are refused unless
    `tables` is true.
    """
    model = load(path, **options)
    if not tables:
        check_takes_recordings(path, model)
    from sklearn.base import is_classifier, is_regressor

    if not (is_classifier(model) or is_regressor(model)):
        advice = ' For its features, use "skdaf embed".' if hasattr(model, "transform") else ""
        raise ValueError(
            f"{path!r} contains a {type(model).__name__}, but this command needs a classifier or a "
            f"regressor.{advice}"
        )
    check_packages_of(model)
    for option, is_given in (("--proba", proba), ("--threshold", threshold)):
        if is_given:
            _check_predicts_probabilities(path, model, option)
    return model


def _check_predicts_probabilities(path, model, option):
    from sklearn.base import is_regressor

    if is_regressor(model):
        raise ValueError(f"{path!r} predicts numbers, not classes: omit {option}.")
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{path!r} contains a {type(model).__name__} that does not predict probabilities: omit "
            f"{option}, or train it with skdaf combine --method vote, or --method svc --proba. In "
            "Python, fit CalibratedClassifierCV(model)."
        )


def check_takes_recordings(path, model):
    """Raise ValueError if a model expects a table with other values than recordings."""
    from skdaf._estimators.table_columns import expected_table, find_table_columns

    columns = find_table_columns(model)
    if columns and columns.others:
        raise ValueError(
            f"The model in {path!r} expects {expected_table(columns)}, but this command passes it "
            "recordings only. For its predictions, use: skdaf predict MODEL TABLE."
        )


def make_transformer(path, model, layers_dropped, files):
    """Return a fitted transformer: the model of a file, its first steps, or network layers."""
    from skdaf._estimators.fitted import (
        block_with_network,
        unwrap_calibrated,
        votes,
    )

    model = unwrap_calibrated(model)
    if layers_dropped is None and votes(model):
        with _errors_about(path, model):
            block = block_with_network(model)
        note_parts_used(path, model, networks_used(model, None))
        model = block
    if layers_dropped is None and hasattr(model, "transform"):
        return model
    if layers_dropped is None and hasattr(model, "named_steps") and not hasattr(model, "network_"):
        return model[:-1]
    n_dropped = 1 if layers_dropped is None else layers_dropped
    return make_extractor(network_in(path, model), n_dropped).fit(files)


def networks_used(model, layers_dropped):
    """Return the networks to which `make_transformer` reduces a model; [] if it uses all steps."""
    from skdaf._estimators.fitted import find_networks, unwrap_calibrated, votes

    model = unwrap_calibrated(model)
    is_reduced = layers_dropped is not None or votes(model) or not _transforms(model)
    return find_networks(model) if is_reduced else []


def _transforms(model):
    """Return whether a model, or a pipeline without its last step, is a transformer."""
    is_pipeline = hasattr(model, "named_steps") and not hasattr(model, "network_")
    return hasattr(model, "transform") or is_pipeline


def network_in(path, model):
    """Return the one fitted network in the model of a file; say if other parts are not used."""
    from skdaf._estimators.fitted import find_network

    with _errors_about(path, model):
        network = find_network(model)
    note_parts_used(path, model, [network])
    return network


@contextmanager
def _errors_about(path, model):
    """Name the file of a model in errors about it, and say what to do about several networks."""
    from skdaf._estimators.fitted import describe_places, find_networks

    try:
        yield
    except ValueError as error:
        n_networks = len(find_networks(model))
        if n_networks <= 1:
            raise ValueError(f"{path!r}: {error}") from error
        raise ValueError(
            f"{path!r} combines {n_networks} networks, but this command uses one: pass the model "
            f"file of one of them. In Python, they are {describe_places(model)}."
        ) from error


def make_extractor(network, layers_dropped):
    """Return an extractor that uses a fitted network without its last layers."""
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNFeatureExtractor

    return CNNFeatureExtractor(FrozenEstimator(network), layers_dropped=layers_dropped)


def needed_packages(estimator):
    """Return the packages that the pretrained networks in a loaded model need, by network."""
    kinds = {kind_of(model) for model in models_of(estimator)}
    return {kind: packages_of(kind) for kind in PACKAGES if kind in kinds}


def save(model, path):
    """Write a model file, without the parameters of this run; say which packages it needs."""
    from skdaf import save_model

    _set_everywhere(model, _RUN_PARAMETERS)
    save_model(model, path)
    note(f"Wrote {path}")
    if needed := needed_packages(model).values():
        note(f"Whoever uses {path} must install {' and '.join(dict.fromkeys(needed))}")


def how_to_go_on(model):
    """Return advice after an interruption if a model, or a network in it, saves its epochs."""
    values = model.get_params()
    saves = any(values[name] for name in values if name.rpartition("__")[2] == "checkpoint")
    return " To go on, run the same command again." if saves else ""


def set_for_this_run(model, verbose, n_jobs):
    """Set the parameters of this run in all skdaf estimators in a model."""
    settings = {"verbose": verbose} | ({} if n_jobs is None else {"n_jobs": n_jobs})
    _set_everywhere(model, settings)


def _set_everywhere(model, settings):
    """Set parameters of all skdaf estimators in a model that have them; return whether one has."""
    from skdaf._estimators.fitted import iterate_parts

    is_set = False
    for part in iterate_parts(model):
        if type(part).__module__ == "skdaf":
            known = settings.keys() & part.get_params(deep=False).keys()
            part.set_params(**{name: settings[name] for name in known})
            is_set = is_set or bool(known)
    return is_set
