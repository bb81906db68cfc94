"""The option --annotations: recordings, and tables that say what occurs when in them."""

import os
import re
from contextlib import contextmanager
from functools import wraps

import click

from skdaf.cli._annotated_time import read_annotations
from skdaf.cli._groups import groups_of_recordings
from skdaf.cli._options import combine_options, is_given, step_option
from skdaf.cli._paths import InputPath
from skdaf.cli._raw_audio import STANDARD_INPUT
from skdaf.cli._tables import audio_files


class AnnotationsPath(InputPath):
    """A file of annotations, or a folder that contains such files."""

    def files(self, value):
        """Return the tables."""
        from skdaf._segments.matching import table_files

        return table_files([value])


_options = combine_options(
    click.option(
        "--annotations",
        type=AnnotationsPath(),
        multiple=True,
        metavar="PATH",
        help="Train on segments of long recordings: this folder contains the annotations of each "
        "(labels exported from Audacity, selection tables of Raven, results of BirdNET, or CSV "
        "lines of the form start,end,label), called SITE01.txt, SITE01.Table.1.selections.txt or "
        "similar for SITE01.wav. May be the folder of the recordings. Can be repeated, also for "
        "files. --test-fraction then holds out whole recordings.",
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Column of the labels in the annotations.  [default: the usual one of each program]",
    ),
    click.option(
        "--window",
        type=float,
        metavar="SECONDS",
        help="Cut segments into windows of this length, that of the windows in which you will look "
        "for the sounds (segments --window).  [default: segments are not cut]",
    ),
    step_option,
    click.option(
        "--background",
        metavar="NAME",
        help="The annotations list all events, and nothing else: also train on the time between "
        "them, as a class with this name.",
    ),
    click.option(
        "--multilabel",
        is_flag=True,
        help="Segments with different labels can cover the same time.",
    ),
)


class Annotations:
    """The annotations of recordings.

    Parameters
    ----------
    paths : sequence of str
        Files of annotations, and folders that contain them.
    options : dict
        Parameters of `clips_from_recordings`.
    """

    def __init__(self, paths, options):
        self.paths, self._options = paths, options
        self.is_multilabel = options["multilabel"]

    def clips(self, folders):
        """Return the clips, labels and groups of some recordings, or of folders of them."""
        from skdaf import clips_from_recordings

        recordings = audio_files(folders)
        files = tables_of(recordings, self.paths, "--annotations")
        options = dict(self._options)
        label_column = options.pop("label_column")
        # Without those that have no duration or no label, which the function refuses.
        tables = [read_annotations(file, label_column)[0] for file in files]
        with _named(files):
            found = clips_from_recordings(recordings, tables, **options)
        if not len(found[0]):
            raise ValueError(
                f"--annotations {' '.join(map(repr, self.paths))}: no segments to train on. Empty "
                "tables say that nothing occurs; with --window and --background NAME, the time "
                "between segments is a class, too."
            )
        return found


@contextmanager
def _named(files):
    """Name the file of a table in errors about it, which have its number."""
    try:
        yield
    except (TypeError, ValueError) as error:
        number = re.match(r"annotations\[(\d+)\]", str(error))
        if number is None:
            raise
        rest = str(error)[number.end() :]
        raise type(error)(f"{files[int(number[1])]!r}{rest}") from error


def tables_of(recordings, paths, option):
    """Return the file of annotations of each recording.

    Parameters
    ----------
    recordings : list of str
    paths : sequence of str
        Files of annotations, and folders that contain them.
    option : str
        The name of the option, for errors.
    """
    from skdaf._segments.matching import match_tables, table_files, warn_of_other_recording

    tables = table_files(paths)
    if recordings == [STANDARD_INPUT]:  # which has no name
        if len(tables) != 1:
            raise click.UsageError(
                f"{option} must be one file for standard input, which has no name, got "
                f"{len(tables)} files."
            )
        return tables
    if len(recordings) == 1 and tables == list(paths) and len(tables) == 1:
        warn_of_other_recording(recordings[0], tables[0], stacklevel=2)
        return tables  # which may have any name
    return match_tables(recordings, tables, f"{option} {' '.join(map(repr, paths))}")


def annotation_options(command):
    """Add the options; the command gets `annotations`, an `Annotations` or None."""

    @wraps(command)
    def run(annotations, **values):
        names = ("label_column", "window", "step", "background", "multilabel")
        options = {name: values.pop(name) for name in names}
        _check_combination(annotations, options, values["recordings"])
        found = Annotations(annotations, options) if annotations else None
        return command(annotations=found, **values)

    return _options(run)


def _check_combination(annotations, options, recordings):
    if annotations and recordings.table is not None:
        raise click.UsageError("Pass --table or --annotations, not both.")
    for name in (name for name, value in options.items() if is_given(value)):
        option = f"--{name.replace('_', '-')}"
        if not annotations:
            raise click.UsageError(f"{option} requires --annotations.")
        if name in ("step", "background", "multilabel") and options["window"] is None:
            raise click.UsageError(f"{option} requires --window.")
    if options["multilabel"] and options["background"] is not None:
        raise click.UsageError(
            "--background cannot be used with --multilabel: a window without an event has no label."
        )


def check_task(annotations, task):
    """Check that a command with --annotations learns classes."""
    if annotations is not None and task != "classification":
        raise click.UsageError("--annotations requires --task classification.")


def labeled_clips(recordings, annotations):
    """Return the clips of a command, their labels, groups and folds (None if there are none)."""
    if annotations is None:
        _check_folders(recordings.folders)
        return *recordings.labeled(), recordings.groups, recordings.folds
    clips, labels, groups = annotations.clips(recordings.folders)
    return clips, labels, groups_of_recordings(groups), None


def have_several_labels(recordings, annotations):
    """Return whether `labeled_clips` returns an indicator of any number of labels."""
    return recordings.has_several_labels if annotations is None else annotations.is_multilabel


def one_label_of_clips(recordings, annotations):
    """Return the clips of a command that learns one label of each, as `labeled_clips` does."""
    if annotations is None:
        return *recordings.with_one_label(), recordings.groups, recordings.folds
    if annotations.is_multilabel:
        raise click.UsageError("--config learns one label per clip: omit --multilabel.")
    return labeled_clips(recordings, annotations)


def _check_folders(folders):
    """Raise UsageError if one of the class folders is a file."""
    files = [path for path in folders if os.path.isfile(path)]
    if files:
        raise click.UsageError(
            f"{files[0]!r} is a file; expected class folders. To train on recordings with tables "
            "of annotations, name the tables, or their folder, with --annotations."
        )
