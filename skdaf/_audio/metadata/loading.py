"""Load a metadata table: the clips, and the labels, groups, folds and numbers of each."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from skdaf._audio.metadata.clips import clips_of
from skdaf._audio.metadata.columns import choose_columns
from skdaf._audio.metadata.files import find_files
from skdaf._audio.metadata.spelling import PYTHON
from skdaf._audio.metadata.table import as_metadata
from skdaf._audio.metadata.values import numbers_of, values_of


class Rows(NamedTuple):
    """What the rows of a metadata table contain; None for columns that are not used.

    Attributes
    ----------
    clips : list of str or Clip
    labels, groups, folds : ndarray of shape (n_clips,)
    numbers : ndarray of shape (n_clips, n_targets)
    """

    clips: list[Any]
    labels: NDArray[Any] | None
    groups: NDArray[Any] | None
    folds: NDArray[Any] | None
    numbers: NDArray[Any] | None


def load_rows(table, wanted, root=None, spelling=PYTHON):
    """Return the `Rows` of a metadata table.

    Parameters
    ----------
    table : str, os.PathLike or DataFrame
        As in `load_audio_table`.
    wanted : dict
        The columns to use, by the names of the parameters of `load_audio_table`; `target` can be a
        tuple of the columns of several numbers.
    root : str, os.PathLike or None
        The folder from which relative paths start, as in `load_audio_table`.
    spelling : Spelling
        How errors write parameters.
    """
    metadata = as_metadata(table, spelling)
    columns = choose_columns(metadata, wanted)
    labels, groups, folds = (
        None if columns.get(name) is None else values_of(metadata, name, columns[name])
        for name in ("label", "group", "fold")
    )
    targets = columns.get("target")
    numbers = None if targets is None else numbers_of(metadata, targets)
    paths = find_files(metadata, columns["path"], metadata.folder if root is None else root)
    clips = clips_of(metadata, paths, columns["start"], columns["end"])
    return Rows(clips, labels, groups, folds, numbers)
