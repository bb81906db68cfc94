"""The options --cv and --fold-column: each clip is tested by a model that did not learn it."""

from skdaf._core.interruption import TrainingInterrupted
from skdaf.cli._calibration import (
    count_fits,
    log_losses,
    log_losses_text,
    set_calibration_folds,
)
from skdaf.cli._counts import counted
from skdaf.cli._models import how_to_go_on
from skdaf.cli._program import Interrupted, note, recorded_warnings
from skdaf.cli._reports import range_of, report_text
from skdaf.cli._scores import formatted, joined_predictions, predictions_of, scores_of_clips


def cross_validate(model, clips, plan, train, targets, proba=False):
    """Train and test copies of a model, and return the predictions and the report.

    Parameters
    ----------
    model : estimator
        Does not change.
    clips : LabeledClips
    plan : Plan
        The folds.
    train : callable
        A function (model, clips, labels, groups) -> fitted model.
    targets : sequence of str
        The names of numbers.
    proba : bool, default=False
        Whether the predictions contain the probabilities of classes, too.
    """
    _note_fits(model, clips, plan)
    parts, scores, losses = [], [], []
    for (training, test), place in zip(plan.rows, plan.places, strict=True):
        part, score, loss = _fold(
            model, clips.of(training), clips.of(test), train, targets, proba, place
        )
        parts.append(part)
        scores.append(score)
        losses.extend(loss)
    found = joined_predictions(parts, [test for _, test in plan.rows])
    report = report_text(found, clips.labels, targets, clips.groups)
    summary = _summary(scores, plan, clips.groups, has_trained_network=_is_partly_trained(model))
    return found, f"{report}{log_losses_text(losses)}\n\n{summary}"


def _note_fits(model, clips, plan):
    """Say how many models will be trained; raise ValueError if a fold cannot be calibrated."""
    n_fits, n_last = 0, count_fits(model, clips)
    for (training, _), place in zip(plan.rows, plan.places, strict=True):
        known = clips.of(training)
        try:
            n_fits += count_fits(model, known)
        except ValueError as error:
            raise ValueError(f"Without the clips of {place}: {error}") from error
    last, why = ("one", "") if n_last == 1 else (n_last, ", because a calibration trains several")
    note(
        f"Training {n_fits + n_last} models: {n_fits} for cross-validation, then {last} on all "
        f"{len(clips.paths)} clips{why}"
    )


def _is_partly_trained(model):
    """Return whether a model that is not fitted contains networks that are."""
    from skdaf._estimators.base import NetworkEstimator
    from skdaf._estimators.fitted import iterate_parts

    parts = iterate_parts(model)
    return any(isinstance(part, NetworkEstimator) and "network_" in vars(part) for part in parts)


def _fold(model, training, test, train, targets, proba, place):
    """Return the predictions for other clips, and their scores, which a note says, and losses."""
    from sklearn.base import clone

    with recorded_warnings(TrainingInterrupted) as interruptions:
        fitted = set_calibration_folds(clone(model), training)
        fitted = train(fitted, training.paths, training.labels, training.groups)
    if interruptions:
        raise Interrupted(message=f"Interrupted in {place}: wrote no model.{how_to_go_on(model)}")
    found = predictions_of(fitted, test.paths, test.labels is not None, proba)
    scores = scores_of_clips(found, test.labels, targets).mean()
    shown = ", ".join(f"{name} {formatted(value, name)}" for name, value in scores.items())
    held_out = "" if test.groups is None else f", {test.groups.listed()}"
    note(f"{place[:1].upper()}{place[1:]}: {shown} on {counted(len(test.paths), 'clip')}{held_out}")
    return found, scores, log_losses(fitted, test, found)


def _summary(scores, plan, groups, has_trained_network):
    """Return lines that say how the scores came about, and how they differ between folds."""
    import pandas as pd

    without = plan.left_out
    if has_trained_network:
        others = "," if groups is None else f", or others of the same {groups.what}s,"
        without += (
            f", except for the networks that were passed. If these have learned the clips{others} "
            "the scores are too good"
        )
    table = pd.DataFrame(scores)
    shown = [
        f"{name} {formatted(values.mean(), name)} on average, {range_of(values, name)}"
        for name, values in table.items()
    ]
    return (
        f"Cross-validation with {plan.folds}: each clip was tested by a model that was "
        f"trained without {without}.\nFolds: {'; '.join(shown)}"
    )
