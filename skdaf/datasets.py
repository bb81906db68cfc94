"""Labeled datasets: recordings in class folders or in a table, or synthetic sounds and speech."""

import os
import zlib
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions

from skdaf._audio.folders import classes_of, list_class, warn_about_left_out
from skdaf._audio.generated import check_duration, check_names, seed_of, write_clips
from skdaf._audio.label_tables import warn_about_folders
from skdaf._audio.metadata.loading import load_rows
from skdaf._audio.speech import WORDS, speech_clips
from skdaf._audio.synthesis import KINDS, SUBTYPES, synthesize, wav_bytes
from skdaf._core.typing import PathLike
from skdaf._core.validation import Hertz, validate_params

__all__ = ["load_audio_folders", "load_audio_table", "make_audio_dataset", "make_speech_dataset"]

Subtype: TypeAlias = Literal[
    "PCM_16", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"
]


@validate_params({"folders": [str, os.PathLike, "array-like"]})
def load_audio_folders(folders: PathLike | Sequence[PathLike]) -> Bunch:
    """List the recordings in class folders, with their labels.

    Only file names are read, not the content of files. The result has the same form as that of
    :func:`sklearn.datasets.load_files`.

    Parameters
    ----------
    folders : str, path-like or list of these
        A root folder whose subfolders are the classes, or a list of class folders. The name of a
        class is the last part of the path of its folder. Class folders are searched including
        their subfolders. Links are followed, and each real folder is entered only once.
        Recordings are recognized by their extension, in upper or lower case: all formats of
        libsndfile (except headerless, MATLAB and HTK files) and, if PyAV is installed (the extra
        ``skdaf[ffmpeg]``), also ``.m4a``, ``.mp4``, ``.aac``, ``.wma``, ``.webm``, ``.amr`` and
        others that FFmpeg reads. Hidden files and folders (with a leading dot) are skipped.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, list of str: the recordings, sorted by class, then by the parts of the path.
        `target`, ndarray of shape (n_files,): their classes as indices into `target_names`.
        `target_names`, list of str: the classes, sorted, in Unicode's composed form (NFC).
        The labels as strings are ``np.asarray(bunch.target_names)[bunch.target]``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If a folder does not exist, or is a file.
    ValueError
        If a class folder contains no recordings, a root folder contains recordings outside class
        folders or no folders at all, two listed folders have the same name, or the list is empty.

    Warns
    -----
    UserWarning
        If audio or video files are left out; the warning names them and counts them per class.
        If the names of two class folders differ only in their Unicode form; they are treated as one
        class. If the folders are probably no classes, but the parts of a dataset, whose classes are
        the folders further down, or in a table that names the recordings.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdaf.datasets import load_audio_folders, make_audio_dataset
    >>> with tempfile.TemporaryDirectory() as root:
    ...     _ = make_audio_dataset(root, classes=["low_tone", "white_noise"], n_clips_per_class=2)
    ...     recordings = load_audio_folders(root)
    >>> recordings.target_names
    ['low_tone', 'white_noise']
    >>> recordings.target
    array([0, 0, 1, 1])
    >>> print(*np.asarray(recordings.target_names)[recordings.target])
    low_tone low_tone white_noise white_noise
    """
    classes = classes_of(folders)
    audio, left_out = zip(*map(list_class, classes.values()), strict=True)
    # Show the line of the caller: validate_params adds a level to the stack.
    warn_about_left_out(dict(zip(classes, left_out, strict=True)), stacklevel=3)
    if isinstance(folders, (str, os.PathLike)):  # who lists class folders means them
        warn_about_folders(Path(folders), dict(zip(classes, audio, strict=True)), stacklevel=3)
    return Bunch(
        filenames=[str(path) for paths in audio for path in paths],
        target=np.repeat(np.arange(len(audio)), [len(paths) for paths in audio]),
        target_names=list(classes),
    )


