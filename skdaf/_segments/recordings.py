"""clips_from_recordings: turn annotated recordings into clips, labels and groups for training."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from skdaf._audio.clips import AudioReadError, Clip
from skdaf._audio.folders import find_audio
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._segments.batches import SECONDS
from skdaf._segments.clips import (
    check_needs_of_window,
    cut_recording,
    warn_of_missing_labels,
)
from skdaf._segments.matching import (
    match_tables,
    recordings_in,
    table_files,
    warn_of_other_recording,
)
from skdaf._segments.reading import read_segments
from skdaf._segments.tables import check_segments
from skdaf._segments.window_lengths import warn_about_short_window


@public
@validate_params(
    {
        "window": [*SECONDS, None],
        "step": [*SECONDS, None],
        "multilabel": ["boolean"],
        "label_column": [str, None],
    }
)
def clips_from_recordings(
    recordings: PathLike | Sequence[PathLike],
    annotations: PathLike | Sequence[PathLike | pd.DataFrame],
    *,
    window: float | None = None,
    step: float | None = None,
    multilabel: bool = False,
    background: Any = None,
    label_column: str | None = None,
) -> tuple[list[Clip], Any, Any]:
    """Turn annotated recordings into clips, labels and groups for training.

    Parameters
    ----------
    recordings : list of str or os.PathLike, or a folder
        The recordings, or the folder that contains them, also in subfolders.
    annotations : a folder, or list of str, os.PathLike or pandas.DataFrame
        A list contains the table of each recording, or the path of a file for `read_segments`, in
        the same order. In a folder and its subfolders, the tables (``*.txt``, ``*.csv`` and
        ``*.tsv``) are found by their names: that of the recording, without or with its extension,
        and what a program appends. For ``SITE01.wav``, this can be ``SITE01.txt``,
        ``SITE01.Table.1.selections.txt`` or ``SITE01.BirdNET.results.csv``. If recordings in
        different folders have the same name, the folders of their tables must have the names of
        theirs. Tables of other recordings are not used,
        nor are predictions that `skdaf segments` wrote into a folder (``SITE01.skdaf.txt``).
    window, step : float, default=None
        Length of the windows, and step from one to the next, in seconds, as in
        `clips_from_segments`.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time.
    background : label, default=None
        The label of the time in which nothing is annotated, as in `clips_from_segments`.
    label_column : str, default=None
        The column of labels in the files of annotations, as in `read_segments`.

    Returns
    -------
    clips : list of Clip
        In the order of the recordings, and sorted by time.
    labels : ndarray of shape (n_clips,), or DataFrame of shape (n_clips, n_labels)
        The label of each clip. If `multilabel`, an indicator with a column for each label, sorted.
    groups : ndarray of shape (n_clips,)
        The path of the recording of each clip, as text: the parameter `groups` of `fit` and of the
        splitters of scikit-learn, which keeps the windows of a recording together.

    Raises
    ------
    AudioReadError
        If there is a `window` and a recording cannot be read, or ends before a segment, as in
        `clips_from_segments`.
    OSError
        If a folder or a file of annotations cannot be read.
    TypeError
        If `recordings` or `annotations` has another type.
    ValueError
        If a recording has no table or several, a table belongs to several recordings, the lists
        have different lengths, a recording occurs twice, or an annotation is not valid, as in
        `read_segments` and `clips_from_segments`. The error names the files.

    Warns
    -----
    UserWarning
        If `window` exceeds 30 s and a recording, or is shorter than 0.032 s. If there is a
        `background`, but no window without an event, or none with the label of some. If a file of
        annotations is named after another recording.

    See Also
    --------
    clips_from_segments : The same for one recording, also for one in memory.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import clips_from_recordings
    >>> yard = pd.DataFrame({"start": [0, 2.5], "end": [2.5, 4], "label": ["cat", "dog"]})
    >>> park = pd.DataFrame({"start": [1], "end": [3], "label": ["dog"]})
    >>> clips, labels, groups = clips_from_recordings(["yard.wav", "park.wav"], [yard, park])
    >>> clips[2]
    Clip(path='park.wav', start=1.0, end=3.0)
    >>> labels.tolist(), groups.tolist()
    (['cat', 'dog', 'dog'], ['yard.wav', 'yard.wav', 'park.wav'])
    """
    paths = _recordings(recordings)
    tables = _tables(paths, annotations)
    if label_column is not None and not any(_is_path(table) for table in tables):
        raise ValueError(
            f"label_column={label_column!r} is for files of annotations: annotations contains only "
            "tables, whose labels are in the column 'label'."
        )
    check_needs_of_window(window, step, multilabel, background)
    warn_about_short_window(window, stacklevel=4)
    parts, checked, list_recordings = [], [], cache(recordings_in)
    for i, (path, table) in enumerate(zip(paths, tables, strict=True)):
        name = repr(str(os.fspath(table))) if _is_path(table) else f"annotations[{i}]"
        if _is_path(table):
            warn_of_other_recording(path, table, stacklevel=4, recordings_in=list_recordings)
        table = read_segments(table, label_column=label_column) if _is_path(table) else table
        with _named(name):
            table = check_segments(table, "segments")
            # The decorator that checks parameters is in between.
            parts.append(
                cut_recording(path, table, window, step, multilabel, background, stacklevel=4)
            )
        checked.append(table)
    clips = [clip for own, _ in parts for clip in own]
    groups = np.repeat(np.array(paths, dtype=str), [len(own) for own, _ in parts])
    labels = _joined([own for _, own in parts], multilabel)
    warn_of_missing_labels(background, labels, checked, window, stacklevel=4)
    return clips, labels, groups


def _is_path(value):
    return isinstance(value, (str, os.PathLike))


def _recordings(recordings):
    """Return the paths of the recordings, as text."""
    if _is_path(recordings):
        if not os.path.isdir(recordings):
            raise ValueError(
                "recordings must be a list of paths, or a folder that exists, got "
                f"{str(os.fspath(recordings))!r}. Pass a list also for one recording."
            )
        found, _ = find_audio([recordings])
        if not found:
            raise ValueError(f"The folder {str(os.fspath(recordings))!r} contains no audio files.")
        return [str(path) for path in found]
    paths = list(recordings)
    for path in paths:
        if not _is_path(path):
            raise TypeError(
                f"recordings must contain paths, got a {type(path).__name__}. For a sound in "
                "memory, use clips_from_segments."
            )
    paths = [str(os.fspath(path)) for path in paths]
    path, count = next(iter(Counter(paths).most_common(1)), (None, 0))
    if count > 1:
        raise ValueError(f"recordings contains {path!r} {count} times.")
    return paths


def _tables(paths, annotations):
    """Return the annotations of each recording: a path or a table."""
    if _is_path(annotations):
        if not os.path.isdir(annotations):
            raise ValueError(
                "annotations must be a folder that exists, or a list with the table of each "
                f"recording, got {str(os.fspath(annotations))!r}."
            )
        where = f"the folder {str(os.fspath(annotations))!r}"
        return match_tables(paths, table_files([annotations]), where)
    if isinstance(annotations, pd.DataFrame):
        raise TypeError("annotations must be a list with a table for each recording, got a table.")
    tables = list(annotations)
    if len(tables) != len(paths):
        raise ValueError(
            f"annotations must contain a table for each of the {len(paths)} recordings, got "
            f"{len(tables)}."
        )
    return tables


@contextmanager
def _named(table):
    """Name a table in errors about its content."""
    try:
        yield
    except AudioReadError:
        raise
    except (TypeError, ValueError) as error:
        raise type(error)(f"{table}: {error}") from error


def _joined(labels, multilabel):
    """Return the labels of all recordings."""
    if multilabel:
        table = pd.concat(labels, ignore_index=True).fillna(0).astype(int)
        return table[sorted(table.columns, key=str)]
    values = [label for own in labels for label in own.tolist()]
    if len({isinstance(label, str) for label in values}) > 1:
        # An array of both would turn numbers into texts.
        raise TypeError(
            "The labels of all recordings must be texts, or all of them numbers, got both."
        )
    return np.array(values)
