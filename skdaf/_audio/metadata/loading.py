"""Load a metadata table: the clips, and the labels, groups, folds and numbers of each."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skdaf._audio.metadata.clips import clips_of
from skdaf._audio.metadata.columns import choose_columns
from skdaf._audio.metadata.files import find_files
from skdaf._audio.metadata.indicators import indicator_of_columns, indicator_of_lists
from skdaf._audio.metadata.table import as_metadata
from skdaf._audio.metadata.values import numbers_of, values_of


class Rows(NamedTuple):
    """What the rows of a metadata table contain; None for columns that are not used.

    Attributes
    ----------
    clips : list of str or Clip
    names : list
        The labels that occur, sorted; those of several labels per clip in the order of columns.
    target : ndarray of shape (n_clips,) or (n_clips, n_labels)
        The index in `names` of each clip's label; or which of several labels a clip has.
    groups, folds : ndarray of shape (n_clips,)
    numbers : ndarray of shape (n_clips, n_targets)
    """

    clips: list[Any]
    names: list[Any] | None
    target: NDArray[Any] | None
    groups: NDArray[Any] | None
    folds: NDArray[Any] | None
    numbers: NDArray[Any] | None


def load_rows(table, wanted, root=None, label_separator=None, to_check=False):
    """Return the `Rows` of a metadata table.

    Parameters
    ----------
    table : str, os.PathLike, DataFrame or Metadata
        As in `load_audio_table`.
    wanted : dict
        The columns to use, by the names of the parameters of `load_audio_table`; `label` and
        `target` can be tuples of several columns.
    root : str, os.PathLike or None
        The folder from which relative paths start, as in `load_audio_table`.
    label_separator : str or None
        What separates several labels in one cell.
    to_check : bool
        Whether the recordings will be checked, so that files may be missing, but not all of them,
        and clips may have several rows.
    """
    metadata = as_metadata(table)
    _check_label_columns(wanted["label"])
    columns = choose_columns(metadata, wanted)
    names, target = _names_and_target(metadata, columns["label"], label_separator)
    groups, folds = (
        None if columns.get(name) is None else values_of(metadata, name, columns[name])
        for name in ("group", "fold")
    )
    targets = columns.get("target")
    numbers = None if targets is None else numbers_of(metadata, targets)
    root = metadata.folder if root is None else root
    paths = find_files(metadata, columns["path"], root, to_check)
    clips = clips_of(metadata, paths, columns["start"], columns["end"], to_check)
    return Rows(clips, names, target, groups, folds, numbers)


def _check_label_columns(names):
    """Raise an error unless several columns of labels are different names."""
    if not isinstance(names, tuple):
        return
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"Several columns of labels must be names (str), got {list(names)}.")
    if len(set(names)) < len(names):
        raise ValueError(f"Several columns of labels must be different, got {list(names)}.")


def _names_and_target(metadata, label, separator):
    """Return the labels and the target of a table; None if it is used without labels."""
    if isinstance(label, tuple):
        return _from_columns(metadata, list(label), separator)
    if separator is not None:
        if label is None or not separator:
            raise ValueError(
                f"{metadata.spelling.given('label_separator', separator)} must be the text between "
                "the labels of a column, and needs a column of labels."
            )
        return indicator_of_lists(metadata, label, separator)
    if label is None:
        return None, None
    names, target = np.unique(values_of(metadata, "label", label), return_inverse=True)
    return names.tolist(), target


def _from_columns(metadata, names, separator):
    if len(names) < 2:
        raise ValueError(
            f"Several columns of labels must be at least two, got {names}. For one label per clip, "
            f"pass a column: {metadata.spelling.given('label', 'label')}."
        )
    if separator is not None:
        raise ValueError(
            f"{metadata.spelling.given('label_separator', separator)} has no effect with a column "
            "for each label: use one or the other."
        )
    return names, indicator_of_columns(metadata, names)
