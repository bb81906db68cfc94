"""Calibrated probabilities: skdaf train --calibrate, skdaf combine --proba."""

import math
import warnings
from importlib.metadata import version

import click

from skdaf.cli._groups import Groups
from skdaf.cli._handcrafted import fit_with_groups, network_to_train
from skdaf.cli._models import how_to_go_on
from skdaf.cli._program import Interrupted, note

calibrate_option = click.option(
    "--calibrate",
    is_flag=True,
    help="Adjust the probabilities so that of ten predictions with a probability of 0.8, about "
    "eight are right. This is learned on clips that a model was not trained on, or on whole groups "
    "(--group-column, or recordings with --annotations), or else on the folds of --fold-column. "
    "Labels stay the same. Trains up to six models instead of one. Only worth it if you "
    "use the probabilities themselves. It may not help, above all with few groups: compare the log "
    "loss that --cv reports.",
)

# A calibration has at most this many folds, as in scikit-learn.
_N_FOLDS = 5

# The release of scikit-learn that introduced temperature scaling.
_RELEASE = (1, 8)

# At lower temperatures, probabilities are hardly ever other than 0 and 1.
_MIN_TEMPERATURE = 0.05

# If a calibration adds at least this fraction to the log loss, a report advises against it.
_CLEARLY = 0.05


def check_calibration(task, several):
    """Raise UsageError if --calibrate cannot be used for a task, or with this scikit-learn.

    `several` says whether there are several labels per clip.
    """
    if task != "classification":
        raise click.UsageError("--calibrate requires --task classification.")
    if several:
        raise click.UsageError("--calibrate is for one label per clip, not for several.")
    installed = version("scikit-learn")
    if tuple(map(int, installed.split(".")[:2])) < _RELEASE:
        raise click.UsageError(
            f"--calibrate needs scikit-learn {'.'.join(map(str, _RELEASE))} or later, and "
            f"{installed} is installed. Update it: pip install -U scikit-learn."
        )


def calibrated(model):
    """Return an unfitted classifier with the probabilities of another one, calibrated.

    Temperature scaling changes no label, and needs few clips.
    """
    from sklearn.calibration import CalibratedClassifierCV

    if getattr(model, "voting", "soft") != "soft":
        raise click.UsageError("--calibrate needs probabilities: omit --set voting=hard.")
    return CalibratedClassifierCV(model, method="temperature", ensemble=False)


def fit_calibrated(model, paths, labels, groups):
    """Fit a CalibratedClassifierCV after `set_calibration_folds`.

    If a network in it holds out clips, it holds out whole groups.
    """
    try:
        return fit_with_groups(model, network_to_train(model.estimator), paths, labels, groups)
    except KeyboardInterrupt as error:
        message = f"Interrupted while calibrating: wrote no model.{how_to_go_on(model)}"
        raise Interrupted(message=message) from error


def count_fits(model, clips):
    """Return how many models the fit of a model trains: several if it is to be calibrated.

    This raises the errors of `calibration_folds`.
    """
    return len(calibration_folds(clips)) + 1 if _is_to_be_calibrated(model) else 1


def set_calibration_folds(model, clips):
    """Let a model that is to be calibrated use `calibration_folds`; return the model."""
    return model.set_params(cv=calibration_folds(clips)) if _is_to_be_calibrated(model) else model


def _is_to_be_calibrated(model):
    from sklearn.calibration import CalibratedClassifierCV

    return isinstance(model, CalibratedClassifierCV)


def calibration_folds(clips):
    """Return the rows for training and for calibration of each fold.

    They do not depend on the order of the clips.

    Parameters
    ----------
    clips : LabeledClips
        Their groups are kept apart or, if they have none, the given folds.

    Raises
    ------
    ValueError
        If a class is missing from the training of a fold, which the calibration does not allow.
    """
    import numpy as np

    labels, groups, option = clips.labels, _kept_apart(clips), _option()
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"A classifier needs clips of at least two classes, got only {str(names[0])!r}."
        )
    if counts.min() < 2:
        rare = str(names[counts.argmin()])
        raise ValueError(f"{option} needs at least two clips of each class, got one of {rare!r}.")
    if groups is not None and groups.count < 2 and option == "--calibrate":
        advice = "" if groups is clips.groups else " Pass --group-column, or omit --calibrate."
        raise ValueError(
            f"{option} needs clips of at least two {groups.what}s, got those of {groups.listed()}: "
            f"a model that knows a {groups.what} is too often right on its other clips, and the "
            f"probabilities would become far too certain.{advice}"
        )
    order = _by_path(clips.paths)
    values = groups.values[order] if groups is not None and groups.count > 1 else None
    splitter = _splitter(groups, counts.max(), is_given=groups is not clips.groups)
    with warnings.catch_warnings():
        # Of a rare class, not every fold has a clip.
        warnings.filterwarnings("ignore", "The least populated class")
        folds = [*splitter.split(order, labels[order], values)]
    folds = [tuple(np.sort(order[part]) for part in rows) for rows in folds if len(rows[1])]
    _check_classes(labels, groups, folds, option)
    return folds


def _kept_apart(clips):
    """Return the `Groups` that no calibration divides, if any: the given folds are some, too."""
    if clips.groups is not None or clips.folds is None:
        return clips.groups
    return Groups(clips.folds.values, "fold")


