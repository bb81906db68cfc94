"""Files that are refused: nothing in them is run."""

import io
import os
import pickle
import shlex
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from legacy_models import (
    N_FRAMES,
    Calls,
    ConvAutoEncoder,
    LegacyClassifier,
    autoencoder_model,
    classifier_model,
    dumps,
    make_network,
)
from torch import nn

from skdaf import load_deep_audio_features

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def inputs():
    levels = np.random.default_rng(0).uniform(-80, 0, (6, N_FRAMES, 128))
    return levels.astype(np.float32)


@pytest.fixture
def refused(load, tmp_path):
    """A function that checks that a file is refused with a reason, and that nothing was run."""
    target = tmp_path / "touched"

    def refused(content, reason):
        with pytest.raises(ValueError, match=rf"old\.pt.*{reason}"):
            load(content)
        assert not target.exists()

    refused.target = str(target)
    return refused


def attacks(target):
    """Return values whose pickles would create a file, and the names in their errors."""
    write = f"open({target!r}, 'w').close()"
    shell = f"touch {shlex.quote(target)}"
    return {
        "function": (Calls(os.mkdir, target), r"(posix|nt)\.mkdir"),
        "shell": (Calls(os.system, shell), r"(posix|nt)\.system"),
        "eval": (Calls(eval, write), r"builtins\.eval"),
        "exec": (Calls(exec, write), r"builtins\.exec"),
        "open": (Calls(open, target, "w"), r"_?io\.open"),
        "loads": (Calls(pickle.loads, b"cos\nmkdir\n."), r"_?pickle\.loads"),
        "torch": (Calls(torch.load, target), r"torch\.serialization\.load"),
    }


@pytest.mark.parametrize("name", attacks(""))
def test_a_pickle_that_calls_something_is_refused_and_not_run(refused, name):
    attack, reason = attacks(refused.target)[name]
    refused(dumps(attack), reason)
    for protocol in (0, 2, 5):
        refused(dumps(attack, protocol), "")


@pytest.mark.parametrize("name", attacks(""))
@pytest.mark.parametrize("entry", ["type", "state_dict", "classes_mapping", "validation_f1", "new"])
def test_a_model_with_such_an_entry_is_refused_and_not_run(refused, entry, name):
    attack, reason = attacks(refused.target)[name]
    refused(classifier_model(**{entry: attack}), reason)


def test_unpickling_runs_these_attacks(refused):
    pickle.loads(dumps(attacks(refused.target)["exec"][0]))
    assert Path(refused.target).exists()


class Stored:
    """A storage with arbitrary bytes."""

    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


class Tensor:
    """A tensor with an arbitrary storage, offset, size and stride."""

    def __init__(self, content, offset=0, size=(2,), stride=(1,)):
        self.arguments = Stored(content), offset, size, stride, False, OrderedDict()

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


def storage(values=(1.0, 2.0), claimed=None, counted=None, reference=None, keys=("0",)):
    """Return the bytes of a storage, valid or not."""
    count = len(values) if claimed is None else claimed
    parts = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, parts, protocol=2)
    if reference is None:
        reference = Reference(("storage", FloatStorage, "0", "cpu", count, None))
    pickler = pickle.Pickler(parts, protocol=2)
    pickler.persistent_id = lambda value: getattr(value, "content", None)
    pickler.dump(reference)
    pickle.dump(list(keys), parts, protocol=2)
    parts.write(struct.pack("<q", len(values) if counted is None else counted))
    parts.write(struct.pack(f"<{len(values)}f", *values))
    return parts.getvalue()


class Reference:
    def __init__(self, content):
        self.content = content


FloatStorage = torch.FloatStorage
NO_TYPE = ("storage", OrderedDict, "0", "cpu", 2, None)


def with_tensor(tensor):
    state = OrderedDict(make_network(LegacyClassifier).state_dict())
    state["conv_layer1.0.bias"] = tensor
    return classifier_model(state_dict=state)


def test_a_valid_storage_of_these_tests_is_loaded(load, inputs):
    found = load(with_tensor(Tensor(storage((0.5, -0.5)))))
    np.testing.assert_array_equal(found.network_.conv1.conv.bias.detach(), [0.5, -0.5])


def zipped(content):
    file = io.BytesIO()
    torch.save({"x": content}, file)
    return file.getvalue()


