"""Fit a model, save it, and report its scores on clips that were held out."""

import warnings

import click

from skdaf._core.interruption import TrainingInterrupted
from skdaf.cli._calibration import (
    count_fits,
    is_scaled,
    log_losses,
    log_losses_text,
    note_temperature,
    set_calibration_folds,
)
from skdaf.cli._class_weights import check_class_weights, with_class_weights
from skdaf.cli._copies import warn_about_copies
from skdaf.cli._counts import clips_per_class, counted, described
from skdaf.cli._cross_validation import cross_validate
from skdaf.cli._groups import warn_if_groups_unused
from skdaf.cli._held_out import LabeledClips, plan_of, split
from skdaf.cli._models import how_to_go_on, save
from skdaf.cli._multilabel import is_indicator
from skdaf.cli._program import Interrupted, note, recorded_warnings
from skdaf.cli._reports import report_text
from skdaf.cli._scores import predictions_of
from skdaf.cli._tested import write_tables
from skdaf.cli._text import echo

# Classes with fewer clips are named.
_FEW = 5


def fit_options(output, test_fraction, cv, predictions, scores, checkpoint=None):
    """Return the parameters of `fit` for options of a command; raise UsageError for misuse."""
    given = click.get_current_context().params
    option = "--cv" if cv is not None else given.get("fold_column") and "--fold-column"
    several = option or (given.get("calibrate") and "--calibrate")
    if several and str(checkpoint).endswith(".checkpoint"):
        models = "models" if cv is None or given.get("calibrate") else f"{cv + 1} models"
        raise click.UsageError(
            f"With {several}, pass a folder for checkpoints, not a file: each of the {models} "
            f"has its own, and the file {str(checkpoint)!r} is for only one."
        )
    if cv is not None and given.get("fold_column"):
        raise click.UsageError("Pass --cv or --fold-column, not both: the column has its folds.")
    if test_fraction is not None and option:
        raise click.UsageError(
            f"Pass --test-fraction or {option}, not both: {option} tests all clips."
        )
    tables = {"predictions": predictions, "scores": scores}
    for name, file in tables.items():
        if file is not None and test_fraction is None and not option:
            raise click.UsageError(f"--{name} needs --test-fraction, --cv or --fold-column.")
    return {"output": output, "test_fraction": test_fraction, "cv": cv} | tables


def fit_numbers(model, recordings, **options):
    """Fit and save a regressor on the numbers in a table."""
    clips, numbers = recordings.numbers()
    targets = recordings.target_names()
    fit(model, clips, numbers, recordings.groups, recordings.folds, targets=targets, **options)


def fit(
    model,
    paths,
    labels,
    groups=None,
    folds=None,
    *,
    test_fraction,
    cv,
    output,
    predictions=None,
    scores=None,
    noted=None,
    targets=None,
    train=None,
):
    """Fit and save a model; report the scores on clips that were not used, if any.

    Parameters
    ----------
    model : estimator
    paths, labels
        The clips, and their labels, if any; or numbers, if `targets` is given.
    groups : Groups, default=None
        The group of each clip: whole groups are held out.
    folds : Folds, default=None
        The fold of each clip, to cross-validate with.
    test_fraction, cv, output, predictions, scores
        The options of the command, as from `fit_options`.
    noted : dict, default=None
        Parameters that are set before the model is saved.
    targets : sequence of str, default=None
        The names of the columns of numbers.
    train : callable, default=None
        A function (model, clips, labels, groups) -> fitted model, instead of `fit`.
    """
    if predictions is not None and labels is None:
        raise click.UsageError("--predictions is for labels and numbers: an autoencoder has none.")
    train, names = train or fit_by_groups, targets or ("target",)
    clips, test = LabeledClips(paths, labels, groups, None if targets else labels, folds), None
    if clips.classes is not None:
        check_class_weights(model, clips.classes)
        train = with_class_weights(train)
    found, report, plan, proba = None, None, None, predictions is not None or is_scaled(model)
    if test_fraction is not None:
        clips, test = split(clips, test_fraction)
    warn_about_copies(clips.paths, test and test.paths)
    n_fits = count_fits(model, clips)  # its errors come before all training
    if cv is not None or folds is not None:
        plan = plan_of(clips, cv, folds)
        found, report = cross_validate(model, clips, plan, train, names, proba)
    elif n_fits > 1:
        note(
            f"Training {n_fits} models: {n_fits - 1} to calibrate the probabilities, then one on "
            f"all {len(clips.paths)} clips"
        )
    _note_clips(clips.paths, clips.classes)
    warn_if_groups_unused(model, len(clips.paths))
    with recorded_warnings(TrainingInterrupted) as interruptions:
        set_calibration_folds(model, clips)
        model = train(model, clips.paths, clips.labels, clips.groups)
    if (network := _trained_network(model)) is not None:
        note(_summary(network))
    note_temperature(model, clips, is_tested=bool(test or report))
    if test:
        found = predictions_of(model, test.paths, test.labels is not None, proba)
        report = report_text(found, test.labels, names, test.groups)
        report += log_losses_text(log_losses(model, test, found))
    advice = how_to_go_on(model)
    save(model.set_params(**(noted or {})), output)
    if report:
        echo(report)  # before files that may not be writable
    write_tables(found, test or clips, names, plan, predictions, scores)
    if interruptions:
        raise Interrupted(message=f"{_after(interruptions[0])}{advice}")


