import io
import os
import pickle
import shlex
import struct
import sys
import tarfile
import types
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile as sf
import torch
from helpers import DATA
from legacy_models import (
    CLASSES,
    N_FRAMES,
    ConvAutoEncoder,
    ConvDecoder,
    ConvEncoder,
    OldClassifier,
    autoencoder_model,
    classifier_model,
    made,
)
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    load_deep_audio_features,
    load_model,
    make_combined_classifier,
    save_model,
)

pytestmark = pytest.mark.oldest

# What two builds of torch may make of one network, relative to its largest output.
LIKE_THE_ORIGINAL = 1e-4

# The same, where both are computed here.
ALIKE = 1e-5


def distance(found, expected):
    """Return the largest difference, relative to the largest value."""
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Let pickles name the classes of the original while they are written."""
    module = types.ModuleType("deep_audio_features.models.convAE")
    for kind in (ConvAutoEncoder, ConvEncoder, ConvDecoder):
        monkeypatch.setattr(kind, "__module__", module.__name__)
        setattr(module, kind.__name__, kind)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "deep_audio_features", types.ModuleType("deep_audio_features"))
        patch.setitem(sys.modules, "deep_audio_features.models", types.ModuleType("models"))
        patch.setitem(sys.modules, module.__name__, module)
        yield


def dumps(model, protocol=4):
    return pickle.dumps(model, protocol=protocol)


@pytest.fixture
def load(tmp_path):
    """Load bytes, or a model that is written first."""

    def load(content, **options):
        path = tmp_path / "old.pt"
        path.write_bytes(content if isinstance(content, bytes) else dumps(content))
        return load_deep_audio_features(path, **options)

    return load


@pytest.fixture(scope="module")
def inputs():
    levels = np.random.default_rng(0).uniform(-80, 0, (6, N_FRAMES, 128))
    return levels.astype(np.float32)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(6):
        sf.write(folder / f"{number}.wav", 0.1 * rng.standard_normal(3000 + 500 * number), 8000)
    return sorted(folder.iterdir())


# --- what is loaded --------------------------------------------------------------------------


def test_a_classifier_answers_as_the_original(load, inputs):
    network = made(OldClassifier)
    classifier = load(classifier_model(network))
    assert isinstance(classifier, CNNAudioClassifier)
    with torch.inference_mode():
        tensor = torch.tensor(inputs).unsqueeze(1)
        logits = network(tensor).numpy()
        assert (logits < 0).any()
        assert distance(classifier.decision_function(inputs), logits) < ALIKE
        for dropped in range(7):
            extractor = CNNFeatureExtractor(FrozenEstimator(classifier), layers_dropped=dropped)
            found = extractor.fit(inputs).transform(inputs)
            assert distance(found, network(tensor, dropped).numpy()) < ALIKE
    np.testing.assert_array_equal(
        classifier.predict(inputs), [CLASSES[index] for index in logits.argmax(axis=1)]
    )
    probabilities = classifier.predict_proba(inputs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_an_autoencoder_answers_as_the_original(load, inputs):
    network = made(ConvAutoEncoder)
    embedder = load(autoencoder_model(network))
    assert isinstance(embedder, ConvAutoencoderEmbedder)
    with torch.inference_mode():
        drawn, embedding = network(torch.tensor(inputs).unsqueeze(1))
    assert distance(embedder.transform(inputs), embedding.numpy()) < ALIKE
    assert distance(embedder.reconstruct(inputs), drawn.numpy()) < ALIKE
    assert embedder.transform(inputs).shape == (6, 5 * 1 * 8)
    assert len(embedder.get_feature_names_out()) == 5 * 1 * 8
    assert embedder.score(inputs) < 0


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_any_protocol_that_pickle_has_written_by_default(load, inputs, model, protocol):
    expected = load(model()).layer_outputs(inputs)
    found = load(dumps(model(), protocol)).layer_outputs(inputs)
    np.testing.assert_array_equal(found, expected)


def test_classes_are_in_the_order_of_the_file(load):
    assert load(classifier_model()).classes_.tolist() == ["up", "down", "left"]
    shuffled = {2: "left", 0: "up", 1: "down"}
    assert load(classifier_model(classes_mapping=shuffled)).classes_.tolist() == [
        *("up", "down", "left")
    ]


def test_parameters_say_what_the_file_says(load):
    classifier = load(classifier_model())
    parameters = classifier.get_params()
    assert parameters["network"] == "daf"
    assert parameters["channels"] == (2, 3, 4, 5)
    assert parameters["hidden_units"] == (7, 6)
    assert parameters["kernel_size"] == 5
    expected = {
        "features": "mel",
        "sampling_rate": None,
        "window_length": 0.05,
        "hop_length": 0.02,
        "n_mels": 128,
        "standardize": False,
        "n_frames": N_FRAMES,
        "length": "resize",
    }
    found = {name: parameters[f"frontend__{name}"] for name in expected}
    assert found == expected
    assert classifier.input_shape_ == (N_FRAMES, 128)
    assert classifier.layer_names_ == [
        *("conv1", "conv2", "conv3", "conv4", "dense1", "dense2", "output")
    ]
    embedder = load(autoencoder_model())
    assert (embedder.n_channels, embedder.channels) == (5, (2, 3, 4))


def test_padding_and_chroma_are_taken_over(load, paths):
    network = made(OldClassifier, n_bins=140)
    model = classifier_model(
        network, fuse=True, zero_pad=True, spec_size=(140, 18), max_sequence_length=20
    )
    classifier = load(model)
    assert classifier.frontend.features == "mel+chroma"
    assert classifier.frontend.length == "pad"
    assert classifier.input_shape_ == (20, 140)
    assert classifier.predict(paths).shape == (6,)


def test_a_rate_that_is_given_is_that_of_the_front_end(load, paths):
    assert load(classifier_model(), sampling_rate=8000).frontend_.sampling_rate_ == 8000
    own = load(classifier_model()).decision_function(paths)
    given = load(classifier_model(), sampling_rate=8000).decision_function(paths)
    np.testing.assert_array_equal(own, given)
    other = load(classifier_model(), sampling_rate=16000).decision_function(paths)
    assert np.abs(other - own).max() > 0
    with pytest.raises(InvalidParameterError, match="sampling_rate"):
        load(classifier_model(), sampling_rate="fast")


@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_copies_and_saved_files_answer_the_same(load, paths, tmp_path, model):
    estimator = load(model())
    joblib.dump(estimator, tmp_path / "model.joblib")
    save_model(estimator, tmp_path / "model.skops")
    expected = estimator.layer_outputs(paths)
    for copy in (
        joblib.load(tmp_path / "model.joblib"),
        load_model(tmp_path / "model.skops"),
        pickle.loads(pickle.dumps(estimator)),
    ):
        np.testing.assert_array_equal(copy.layer_outputs(paths), expected)
    save_model(load_model(tmp_path / "model.skops"), tmp_path / "again.skops")
    again = load_model(tmp_path / "again.skops")
    np.testing.assert_array_equal(again.layer_outputs(paths), expected)


def test_a_clone_is_a_recipe_for_a_new_network_without_the_activation(load, paths):
    classifier = load(classifier_model())
    new = clone(classifier)
    assert not hasattr(new, "network_")
    new.set_params(max_epochs=1, random_state=0).fit(paths, [0, 1] * 3)
    assert not hasattr(new.network_.output, "activation")
    assert hasattr(classifier.network_.output, "activation")
    assert new.input_shape_ == classifier.input_shape_


def test_a_classifier_can_be_trained_further(load, paths):
    old = load(classifier_model())
    new = CNNAudioClassifier(
        pretrained=FrozenEstimator(old), frozen_layers="conv", max_epochs=1, random_state=0
    ).fit(paths, [0, 1] * 3)
    assert not hasattr(new.network_.output, "activation")
    found, expected = new.layer_outputs(paths, 4), old.layer_outputs(paths, 4)
    np.testing.assert_array_equal(found, expected)


def test_an_encoder_can_be_the_start_of_a_classifier(load, paths, tmp_path):
    old = load(autoencoder_model())
    new = CNNAudioClassifier(
        pretrained=FrozenEstimator(old), frozen_layers="conv", max_epochs=1, random_state=0
    ).fit(paths, [0, 1] * 3)
    np.testing.assert_array_equal(new.layer_outputs(paths, 4), old.transform(paths))
    save_model(new, tmp_path / "new.skops")
    loaded = load_model(tmp_path / "new.skops")
    np.testing.assert_array_equal(loaded.predict_proba(paths), new.predict_proba(paths))


def test_they_are_parts_of_other_estimators(load, sounds, sound_labels, tmp_path):
    rows = np.arange(0, 60, 3)
    files = np.array(sounds.filenames)[rows]
    classifier, embedder = load(classifier_model()), load(autoencoder_model())
    save_model(classifier, tmp_path / "model.skops")
    extractors = [
        CNNFeatureExtractor(FrozenEstimator(classifier), window=0.1),
        CNNFeatureExtractor(tmp_path / "model.skops"),
    ]
    combined = make_combined_classifier(extractors, handcrafted=False, n_components=3)
    combined.fit(files, sound_labels[rows])
    assert combined.predict(files).shape == (20,)
    neighbours = NearestNeighbors(n_neighbors=1).fit(embedder.transform(files))
    assert neighbours.kneighbors(embedder.transform(files))[1].ravel().tolist() == list(range(20))


def test_the_file_is_not_needed_any_more_and_torch_is_left_alone(load, inputs, monkeypatch):
    seen = []
    original = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: seen.append(k) or original(*a, **k))
    before = torch.get_rng_state()
    load(classifier_model())
    assert torch.equal(torch.get_rng_state(), before)
    assert len(seen) == len(made(OldClassifier).state_dict())
    assert all(options["weights_only"] is True for options in seen)


# --- what is refused -------------------------------------------------------------------------


class Calls:
    """What a malicious pickle does: something, as soon as it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def refused(load, tmp_path):
    """Insist that a file is refused with a reason, and that nothing in it was run."""
    target = tmp_path / "touched"

    def refused(content, reason):
        with pytest.raises(ValueError, match=rf"old\.pt' is not loaded .*{reason}.*was run\.$"):
            load(content)
        assert not target.exists()

    refused.target = str(target)
    return refused


