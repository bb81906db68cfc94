"""Arguments and options that several commands share, and the parsing of --set."""

import ast
import difflib

import click

from skdaf.cli._completion import complete_parameter
from skdaf.cli._decimal_comma import decimal_comma_option
from skdaf.cli._folds import fold_option
from skdaf.cli._models import ModelFile
from skdaf.cli._paths import CsvFile, InputPath, OutputFile, OutputFolder, ResultsFile
from skdaf.cli._program import quiet_option


class Assignment(click.ParamType):
    """``NAME=VALUE``, where the value is a Python literal or, if it cannot be parsed, text."""

    name = "name=value"

    def convert(self, value, param, ctx):
        """Return the name and the value."""
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} must have the form NAME=VALUE.", param, ctx)
        try:
            return name, ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return name, text

    def shell_complete(self, ctx, param, incomplete):
        """Return the names of parameters that begin with a text, each with an equals sign."""
        return complete_parameter(ctx, incomplete)


def one_value_per_name(*several):
    """Return a callback of an option NAME=VALUE, which refuses different values of one name.

    The names in `several` can have any number of values.
    """

    def check(context, parameter, pairs):
        values = {}
        for name, value in pairs:
            if values.setdefault(name, value) != value and name not in several:
                raise click.BadParameter(f"{name} has two values, {values[name]} and {value}.")
        return pairs

    return check


class WholeNumber(click.IntRange):
    """A whole number in a range, with a name that error messages can contain."""

    name = "whole number"


def combine_options(*decorators):
    """Return a decorator that applies several; the help lists their options in this order."""

    def decorate(command):
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


model_argument = click.argument("model", type=ModelFile())

paths_argument = click.argument(
    "paths", type=InputPath(), nargs=-1, required=True, metavar="PATH..."
)

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Also load pickles (joblib files). Pickles can run arbitrary code: only load files that "
    "you trust.",
)


def _checked_jobs(context, parameter, value):
    if value == 0:
        raise click.BadParameter("0 is not allowed; expected 1, 2, ... or -1 for all cores.")
    return value


jobs_option = click.option(
    "--n-jobs",
    type=int,
    metavar="N",
    callback=_checked_jobs,
    help="Number of workers that read files; -1 uses one per core.  [default: 1]",
)

cache_option = click.option(
    "--cache",
    type=OutputFolder(),
    metavar="FOLDER",
    help="Keep the spectrograms and features of the model in this folder, and reuse them: in later "
    "runs on the same files, and if you run the command again after an interruption.",
)

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json"]),
    help="Format of the results.  [default: from the extension of the output file, else table]",
)

layers_option = click.option(
    "--layers-dropped",
    type=WholeNumber(min=0),
    metavar="K",
    help='Use the output of the network without its last K layers ("skdaf info" lists them).',
)

step_option = click.option(
    "--step",
    type=float,
    metavar="SECONDS",
    help="Time in seconds from the start of one window to the next.  [default: the length of a "
    "window]",
)

window_options = combine_options(
    click.option(
        "--window",
        type=float,
        metavar="SECONDS",
        help="Length of each window in seconds.  [default: the length of the training clips; 1 if "
        "the model does not know it]",
    ),
    step_option,
)


def is_given(value):
    """Return whether an option without a default was given; zero is a value, too."""
    return value is not None and value is not False


def output_option(what, type_=None, **settings):
    """Return the option --output; its help begins with `what`."""
    help_text = f"{what} An existing file is replaced once the new one is complete."
    return click.option(*("--output", "-o"), type=type_ or OutputFile(), help=help_text, **settings)


# Options of all commands that use a model, and of all commands that write a table.
using_options = combine_options(trust_option, cache_option, jobs_option, quiet_option)
table_options = combine_options(
    format_option,
    output_option("Write the results to this file.", ResultsFile()),
    decimal_comma_option,
)

training_options = combine_options(
    output_option("Model file to write, usually *.skops.", required=True),
    click.option(
        "--set",
        "settings",
        type=Assignment(),
        multiple=True,
        callback=one_value_per_name(),
        metavar="NAME=VALUE",
        help="Set a parameter of the model, such as learning_rate=0.01. Can be repeated.",
    ),
    click.option(
        "--test-fraction",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="FRACTION",
        help="Keep this fraction of the clips out of training and report the scores on them.",
    ),
    click.option(
        "--cv",
        type=WholeNumber(min=2),
        metavar="N",
        help="Before the training on all clips, cross-validate with N folds: report the scores on "
        "all clips, each tested by a model that was trained without it, and without its group "
        "(--group-column, or its recording with --annotations). Trains N + 1 models.",
    ),
    fold_option,
    click.option(
        "--predictions",
        type=CsvFile(),
        metavar="FILE",
        help="Also write what is predicted for each clip that --test-fraction, --cv or "
        "--fold-column tests, next to what is true, and in which fold, as CSV.",
    ),
    click.option(
        "--scores",
        type=CsvFile(),
        metavar="FILE",
        help="Also write the scores on the clips that --test-fraction, --cv or --fold-column tests "
        'as CSV: the table of "skdaf report --format csv", with a row for each fold, too.',
    ),
    decimal_comma_option,
    click.option(
        "--seed",
        type=WholeNumber(min=0, max=2**32 - 1),
        default=0,
        show_default=True,
        help="Random seed. The same seed gives the same model.",
    ),
    jobs_option,
    quiet_option,
)


def configure(estimator, values):
    """Set parameters, and check them before any recording is read.

    The error for an unknown parameter suggests similar names.
    """
    check_names(values, parameter_names(estimator), type(estimator).__name__)
    estimator.set_params(**values)
    _check_values(estimator, values)
    return estimator


def check_names(names, known, what):
    """Raise ValueError if one of some names is not known; suggest similar ones."""
    for name in names:
        if name not in known:
            close = [other for other in known if other.endswith(f"__{name}")]
            close = close or difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(known)}."
            raise ValueError(f"{what} has no parameter {name!r}: {hint}")


def _check_values(estimator, names):
    """Check the parameters of an estimator, and of those inside it that have one of the names."""
    parts = estimator.get_params() | {"": estimator}
    for owner in {"", *(name.rpartition("__")[0] for name in names)}:
        part = parts.get(owner)
        try:
            if hasattr(part, "_parameter_constraints"):
                part._validate_params()
            if hasattr(part, "_check_parameters"):  # of skdaf
                part._check_parameters()
        except TypeError as error:
            raise ValueError(str(error)) from error


def parameter_names(estimator):
    """Return the names of all parameters of an estimator, also those of the default front end."""
    from sklearn.base import clone

    from skdaf import SpectrogramTransformer

    # None means the default front end, whose parameters can be set too.
    if getattr(estimator, "frontend", estimator) is None:
        estimator = clone(estimator).set_params(frontend=SpectrogramTransformer())
    return sorted(estimator.get_params())
