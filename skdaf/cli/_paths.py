"""Files that a command reads, files that it writes, and that these are never the same."""

import os
import warnings
from pathlib import Path

import click

from skdaf._core.files import is_special


class InputPath(click.Path):
    """A file that a command reads, or a folder in which it reads the recordings."""

    def __init__(self, **options):
        super().__init__(exists=True, **options)

    def files(self, value):
        """Return the files that are read."""
        if not os.path.isdir(value):
            return [value]
        from skdaf.datasets import load_audio_folders

        with warnings.catch_warnings():
            # The command itself gives these warnings, and reports a folder without recordings.
            warnings.simplefilter("ignore")
            try:
                return load_audio_folders([value]).filenames
            except ValueError:
                return []


class OutputFile(click.Path):
    """A file that can be written: found out before the work, not after."""

    def __init__(self):
        super().__init__(dir_okay=False, writable=True)

    def files(self, value):
        """Return the files that are written."""
        return [value]

    def convert(self, value, param, ctx):
        """Return the name of the file."""
        if not value:
            self.fail("Expected the name of a file.", param, ctx)
        folder = Path(os.path.realpath(value)).parent
        if is_special(value):
            return super().convert(value, param, ctx)
        if not folder.is_dir():
            self.fail(f"There is no folder {str(folder)!r}.", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"The folder {str(folder)!r} may not be written to.", param, ctx)
        return super().convert(value, param, ctx)


class EmbeddingFile(OutputFile):
    """A table of embeddings, or an array and a list of the names of its rows."""

    def files(self, value):
        """Return the file itself, and that with the names beside an array."""
        names = [names_beside(value)] if is_array(value) else []
        return [value, *names]

    def convert(self, value, param, ctx):
        """Return the name of the file."""
        if value and not value.endswith((".npy", ".csv")):
            self.fail(f"{value!r} must end in .npy or .csv.", param, ctx)
        return super().convert(value, param, ctx)


def is_array(path):
    """Return whether a file of embeddings is an array, beside which the names are listed."""
    return path.endswith(".npy")


def names_beside(path):
    """Return the file that lists what the rows of an array are."""
    return str(Path(path).with_suffix(".files.txt"))


class CheckpointPlace(click.Path):
    """A folder for checkpoints, or one file."""

    def files(self, value):
        """Return the file that is written, if its name is known."""
        return [value] if value.endswith(".checkpoint") else []


def refuse_outputs_among_inputs(command, values):
    """Insist that a command writes no file that it reads, and none twice.

    Files are compared, not their names: links and other spellings of a name are found as well.

    Parameters
    ----------
    command : click.Command
        Its parameters are inputs or outputs by their types.
    values : dict
        The values of its parameters.

    Raises
    ------
    ValueError
        If an output is one of the inputs, or two outputs are one file.
    """
    outputs = {}
    for parameter, file in _files(command, values, (OutputFile, CheckpointPlace)):
        identity, named = _identity(file), f"{_name(parameter)} {file!r}"
        if identity in outputs and not is_special(file):
            raise ValueError(f"{outputs[identity][0]} and {named} are the same file: name two.")
        outputs[identity] = named, file
    _refuse(outputs, (file for _, file in _files(command, values, InputPath)), "an input")


def refuse_output_named_in(index, output, files):
    """Insist that a command does not write over a recording that an index names."""
    if output is not None:
        outputs = {_identity(output): (f"--output {output!r}", output)}
        _refuse(outputs, files, f"named in {index!r}, an input")


def _refuse(outputs, files, what):
    """Insist that none of the files is an output; what does not exist yet or is a device may be."""
    if not any(os.path.isfile(output) for _, output in outputs.values()):
        return
    for file in files:
        named, output = outputs.get(_identity(file), (None, file))
        if named is not None and not is_special(output):
            same = "" if output == file else f"the same file as {file!r}, "
            raise ValueError(f"{named} is {same}{what} of this command: name another output.")


def _files(command, values, types):
    """Yield the parameters of some types, with each file that they stand for."""
    for parameter in command.params:
        if isinstance(parameter.type, types):
            value = values.get(parameter.name) or ()
            for path in value if isinstance(value, tuple) else (value,):
                for file in parameter.type.files(path):
                    yield parameter, file


def _name(parameter):
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[0] if is_option else parameter.human_readable_name


def _identity(path):
    """Return what is the same for all names of one file."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