def attacks(target):
    """Return what would make a file, by name, and how it is refused."""
    write = f"open({target!r}, 'w').close()"
    shell = f"touch {shlex.quote(target)}"
    return {
        "function": (Calls(os.mkdir, target), r"asks for '(posix|nt)\.mkdir'"),
        "shell": (Calls(os.system, shell), r"asks for '(posix|nt)\.system'"),
        "eval": (Calls(eval, write), r"asks for 'builtins\.eval'"),
        "exec": (Calls(exec, write), r"asks for 'builtins\.exec'"),
        "open": (Calls(open, target, "w"), r"asks for '_?io\.open'"),
        "loads": (Calls(pickle.loads, b"cos\nmkdir\n."), r"asks for '_?pickle\.loads'"),
        "torch": (Calls(torch.load, target), r"asks for 'torch\.serialization\.load'"),
    }


@pytest.mark.parametrize("name", attacks(""))
def test_a_file_that_would_do_something_is_refused_and_does_not(refused, name):
    attack, reason = attacks(refused.target)[name]
    refused(dumps(attack), reason)
    for protocol in (0, 2, 5):
        refused(dumps(attack, protocol), "")


@pytest.mark.parametrize("name", attacks(""))
@pytest.mark.parametrize("entry", ["type", "state_dict", "classes_mapping", "validation_f1", "new"])
def test_nor_does_a_model_with_something_in_it(refused, entry, name):
    attack, reason = attacks(refused.target)[name]
    refused(classifier_model(**{entry: attack}), reason)


