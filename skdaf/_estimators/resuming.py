"""Continue an interrupted fit: its checkpoint, its fingerprint and its random state."""

import numpy as np
import torch
from sklearn.utils import check_random_state

from skdaf._estimators.continuing import describe_start, is_continued
from skdaf._networks.device import resolve_device, resolve_precision
from skdaf._networks.weights import get_weights
from skdaf._training.checkpoint import Checkpoint
from skdaf._training.fingerprint import describe, describe_rows, digest_of

# Parameters that do not affect what is learned, or that other entries describe: the spectrograms
# describe the front end, the network describes a pretrained estimator, and the weights at the start
# describe a fit that continues another one.
_NOT_IN_FINGERPRINT = ("frontend", "pretrained", "checkpoint", "n_jobs", "verbose", "warm_start")


def open_checkpoint(estimator, spectrograms, targets=None, source=None, **arrays):
    """Return the checkpoint of a fit, which may contain the state to continue from.

    Parameters
    ----------
    estimator : NetworkEstimator
    spectrograms : array of shape (n_clips, n_frames, n_bins)
    targets : array of shape (n_clips,), default=None
        The labels as numbers.
    source : NetworkEstimator, default=None
        The pretrained estimator that the fit starts from.
    **arrays : array or None
        Other data that affects what is learned, by name.

    Returns
    -------
    checkpoint : Checkpoint or None
        None if the estimator does not use one.
    """
    if estimator.checkpoint is None:
        return None
    return Checkpoint(
        estimator.checkpoint,
        _fingerprint(estimator, spectrograms, targets, source, arrays),
        made_with={"torch": torch.__version__},
    )


def random_state_of_fit(estimator, checkpoint):
    """Return the RandomState of a fit.

    With ``random_state=None``, the checkpoint stores the seed, so that the fit can continue.
    """
    if checkpoint is None or estimator.random_state is not None:
        return check_random_state(estimator.random_state)
    if checkpoint.seed is None:
        checkpoint.seed = int(check_random_state(None).randint(2**31 - 1))
    return check_random_state(checkpoint.seed)


def _fingerprint(estimator, spectrograms, targets, source, arrays):
    """Describe everything that affects what a fit learns."""
    device = resolve_device(estimator.device)
    parameters = {
        **estimator.get_params(deep=False),
        "device": torch.device(device).type,
        "precision": resolve_precision(estimator.precision, device),
    }
    fingerprint = {"estimator": type(estimator).__name__}
    for name, value in parameters.items():
        if name not in _NOT_IN_FINGERPRINT:
            fingerprint[name] = _describe_parameter(name, value)
    if source is not None:
        network = [describe(source._architecture), describe(get_weights(source.network_))]
        fingerprint["pretrained"] = digest_of(repr(network))
    if is_continued(estimator):
        fingerprint["start"] = describe_start(estimator)
    for name, rows in {"labels": targets, **arrays}.items():
        if rows is not None:
            fingerprint[name] = describe_rows(rows)
    return {**fingerprint, "spectrograms": describe_rows(spectrograms, np.float32)}


def _describe_parameter(name, value):
    try:
        return describe(value)
    except (RecursionError, TypeError) as error:
        raise TypeError(
            f"With a checkpoint, {name} must be identifiable in another process: {error}."
        ) from error
