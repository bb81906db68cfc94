"""The `skdaf` command: a thin layer over the public names.

Nothing heavy is imported before a command runs, so that help and completion come at once.
"""

import click

from skdaf import __version__
from skdaf.cli._files import check, convert, info
from skdaf.cli._predicting import embed, predict, report, segments
from skdaf.cli._program import Program
from skdaf.cli._similar import similar
from skdaf.cli._training import combine, train, transfer

__all__ = ["main"]


@click.group(
    cls=Program,
    name="skdaf",
    # After the backspace the lines stay as they are.
    epilog="\b\nCompletion in bash; zsh_source, fish_source for other shells:\n"
    '  eval "$(_SKDAF_COMPLETE=bash_source skdaf)"',
)
@click.version_option(__version__, prog_name="skdaf")
def main():
    """Train neural networks on audio files, and use them.

    Results go to the standard output, everything else to the standard error. The exit status is 0
    when all went well, 2 after an error, 130 after ctrl-C; "check" has 1 for bad files.
    """


for command in (
    *(train, transfer, combine),
    *(predict, segments, embed, similar, report),
    *(info, check, convert),
):
    main.add_command(command)
