"""Clips that are kept out of training, by --test-fraction, --cv or --fold-column."""

import warnings
from typing import Any, NamedTuple

from skdaf.cli._counts import counted
from skdaf.cli._folds import Folds, called, divided_groups
from skdaf.cli._groups import Groups
from skdaf.cli._multilabel import is_indicator, strata
from skdaf.cli._program import note


class LabeledClips(NamedTuple):
    """Clips, and what is known about them.

    Attributes
    ----------
    paths : list of str or Clip
    labels : ndarray, DataFrame or None
        One label per clip, an indicator of several, or numbers.
    groups : Groups or None
        The group of each clip: whole groups are held out.
    classes : ndarray, DataFrame or None
        The labels again, unless they are numbers.
    folds : Folds or None
        The fold of each clip in a column of a table.
    """

    paths: Any
    labels: Any
    groups: Groups | None
    classes: Any
    folds: Folds | None = None

    def of(self, rows):
        """Return some of the clips."""
        from sklearn.utils import _safe_indexing

        labels, classes = (
            None if values is None else _safe_indexing(values, rows)
            for values in (self.labels, self.classes)
        )
        groups, folds = (
            None if values is None else values.of(rows) for values in (self.groups, self.folds)
        )
        return LabeledClips([self.paths[row] for row in rows], labels, groups, classes, folds)


def split(clips, test_fraction):
    """Return the clips for training and those for testing; say which groups are held out."""
    training, test = _rows(clips, test_fraction)
    # The clips for testing are in the order of the table, in which --predictions writes them.
    training, test = clips.of(training), clips.of(sorted(test))
    if test.groups is not None:
        note(f"Held out {test.groups.listed()}")
        unknown = _only_in(test, training)
        if unknown:
            warnings.warn(
                f"The classes {unknown} occur only in the {test.groups.what}s that "
                "--test-fraction holds out, so the model cannot learn them.",
                stacklevel=2,
            )
    return training, test


def _rows(clips, test_fraction):
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    n_clips, groups, classes = len(clips.paths), clips.groups, clips.classes
    # Always the same clips, so that models with different seeds can be compared.
    options = {"test_size": test_fraction, "random_state": 0}
    try:
        if groups is not None:
            parts = GroupShuffleSplit(1, **options)
            return next(parts.split(range(n_clips), groups=groups.values))
        stratify = None if classes is None else strata(classes, test_fraction)
        return train_test_split(range(n_clips), stratify=stratify, **options)
    except ValueError as error:
        what, who = "clip", "each class needs" if classes is not None else "there must be"
        if groups is not None:
            n_clips, what, who = groups.count, groups.what, "there must be"
        raise ValueError(
            f"--test-fraction {test_fraction:g} cannot be used with "
            f"{counted(n_clips, what)}: {who} {what}s for training and for testing ({error})."
        ) from error


def _only_in(test, training):
    """Return the classes that occur in clips for the test, but not in those for training."""
    if test.classes is None:
        return []
    tested, known = (
        {*map(str, some.columns[some.any()] if is_indicator(some) else some)}
        for some in (test.classes, training.classes)
    )
    return sorted(tested - known)


def folds(clips, n_folds):
    """Return the rows for training and for testing of each fold; each clip is tested once.

    Whole groups are together, and classes are distributed as evenly as possible.
    """
    _check_number(clips, n_folds)
    with warnings.catch_warnings():
        # Of a rare class, not every fold has a clip.
        warnings.filterwarnings("ignore", "The least populated class")
        rows = [*_splitter(clips, n_folds)]
    _check_classes(clips, rows, f"--cv {n_folds}")
    return rows


class Plan(NamedTuple):
    """The folds of a cross-validation.

    Attributes
    ----------
    rows : list of (ndarray, ndarray)
        The rows for training and for testing of each fold.
    places : list of str
        What messages call each fold.
    names : list of str
        The numbers or names of the folds.
    folds : str
        What the folds are, such as "4 folds of 12 speakers".
    left_out : str
        What the model that tests a clip has not learned: "it", or its group or fold.
    """

    rows: Any
    places: Any
    names: Any
    folds: str
    left_out: str

    @property
    def tests(self):
        """The rows that each fold tests, by its name."""
        return {name: test for name, (_, test) in zip(self.names, self.rows, strict=True)}

    def fold_of_clips(self):
        """Return the name of the fold that tests each clip."""
        of_rows = {row: name for name, test in self.tests.items() for row in test}
        return [of_rows[row] for row in sorted(of_rows)]


