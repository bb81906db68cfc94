"""What the tables for Raven that segments writes contain."""

import click


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
