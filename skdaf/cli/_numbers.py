"""What errors say about numbers in options that are not written with a decimal point."""

import re

from skdaf.cli._cells import advice_on_number

# What click says about a value that is no number; the last name is that of a type of skdaf.
_OF_OPTION = re.compile(
    r"(['\"])(?P<value>.*)\1 is not a valid (?:float|float range|number of seconds)\.", re.DOTALL
)

# What scikit-learn says about a parameter. Python reads 0,5 as a tuple, and cannot read 0,05.
_OF_PARAMETER = re.compile(
    r"must be .*\bfloat\b.* Got (?:'(?P<text>[+-]?\d*,\d+)'|\((?P<pair>-?\d+, \d+)\)) instead\.$",
    re.DOTALL,
)

_WITH_UNIT = re.compile(r"([-+]?\d*[.,]?\d+)\s*([^\W\d_]+|%)")

# Options with times are in seconds.
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "h": 3600}


def advice_on_value(text):
    """Return a sentence about what is probably wrong with the number of an option."""
    found = _WITH_UNIT.fullmatch(text)
    if found is None:
        return advice_on_number(text)
    number, unit = float(found[1].replace(",", ".")), found[2].lower()
    if unit == "%" and 0 < number < 100:
        return f" If it is a fraction, write {number / 100:g}."
    if unit in _SECONDS:
        return (
            f" If it is a time, write it in seconds, without the unit: {number * _SECONDS[unit]:g}."
        )
    return ""


def plain_message(message):
    """Return the message of an error about the value of an option, in plain words for numbers."""
    found = _OF_OPTION.fullmatch(message)
    if found is None:
        return message
    return f"{found['value']!r} is not a number.{advice_on_value(found['value'])}"


def with_decimal_point(error):
    """Return an error about the value of a parameter that says how to write the number.

    None for other errors.
    """
    found = _OF_PARAMETER.search(str(error))
    if found is None:
        return None
    text = found["text"] or found["pair"].replace(" ", "")
    return ValueError(f"{error}{advice_on_number(text)}")
