"""The command check: bad recordings, and a summary of all."""

import click

from skdaf.cli._counts import clips_per_class, described
from skdaf.cli._options import jobs_option, table_options
from skdaf.cli._other_columns import with_other_columns
from skdaf.cli._program import Command, note, quiet_option, verbosity
from skdaf.cli._recordings import any_argument, recordings_options
from skdaf.cli._tables import format_by_name, show

# What the last line counts: columns of the table, and how to say it.
_FINDINGS = {
    "unreadable": "unreadable",
    "is_copy": "copies of others",
    "label_conflict": "with conflicting labels",
    "silent": "silent",
    "clipped": "clipped",
    "cancels": "with channels that cancel out",
    "cut_off": "cut off",
    "odd_duration": "with an odd duration",
}

# The summary names at most this many different sampling rates.
_MAX_RATES = 5


@click.command(cls=Command)
@recordings_options(any_argument)
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help="Also print a row for each recording without findings. A file (--output) always contains "
    "all rows.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Also count a recording as bad if it is silent, clipped, cut off or a duplicate, if a "
    "duplicate has a different label, if its channels cancel out, or if its duration is unusual.",
)
@table_options
@jobs_option
@quiet_option
def check(recordings, show_all, strict, format_, output, n_jobs):
    """Find unreadable recordings and duplicates.

    PATH is a recording, a folder, which is searched for recordings including subfolders, or a table
    (*.csv or *.tsv) with a row for each recording. The exit status is 1 if any recording is bad.
    Without --strict, only recordings that cannot be read are bad, such as missing files of a table.

    The table lists the recordings with findings; with --all or --output, all recordings. The last
    lines are a summary: durations, sampling rates, recordings per class (or folder), and the number
    of findings of each kind. A recording can have several.

    Duplicates contain the same samples; a label conflict is a duplicate in another class folder, or
    with another label in the table. Channels cancel out if their mean, which other commands use, is
    silent. An MP3 file is cut off if it ends in the middle of a frame. A duration is odd if it
    differs widely from almost all others.

    Example: skdaf check recordings
    """
    from skdaf import check_audio

    files, labels = recordings.with_folder_names()
    table = check_audio(files, labels, n_jobs=n_jobs, verbose=verbosity())
    findings = table.assign(unreadable=~table.ok, is_copy=table.duplicate_of.ne(""))
    findings = findings.reindex(columns=list(_FINDINGS), fill_value=False)
    is_text = (format_ or format_by_name(output) or "table") == "table"
    rows = _shown_columns(table, is_text)
    if not is_text:
        rows = with_other_columns(rows, recordings)
    if not (show_all or output is not None):
        rows = rows[findings.any(axis="columns")]
    # A text table without rows would be a line of names.
    if len(rows) or not is_text:
        show(rows, format_, output)
    for line in (*_contents(table, labels), _summary(findings)):
        note(line)
    if findings.any(axis=None) if strict else findings.unreadable.any():
        click.get_current_context().exit(1)


def _shown_columns(table, is_text):
    """Return the table without columns that are the same for all, or known to a reader of text."""
    # Whole recordings have no times.
    unused = [] if (table.start.ne(0) | table.end.notna()).any() else ["start", "end"]
    # The problem comes last, because it may be long.
    known = ["label"] if is_text else []
    hidden = [name for name in (*unused, "problem", *known) if name in table]
    return table.drop(columns=hidden).assign(problem=table.problem)


def _contents(table, labels):
    """Return lines on the durations, the sampling rates and the classes of all recordings."""
    lines = []
    readable = table[table.ok]
    if len(readable):
        durations = readable.duration
        each = f"{durations.min():.3g} to {durations.max():.3g} s each"
        lines.append(f"Duration: {_time(durations.sum())} in total, {each}")
        lines.append(f"Sampling rate: {_rates(readable.sampling_rate)}")
    counts = {} if labels is None else clips_per_class(labels)
    if len(counts) > 1:
        lines.append(f"Per class: {described(counts)}")
    return lines


def _time(seconds):
    """Return a duration as seconds, minutes or hours."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _rates(rates):
    """Return the sampling rates, the most frequent first, with the number of files of each."""
    counts = rates.astype(int).value_counts()
    if len(counts) == 1:
        return f"{counts.index[0]} Hz"
    shown = [f"{rate} Hz ({count})" for rate, count in counts.head(_MAX_RATES).items()]
    others = len(counts) - len(shown)
    return ", ".join([*shown, *([f"{others} others"] if others else [])])


def _summary(findings):
    """Return one line: the number of files, and how many there are of each finding."""
    names = dict(_FINDINGS)
    if findings.is_copy.sum() == 1:
        names["is_copy"] = "copy of another"
    found = ", ".join(f"{findings[c].sum()} {names[c]}" for c in names if findings[c].any())
    return f"{len(findings)} file{'s' * (len(findings) != 1)}: {found or 'no problems'}"