def test_the_attacks_of_these_tests_would_work(refused):
    pickle.loads(dumps(attacks(refused.target)["exec"][0]))
    assert Path(refused.target).exists()


class Stored:
    """A storage whose bytes are anything."""

    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


class Tensor:
    """A tensor that claims anything."""

    def __init__(self, content, offset=0, size=(2,), stride=(1,)):
        self.arguments = Stored(content), offset, size, stride, False, OrderedDict()

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


def storage(values=(1.0, 2.0), claimed=None, counted=None, reference=None, keys=("0",)):
    """Return the bytes of a storage, or of something that claims to be one."""
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
    state = OrderedDict(made(OldClassifier).state_dict())
    state["conv_layer1.0.bias"] = tensor
    return classifier_model(state_dict=state)


def test_a_storage_of_these_tests_is_one(load, inputs):
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


def test_what_would_act_inside_a_storage_is_refused_too(refused):
    attack = Calls(os.mkdir, refused.target)
    for content, reason in (
        (dumps(attack), r"in its storage, it asks for '(posix|nt)\.mkdir'"),
        (zipped(attack), "in its storage, "),
        (tarred(dumps(attack)), "in its storage, "),
        (storage(reference=attack), r"in its storage, it asks for '(posix|nt)\.mkdir'"),
        (storage(keys=[attack]), r"in its storage, it asks for '(posix|nt)\.mkdir'"),
        (storage(reference=Reference(("storage", attack))), "in its storage, it asks for"),
    ):
        refused(with_tensor(Tensor(content)), f"tensor 'conv_layer1.0.bias' .*{reason}")


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (Tensor(b""), "in its storage, pickle exhausted"),
        (Tensor("text"), "storage is damaged"),
        (Tensor(storage()[:-1]), "does not hold the 2 values"),
        (Tensor(storage() + b"more"), "does not hold the 2 values"),
        (Tensor(storage(claimed=2**39)), f"does not hold the {2**39} values"),
        (Tensor(storage(claimed=2**60)), "impossible number of values"),
        (Tensor(storage(claimed=-1)), "impossible number of values"),
        (Tensor(storage(counted=2**60)), "torch refuses its storage"),
        (Tensor(storage(reference=[1])), "is not described"),
        (Tensor(storage(reference=Reference(("module", 1)))), "is not described"),
        (Tensor(storage(reference=Reference((*"12", OrderedDict, 4, 5, 6)))), "is not described"),
        (Tensor(storage(reference=Reference(NO_TYPE))), "is not described"),
        (Tensor(storage(), size=(3,)), "claims more than the 2 values"),
        (Tensor(storage(), offset=1), "claims more than the 2 values"),
        (Tensor(storage(), size=(2**39, 2**39), stride=(0, 0)), "claims more than the 2 values"),
        (Tensor(storage(), size=(2**60,)), "shape is damaged"),
        (Tensor(storage(), offset=-1), "shape is damaged"),
        (Tensor(storage(), stride=(1, 1)), "shape is damaged"),
        (Tensor(storage(), size=2), "shape is damaged"),
        (Tensor(storage(), size=(1,) * 5, stride=(1,) * 5), "shape is damaged"),
        (Calls(torch._utils._rebuild_tensor_v2, 1), "no tensor"),
        (Calls(torch._utils._rebuild_tensor_v2, 1, 0, (2,), (1,)), "no storage"),
        (Stored(storage()), "no tensor"),
        ([1.0, 2.0], "no tensor"),
        (None, "no tensor"),
    ],
)
def test_tensors_that_are_damaged_or_claim_too_much(refused, tensor, reason):
    refused(with_tensor(tensor), f"tensor 'conv_layer1.0.bias' cannot be read: .*{reason}")


