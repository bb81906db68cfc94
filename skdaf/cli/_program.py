"""Errors, warnings, messages and progress bars of the command."""

import difflib
import os
import re
import signal
import warnings
from contextlib import contextmanager

import click

from skdaf._core.progress import no_log_of_short_work
from skdaf._core.requirements import MissingPackageError
from skdaf.cli._numbers import plain_message, with_decimal_point
from skdaf.cli._paths import NO_STANDARD_INPUT, check_outputs_are_not_inputs
from skdaf.cli._text import discard_unwritten_output, echo_error, visible

# If no command is given, click shows the help; since version 8.2, it raises this error to do so.
_NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())

# Options for raw samples on standard input, which files do not need.
_OF_STANDARD_INPUT = ("--rate", "--channels", "--sample-format")

# An error about an option names at most this many other commands that have it.
_MAX_COMMANDS = 5

_QUIET, _ARGUMENTS = "skdaf.quiet", "skdaf.arguments"


class Failure(click.ClickException):
    """An error that the user can fix: one sentence, exit status 2."""

    exit_code = 2

    def show(self, file=None):
        """Print the sentence."""
        echo_error(f"Error: {self.message}")


class Interrupted(click.ClickException):
    """Raised after Ctrl-C or SIGTERM: one line, and the usual exit status."""

    def __init__(self, number=signal.SIGINT, message=None):
        super().__init__(message or ("Interrupted." if number == signal.SIGINT else "Terminated."))
        self.exit_code = 128 + number

    def show(self, file=None):
        """Print the line."""
        echo_error(self.message)