@validate_params(
    {
        "path": [str],
        "label": [str, list, tuple, None],
        "label_separator": [str, None],
        "group": [str, None],
        "fold": [str, None],
        "start": [str, None],
        "end": [str, None],
        "root": [str, os.PathLike, None],
    }
)
def load_audio_table(
    table: Any,
    *,
    path: str = "path",
    label: str | Sequence[str] | None = "label",
    label_separator: str | None = None,
    group: str | None = "auto",
    fold: str | None = "auto",
    start: str | None = "auto",
    end: str | None = "auto",
    root: PathLike | None = None,
) -> Bunch:
    r"""List the recordings in a metadata table, with their labels, groups and folds.

    The table has a row per clip: a recording, or a part of one. Recordings must exist, but their
    content is not read. The result has the same form as that of :func:`load_audio_folders`, in the
    order of the rows.

    Parameters
    ----------
    table : str, path-like or DataFrame
        A CSV or TSV file whose first line names the columns, or a table of pandas, polars or
        PyArrow. Files are in UTF-8 or UTF-16; columns are separated by commas, semicolons or tabs.
        A cell that is empty or ``nan`` is missing; others, such as ``NA``, are text.
    path : str, default="path"
        The column of the files, or a pattern of several columns, as in
        ``"fold{fold}/{slice_file_name}"`` or ``"{fname}.wav"``. Backslashes in relative paths may
        separate folders.
    label : str, list of str or None, default="label"
        The column of the classes, or a pattern. For several labels per clip, a list of columns,
        one per label, that contain 1, true or yes if a clip has the label, else 0, false or no.
        None if there are no labels.
    label_separator : str or None, default=None
        What separates several labels in one cell, such as ``","``. Cells without a label are empty.
    group : str or None, default="auto"
        The column, or a pattern, of what must not be divided between a training and a test set,
        such as the speaker. "auto" is the column ``group`` if there is one; None is no column.
    fold : str or None, default="auto"
        The column, or a pattern, of the folds or splits that come with a dataset. "auto" is the
        column ``fold`` if there is one; None is no column.
    start, end : str or None, default="auto"
        The columns of the times, in seconds, at which clips start and end in their recordings.
        Decimal commas are accepted. A missing start or end is that of the recording. "auto" is the
        columns ``start`` and ``end`` if there are any; None is no column.
    root : str, path-like or None, default=None
        The folder from which relative paths start. None is the folder of the CSV or TSV file or,
        for a DataFrame, the current folder. As in all functions of Python that open files, a ``~``
        is not the home folder.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, list of str or :class:`~skdaf.Clip`: X, the recordings, or clips of them if the
        table has times.
        `target`, ndarray of shape (n_clips,): their classes as indices into `target_names`; with
        several labels per clip, an indicator of shape (n_clips, n_labels) that is 1 where a clip
        has a label, else 0; None without labels.
        `target_names`, list of str or int: the classes, sorted. They are integers if all labels are
        integers. Text is without surrounding blanks and in Unicode's composed form (NFC). None
        without labels. The labels are ``np.asarray(bunch.target_names)[bunch.target]``; with
        several labels per clip, ``pd.DataFrame(bunch.target, columns=bunch.target_names)``.
        `groups`, `folds`, ndarray of shape (n_clips,): the columns of groups and folds, as integers
        or text, as for labels; None without such a column.

    Raises
    ------
    OSError
        If the table, `root` or recordings do not exist; one error names all recordings that are
        missing.
    TypeError
        If `table` is neither a path nor a table.
    ValueError
        If a column is missing: the error lists those of the table. If rows have no path, label,
        group or fold, the same recording or part of one has several rows, times are wrong, labels
        are numbers with decimals, or a file is not a table. If columns such as ``onset`` look like
        times but are not used. If a cell contains a list.

    Warns
    -----
    UserWarning
        If no cell contains the `label_separator`.

    See Also
    --------
    load_audio_folders : List the recordings in class folders.
    skdaf.clips_from_segments : Turn the annotations of one recording into clips.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdaf.datasets import load_audio_table, make_audio_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_audio_dataset(folder, classes=["low_tone"], n_clips_per_class=2)
    ...     table = pathlib.Path(folder, "meta.csv")
    ...     _ = table.write_text(
    ...         "filename,category,fold\n"
    ...         "low_tone_000.wav,hum,1\n"
    ...         "low_tone_001.wav,whistle,2\n"
    ...     )
    ...     recordings = load_audio_table(table, path="low_tone/{filename}", label="category")
    >>> recordings.target_names, recordings.target, recordings.folds
    (['hum', 'whistle'], array([0, 1]), array([1, 2]))
    """
    label = label if label is None or isinstance(label, str) else tuple(label)
    wanted = {"path": path, "label": label, "group": group, "fold": fold}
    rows = load_rows(table, {**wanted, "start": start, "end": end}, root, label_separator)
    return Bunch(
        filenames=rows.clips,
        target=rows.target,
        target_names=rows.names,
        groups=rows.groups,
        folds=rows.folds,
    )