def _trained_network(model):
    """Return the network whose training a note describes, if one was trained."""
    from skdaf._estimators.fitted import unwrap_calibrated

    model = unwrap_calibrated(model)
    parts = [model, *getattr(model, "named_estimators_", {}).values()]
    return next((part for part in parts if hasattr(part, "history_")), None)


def _after(interruption):
    """Return what to say after an interruption, at the end of the command."""
    return (
        f"Interrupted in epoch {interruption.epoch}: saved the best of the epochs so far "
        f"({interruption.best_epoch})."
    )


def note_classes_of_source(source, labels, is_tested):
    """Say what may surprise where a source network knows some of the classes of its successor."""
    names = labels.columns if is_indicator(labels) else set(labels)
    new, old = ({*map(str, classes)} for classes in (names, getattr(source, "classes_", ())))
    if not new & old:
        return
    if old - new:
        note(
            "Classes of the source that have no clips now are not in the new model: "
            f"{', '.join(sorted(old - new))}. To add classes, pass clips of all, old and new."
        )
    if is_tested:
        note("Scores are too good if the source was trained on clips that are held out now.")


def fit_by_groups(model, paths, labels, groups):
    """Return the fitted model; if it holds out clips to choose the best epoch, whole groups."""
    from sklearn.utils.validation import has_fit_parameter

    # Of a single group, `fit` could hold out none. Only some models hold out clips.
    takes_groups = groups is not None and groups.count > 1 and has_fit_parameter(model, "groups")
    others = {"groups": groups.values} if takes_groups else {}
    with warnings.catch_warnings():
        # Here, nobody asked for groups: they are passed in case that `fit` holds out clips.
        warnings.filterwarnings("ignore", "groups has no effect")
        return model.fit(paths, labels, **others)


def _note_clips(paths, classes):
    """Say how many clips of each class there are, and which classes have only few."""
    text = f"Training on {counted(len(paths), 'clip')}"
    if classes is None:
        note(text)
        return
    counts = clips_per_class(classes)
    n_classes = len(counts)
    kinds = (
        f"with {counted(n_classes, 'label')}"
        if is_indicator(classes)
        else f"of {counted(n_classes, 'class', 'classes')}"
    )
    note(f"{text} {kinds} ({described(counts)})")
    few = {name: count for name, count in counts.items() if count < _FEW}
    if few:
        note(f"With fewer than {_FEW} clips, a class is hardly learned: {described(few)}")


def _summary(model):
    """Return a line about the result of training."""
    history = model.history_
    kind, name = ("accuracy", "score") if "train_score" in history else ("loss", "loss")
    values = [
        f"{history[key][model.best_epoch_ - 1]:.3f} {where}"
        for key, where in [(f"valid_{name}", "on held-out clips"), (f"train_{name}", "in training")]
        if key in history
    ]
    return f"Kept epoch {model.best_epoch_} of {model.n_epochs_}: {kind} {', '.join(values)}"
