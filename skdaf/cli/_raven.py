"""What the tables for Raven that segments writes contain."""

import click

from skdaf.cli._results import is_folder


def _checked_range(context, parameter, value):
    if value is not None and not 0 <= value[0] < value[1] < float("inf"):
        raise click.BadParameter(f"{value[0]:g} {value[1]:g}: expected 0 <= LOW < HIGH.")
    return value


frequency_option = click.option(
    "--frequency-range",
    type=(float, float),
    metavar="LOW HIGH",
    callback=_checked_range,
    help="Lowest and highest frequency of the selections in tables for Raven, in Hz.  [default: "
    "the band that the model listens to]",
)


def check_raven_options(values):
    """Raise UsageError if options about tables for Raven have no effect: none is written."""
    # With --truth, --format is that of the report.
    format_ = None if values["truth"] else values["format_"]
    if _writes_raven(format_, values["output"]):
        return
    advice = "name the output *.selections.txt, or add --format raven."
    if values["frequency_range"] is not None:
        raise click.UsageError(f"--frequency-range is for tables for Raven: {advice}")
    if values["label_column"] is not None and not values["truth"]:
        raise click.UsageError(
            f"--label-column is for tables of --truth, and for tables for Raven: {advice}"
        )


def _writes_raven(format_, output):
    if format_ is not None or output is None:
        return format_ == "raven"
    from skdaf._segments.writing import segment_format

    return not is_folder(output) and segment_format(output) == "raven"


def raven_parameters(values, truth, predictor):
    """Return parameters of `write_segments` for tables of Raven.

    Parameters
    ----------
    values : dict
        The options of the command.
    truth : Truth or None
        The annotations, whose column of labels is the default.
    predictor : estimator
        By default, selections are as high as the band that it listens to.
    """
    from skdaf._estimators.fitted import frequency_range

    names = [values["label_column"], truth and truth.label_column]
    return {
        "label_column": next(filter(None, names), "Annotation"),
        "frequency_range": values["frequency_range"] or frequency_range(predictor),
    }
