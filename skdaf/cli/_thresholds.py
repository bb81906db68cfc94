"""The option --threshold: the lowest probabilities of detections in windows."""

import click

from skdaf.cli._numbers import advice_on_value
from skdaf.cli._options import one_value_per_name


class Threshold(click.ParamType):
    """``P`` or ``CLASS=P``; the value is a pair of the class (or None) and the probability."""

    name = "threshold"

    def convert(self, value, param, ctx):
        """Return the class and the probability."""
        label, equals, text = value.rpartition("=")
        try:
            probability = float(text)
        except ValueError:
            problem = f"{value!r} must have the form P or CLASS=P, with a number P."
            self.fail(problem + advice_on_value(text), param, ctx)
        if not 0 < probability <= 1:
            hint = f" Did you mean {probability / 100:g}?" if 2 <= probability <= 100 else ""
            self.fail(
                f"{value!r}: P must be a probability between 0 and 1 (above 0).{hint}",
                param,
                ctx,
            )
        return label if equals else None, probability


threshold_option = click.option(
    "--threshold",
    "thresholds",
    type=Threshold(),
    multiple=True,
    callback=one_value_per_name(None),
    metavar="[CLASS=]P",
    help="Only detect a class in windows in which its probability is at least P. CLASS=P sets the "
    "threshold of one class and can be repeated.",
)


def as_threshold(values):
    """Return the parameter `threshold` of `predict_segments` for the values of the option."""
    if not values:
        return None
    labels = [label for label, _ in values]
    if None not in labels:
        return dict(values)
    if len(values) > 1:
        raise click.UsageError("--threshold can only be repeated with classes, CLASS=P.")
    return values[0][1]
