"""Functions and classes that build networks get the arguments that they accept."""

import functools

import pytest

from skdaf._networks.builders import call_builder, option_names, receives_n_outputs

pytestmark = pytest.mark.oldest

SHAPE = (12, 10)


def record(**received):
    return received


def by_position(shape, n, **options):
    return record(shape=shape, n=n, **options)


def as_before(
    input_shape, n_outputs, *, channels=None, kernel_size=None, hidden_units=None, dropout=None
):
    return record(**locals())


class Network:
    def __init__(self, n_outputs, width=16):
        self.received = {"n_outputs": n_outputs, "width": width}


def call(builder, **options):
    built = call_builder(builder, SHAPE, 3, options)
    return getattr(built, "received", built)


UNSET = dict.fromkeys(["channels", "kernel_size", "hidden_units", "dropout"])


@pytest.mark.parametrize(
    ("builder", "options", "expected"),
    [
        (as_before, {}, {"input_shape": SHAPE, "n_outputs": 3, **UNSET}),
        (
            as_before,
            {"dropout": 0.1},
            {"input_shape": SHAPE, "n_outputs": 3, **UNSET, "dropout": 0.1},
        ),
        (by_position, {"width": 3}, {"shape": SHAPE, "n": 3, **UNSET, "width": 3}),
        (lambda *sizes, **options: record(sizes=sizes), {}, {"sizes": (SHAPE, 3)}),
        (Network, {}, {"n_outputs": 3, "width": 16}),
        (Network, {"width": None}, {"n_outputs": 3, "width": None}),
        (functools.partial(Network, width=4), {}, {"n_outputs": 3, "width": 4}),
        (functools.partial(Network, n_outputs=9), {}, {"n_outputs": 3, "width": 16}),
        (
            lambda n_outputs, input_shape: record(a=input_shape, b=n_outputs),
            {},
            {"a": SHAPE, "b": 3},
        ),
        (lambda input_shape: record(a=input_shape), {}, {"a": SHAPE}),
        (lambda width=3: record(width=width), {}, {"width": 3}),
        (
            lambda width, depth: record(both=(width, depth)),
            {"width": 1, "depth": 2},
            {"both": (1, 2)},
        ),
        (lambda n_outputs, channels: record(c=channels), {}, {"c": None}),
        (lambda n_outputs, channels=(1,): record(c=channels), {}, {"c": (1,)}),
        (lambda n_outputs, **options: record(**options), {"width": 3}, {"width": 3}),
    ],
)
def test_a_builder_gets_what_its_signature_accepts(builder, options, expected):
    assert call(builder, **options) == expected


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        (Network, {"widths": 3}, r"Network does not accept 'widths': it accepts width\. Did"),
        (Network, {"channels": (3,)}, r"does not accept 'channels': it accepts width\.$"),
        (
            lambda n_outputs: None,
            {"a": 1, "b": 2},
            "does not accept 'a', 'b': it accepts no options",
        ),
        (by_position, {"n_outputs": 4}, "by_position does not accept 'n_outputs'"),
        (lambda n_outputs, width: None, {}, "cannot be called: missing .* 'width'"),
        (lambda n_classes: None, {}, "cannot be called: missing .* 'n_classes'.*network__name"),
        (lambda n_outputs: 1 / 0, {}, r"12 frames and 10 bins, and 3 outputs \(ZeroDivisionError"),
    ],
)
def test_other_options_and_failures_are_errors_that_name_the_network(builder, options, message):
    with pytest.raises(ValueError, match=message) as info:
        call(builder, **options)
    assert str(info.value).startswith("network=")


def test_options_and_sizes_are_told_apart():
    assert option_names(Network) == ["width"]
    assert option_names(by_position) == []
    assert option_names(lambda width, depth, lr=1: 0, ["width"]) == ["width", "depth", "lr"]
    assert option_names(max) == []
    for builder, expected in [(Network, True), (by_position, True), (lambda input_shape: 0, False)]:
        assert receives_n_outputs(builder, []) == expected