@validate_params(
    {
        "directory": [str, os.PathLike],
        "classes": ["array-like"],
        "n_clips_per_class": [Interval(Integral, 1, None, closed="left")],
        "duration": [tuple, list],
        "sampling_rate": [Hertz(Integral, 4000, None, closed="left")],
        "subtype": [StrOptions(SUBTYPES)],
        "random_state": ["random_state"],
    }
)
def make_audio_dataset(
    directory: PathLike,
    *,
    classes: Sequence[str] = ("low_energy", "medium_energy", "high_energy"),
    n_clips_per_class: int = 20,
    duration: tuple[float, float] = (0.3, 0.8),
    sampling_rate: int = 16000,
    subtype: Subtype = "PCM_16",
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    """Write a small labeled dataset of synthetic sounds as WAV files.

    The files are ``directory/<class>/<class>_<NNN>.wav``. Duration, level (within 3 dB) and pitch
    are drawn separately for each clip. The kinds of sound are:

    - ``"low_energy"``, ``"medium_energy"``, ``"high_energy"``: noise from 200 to 1800 Hz at -42,
      -30 and -18 dB. Because many front ends remove differences in loudness, the energy also
      changes differently over time: it decays, comes in four pulses, or is steady.
    - ``"low_tone"``, ``"high_tone"``: tones with harmonics, at 100 to 250 Hz and 600 to 1500 Hz.
    - ``"rising_chirp"``, ``"falling_chirp"``: tones that rise or fall between a frequency of 200 to
      400 Hz and one of 1200 to 1800 Hz.
    - ``"white_noise"``, ``"pink_noise"``: noise up to half the sampling rate.

    Parameters
    ----------
    directory : str or path-like
        The folder to write to. It is created if it does not exist.
    classes : array-like of str, default=("low_energy", "medium_energy", "high_energy")
        The kinds of sound to write, from the list above.
    n_clips_per_class : int, default=20
        The number of files in each class folder.
    duration : (float, float), default=(0.3, 0.8)
        The shortest and the longest duration of a clip in seconds, at least 0.01.
    sampling_rate : int, default=16000
        The sampling rate in Hz, at least 4000.
    subtype : {"PCM_16", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}, \
            default="PCM_16"
        The encoding of the samples.
    random_state : int, RandomState instance or None, default=0
        With an int, a clip depends only on this seed, its class and its number. You can therefore
        add clips or classes to an existing dataset without changing its other files.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, `target` and `target_names`, as :func:`load_audio_folders` returns them.

    Raises
    ------
    FileExistsError
        If `directory` contains a visible file or folder that this call would not write, or would
        write with different content. In this case, nothing is written. Identical files are left
        untouched.
    NotADirectoryError
        If `directory` is a file.
    ValueError
        If a class is unknown or given twice, or another argument is out of range.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdaf.datasets import make_audio_dataset
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     dataset = make_audio_dataset(directory, n_clips_per_class=2)
    >>> dataset.target_names
    ['high_energy', 'low_energy', 'medium_energy']
    >>> Path(dataset.filenames[0]).name
    'high_energy_000.wav'
    """
    classes, directory = [str(name) for name in classes], Path(directory)
    check_names(classes, KINDS, "classes", "class")
    check_duration(duration)
    seed = seed_of(random_state)

    def content(kind, index):
        # crc32, because the hash() of a string differs between processes.
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), index])
        samples = synthesize(kind, rng, duration, sampling_rate)
        return wav_bytes(samples, sampling_rate, subtype)

    clips = {
        directory / kind / f"{kind}_{index:03d}.wav": partial(content, kind, index)
        for kind in classes
        for index in range(n_clips_per_class)
    }
    write_clips(directory, clips)
    return load_audio_folders(directory)


@validate_params(
    {
        "directory": [str, os.PathLike],
        "words": ["array-like"],
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_takes": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }
)
def make_speech_dataset(
    directory: PathLike,
    *,
    words: Sequence[str] = tuple(WORDS),
    n_speakers: int = 12,
    n_takes: int = 3,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    """Write synthetic speech as WAV files: words of speakers with different voices.

    The speakers differ in pitch, size, tempo, accent, voice, room, microphone and noise. As with
    real speech, test a model on speakers that are new to it: `groups` names the speaker of each
    clip. The files are ``directory/<word>/<speaker>_<take>.wav``, mono, 16 kHz and 16 bits.

    Parameters
    ----------
    directory : str or path-like
        The folder to write to. It is created if it does not exist.
    words : array-like of str, default=all
        The words that each speaker says: some of "down", "go", "left", "no", "off", "on", "right",
        "stop", "up" and "yes". They are the classes.
    n_speakers : int, default=12
        The number of speakers.
    n_takes : int, default=3
        How often each speaker says each word.
    random_state : int, RandomState instance or None, default=0
        With an int, a clip depends only on this seed, its speaker, word and take. You can therefore
        add speakers, words or takes to an existing dataset without changing its other files.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, `target` and `target_names`, as :func:`load_audio_folders` returns them, and
        `groups`, ndarray of shape (n_files,): the names of the speakers.

    Raises
    ------
    FileExistsError
        If `directory` contains other files, as in :func:`make_audio_dataset`.
    NotADirectoryError
        If `directory` is a file.
    ValueError
        If a word is unknown or given twice, or another argument is out of range.

    Examples
    --------
    >>> import tempfile
    >>> from skdaf.datasets import make_speech_dataset
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     speech = make_speech_dataset(directory, words=["no", "yes"], n_speakers=2, n_takes=1)
    >>> speech.target_names, speech.target
    (['no', 'yes'], array([0, 0, 1, 1]))
    >>> print(*speech.groups)
    speaker_00 speaker_01 speaker_00 speaker_01
    """
    words, directory = [str(word) for word in words], Path(directory)
    check_names(words, WORDS, "words", "word")
    clips = speech_clips(directory, words, n_speakers, n_takes, seed_of(random_state))
    write_clips(directory, clips)
    recordings = load_audio_folders(directory)
    speakers = [Path(path).stem.rpartition("_")[0] for path in recordings.filenames]
    return Bunch(**recordings, groups=np.array(speakers))
