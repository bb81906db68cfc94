"""The option --decimal-comma of all commands that write CSV."""

from functools import wraps

import click

from skdaf.cli._csv import use_decimal_comma
from skdaf.cli._tables import format_by_name


def decimal_comma_option(command):
    """Add the option --decimal-comma, which is refused where a command writes no CSV.

    The command does not get its value: `show` and the other functions that write CSV know it.
    """

    @wraps(command)
    def run(decimal_comma, **values):
        if decimal_comma:
            _check_writes_csv(values)
            use_decimal_comma()
        return command(**values)

    return click.option(
        "--decimal-comma",
        is_flag=True,
        help="Write CSV with semicolons between columns and commas in numbers, as Excel expects in "
        "many countries.",
    )(run)


def _check_writes_csv(values):
    """Raise UsageError if a command, with the values of its other options, writes no CSV."""
    if values.get("tune_thresholds"):
        raise click.UsageError("--tune-thresholds writes no CSV: omit --decimal-comma.")
    if "predictions" in values:
        if values["predictions"] is None and values["scores"] is None:
            raise click.UsageError(
                "--decimal-comma needs --predictions FILE.csv or --scores FILE.csv."
            )
        return
    # With --truth, --format is that of the report; embed has no other text than CSV.
    has_format = "format_" in values and not values.get("truth")
    if _format(values, has_format) != "csv":
        ways = ["add --format csv"] if has_format else []
        ways.append("name the output *.csv" if values["output"] else "add -o FILE.csv")
        raise click.UsageError(f"--decimal-comma is for CSV: {', or '.join(ways)}.")


def _format(values, has_format):
    """Return the format of the results, as far as it is known before the model is loaded."""
    output = values["output"]
    chosen = (values["format_"] if has_format else None) or format_by_name(output)
    prints_csv = "format_" not in values and output is None
    # Tables of layers have too many columns for text.
    has_layers = has_format and values.get("layers_dropped") is not None
    return chosen or ("csv" if prints_csv or has_layers else None)
