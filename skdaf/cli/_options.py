"""Arguments and options that several commands share, and how --set is understood."""

import ast
import difflib

import click

from skdaf.cli._paths import InputPath, OutputFile
from skdaf.cli._program import quiet_option


class Assignment(click.ParamType):
    """``name=value``, where the value is a Python literal or else a string."""

    name = "name=value"

    def convert(self, value, param, ctx):
        """Return name and value."""
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not of the form NAME=VALUE.", param, ctx)
        try:
            return name, ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return name, text


def all_of(*decorators):
    """Make one decorator of several; help shows them in this order."""

    def decorate(command):
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


model_argument = click.argument("model", type=InputPath(dir_okay=False))

paths_argument = click.argument(
    "paths", type=InputPath(), nargs=-1, required=True, metavar="PATH..."
)

folders_argument = click.argument(
    "folders", type=InputPath(), nargs=-1, required=True, metavar="FOLDER..."
)

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Also load pickles (joblib files). They can run any code: only from those you trust.",
)

jobs_option = click.option(
    "--n-jobs",
    type=int,
    metavar="N",
    help="Workers that read files; -1 is one per core.  [default: 1]",
)

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json"]),
    help="How to write the results.  [default: by the name of the output file, else table]",
)

layers_option = click.option(
    "--layers-dropped",
    type=click.IntRange(min=0),
    metavar="K",
    help='Give the outputs of the network without its last K layers ("skdaf info" lists them).',
)

window_options = all_of(
    click.option(
        "--window",
        type=float,
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="Length of a window.",
    ),
    click.option(
        "--step",
        type=float,
        metavar="SECONDS",
        help="From window to window.  [default: the window: no overlap]",
    ),
)


def output_option(what, type_=None, **settings):
    """Return --output; `what` it takes is shown in the help."""
    help_text = f"{what} A file that is there is replaced when the new one is complete."
    return click.option(*("--output", "-o"), type=type_ or OutputFile(), help=help_text, **settings)


# What all commands around a model have, and all those that write a table.
using_options = all_of(trust_option, jobs_option, quiet_option)
table_options = all_of(format_option, output_option("Write to this file."))

training_options = all_of(
    output_option("The model file to write, usually named *.skops.", required=True),
    click.option(
        "--set",
        "settings",
        type=Assignment(),
        multiple=True,
        metavar="NAME=VALUE",
        help="Any parameter of the estimator, such as learning_rate=0.01; can be repeated.",
    ),
    click.option(
        "--test-fraction",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="SHARE",
        help="Keep this share of the clips out of training, and report on it.",
    ),
    click.option(
        "--seed",
        type=int,
        default=0,
        show_default=True,
        help="The same seed gives the same model.",
    ),
    jobs_option,
    quiet_option,
)


def configure(estimator, values):
    """Set parameters; one that does not exist is an error that guesses what was meant."""
    known = _parameter_names(estimator)
    for name in values:
        if name not in known:
            close = [other for other in known if other.endswith(f"__{name}")]
            close = close or difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(known)}."
            raise ValueError(f"{type(estimator).__name__} has no parameter {name!r}: {hint}")
    return estimator.set_params(**values)


def _parameter_names(estimator):
    from sklearn.base import clone

    from skdaf import SpectrogramTransformer

    # A front end that is None is the default one: its parameters can be set all the same.
    if getattr(estimator, "frontend", estimator) is None:
        estimator = clone(estimator).set_params(frontend=SpectrogramTransformer())
    return sorted(estimator.get_params())
