"""Pickles are read without running them."""

import contextlib
import io
import os
import pickle
import pickletools
from collections import OrderedDict

import numpy as np
import pytest
from legacy_models import Calls

from skdaf._legacy.unpickle import Reference, read_pickle

PROTO = b"\x80\x02"


def read(content, names=(), **options):
    return read_pickle(io.BytesIO(content), names, **options)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [True, False, None, 2.5], 3: (1, 2, 3, 4)},
        {"long": 2**80, "negative": -7, "text": "é" * 300, "bytes": b"x" * 300, "empty": ()},
        [(), (1,), (1, 2), (1, 2, 3), [], {}],
        [["shared"]] * 3,
        list(range(3000)),
    ],
)
def test_plain_values_are_read(value, protocol):
    assert read(pickle.dumps(value, protocol=protocol)) == value


def test_pickles_of_a_stream_are_read_one_after_the_other():
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert [read_pickle(stream, ()) for _ in range(2)] == [1, "two"]
    assert stream.read() == b"rest"


def test_ordered_dictionaries_become_plain_ones_without_attributes():
    state = OrderedDict(a=1)
    state._metadata = {"version": 1}
    found = read(pickle.dumps(state))
    assert type(found) is dict
    assert found == {"a": 1}


def test_allowed_names_are_recorded_and_not_called(tmp_path):
    content = pickle.dumps(Calls(os.mkdir, str(tmp_path / "made")))
    reference = read(content, {f"{os.mkdir.__module__}.mkdir"})
    assert type(reference) is Reference
    assert reference.arguments == (str(tmp_path / "made"),)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (print, "builtins.print"),
        (Calls(eval, "1"), "builtins.eval"),
        (Calls(exec, "1"), "builtins.exec"),
        (Calls(open, "touched", "w"), r"_?io\.open"),  # `_io` from Python 3.12 on
        (Calls(os.system, "true"), r"(posix|nt)\.system"),
        (Calls(__import__, "os"), "builtins.__import__"),
        (Calls(getattr, {}, "keys"), "builtins.getattr"),
        (Calls(pickle.loads, b""), r"_?pickle\.loads"),
        (np.array([print], dtype=object), r"numpy\.\w+\.multiarray\._reconstruct"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_names_are_refused(value, named, protocol):
    with pytest.raises(ValueError, match=f"'({named}|__builtin__)"):
        read(pickle.dumps(value, protocol=protocol))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "pickle exhausted"),
        (b"\xff", "unknown"),
        (b"no pickle", "instruction|unknown|expected|literal|exhausted"),
        (PROTO + b"N", "exhausted before seeing STOP"),
        (PROTO + b"X\xff\xff\xff\x7fabc.", "expected 2147483647 bytes"),
        (PROTO + b"B\xff\xff\xff\xffabc.", "expected 4294967295 bytes"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.", "expected"),
        (PROTO + b".", "empty stack"),
        (PROTO + b"N0.", "instruction POP"),
        (PROTO + b"a.", "empty stack"),
        (PROTO + b"u.", "a mark"),
        (PROTO + b"N(\x85.", "empty stack"),
        (PROTO + b"N(t0.", "instruction"),
        (PROTO + b"h\x07.", "entry 7 of its memo"),
        (PROTO + b"j\xff\xff\xff\x7f.", "of its memo"),
        (PROTO + b"NNb.", "BUILD is used on a NoneType"),
        (PROTO + b"NNNs.", "SETITEM is used on a NoneType"),
        (PROTO + b"}(Nu.", "key without a value"),
        (PROTO + b"}NNs.", "NoneType as a key"),
        (PROTO + b"NNa.", "APPEND is used on a NoneType"),
        (PROTO + b"N)R.", "other than a name"),
        (PROTO + b"ccollections\nOrderedDict\nNR.", "other than a name"),
        (PROTO + b"ccollections\nOrderedDict\nK\x01\x85R)R.", "other than a name"),
        (PROTO + b"NQ.", "persistent id"),
        (PROTO + b"Pid\n.", "instruction PERSID"),
        (PROTO + b"(S'true'\nios\nsystem\n.", "instruction STRING|instruction INST"),
        (PROTO + b"(ios\nsystem\n.", "instruction INST"),
        (PROTO + b"(cos\nsystem\no.", "'os.system'"),
        (PROTO + b"\x82\x01.", "instruction EXT1"),
        (b"\x80\x04NN\x93.", "'no name'"),
        (PROTO + b"ccollections\nOrderedDict.__init__\n.", "'collections.OrderedDict._"),
    ],
)
def test_other_pickles_are_refused_with_a_reason(content, reason):
    with pytest.raises(ValueError, match=reason):
        read(content)


def test_deep_nesting_is_harmless():
    depth = 300_000
    assert type(read(PROTO + b")" + b"\x85" * depth + b".")) is tuple
    with pytest.raises(ValueError, match="a tuple as a key"):
        read(PROTO + b"})" + b"\x85" * depth + b"K\x01s.")


def test_a_memo_with_large_numbers_takes_no_memory():
    assert read(PROTO + b"}r\xff\xff\xff\xff.") == {}


def test_the_number_of_instructions_is_limited():
    with pytest.raises(ValueError, match="more than 1000000 instructions"):
        read(PROTO + b"(" * 1_000_001 + b".")


def test_state_for_a_name_is_ignored():
    # A real unpickler would set an attribute of the class.
    name = b"ccollections\nOrderedDict\n"
    for state in (b"}X\x05\x00\x00\x00oops!K\x01s", b"N}X\x05\x00\x00\x00oops!K\x01s\x86"):
        assert read(PROTO + name + state + b"b.").name == "collections.OrderedDict"
    assert not hasattr(OrderedDict, "oops!")


def test_persistent_ids_are_recorded_if_expected():
    reference = read(PROTO + b"K\x05Q.", persistent=True)
    assert reference.arguments == (5,)


def test_damaged_pickles_raise_value_errors():
    rng = np.random.default_rng(0)
    whole = pickle.dumps({"a": [1, 2.5, ("b", None)], "c": OrderedDict(d=b"e")})
    for instruction in pickletools.opcodes:
        code = np.frombuffer(instruction.code.encode("latin-1"), dtype=np.uint8)
        for place in rng.integers(len(whole), size=20):
            damaged = np.frombuffer(whole, dtype=np.uint8).copy()
            damaged[place] = code[0]
            with contextlib.suppress(ValueError):
                read(damaged.tobytes())
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            read(whole[:end])


def test_numbers_that_may_share_a_hash_are_refused_as_keys():
    for key in (2**61 - 1, -1, 2**31):
        with pytest.raises(ValueError, match="a number out of bounds as a key"):
            read(pickle.dumps({key: 0}, protocol=4))
