"""Where the command segments writes its results: a table, or a file for each recording."""

import os
from pathlib import Path

import click

from skdaf.cli._counts import counted
from skdaf.cli._paths import ResultsFile, check_outputs_are_not_listed
from skdaf.cli._program import note
from skdaf.cli._tables import format_by_name, show

COLUMNS = ["start", "end", "label"]

# Formats that write_segments writes.
LABEL_FORMATS = ("audacity", "raven")

# What is appended to the name of a recording, without its extension. Thus, no annotations by hand
# are replaced, and the names of files still tell which recording they belong to.
_ENDINGS = {
    "audacity": ".skdaf.txt",
    "raven": ".skdaf.selections.txt",
    "csv": ".skdaf.csv",
    "json": ".skdaf.json",
    "table": ".skdaf.table.txt",
}


def is_folder(path):
    """Return whether an output is a folder: one that exists, or a name that ends with a slash."""
    return path.endswith((os.sep, "/")) or os.path.isdir(path)


class OutputFileOrFolder(ResultsFile):
    """A file to write, or a folder for a file for each recording."""

    formats = (
        "*.csv, *.json, *.selections.txt (Raven), or *.txt (Audacity); spreadsheets open *.csv"
    )
    other_tables = ()

    def files(self, value):
        """Return the file; those in a folder are not known in advance."""
        return [] if is_folder(value) else super().files(value)

    def convert(self, value, param, ctx):
        """Return the path."""
        if not (value and is_folder(value)):
            return super().convert(value, param, ctx)
        # The parent of a folder that does not exist yet must be writable.
        exists = os.path.isdir(value)
        super().convert(os.path.join(value, "x") if exists else value.rstrip("/\\"), param, ctx)
        return value


class Results:
    """The results of recordings, which are printed or written.

    Parameters
    ----------
    recordings : list of str
    several : bool
        Whether tables have a column of recordings.
    format_, output
        The options of the command.
    inputs : list of str
        Other files that the command reads, which must not be replaced.
    default : {"audacity", "csv"}
        The format of files whose names do not choose another one.
    raven : dict, default=None
        Parameters of `skdaf.write_segments` for tables of Raven.
    """

    def __init__(self, recordings, several, format_, output, inputs, default, raven=None):
        self._raven = raven
        self._several, self._format, self._output = several, format_, output
        self._default, self._tables, self._paths = default, [], {}
        if output is not None and is_folder(output):
            ending = _ENDINGS[format_ or default]
            self._paths = {one: _path_in(output, one, ending) for one in recordings}
            _check_paths(self._paths)
            check_outputs_are_not_listed(self._paths.values(), [*recordings, *inputs])

    def add(self, recording, table):
        """Write the results of a recording to its file, or keep them for the table of all."""
        if self._paths:
            os.makedirs(self._output, exist_ok=True)
            write_segments(
                table, self._paths[recording], self._format or self._default, raven=self._raven
            )
        elif self._several:
            table = table.set_axis(_free_names(table), axis="columns")
            table.insert(0, "file", recording)
            self._tables.append(table)
        else:
            self._tables.append(table)

    def finish(self, quiet=False):
        """Print or write the table of all recordings; print nothing if `quiet` is true."""
        import pandas as pd

        if self._paths or (quiet and self._output is None):
            return
        # Without empty tables, which could change the types of columns.
        tables = [table for table in self._tables if len(table)] or self._tables[:1]
        table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
        if self._output is None:
            show(table, self._format)
        else:
            write_segments(table, self._output, self._format, self._default, raven=self._raven)


def check_output(values, several):
    """Raise UsageError if the output cannot contain what the options ask for.

    Parameters
    ----------
    values : dict
        The options of the command.
    several : bool
        Whether there are several recordings.
    """
    # With --truth, --format is that of the report.
    format_, output = None if values["truth"] else values["format_"], values["output"]
    if format_ in LABEL_FORMATS and output is None:
        raise click.UsageError(f"--format {format_} requires --output.")
    if values["proba"]:
        _check_has_probabilities(format_, output, bool(values["truth"]))
    if not several or output is None or is_folder(output):
        return
    kind = format_ or format_by_name(output)
    if kind in LABEL_FORMATS or kind is None:
        raise click.UsageError(
            f"--output {output!r} would contain the labels of several recordings: pass a folder "
            f"({output}/) for a file of each, or a table (*.csv or *.json)."
        )


def _check_has_probabilities(format_, output, has_truth):
    """Raise UsageError if --proba has no effect."""
    if output is None:
        if has_truth:
            raise click.UsageError(
                "With --truth, segments and their probabilities are only written to a file: omit "
                "--proba, or add -o FILE.csv."
            )
        return
    if _is_for_audacity(format_, output):
        way = "name the output *.csv or *.json" if has_truth else "add --format csv, json or raven"
        raise click.UsageError(
            f"Labels for Audacity contain no probabilities: omit --proba, or {way}."
        )


def _is_for_audacity(format_, output):
    kind = format_ or format_by_name(output)
    if kind is not None or is_folder(output):
        return kind in ("audacity", None)
    from skdaf._segments.writing import segment_format

    return segment_format(output) == "audacity"


def write_segments(table, output, format_, default="audacity", announce=True, raven=None):
    """Write the segments or the numbers of a recording, or a table of several recordings.

    `raven` contains parameters of `skdaf.write_segments` for tables of Raven.
    """
    from skdaf import write_segments as write

    if format_ in LABEL_FORMATS or (not (format_ or format_by_name(output)) and default != "csv"):
        write(table, output, format=format_, **(raven or {}))
        if announce:
            note(f"Wrote {counted(len(table), 'segment')} to {output}")
    else:
        show(table, format_, output, default, announce)


def _path_in(folder, recording, ending):
    return os.path.join(folder, Path(recording).stem + ending)


def _check_paths(paths):
    """Raise ValueError if two recordings would have the same file."""
    first = {}
    for recording, path in paths.items():
        if path in first:
            raise ValueError(
                f"The results of {first[path]!r} and {recording!r} would both be written to "
                f"{path!r}: write a table instead (-o segments.csv), or use several folders."
            )
        first[path] = recording


def _free_names(table):
    """Return the names of the columns of a table; a class called file gets another name."""
    names = {*table.columns}
    return [_other_name(name, names) if name == "file" else name for name in table.columns]


def _other_name(name, names):
    while name in names:
        name += "_"
    return name