def test_tensors_of_a_gpu_are_loaded_on_the_cpu(load, inputs):
    place = Reference(("storage", FloatStorage, "0", "cuda:0", 2, None))
    found = load(with_tensor(Tensor(storage((0.5, -0.5), reference=place))))
    weight = found.network_.conv1.conv.bias
    assert weight.device.type == "cpu"
    np.testing.assert_array_equal(weight.detach(), [0.5, -0.5])


def test_the_file_of_a_storage_of_another_type_is_refused(refused):
    content = io.BytesIO()
    doubles = torch.zeros(2, dtype=torch.float64).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=doubles, dtype=torch.float64, _internal=True)
    torch.save(typed, content, _use_new_zipfile_serialization=False)
    refused(with_tensor(Tensor(content.getvalue())), r"asks for 'torch\.DoubleStorage'")


def test_names_that_these_files_hold_do_nothing(load, refused, inputs):
    # A chain of getattr would lead from a function of torch to its globals, if it were called.
    globals_ = Calls(getattr, torch.storage._load_from_bytes, "__globals__")
    chain = Calls(getattr, globals_, "get")
    refused(
        classifier_model(type=chain),
        "'type' must be 'classifier', got what 'builtins.getattr' would give",
    )
    refused(classifier_model(state_dict=chain), "'state_dict' must be a dict of tensors")
    refused(dumps(chain), "holds what 'builtins.getattr' would give instead of a dict")
    expected = load(classifier_model()).decision_function(inputs)
    found = load(classifier_model(validation_f1=chain)).decision_function(inputs)
    np.testing.assert_array_equal(found, expected)