def tarred(content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("storages", "tensors", "pickle"):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def test_attacks_inside_a_storage_are_refused(refused):
    attack = Calls(os.mkdir, refused.target)
    for content, reason in (
        (dumps(attack), r"in its storage, .*(posix|nt)\.mkdir"),
        (zipped(attack), "in its storage, "),
        (tarred(dumps(attack)), "in its storage, "),
        (storage(reference=attack), r"in its storage, .*(posix|nt)\.mkdir"),
        (storage(keys=[attack]), r"in its storage, .*(posix|nt)\.mkdir"),
        (storage(reference=Reference(("storage", attack))), "in its storage, .*mkdir"),
    ):
        refused(with_tensor(Tensor(content)), f"tensor 'conv_layer1.0.bias' .*{reason}")


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (Tensor(b""), "in its storage, pickle exhausted"),
        (Tensor("text"), "storage is damaged"),
        (Tensor(storage()[:-1]), "2 values"),
        (Tensor(storage() + b"more"), "2 values"),
        (Tensor(storage(claimed=2**39)), f"{2**39} values"),
        (Tensor(storage(claimed=2**60)), "impossible number of values"),
        (Tensor(storage(claimed=-1)), "impossible number of values"),
        (Tensor(storage(counted=2**60)), "torch refuses its storage"),
        (Tensor(storage(reference=[1])), "description"),
        (Tensor(storage(reference=Reference(("module", 1)))), "description"),
        (Tensor(storage(reference=Reference((*"12", OrderedDict, 4, 5, 6)))), "description"),
        (Tensor(storage(reference=Reference(NO_TYPE))), "description"),
        (Tensor(storage(), size=(3,)), "more than the 2 values"),
        (Tensor(storage(), offset=1), "more than the 2 values"),
        (Tensor(storage(), size=(2**39, 2**39), stride=(0, 0)), "more than the 2 values"),
        (Tensor(storage(), size=(2**60,)), "shape is damaged"),
        (Tensor(storage(), offset=-1), "shape is damaged"),
        (Tensor(storage(), stride=(1, 1)), "shape is damaged"),
        (Tensor(storage(), size=2), "shape is damaged"),
        (Tensor(storage(), size=(1,) * 5, stride=(1,) * 5), "shape is damaged"),
        (Calls(torch._utils._rebuild_tensor_v2, 1), "not a tensor"),
        (Calls(torch._utils._rebuild_tensor_v2, 1, 0, (2,), (1,)), "no storage"),
        (Stored(storage()), "not a tensor"),
        ([1.0, 2.0], "not a tensor"),
        (None, "not a tensor"),
    ],
)
def test_damaged_tensors_are_refused(refused, tensor, reason):
    refused(with_tensor(tensor), f"tensor 'conv_layer1.0.bias' .*{reason}")


def test_tensors_saved_on_a_gpu_are_loaded_on_the_cpu(load, inputs):
    place = Reference(("storage", FloatStorage, "0", "cuda:0", 2, None))
    found = load(with_tensor(Tensor(storage((0.5, -0.5), reference=place))))
    weight = found.network_.conv1.conv.bias
    assert weight.device.type == "cpu"
    np.testing.assert_array_equal(weight.detach(), [0.5, -0.5])


def test_storages_of_other_types_are_refused(refused):
    content = io.BytesIO()
    doubles = torch.zeros(2, dtype=torch.float64).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=doubles, dtype=torch.float64, _internal=True)
    torch.save(typed, content, _use_new_zipfile_serialization=False)
    refused(with_tensor(Tensor(content.getvalue())), r"torch\.DoubleStorage")


def test_allowed_names_are_not_called(load, refused, inputs):
    # If they were called, these getattr would lead from a function of torch to its globals.
    globals_ = Calls(getattr, torch.storage._load_from_bytes, "__globals__")
    chain = Calls(getattr, globals_, "get")
    refused(
        classifier_model(type=chain),
        "'type' must be 'classifier', got .*'builtins.getattr'",
    )
    refused(classifier_model(state_dict=chain), "'state_dict' must be a dict of tensors")
    refused(dumps(chain), "'builtins.getattr' instead of a dict")
    expected = load(classifier_model()).decision_function(inputs)
    found = load(classifier_model(validation_f1=chain)).decision_function(inputs)
    np.testing.assert_array_equal(found, expected)


def test_state_for_a_name_changes_nothing(load):
    # Unpickling would set an attribute of a function of torch, or of a class.
    for name in (b"torch._utils\n_rebuild_parameter", b"torch.nn.modules.conv\nConv2d"):
        for state in (b"}X\x04\x00\x00\x00oopsK\x01s", b"N}X\x04\x00\x00\x00oopsK\x01s\x86"):
            with pytest.raises(ValueError, match="instead of a dict"):
                load(b"\x80\x02c" + name + b"\n" + state + b"b.")
    assert not hasattr(torch._utils._rebuild_parameter, "oops")
    assert not hasattr(nn.Conv2d, "oops")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "protocol 2"),
        (b"RIFF....WAVEfmt ", "protocol 2"),
        (b"PK\x03\x04" + b"\x00" * 40, "protocol 2"),
        (b"\x80\x04", "pickle exhausted"),
        (dumps([1, 2]), "a list instead of a dict"),
        (dumps({}), "no entry 'state_dict'"),
        (dumps({"weights": 1}), "no entry 'state_dict'"),
        (b"\x80\x02NQ.", "persistent id"),
        (b"\x80\x02" + b")" + b"\x85" * 200_000 + b".", "a tuple instead of a dict"),
        (b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.", "a tuple as a key"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "2147483647 bytes"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.", "expected"),
        (dumps({"state_dict": np.array([print], dtype=object)}), "'numpy"),
        (dumps(np.arange(3)), "'numpy"),
    ],
)
def test_other_files_are_refused(refused, content, reason):
    refused(content, reason)


