"""Fit a model, save it, and report its scores on clips that were held out."""

import warnings

from skdaf._core.interruption import TrainingInterrupted
from skdaf.cli._copies import warn_about_copies
from skdaf.cli._counts import clips_per_class, described
from skdaf.cli._groups import warn_if_groups_unused
from skdaf.cli._models import save
from skdaf.cli._multilabel import is_indicator, strata
from skdaf.cli._program import Interrupted, note, recorded_warnings
from skdaf.cli._reports import report_text
from skdaf.cli._text import echo

# Classes with fewer clips are named.
_FEW = 5


def fit_numbers(model, recordings, **options):
    """Fit and save a regressor on the numbers in a table."""
    clips, numbers = recordings.numbers()
    targets = recordings.target_names()
    fit(model, clips, numbers, recordings.groups, targets=targets, **options)


def fit(
    model,
    paths,
    labels,
    groups=None,
    *,
    test_fraction,
    output,
    noted=None,
    targets=None,
    train=None,
):
    """Fit and save a model; report the scores on held-out clips, if any.

    Parameters
    ----------
    model : estimator
    paths, labels
        The clips, and their labels, if any; or numbers, if `targets` is given.
    groups : Groups, default=None
        The group of each clip: whole groups are held out.
    test_fraction, output
        The options of the command.
    noted : dict, default=None
        Parameters that are set before the model is saved.
    targets : sequence of str, default=None
        The names of the columns of numbers.
    train : callable, default=None
        A function (model, clips, labels, groups) -> fitted model, instead of `fit`.
    """
    classes, test_clips = None if targets else labels, None
    if test_fraction is not None:
        rows = _split(len(paths), classes, groups, test_fraction)
        (paths, labels, groups), test_clips = (_chosen(r, paths, labels, groups) for r in rows)
        _show_held_out(labels, *test_clips[1:], has_classes=classes is not None)
    warn_about_copies(paths, test_clips and test_clips[0])
    _note_clips(paths, None if targets else labels)
    warn_if_groups_unused(model, len(paths))
    with recorded_warnings(TrainingInterrupted) as interruptions:
        model = (train or _fitted)(model, paths, labels, groups)
    if hasattr(model, "history_"):
        note(_summary(model))
    report = test_clips and _report(model, *test_clips[:2], targets)
    can_go_on = getattr(model, "checkpoint", None) is not None
    save(model.set_params(**(noted or {})), output)
    if report:
        echo(report)
    if interruptions:
        raise Interrupted(message=_after(interruptions[0], can_go_on))


def _after(interruption, can_go_on):
    """Return what to say after an interruption, at the end of the command."""
    advice = " To go on, run the same command again." if can_go_on else ""
    return (
        f"Interrupted in epoch {interruption.epoch}: saved the best of the epochs so far "
        f"({interruption.best_epoch}).{advice}"
    )


def note_classes_of_source(source, labels, test_fraction):
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
    if test_fraction is not None:
        note("Scores are too good if the source was trained on clips that are held out now.")


def _fitted(model, paths, labels, groups):
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
    text = f"Training on {_counted(len(paths), 'clip')}"
    if classes is None:
        note(text)
        return
    counts = clips_per_class(classes)
    n_classes = len(counts)
    kinds = (
        f"with {_counted(n_classes, 'label')}"
        if is_indicator(classes)
        else f"of {_counted(n_classes, 'class', 'classes')}"
    )
    note(f"{text} {kinds} ({described(counts)})")
    few = {name: count for name, count in counts.items() if count < _FEW}
    if few:
        note(f"With fewer than {_FEW} clips, a class is hardly learned: {described(few)}")


def _counted(n, one, several=None):
    return f"{n} {one if n == 1 else several or one + 's'}"


def _split(n_clips, classes, groups, test_fraction):
    """Return the rows for training and those for testing."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    # Always the same clips, so that models with different seeds can be compared.
    options = {"test_size": test_fraction, "random_state": 0}
    try:
        if groups is not None:
            parts = GroupShuffleSplit(1, **options)
            return next(parts.split(range(n_clips), groups=groups.values))
        stratify = None if classes is None else strata(classes, test_fraction)
        return train_test_split(range(n_clips), stratify=stratify, **options)
    except ValueError as error:
        what, who = "clips", "each class needs" if classes is not None else "there must be"
        if groups is not None:
            n_clips, what, who = groups.count, f"{groups.what}(s)", "there must be"
        raise ValueError(
            f"--test-fraction {test_fraction:g} cannot be used with {n_clips} {what}: {who} "
            f"{what.replace('(s)', 's')} for training and for testing ({error})."
        ) from error


def _chosen(rows, paths, labels, groups):
    """Return some of the clips, of the labels and of the groups; the latter two may be None."""
    from sklearn.utils import _safe_indexing

    labels = None if labels is None else _safe_indexing(labels, rows)
    return [paths[row] for row in rows], labels, groups and groups.of(rows)


def _show_held_out(labels, test_labels, test_groups, has_classes):
    """Say which groups are held out, and warn of classes that occur only in them."""
    if test_groups is None:
        return
    note(f"Held out {test_groups.listed()}")
    if not has_classes:
        return
    known, tested = (
        {*map(str, some.columns[some.any()] if is_indicator(some) else some)}
        for some in (labels, test_labels)
    )
    if tested - known:
        warnings.warn(
            f"The classes {sorted(tested - known)} occur only in the {test_groups.what}s that "
            "--test-fraction holds out, so the model cannot learn them.",
            stacklevel=2,
        )


def _report(model, paths, labels, targets):
    if labels is None:
        return f"mean squared error on {len(paths)} clips: {-model.score(paths):.4g}"
    return report_text(model, paths, labels, targets)


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