def _by_path(paths):
    """Return the rows of clips, sorted by recording and time."""
    import numpy as np

    from skdaf import Clip

    parts = [path if isinstance(path, Clip) else Clip(path) for path in paths]
    places = [(str(part.name), part.start or 0) for part in parts]
    return np.array(sorted(range(len(places)), key=places.__getitem__))


def _splitter(groups, most, is_given):
    """Return the splitter of a calibration.

    `most` is the number of clips of the largest class, and `is_given` says whether the groups are
    the folds that the user chose.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold

    n_folds = min(_N_FOLDS, most)
    if groups is None or groups.count < 2:
        return StratifiedKFold(n_folds)
    if is_given and groups.count <= _N_FOLDS:
        return LeaveOneGroupOut()
    return StratifiedGroupKFold(min(n_folds, groups.count))


def _check_classes(labels, groups, folds, option):
    """Raise ValueError if a class is missing from the training of a fold."""
    for training, test in folds:
        for name in sorted({*labels[test]} - {*labels[training]}):
            held_out = groups.of(labels == name).listed()
            raise ValueError(
                f"{option} cannot keep the {groups.what}s apart: it cross-validates, and all clips "
                f"of the class {str(name)!r} are of {held_out}, without which no model knows the "
                f"class. Omit {option}, or pass such clips of more {groups.what}s."
            )


def _option():
    """Return the option by which the current command calibrates."""
    context = click.get_current_context(silent=True)
    return "--calibrate" if context and context.params.get("calibrate") else "--proba"


def is_scaled(model):
    """Return whether a model, fitted or not, has probabilities that a temperature calibrates."""
    return getattr(model, "method", None) == "temperature"


def temperatures(model):
    """Return the temperatures of a fitted model: one, if it was trained by this command."""
    parts = model.calibrated_classifiers_ if is_scaled(model) else []
    return [1 / float(part.calibrators[0].beta_) for part in parts]


def note_temperature(model, clips, is_tested=False):
    """Say how a calibration has changed the probabilities of a fitted model, if it was done.

    If `is_tested` is true, a report contains its log losses, which show whether it has helped.
    """
    if not is_scaled(model):
        return
    temperature = temperatures(model)[0]
    change = "less" if temperature > 1 else "more"
    note(
        f"Calibrated the probabilities on {_folds_text(clips, len(model.cv))}: they are now "
        f"{change} certain (temperature {temperature:.3g})"
    )
    if temperature < _MIN_TEMPERATURE and not is_tested:
        warnings.warn(
            "Nearly all clips were predicted right in the calibration, so it could not learn how "
            "often predictions are wrong, and made most probabilities 0 or 1. Train without "
            "--calibrate, or add clips that are more difficult.",
            stacklevel=2,
        )


def _folds_text(clips, n_folds):
    """Return what the folds of a calibration are, such as "3 folds of 9 speakers"."""
    groups = _kept_apart(clips)
    if groups is None or groups.count < 2:
        return f"{n_folds} folds of clips"
    if groups is clips.groups:
        return f"{n_folds} folds of {groups.count} {groups.what}s"
    given = f"the {groups.count} folds of the column {clips.folds.column!r}"
    return given if n_folds == groups.count else f"{n_folds} parts of {given}"


def log_losses(model, clips, found):
    """Return the log loss of each clip without and with calibration, of shape (n_clips, 2).

    That of a clip whose class the model has not learned is not a number (NaN).

    Parameters
    ----------
    model : estimator
        A fitted model. Without a temperature, the result has no rows.
    clips : LabeledClips
    found : Predictions
        What the model predicts for them, with probabilities.
    """
    import numpy as np

    if not is_scaled(model):
        return np.empty((0, 2))
    labels = np.array([*map(str, clips.labels)])
    known = np.flatnonzero(np.isin(labels, found.names))
    losses = np.full((len(labels), 2), np.nan)
    if not known.size:
        return losses
    columns = [found.names.index(label) for label in labels[known]]
    before = model.calibrated_classifiers_[0].estimator.predict_proba(
        [clips.paths[row] for row in known]
    )
    of_labels = (before[range(len(known)), columns], found.probabilities[known, columns])
    tiny = np.finfo(np.float64).eps
    losses[known] = -np.log(np.clip(np.column_stack(of_labels).astype(float), tiny, 1))
    return losses


def log_losses_text(losses):
    """Return lines on the means of log losses, as from `log_losses`; no text if there are none."""
    known = [pair for pair in losses if not math.isnan(pair[0])]
    if not known:
        return ""
    before, after = (sum(values) / len(known) for values in zip(*known, strict=True))
    clips = "" if len(known) == len(losses) else f" of {len(known)} of {len(losses)} clips"
    why = clips and "\nThe classes of the other clips are unknown to the models that test them."
    return (
        f"\n\nLog loss of the probabilities{clips} (lower is better): {after:.3f} with "
        f"calibration, {before:.3f} without{why}{_advice(before, after)}"
    )


def _advice(before, after):
    """Return a line on log losses that are not lower with calibration."""
    if after < before:
        return ""
    if after < before * (1 + _CLEARLY):
        return "\nHere, the calibration did not help."
    return (
        f"\nHere, the calibration made the probabilities worse, by {after - before:.3f}: train "
        "without --calibrate."
    )