@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_truncated_files_are_refused(refused, model):
    content = dumps(model())
    for end in np.linspace(1, len(content) - 1, 25).astype(int):
        refused(content[:end], "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "regressor"}, "'type' must be 'classifier', got 'regressor'"),
        ({"zero_pad": 1}, "'zero_pad' must be True or False, got 1"),
        ({"fuse": None}, "'fuse' must be True or False, got a NoneType"),
        ({"spec_size": (128,)}, r"'spec_size' must be a pair .* got \(128,\)"),
        ({"spec_size": (128, 2**30)}, "'spec_size' must be a pair"),
        ({"spec_size": (51, 128)}, "128 bins .* 51"),
        ({"spec_size": (128, 15)}, "15 frames, .* 16"),
        ({"spec_size": (128, 64)}, r"'dense1.linear.weight' must be"),
        ({"max_sequence_length": -1}, "'max_sequence_length' must be a number of frames, got -1"),
        ({"window_length": 0.0}, "'window_length' must be at most one second, got 0.0"),
        ({"hop_length": float("nan")}, "'hop_length' must be at most one second, got nan"),
        ({"hop_length": 10**50}, "'hop_length' must be at most one second, got 1000"),
        ({"state_dict": [1]}, "'state_dict' must be a dict of tensors, got a list"),
        ({"classes_mapping": ["a", "b"]}, "'classes_mapping' must be a dict .* got a list"),
        ({"classes_mapping": {1: "a", 2: "b"}}, "'classes_mapping' must be a dict"),
        ({"classes_mapping": {0: "a", 1: "a"}}, "'classes_mapping' must be a dict"),
        ({"classes_mapping": {0: "a", 1: 2}}, "'classes_mapping' must be a dict"),
        ({"classes_mapping": {0: "a"}}, "at least two names"),
        ({"classes_mapping": {0: "a", 1: "b"}}, r"'output.linear.weight' must be"),
    ],
)
def test_wrong_entries_are_refused(refused, changes, reason):
    refused(classifier_model(**changes), reason)


@pytest.mark.parametrize("make", [classifier_model, autoencoder_model])
def test_missing_entries_are_named(refused, make):
    unused = {"height", "width", "output_dim", "validation_f1", "validation_error"}
    model = make()
    needed = set(model) - unused - ({"type"} if make is autoencoder_model else set())
    for name in needed - {"representation_channels"}:
        refused({k: v for k, v in model.items() if k != name}, f"no entry '{name}'")


def test_missing_additional_and_wrong_tensors_are_refused(refused):
    state = make_network(LegacyClassifier).state_dict()
    less = OrderedDict(list(state.items())[1:])
    more = OrderedDict(state, extra=torch.zeros(2))
    refused(classifier_model(state_dict=less), "state_dict lacks 1 tensors: 'conv_layer1.0.weight'")
    refused(classifier_model(state_dict=more), "state_dict also has 1 tensors: 'extra'")
    refused(classifier_model(state_dict={}), "state_dict lacks 34 tensors: ")
    for wrong in (
        torch.zeros(2, 1, 3, 3),
        torch.zeros(2, 1, 5, 5, dtype=torch.int64),
        torch.zeros(2, 5, 5),
        torch.zeros(0),
        torch.zeros(()),
    ):
        changed = OrderedDict(state) | {"conv_layer1.0.weight": wrong}
        refused(classifier_model(state_dict=changed), "weight 'conv1.conv.weight' must be")


def test_an_autoencoder_with_another_activation_is_refused(refused):
    network = make_network(ConvAutoEncoder)
    network.encoder.conv1[2] = nn.GELU()
    refused(autoencoder_model(network), r"torch\.nn\.modules\.activation\.GELU")


def test_huge_layers_are_refused_before_they_are_built(refused):
    refused(classifier_model(spec_size=(128, 2**20)), "'dense1.linear.weight' must be")


def test_unused_numpy_numbers_are_ignored(load, inputs):
    expected = load(classifier_model()).decision_function(inputs)
    found = load(classifier_model(validation_f1=np.float64(0.9))).decision_function(inputs)
    np.testing.assert_array_equal(found, expected)


def test_a_missing_file_raises(tmp_path):
    for path in (tmp_path / "lost.pt", tmp_path, str(tmp_path / "lost.pt")):
        with pytest.raises(FileNotFoundError, match="no model file"):
            load_deep_audio_features(path)
