"""How the program meets its user: errors, warnings, notes, progress."""

import os
import sys
import warnings
from contextlib import contextmanager

import click

from skdaf.cli._paths import refuse_outputs_among_inputs
from skdaf.cli._text import drop_unwritten, echo_error, visible

# Called without a command, a program explains itself. Before click 8.2 that was no error.
_CALL_FOR_HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())

_QUIET = "skdaf.quiet"


class Failure(click.ClickException):
    """What the user can mend: one sentence, exit status 2."""

    exit_code = 2

    def show(self, file=None):
        """Write the sentence."""
        echo_error(f"Error: {self.message}")


class Interrupted(click.ClickException):
    """The user pressed ctrl-C: one line, and the exit status that shells expect."""

    exit_code = 130

    def __init__(self):
        super().__init__("Interrupted.")

    def show(self, file=None):
        """Say so."""
        echo_error(self.message)


class Program(click.Group):
    """A group of commands that reports errors and warnings in one line each."""

    def make_context(self, *args, **kwargs):
        """Read the arguments of the group itself."""
        with _plain_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        """Read the arguments of a command, and run it."""
        with _plain_errors(), _plain_warnings():
            return super().invoke(ctx)

    def list_commands(self, ctx):
        """Name the commands in the order in which one needs them."""
        return list(self.commands)


class Command(click.Command):
    """A command that leaves its inputs as they are."""

    def invoke(self, ctx):
        """Run it, unless it would replace a file that it reads."""
        refuse_outputs_among_inputs(self, ctx.params)
        import pandas as pd

        # Another storage of text has no place for names that are not UTF-8.
        with pd.option_context("mode.string_storage", "python"):
            return super().invoke(ctx)


@contextmanager
def _plain_errors():
    try:
        yield
    except _CALL_FOR_HELP:
        raise
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "skdaf"
        raise Failure(f"{_in_one_line(error.format_message())} See '{where} --help'.") from error
    except BrokenPipeError:
        raise  # nobody reads on: click ends the program without a word
    except (OSError, ValueError) as error:
        drop_unwritten()
        raise Failure(_sentence(error)) from error
    except (KeyboardInterrupt, click.Abort) as error:
        raise Interrupted from error


def _sentence(error):
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)!r}: " if error.filename else ""
        return f"{where}{error.strerror}."
    # Errors about many files list them line by line; elsewhere lines are those of some repr.
    return str(error) if getattr(error, "paths", ()) else _in_one_line(error)


def _in_one_line(text):
    return visible(" ".join(str(text).split()))


@contextmanager
def _plain_warnings():
    def show(message, *_, **__):
        echo_error(f"Warning: {_in_one_line(message)}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def quiet_option(command):
    """Add --quiet, which `note` and `verbosity` obey."""

    def remember(context, parameter, value):
        context.meta[_QUIET] = value

    return click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="No progress and no notes; warnings and errors are still shown.",
    )(command)


def note(text):
    """Tell the user something that is not a result."""
    if not click.get_current_context().meta.get(_QUIET):
        echo_error(visible(text))


def verbosity():
    """Return 1 where somebody may be watching progress bars."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    is_watched = is_terminal and not click.get_current_context().meta.get(_QUIET)
    return int(is_watched)
