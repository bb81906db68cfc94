"""Model files: loading with or without trust, what is inside, saving."""

import pickle
import zipfile

from skdaf.cli._program import note, verbosity

# What is good for one run on one machine is not written into model files.
_OF_THIS_RUN = {"n_jobs": None, "verbose": 0, "cache": None, "checkpoint": None}

# What loading something else as a pickle comes to.
_NOT_A_PICKLE = (
    *(AttributeError, EOFError, ImportError, LookupError, ValueError),
    pickle.UnpicklingError,
)


def load(path, *, trust=False, n_jobs=None, verbose=None):
    """Return the fitted estimator in a file, ready to show its progress if that is wanted."""
    from sklearn.utils.validation import check_is_fitted

    model = load_any(path, trust=trust)
    check_is_fitted(model)
    settings = {"verbose": verbosity() if verbose is None else verbose}
    settings |= {} if n_jobs is None else {"n_jobs": n_jobs}
    _set_everywhere(model, settings)
    return model


def load_any(path, *, trust=False):
    """Return the estimator in a file, fitted or not."""
    from skdaf import load_model

    if _is_ours(path):
        model = load_model(path)
    elif trust:
        model = _unpickle(path)
    else:
        raise ValueError(
            f"{path!r} was not written by save_model, or is damaged; if it is a pickle that you "
            'trust, add --trust; models of deep_audio_features are read by "skdaf convert".'
        )
    if not hasattr(model, "get_params"):
        raise ValueError(f"{path!r} holds no estimator but a {type(model).__name__}.")
    return model


def _is_ours(path):
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return "schema.json" in file.namelist()


def _unpickle(path):
    import joblib

    try:
        return joblib.load(path)
    except _NOT_A_PICKLE as error:
        raise ValueError(f"{path!r} can not be loaded as a pickle: {error!r}.") from error


def load_classifier(path, **options):
    """Return a fitted classifier."""
    from sklearn.base import is_classifier

    model = load(path, **options)
    if not is_classifier(model):
        raise ValueError(
            f"{path!r} holds a {type(model).__name__}, which knows no classes: a classifier is "
            "needed here."
        )
    return model


def describer(model, layers_dropped=None):
    """Return what turns clips into features: a transformer, or inner layers of a network."""
    from skdaf._estimators.fitted import find_network, unwrap_calibrated

    model = unwrap_calibrated(model)
    if layers_dropped is None and hasattr(model, "transform"):
        return model
    if layers_dropped is None and hasattr(model, "named_steps") and not hasattr(model, "network_"):
        return model[:-1]  # all that comes before the classifier
    return inner_layers(find_network(model), 1 if layers_dropped is None else layers_dropped)


def inner_layers(network, layers_dropped):
    """Return a fitted extractor around a fitted network."""
    from sklearn.frozen import FrozenEstimator

    from skdaf import CNNFeatureExtractor

    extractor = CNNFeatureExtractor(FrozenEstimator(network), layers_dropped=layers_dropped)
    return extractor.fit(["not looked at, since the network is frozen"])


def save(model, path):
    """Write a model without what only this run needed."""
    from skdaf import save_model

    _set_everywhere(model, _OF_THIS_RUN)
    save_model(model, path)
    note(f"Wrote {path}")


def _set_everywhere(model, settings):
    """Set parameters wherever an estimator of this package has them."""
    from skdaf._estimators.fitted import iterate_parts

    for part in iterate_parts(model):
        if type(part).__module__ == "skdaf":
            own = part.get_params(deep=False)
            part.set_params(**{name: value for name, value in settings.items() if name in own})
