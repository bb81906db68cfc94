"""Errors about numbers in options."""

import pytest
from cli_commands import misuse

from skdaf.cli._numbers import advice_on_value, plain_message, with_decimal_point


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1,5", " Write it with a decimal point: 1.5."),
        ("1.000,5", " Write it without separators of thousands: 1000.5."),
        ("2 s", " If it is a time, write it in seconds, without the unit: 2."),
        ("500ms", " If it is a time, write it in seconds, without the unit: 0.5."),
        ("1,5 min", " If it is a time, write it in seconds, without the unit: 90."),
        ("20%", " If it is a fraction, write 0.2."),
        ("12,5 %", " If it is a fraction, write 0.125."),
        (".3%", " If it is a fraction, write 0.003."),
        *[(text, "") for text in ("much", "150%", "0%", "-5%", "1e", "2 Hz")],
    ],
)
def test_advice(value, expected):
    assert advice_on_value(value) == expected


@pytest.mark.parametrize("kind", ["float", "float range", "number of seconds"])
def test_plain_messages(kind):
    expected = "'0,2' is not a number. Write it with a decimal point: 0.2."
    assert plain_message(f"'0,2' is not a valid {kind}.") == expected


@pytest.mark.parametrize("message", ["", "2.0 is not in the range 0<x<1.", "'a' is not a valid x."])
def test_other_messages_stay(message):
    assert plain_message(message) == message


@pytest.mark.parametrize(
    ("got", "expected"),
    [("(0, 5)", "0.5"), ("'0,05'", "0.05"), ("(-1, 5)", "-1.5"), ("(1, 2, 3)", None)],
)
def test_parameters(got, expected):
    problem = f"The 'x' parameter of A must be a float in the range (0.0, inf). Got {got} instead."
    error = with_decimal_point(ValueError(problem))
    if expected is None:
        assert error is None
    else:
        assert str(error) == f"{problem} Write it with a decimal point: {expected}."
    assert with_decimal_point(ValueError(problem.replace("a float", "an int"))) is None


@pytest.mark.usefixtures("inside_workspace")
@pytest.mark.parametrize(
    "words",
    [
        "segments model.skops long.wav --window 0,5",
        "segments model.skops long.wav --figure x.png --figure-start 0,5",
        "predict model.skops long.wav --segments --threshold low_tone=0,5",
        "train recordings -o x.skops --test-fraction 0,5",
        "train recordings -o x.skops --set learning_rate=0,5",
    ],
)
def test_commands(words):
    assert "Write it with a decimal point: 0.5." in misuse(*words.split())