def test_state_for_what_is_named_changes_nothing(load):
    # As in a pickle that would set an attribute of torch's function, or of a class.
    for name in (b"torch._utils\n_rebuild_parameter", b"torch.nn.modules.conv\nConv2d"):
        for state in (b"}X\x04\x00\x00\x00oopsK\x01s", b"N}X\x04\x00\x00\x00oopsK\x01s\x86"):
            with pytest.raises(ValueError, match="would give instead of a dict"):
                load(b"\x80\x02c" + name + b"\n" + state + b"b.")
    assert not hasattr(torch._utils._rebuild_parameter, "oops")
    assert not hasattr(nn.Conv2d, "oops")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no pickle of protocol 2 or later"),
        (b"RIFF....WAVEfmt ", "no pickle of protocol 2 or later"),
        (b"PK\x03\x04" + b"\x00" * 40, "no pickle of protocol 2 or later"),
        (b"\x80\x04", "pickle exhausted"),
        (dumps([1, 2]), "holds a list instead of a dict"),
        (dumps({}), "no entry 'state_dict'"),
        (dumps({"weights": 1}), "no entry 'state_dict'"),
        (b"\x80\x02NQ.", "persistent id"),
        (b"\x80\x02" + b")" + b"\x85" * 200_000 + b".", "holds a tuple instead of a dict"),
        (b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.", "a tuple as a key"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "2147483647 bytes"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.", "expected"),
        (dumps({"state_dict": np.array([print], dtype=object)}), "asks for 'numpy"),
        (dumps(np.arange(3)), "asks for 'numpy"),
    ],
)
def test_other_files_are_refused(refused, content, reason):
    refused(content, reason)


@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_files_that_are_cut_off_are_refused(refused, model):
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
        ({"spec_size": (51, 128)}, "of 128 bins were resized to 51, which is not supported"),
        ({"spec_size": (128, 15)}, "have 15 frames, and four poolings need 16"),
        ({"spec_size": (128, 64)}, r"'dense1.linear.weight' is .* expected"),
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
        ({"classes_mapping": {0: "a", 1: "b"}}, r"'output.linear.weight' is .* expected"),
    ],
)
def test_models_with_other_entries_are_refused(refused, changes, reason):
    refused(classifier_model(**changes), reason)


@pytest.mark.parametrize("make", [classifier_model, autoencoder_model])
def test_entries_that_are_missing_are_named(refused, make):
    unused = {"height", "width", "output_dim", "validation_f1", "validation_error"}
    model = make()
    needed = set(model) - unused - ({"type"} if make is autoencoder_model else set())
    for name in needed - {"representation_channels"}:
        refused({k: v for k, v in model.items() if k != name}, f"no entry '{name}'")


