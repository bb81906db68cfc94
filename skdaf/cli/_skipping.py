"""The option --skip-unreadable: use the other recordings, and list the unreadable ones."""

from contextlib import contextmanager

import click

from skdaf.cli._program import verbosity
from skdaf.cli._text import echo_error, visible

skip_option = click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Leave out recordings that cannot be read, list them at the end, and exit with 1. All "
    "recordings are read once more for this.",
)


@contextmanager
def readable(files, is_on, n_jobs):
    """Yield the files that can be read; at the end, list the others and exit with 1.

    Parameters
    ----------
    files : list of str
    is_on : bool
        Whether the user wants this; if not, all files are yielded.
    n_jobs : int or None
    """
    if not is_on:
        yield files
        return
    from skdaf import check_audio

    table = check_audio(files, n_jobs=n_jobs, verbose=verbosity())
    problems = dict(zip(table.path[~table.ok], table.problem[~table.ok], strict=True))
    lines = [f"{path!r}: {problem}" for path, problem in problems.items()]
    if table.ok.any():
        yield [file for file, ok in zip(files, table.ok, strict=True) if ok]
    else:
        raise ValueError(f"None of the recordings can be read, such as {lines[0]}")
    if lines:
        n_skipped = f"{len(lines)} unreadable recording{'s' * (len(lines) != 1)}"
        echo_error("\n".join([f"Skipped {n_skipped}:", *map(visible, lines)]))
        click.get_current_context().exit(1)
