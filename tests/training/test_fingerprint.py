import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skdaf._audio.inputs import Float32Rows
from skdaf._training.fingerprint import describe, describe_rows

CODE = """
import functools, operator, sys
import numpy as np
import torch
from torch import nn
from skdaf._training.fingerprint import describe

class Halved(nn.CrossEntropyLoss):
    factor = 0.5

    def __init__(self, by=factor):
        super().__init__()
        self.by = by

    def forward(self, outputs, targets):
        return self.by * super().forward(outputs, targets)

def double(x, by=2):
    return {"a", "b", "c"} and x * by

print([describe(value) for value in (
    double, lambda x: x, functools.partial(double, by=3), operator.itemgetter(1), np.mean, max,
    {"b": 1, "a": 2}, {"a", "b", "c", "d"}, np.random.RandomState(0), np.arange(5.0),
    Halved, Halved(), nn.CrossEntropyLoss(torch.ones(3)),
)])
"""


def test_strings_are_the_same_in_every_process():
    texts = {
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(texts) == 1
    assert texts.pop().startswith(b"['__main__.double ")


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (0.5, np.float64(0.5)),
        (3, np.int64(3)),
        ((8, 16), [8, np.int32(16)]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("folder", Path("folder")),
        (np.random.RandomState(3), np.random.RandomState(3)),
        (np.ones((3, 2)), np.ones((2, 3)).T),
        (functools.partial(max, 3), functools.partial(max, 3)),
    ],
)
def test_equal_values_have_equal_strings(value, same):
    assert describe(value) == describe(same)


def add(amount):
    return lambda x: x + amount


def default(x, amount=1):
    return x + amount


def other_default(x, amount=2):
    return x + amount


class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by


def make_class(body, *bases):
    """Return a class that is called Made, with this body."""
    names = {"bases": bases, "__name__": __name__}
    exec(f"class Made(*bases):\n    {body}", names)
    return names["Made"]


def used_random_state():
    state = np.random.RandomState(3)
    state.rand()
    return state


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, "1", None, (1,), {1: 1}, {1}),
        ((None, 1), (1, None)),
        (add(1), add(2), add(None)),
        (default, other_default),
        (lambda x: x + 1, lambda x: x + 2, lambda x: x - 1, lambda x, y: x + 1),
        (functools.partial(default, amount=3), functools.partial(default, amount=4), default),
        (Scale(1), Scale(2), Scale(1).__call__, Scale(2).__call__, Scale),
        (
            make_class("size = 3"),
            make_class("size = 4"),
            make_class("pass"),
            make_class("def __call__(self, x): return x"),
            make_class("def __call__(self, x): return -x"),
            make_class("def __call__(self, x, y=1): return x"),
            make_class("pass", make_class("size = 3")),
            make_class("pass", make_class("size = 4")),
            make_class("def __init__(self): super().__init__()"),
            make_class("size = property(lambda self: 3)"),
            make_class("size = staticmethod(lambda self: 4)"),
        ),
        (
            nn.CrossEntropyLoss(),
            nn.CrossEntropyLoss(label_smoothing=0.1),
            nn.CrossEntropyLoss(torch.ones(2)),
            nn.CrossEntropyLoss(torch.zeros(2)),
            nn.NLLLoss(),
        ),
        (np.zeros(4), np.zeros((2, 2)), np.zeros(4, "f"), np.ones(4), np.zeros(())),
        (np.random.RandomState(3), np.random.RandomState(4), used_random_state()),
    ],
)
def test_different_values_have_different_strings(values):
    assert len({describe(value) for value in values}) == len(values)


def test_a_value_that_cannot_be_identified_in_another_process_is_an_error():
    with pytest.raises(TypeError, match="another process"):
        describe(Scale(lambda x: x))


def test_a_large_array_is_read_in_blocks_to_its_last_value(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._core.arrays._BYTES_PER_BLOCK", 1000)
    rows = np.random.default_rng(0).standard_normal((70, 6, 5)).astype("f")
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert describe_rows(mapped) == describe_rows(rows)
    monkeypatch.setattr("skdaf._core.arrays._BYTES_PER_BLOCK", 2**24)
    assert describe_rows(mapped) == describe_rows(rows)
    changed = rows.copy()
    changed[-1, -1, -1] = 0
    assert describe_rows(changed) != describe_rows(rows)


def test_rows_are_described_by_the_values_they_are_read_as():
    rows = np.random.default_rng(0).standard_normal((70, 6, 5)).astype(np.float16)
    expected = describe_rows(rows.astype("f"))
    assert describe_rows(Float32Rows(rows), np.float32) == expected
    assert describe_rows(rows, np.float32) == expected


@pytest.mark.parametrize("base", [torch.optim.Optimizer, torch.optim.SGD])
@pytest.mark.parametrize("has_step", [True, False])
def test_a_first_instance_of_an_optimizer_changes_nothing(base, has_step):
    """Torch wraps the method `step` of its class."""

    class Own(base):
        def step(self):
            return 1

    class Inherited(Own):
        pass

    kind = Own if has_step else Inherited
    before = describe(kind)
    assert kind([nn.Parameter(torch.ones(2))], {"lr": 0.1} if base is not torch.optim.SGD else 0.1)
    assert kind.step.hooked
    assert describe(kind) == before
