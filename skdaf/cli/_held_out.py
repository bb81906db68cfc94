"""Clips that are kept out of training, by --test-fraction or in the folds of --cv."""

import warnings
from typing import Any, NamedTuple

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
    """

    paths: Any
    labels: Any
    groups: Groups | None
    classes: Any

    def of(self, rows):
        """Return some of the clips."""
        from sklearn.utils import _safe_indexing

        labels, classes = (
            None if values is None else _safe_indexing(values, rows)
            for values in (self.labels, self.classes)
        )
        groups = None if self.groups is None else self.groups.of(rows)
        return LabeledClips([self.paths[row] for row in rows], labels, groups, classes)


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
        what, who = "clips", "each class needs" if classes is not None else "there must be"
        if groups is not None:
            n_clips, what, who = groups.count, f"{groups.what}(s)", "there must be"
        raise ValueError(
            f"--test-fraction {test_fraction:g} cannot be used with {n_clips} {what}: {who} "
            f"{what.replace('(s)', 's')} for training and for testing ({error})."
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
    _check_classes(clips, rows, n_folds)
    return rows


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


def _check_classes(clips, rows, n_folds):
    """Check that the models of all folds can learn the classes that they are tested on."""
    unknown = set()
    for train, test in rows:
        training = clips.of(train)
        unknown.update(_only_in(clips.of(test), training))
        if clips.groups is not None and clips.classes is not None:
            _check_has_two(training.classes, clips.groups.of(test), n_folds)
    if unknown:
        warnings.warn(
            f"The classes {sorted(unknown)} occur in one fold each, so the models that are tested "
            "on their clips cannot know them.",
            stacklevel=2,
        )


def _check_has_two(classes, held_out, n_folds):
    """Raise ValueError if there is only one class without some groups."""
    known = {*map(str, classes)}  # of several labels, the names of the columns
    if len(known) == 1:
        raise ValueError(
            f"--cv {n_folds}: without {held_out.listed()}, all clips are of the class "
            f"{known.pop()!r}, and a model needs two."
        )