def plan_of(clips, n_folds, given=None):
    """Return the `Plan` of a cross-validation, with a number of folds or with `given` ones.

    Parameters
    ----------
    clips : LabeledClips
    n_folds : int or None
    given : Folds or None
        The folds in a column of a table.
    """
    if given is None:
        names = [str(i + 1) for i in range(n_folds)]
        places = [f"fold {name} of {n_folds}" for name in names]
        rows, groups = folds(clips, n_folds), clips.groups
        if groups is None:
            return Plan(rows, places, names, f"{n_folds} folds", "it")
        what = f"{n_folds} folds of {groups.count} {groups.what}s"
        return Plan(rows, places, names, what, f"its {groups.what}")
    rows, n_folds, column = given.rows(), len(given.names), given.column
    _check_classes(clips, rows, f"--fold-column {column}", given.names)
    places = [f"{called(name)} ({i + 1} of {n_folds})" for i, name in enumerate(given.names)]
    is_apart = clips.groups is not None and not divided_groups(clips.groups, given)
    left_out = "its fold"
    if is_apart and clips.groups.what != "fold":
        is_same = clips.groups.what == column
        left_out = f"its {column}" if is_same else f"its fold and its {clips.groups.what}"
    names, what = [*map(str, given.names)], f"the {n_folds} folds of the column {column!r}"
    return Plan(rows, places, names, what, left_out)


def _splitter(clips, n_folds):
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    n_clips, groups, labels = len(clips.paths), clips.groups, clips.classes
    labels = None if labels is None else strata(labels, 2 / n_folds)
    if groups is not None:
        # Of each class, a fold can only have a clip if there are enough.
        is_rare = labels is None or max(_counts(labels)) < n_folds
        kind = GroupKFold if is_rare else StratifiedGroupKFold
        return kind(n_folds).split(range(n_clips), labels, groups.values)
    # Tables are often sorted. Always the same clips, as with --test-fraction.
    is_plain = labels is None or max(_counts(labels)) < n_folds
    kind = KFold if is_plain else StratifiedKFold
    return kind(n_folds, shuffle=True, random_state=0).split(range(n_clips), labels)


def _counts(labels):
    import numpy as np

    return np.unique(labels, return_counts=True)[1]


def _check_number(clips, n_folds):
    """Raise ValueError if there are more folds than groups, clips, or clips of a class."""
    import numpy as np

    n_clips, what = len(clips.paths), "clips"
    if clips.groups is not None:
        n_clips, what = clips.groups.count, f"{clips.groups.what}s"
    elif clips.classes is not None and not is_indicator(clips.classes):
        names, counts = np.unique(clips.classes, return_counts=True)
        n_clips, what = counts.min(), f"clips of the class {str(names[counts.argmin()])!r}"
    if n_folds > n_clips:
        raise ValueError(
            f"--cv {n_folds} needs at least {n_folds} {what}, got {n_clips}, because each fold "
            "tests others."
        )


def _check_classes(clips, rows, option, names=None):
    """Check that the models of all folds can learn the classes that they are tested on.

    `names` are those of given folds.
    """
    unknown = set()
    for i, (train, test) in enumerate(rows):
        training = clips.of(train)
        unknown.update(_only_in(clips.of(test), training))
        if clips.classes is not None and (names or clips.groups is not None):
            held_out = called(names[i]) if names else clips.groups.of(test).listed()
            _check_has_two(training.classes, held_out, option)
    if unknown:
        warnings.warn(
            f"The classes {sorted(unknown)} occur in one fold each, so the models that are tested "
            "on their clips cannot know them.",
            stacklevel=2,
        )


def _check_has_two(classes, held_out, option):
    """Raise ValueError if there is only one class without the clips that are held out."""
    known = {*map(str, classes)}  # of several labels, the names of the columns
    if len(known) == 1:
        raise ValueError(
            f"{option}: without {held_out}, all clips are of the class "
            f"{known.pop()!r}, and a model needs two."
        )