def test_state_dicts_with_other_tensors_are_refused(refused):
    state = made(OldClassifier).state_dict()
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
        refused(classifier_model(state_dict=changed), "weight 'conv1.conv.weight' is .* expected")


def test_an_autoencoder_with_another_activation_is_refused(refused):
    network = made(ConvAutoEncoder)
    network.encoder.conv1[2] = nn.GELU()
    refused(autoencoder_model(network), r"asks for 'torch\.nn\.modules\.activation\.GELU'")


def test_a_claim_of_huge_layers_costs_nothing(refused):
    refused(classifier_model(spec_size=(128, 2**20)), "'dense1.linear.weight' is .* expected")


def test_numbers_of_numpy_that_are_not_needed_do_not_matter(load, inputs):
    expected = load(classifier_model()).decision_function(inputs)
    found = load(classifier_model(validation_f1=np.float64(0.9))).decision_function(inputs)
    np.testing.assert_array_equal(found, expected)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "lost.pt", tmp_path, str(tmp_path / "lost.pt")):
        with pytest.raises(FileNotFoundError, match="no model file"):
            load_deep_audio_features(path)


# --- real models -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return DATA


@pytest.fixture(scope="module", params=["cnn", "autoencoder"])
def real(request, data):
    """An estimator, what the original answers, and the recordings (None: not at hand)."""
    folder = data / "daf"
    if not folder.is_dir():
        pytest.skip(f"no models in {folder}")
    estimator = load_deep_audio_features(folder / f"fsdd_{request.param}.pt")
    with np.load(folder / f"fsdd_{request.param}_reference.npz") as file:
        answers = {name: file[name] for name in file.files}
    paths = [data / "fsdd" / name[0] / name for name in answers["basename"].tolist()]
    if not all(path.is_file() for path in paths):
        found = {path.name: path for path in (data / "fsdd").rglob("*.wav")}
        paths = [found.get(name) for name in answers["basename"].tolist()]
    return request.param, estimator, answers, None if None in paths else paths


def test_real_models_answer_as_they_did(real):
    kind, estimator, answers, _ = real
    inputs = answers["input"][:, 0]
    if kind == "autoencoder":
        assert distance(estimator.transform(inputs), answers["embedding"]) < LIKE_THE_ORIGINAL
        # In silence neighbours are equal but for rounding, and a pooling may remember either: the
        # same network in float64 is as far away.
        drawn, expected = estimator.reconstruct(inputs), answers["reconstruction"][:, 0]
        assert distance(drawn, expected) < 2e-2
        far = np.abs(drawn - expected) > LIKE_THE_ORIGINAL * np.abs(expected).max()
        assert far.mean() < 2e-2
        return
    assert distance(estimator.decision_function(inputs), answers["logits"]) < LIKE_THE_ORIGINAL
    for dropped in (1, 2, 3, 4):
        extractor = CNNFeatureExtractor(FrozenEstimator(estimator), layers_dropped=dropped)
        found = extractor.fit(inputs).transform(inputs)
        assert distance(found, answers[f"drop{dropped}"]) < LIKE_THE_ORIGINAL


def test_real_recordings_give_what_they_gave(real):
    kind, estimator, answers, paths = real
    if paths is None:
        pytest.skip("no recordings")
    inputs = estimator.frontend_.transform(paths)
    np.testing.assert_allclose(inputs, answers["input"][:, 0], atol=5e-3)
    if kind == "autoencoder":
        assert distance(estimator.transform(paths), answers["embedding"]) < LIKE_THE_ORIGINAL
        return
    assert estimator.classes_.tolist() == list("0123456789")
    expected = estimator.classes_[answers["logits"].argmax(axis=1)]
    np.testing.assert_array_equal(estimator.predict(paths), expected)
    assert distance(estimator.decision_function(paths), answers["logits"]) < LIKE_THE_ORIGINAL
