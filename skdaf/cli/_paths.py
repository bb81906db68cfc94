"""Parameter types for inputs and outputs, and checks that no output overwrites an input."""

import difflib
import os
import warnings
from pathlib import Path

import click

from skdaf._core.files import is_special

# The message about - in commands that read files only.
NO_STANDARD_INPUT = (
    "this command does not read standard input (-). For raw samples, use: "
    "skdaf segments MODEL - --rate HZ."
)

# Files of other programs, in which nobody expects text.
_NOT_WRITTEN = (
    *(".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".docx", ".pdf"),
    *(".parquet", ".feather", ".arrow", ".npy", ".npz", ".h5", ".pkl"),
)


class InputPath(click.Path):
    """A file that a command reads, or a folder whose recordings it reads."""

    def __init__(self, **options):
        super().__init__(exists=True, **options)

    def convert(self, value, param, ctx):
        """Return the path; say which command reads standard input."""
        if value == "-" and not self.allow_dash and not os.path.exists(value):
            self.fail(NO_STANDARD_INPUT, param, ctx)
        if not os.path.lexists(value) and (close := _similar_files(value)):
            self.fail(f"{value!r} does not exist. Did you mean {close[0]!r}?", param, ctx)
        return super().convert(value, param, ctx)

    def files(self, value):
        """Return the files that are read."""
        if value == "-" and self.allow_dash:
            return []
        if not os.path.isdir(value):
            return [value]
        from skdaf.datasets import load_audio_folders

        with warnings.catch_warnings():
            # The command itself shows these warnings and reports folders without recordings.
            warnings.simplefilter("ignore")
            try:
                return load_audio_folders([value]).filenames
            except ValueError:
                return []


class TableFile(InputPath):
    """A table of recordings, not a folder."""

    def __init__(self):
        super().__init__(dir_okay=False)

    def convert(self, value, param, ctx):
        """Return the path; say where folders belong."""
        if os.path.isdir(value):
            self.fail(
                f"{value!r} is a folder; expected a CSV or TSV file. Pass folders without --table.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


def _similar_files(path):
    """Return files in the same folder with similar names, the most similar first."""
    folder, name = os.path.split(path)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return []
    return [
        os.path.join(folder, one) for one in difflib.get_close_matches(name, names, cutoff=0.75)
    ]


class OutputFile(click.Path):
    """A file to write. If it cannot be written, the error comes before any work is done."""

    def __init__(self):
        super().__init__(dir_okay=False, writable=True)

    def files(self, value):
        """Return the files that are written."""
        return [value]

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        if not value:
            self.fail("Expected a file name.", param, ctx)
        folder = Path(os.path.realpath(value)).parent
        if is_special(value):
            return super().convert(value, param, ctx)
        if not folder.is_dir():
            self.fail(f"The folder {str(folder)!r} does not exist.", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"The folder {str(folder)!r} is not writable.", param, ctx)
        return super().convert(value, param, ctx)


class ResultsFile(OutputFile):
    """A table to write, which can be text, CSV or JSON."""

    # The formats that the command writes, for errors.
    formats = "*.csv, *.json, or a text table by any other name; spreadsheets open *.csv"

    # Names of tables in formats that the command does not write.
    other_tables: tuple[str, ...] = (".tsv",)

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        suffix = Path(value).suffix.lower()
        if suffix in (*_NOT_WRITTEN, *self.other_tables):
            problem = f"{value!r}: {suffix} files cannot be written. Use {self.formats}."
            self.fail(problem, param, ctx)
        return super().convert(value, param, ctx)


class ReportFile(ResultsFile):
    """A report to write, which can be text, CSV or JSON."""

    formats = "*.csv, *.json, or a text report by any other name"


class CsvFile(OutputFile):
    """A table to write as CSV."""

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        if value and not (value.lower().endswith(".csv") or is_special(value)):
            self.fail(f"{value!r} must end in .csv.", param, ctx)
        return super().convert(value, param, ctx)


class EmbeddingFile(OutputFile):
    """A CSV file of embeddings, or an array next to a text file that names the recordings."""

    def files(self, value):
        """Return the file and, for an array, the text file that names the recordings."""
        names = [list_file(value)] if is_npy(value) else []
        return [value, *names]

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        if value and not value.endswith((".npy", ".csv")):
            self.fail(
                f"{value!r} must end in .npy or .csv. For other formats, convert it with pandas.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


def is_npy(path):
    """Return whether a path names an array, which needs a list of files next to it."""
    return path.endswith(".npy")


def list_file(path):
    """Return the path of the list of files for the rows of an array."""
    return str(Path(path).with_suffix(".files.txt"))


class OutputFolder(click.Path):
    """A folder that is created if necessary.

    An empty name, such as that of an unset variable of the shell, would mean the current folder.
    """

    def __init__(self, **options):
        super().__init__(**{"file_okay": False} | options)

    def convert(self, value, param, ctx):
        """Return the path of the folder."""
        if not value:
            self.fail("Expected the name of a folder.", param, ctx)
        return super().convert(value, param, ctx)


class CheckpointPath(OutputFolder):
    """A folder for checkpoints, or a checkpoint file."""

    def __init__(self):
        super().__init__(file_okay=True)

    def files(self, value):
        """Return the checkpoint file; file names in a folder are not known in advance."""
        return [value] if value.endswith(".checkpoint") else []


def check_outputs_are_not_inputs(command, values):
    """Check that a command does not overwrite its inputs and does not write a file twice.

    Links and different paths to the same file are recognized.

    Parameters
    ----------
    command : click.Command
        A command. The types of its parameters show which of them are inputs and outputs.
    values : dict
        The values of its parameters.

    Raises
    ------
    ValueError
        If an output is also an input, or if two outputs are the same file.
    """
    outputs = {}
    for parameter, file in _files(command, values, (OutputFile, CheckpointPath)):
        identity, named = _identity(file), f"{_name(parameter)} {file!r}"
        if identity in outputs and not is_special(file):
            raise ValueError(
                f"{outputs[identity][0]} and {named} are the same file: choose different files."
            )
        outputs[identity] = named, file
    _check_not_among(outputs, (file for _, file in _files(command, values, InputPath)), "an input")


def check_output_is_not_listed(index, output, files, tables=None):
    """Check that a command does not overwrite a file that an index lists.

    `output` is the value of --output, if any, and `tables` contains those of other options, such as
    --predictions.
    """
    given = {"--output": output} | (tables or {})
    outputs = {
        _identity(path): (f"{option} {path!r}", path)
        for option, path in given.items()
        if path is not None
    }
    _check_not_among(outputs, files, f"listed in {index!r}, an input")


def check_outputs_are_not_listed(outputs, files):
    """Check that a command does not overwrite one of its inputs with files in a folder."""
    outputs = {_identity(output): (f"The output {output!r}", output) for output in outputs}
    _check_not_among(outputs, files, "an input")


def _check_not_among(outputs, files, what):
    """Raise if one of the files is an output, unless the output is new or a device."""
    if not any(os.path.isfile(output) for _, output in outputs.values()):
        return
    for file in files:
        named, output = outputs.get(_identity(file), (None, file))
        if named is not None and not is_special(output):
            same = "" if output == file else f"the same file as {file!r}, "
            raise ValueError(f"{named} is {same}{what} of this command: choose another output.")


def _files(command, values, types):
    """Yield (parameter, file) for each file of the parameters that have one of the types."""
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
    """Return a value that is the same for all paths to a file."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
