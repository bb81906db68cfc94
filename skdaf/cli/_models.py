"""Load and save model files, and make transformers of loaded models."""

import zipfile

from skdaf._estimators.persistence.other_files import likely_content
from skdaf._estimators.pretrained.names import ONNX_ENDINGS
from skdaf._estimators.pretrained.requirements import check_packages_of
from skdaf.cli._program import note, verbosity

# Parameters that belong to a single run, with the values that model files store.
_RUN_PARAMETERS = {"n_jobs": None, "verbose": 0, "cache": None, "checkpoint": None}


def load(path, *, trust=False, n_jobs=None, verbose=None):
    """Return the fitted estimator in a file; it shows progress bars unless --quiet is given."""
    model = load_any(path, trust=trust)
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    set_for_this_run(model, verbosity() if verbose is None else verbose, n_jobs)
    return model


def load_any(path, *, trust=False):
    """Return the estimator in a file, fitted or not."""
    if _is_model_file(path):
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


def _is_model_file(path):
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


def load_predictor(path, *, proba=False, **options):
    """Return a fitted classifier or regressor, which can predict probabilities if `proba` is true.

    A classifier can be told from a regressor with `is_regressor` of scikit-learn.
    """
    model = load(path, **options)
    from sklearn.base import is_classifier, is_regressor

    if not (is_classifier(model) or is_regressor(model)):
        advice = ' For its features, use "skdaf embed".' if hasattr(model, "transform") else ""
        raise ValueError(
            f"{path!r} contains a {type(model).__name__}, but this command needs a classifier or a "
            f"regressor.{advice}"
        )
    check_packages_of(model)
    if proba and is_regressor(model):
        raise ValueError(f"{path!r} predicts numbers, not classes: omit --proba.")
    if proba and not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{path!r} does not predict probabilities: omit --proba, or train the model with "
            "skdaf combine --proba."
        )
    return model


def make_transformer(model, layers_dropped, files):
    """Return a fitted transformer: the model, its first steps, or layers of its network."""
    from skdaf._estimators.fitted import (
        block_with_network,
        find_network,
        unwrap_calibrated,
        votes,
    )

    model = unwrap_calibrated(model)
    if layers_dropped is None and votes(model):
        model = block_with_network(model)
    if layers_dropped is None and hasattr(model, "transform"):
        return model
    if layers_dropped is None and hasattr(model, "named_steps") and not hasattr(model, "network_"):
        return model[:-1]
    extractor = make_extractor(find_network(model), 1 if layers_dropped is None else layers_dropped)
    return extractor.fit(files)


def make_extractor(network, layers_dropped):
    """Return an extractor that uses a fitted network without its last layers."""
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNFeatureExtractor

    return CNNFeatureExtractor(FrozenEstimator(network), layers_dropped=layers_dropped)


def save(model, path):
    """Write a model file, without the parameters of this run."""
    from skdaf import save_model

    _set_everywhere(model, _RUN_PARAMETERS)
    save_model(model, path)
    note(f"Wrote {path}")


def set_for_this_run(model, verbose, n_jobs):
    """Set the parameters of this run in all skdaf estimators in a model."""
    settings = {"verbose": verbose} | ({} if n_jobs is None else {"n_jobs": n_jobs})
    _set_everywhere(model, settings)


def _set_everywhere(model, settings):
    """Set parameters of all skdaf estimators in a model that have them."""
    from skdaf._estimators.fitted import iterate_parts

    for part in iterate_parts(model):
        if type(part).__module__ == "skdaf":
            own = part.get_params(deep=False)
            part.set_params(**{name: value for name, value in settings.items() if name in own})