class Program(click.Group):
    """A group of commands that prints each error and warning on one line."""

    def make_context(self, *args, **kwargs):
        """Parse the arguments of the group."""
        with _plain_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        """Parse the arguments of a command and run it."""
        with _plain_errors(), _plain_warnings(), no_log_of_short_work():
            return super().invoke(ctx)

    def resolve_command(self, ctx, args):
        """Return the command that the arguments name; suggest similar names."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            similar = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if similar:
                error.message += f" Did you mean {similar[0]!r}?"
            raise

    def list_commands(self, ctx):
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)


class CommandWithoutTables(click.Command):
    """A command that never overwrites its inputs, and makes no tables of file names."""

    def parse_args(self, ctx, args):
        """Parse the arguments; say which command reads standard input."""
        ctx.meta[_ARGUMENTS] = [*args]  # click removes arguments from the list
        has_dash = "-" in args
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            error.message = plain_message(error.message)
            raise
        except click.NoSuchOption as error:
            if has_dash and error.option_name in _OF_STANDARD_INPUT:
                problem = f"No such option: {error.option_name}: {NO_STANDARD_INPUT}"
                raise click.UsageError(problem, ctx) from error
            advice = _option_of_others(self, ctx, error.option_name)
            error.possibilities = () if advice else _similar_options(error)
            if not advice and any("--set" in parameter.opts for parameter in self.params):
                advice = " Parameters of the model need --set, such as --set max_epochs=5."
            error.message += f".{advice}"
            raise

    def invoke(self, ctx):
        """Run the command, unless it would overwrite a file that it reads."""
        check_outputs_are_not_inputs(self, ctx.params)
        try:
            return super().invoke(ctx)
        except ValueError as error:
            raise _with_option(error, ctx) or with_decimal_point(error) or error from None


def _with_option(error, context):
    """Return an error that names an option in place of a parameter of a function; None for others.

    scikit-learn raises such errors about the values of parameters.
    """
    found = re.match(r"The '(\w+)' parameter of \w+ (must be .*)", str(error), re.DOTALL)
    for parameter in context.command.params if found else ():
        source = context.get_parameter_source(parameter.name)
        if parameter.name == found[1] and source.name != "DEFAULT":
            return ValueError(f"{parameter.opts[0]} {found[2]}")
    return None


def _similar_options(error):
    """Return the options that click suggests, without those that share little but the dashes."""
    name, known = error.option_name.strip("-"), error.possibilities or ()
    return [f"--{close}" for close in difflib.get_close_matches(name, [o[2:] for o in known])]


def _option_of_others(command, context, option):
    """Return what to do instead of an option that other commands have; "" for other options."""
    if option == "--channel":
        return (
            " A model uses the channel that it was trained with (skdaf train --channel N), which "
            '"skdaf info" shows; without it, the mean of all channels.'
        )
    takes_columns = any("--column" in parameter.opts for parameter in command.params)
    if takes_columns and option in ("--path", "--label", "--labels", "--target"):
        return f" Columns of a table need --column, such as --column {option[2:].rstrip('s')}=NAME."
    if context.parent is None or option in _OF_STANDARD_INPUT:
        return ""
    others = _commands_with(context.parent, option)
    if not 0 < len(others) <= _MAX_COMMANDS:
        return ""
    group = "" if context.parent.parent is None else f"{context.parent.info_name} "
    *first, last = (f'"skdaf {group}{name}"' for name in others)
    return f" It is an option of {' and '.join(filter(None, [', '.join(first), last]))}."


def _commands_with(context, option):
    """Return the names of the commands of a group that have an option."""
    group = context.command
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return [
        name
        for name, command in commands.items()
        if any(option in parameter.opts for parameter in command.params)
    ]


class Command(CommandWithoutTables):
    """A command that never overwrites its inputs."""

    def invoke(self, ctx):
        """Run the command with tables that can store any file name."""
        import pandas as pd

        from skdaf._audio.unusual_clips import each_clip_named_once

        # PyArrow cannot store file names that are not UTF-8.
        with pd.option_context("mode.string_storage", "python"), each_clip_named_once():
            return super().invoke(ctx)


@contextmanager
def _plain_errors():
    try:
        yield
    except _NO_ARGUMENTS:
        raise
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "skdaf"
        raise Failure(f"{_in_one_line(error.format_message())} See '{where} --help'.") from error
    except BrokenPipeError:
        raise  # the reader closed the pipe: click exits silently
    except (OSError, ValueError, MissingPackageError) as error:
        discard_unwritten_output()
        raise Failure(_sentence(error)) from error
    except (KeyboardInterrupt, click.Abort) as error:
        raise Interrupted from error


def _sentence(error):
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)!r}: " if error.filename else ""
        return f"{where}{error.strerror}."
    # Errors about several files have one line per file. Other line breaks come from a repr.
    return str(error) if getattr(error, "paths", ()) else _in_one_line(error)


def _in_one_line(text):
    return visible(" ".join(str(text).split()))


@contextmanager
def _plain_warnings():
    shown = set()

    def show(message, *_, **__):
        # Python would repeat it for other recordings: it forgets what it has shown whenever any
        # code enters `warnings.catch_warnings`.
        if str(message) not in shown:
            shown.add(str(message))
            echo_error(f"Warning: {_in_one_line(message)}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def recorded_warnings(category, *, shown=True):
    """Yield a list that gets the warnings of a category, which are also shown by default."""
    found, show = [], warnings.showwarning

    def record(message, *args, **kwargs):
        is_recorded = isinstance(message, category)
        if is_recorded:
            found.append(message)
        if shown or not is_recorded:
            show(message, *args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("always", category)
        warnings.showwarning = record
        yield found


def raw_arguments(context):
    """Return what the user wrote after the name of the command, for errors."""
    return [] if context is None else context.meta.get(_ARGUMENTS, [])


def quiet_option(command):
    """Add the option --quiet, which turns off `note` and progress."""

    def remember(context, parameter, value):
        context.meta[_QUIET] = value

    return click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Hide notes and progress; warnings and errors are still shown.",
    )(command)


def note(text, keep=""):
    """Print a message that is not a result, unless --quiet is given.

    `keep` contains unsafe characters to print, as in `visible`.
    """
    if not click.get_current_context().meta.get(_QUIET):
        echo_error(visible(text, keep))


def verbosity():
    """Return 0 with --quiet, and otherwise 1: show progress."""
    return int(not click.get_current_context().meta.get(_QUIET))
