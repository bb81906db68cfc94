"""A training that was killed ends as if nothing had happened, and no other one is taken for it."""

import errno
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch import nn

from skdaf import CNNAudioClassifier, ConvAutoencoderEmbedder, load_model, save_model
from skdaf._networks.weights import get_weights
from skdaf._training import checkpoint as module
from skdaf._training.checkpoint import Checkpoint, pack, unpack
from skdaf._training.loop import Loop

pytestmark = pytest.mark.oldest

ARRAYS = {
    "scalar": np.array(3),
    "empty": np.zeros((0, 4), "f"),
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
}
TREE = {
    "numbers": [1, 0.1, -0.0, 2**100, None, True],
    "text": "dog \u00e9",
    "nested": [ARRAYS, {}],
}


def equal(left, right):
    """Tell whether two trees of dicts, lists, arrays and plain values are the same, in order."""
    if isinstance(left, np.ndarray):
        return (
            left.dtype == right.dtype and left.shape == right.shape and bytes(left) == bytes(right)
        )
    if isinstance(left, dict):
        return list(left) == list(right) and equal(list(left.values()), list(right.values()))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(equal, left, right))
    return repr(left) == repr(right)


# --- files -----------------------------------------------------------------------------------


def test_what_was_packed_comes_back():
    assert equal(unpack(pack(TREE)), TREE)
    assert not equal(unpack(pack(TREE)), {**TREE, "text": "dog"})


def test_a_cut_or_changed_file_is_noticed_wherever_it_is():
    content = pack(TREE)
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 0x10
        for damaged in (content[:place], bytes(changed)):
            with pytest.raises(ValueError, match="damaged"):
                unpack(damaged)
    with pytest.raises(ValueError, match="damaged"):
        unpack(content + b"\0")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_reading_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # As it would be written, checksum and all, by somebody who means harm.
    file = io.BytesIO()
    np.save(file, np.array([Bomb()]), allow_pickle=True)
    body = file.getvalue()
    assert b"mkdir" in body
    with pytest.raises(ValueError, match="object"):
        unpack(module._MAGIC + module._digest(body) + body)
    with pytest.raises(TypeError, match="Bomb is neither an array nor"):
        pack({"a": Bomb()})
    assert os.listdir(tmp_path) == []


PRINT = {"estimator": "Any", "max_epochs": "3"}


def opened(place, fingerprint=PRINT, **versions):
    return Checkpoint(place, fingerprint, {"torch": "2.0", **versions})


@pytest.fixture(params=["folder", "one.checkpoint"])
def place(request, tmp_path):
    module.check_place(tmp_path / request.param)
    return tmp_path / request.param


@pytest.mark.parametrize(
    "content",
    [
        None,
        [1, 2],
        {"fingerprint": PRINT},
        {"fingerprint": PRINT, "made_with": [], "seed": 1, "state": {"progress": {}, "loop": 0}},
        {"fingerprint": PRINT, "made_with": {}, "seed": "x", "state": {"progress": 1, "loop": 0}},
        {"fingerprint": PRINT, "made_with": {}, "seed": 1, "state": None},
        {".array": 99},
    ],
)
def test_foreign_content_with_a_valid_checksum_is_refused(tmp_path, content):
    place = tmp_path / "one.checkpoint"
    place.write_bytes(pack(content))
    with pytest.raises(ValueError, match=r"one\.checkpoint' cannot be used: .* is foreign: "):
        opened(place)


def test_a_claim_of_more_than_there_is_costs_nothing(tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(file, header)
    body = file.getvalue()
    place = tmp_path / "one.checkpoint"
    place.write_bytes(module._MAGIC + module._digest(body) + body)
    with pytest.raises(ValueError, match="claims more bytes than there are"):
        opened(place)


@pytest.mark.parametrize("part", ["progress", "loop"])
def test_a_state_that_is_none_of_this_training_is_refused(tmp_path, part):
    X, y = spectrograms(24)
    place = tmp_path / "one.checkpoint"
    small(place, max_epochs=2).fit(X, y)
    stored = unpack(place.read_bytes())
    progress = stored["state"]["progress"]
    progress["history"] = {name: values[:1] for name, values in progress["history"].items()}
    progress["best_epoch"] = 1
    stored["state"][part] = {"history": {"train_loss": ["a"]}}
    place.write_bytes(pack(stored))
    with pytest.raises(ValueError, match=r"one\.checkpoint' does not hold the (progress|state) of"):
        small(place, max_epochs=2).fit(X, y)


def test_the_last_state_is_what_the_next_one_finds(place):
    assert opened(place).state is None
    first = opened(place)
    first.seed = 7
    for epoch in range(3):
        first.write({"epoch": epoch}, TREE)
        assert opened(place).seed == 7
        assert equal(opened(place).state, {"progress": {"epoch": epoch}, "loop": TREE})


def test_the_end_leaves_one_file_only(place):
    checkpoint = opened(place)
    for loop in (TREE, TREE, None):
        # What a killed writer has left.
        checkpoint.path.with_name(f".{checkpoint.path.stem}.123.part.checkpoint").touch()
        checkpoint.write({}, loop)
    assert os.listdir(checkpoint.path.parent) == [checkpoint.path.name]
    assert opened(place).state == {"progress": {}, "loop": None}


def test_fits_of_one_folder_have_files_of_their_own(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path, {**PRINT, "max_epochs": "4"})
    one.write({"epoch": 1}, TREE)
    other.write({"epoch": 2}, TREE)
    assert opened(tmp_path).state["progress"] == {"epoch": 1}
    other.write({"epoch": 3}, None)
    assert opened(tmp_path).state["progress"] == {"epoch": 1}


def test_a_link_goes_on_pointing_to_its_file(tmp_path):
    link, file = tmp_path / "link.checkpoint", tmp_path / "far" / "one.checkpoint"
    module.check_place(file)
    link.symlink_to(file)
    for epoch, loop in ((1, TREE), (2, TREE), (3, None)):
        opened(link).write({"epoch": epoch}, loop)
        assert opened(file).state["progress"] == {"epoch": epoch}
    assert link.is_symlink()
    assert os.listdir(tmp_path / "far") == ["one.checkpoint"]


def damage(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_damaged_file_gives_way_to_the_one_before_and_then_to_nothing(place):
    checkpoint = opened(place)
    for epoch in (1, 2):
        checkpoint.write({"epoch": epoch}, TREE)
    damage(checkpoint.path)
    with pytest.warns(UserWarning, match=r"damaged: training goes on from the epoch before the"):
        assert opened(place).state["progress"] == {"epoch": 1}
    damage(checkpoint._previous)
    with pytest.warns(UserWarning, match=r"damaged, .*: training starts from the beginning"):
        again = opened(place)
    assert again.state is None
    again.write({"epoch": 1}, TREE)
    assert opened(place).state["progress"] == {"epoch": 1}


def test_between_two_renamings_the_one_before_counts(place):
    checkpoint = opened(place)
    for epoch in (1, 2):
        checkpoint.write({"epoch": epoch}, TREE)
    checkpoint.path.unlink()
    assert opened(place).state["progress"] == {"epoch": 1}


def test_a_file_of_another_training_is_refused_by_its_differences(tmp_path):
    place = tmp_path / "one.checkpoint"
    opened(place).write({}, TREE)
    with pytest.raises(ValueError, match=r"one\.checkpoint' is that of another training \(max_"):
        opened(place, {**PRINT, "max_epochs": "4"})
    with pytest.raises(ValueError, match=r"\(epochs: None there, 3 here; max_epochs: 3 there, No"):
        opened(place, {"estimator": "Any", "epochs": "3"})


def test_a_renamed_file_of_a_folder_is_refused_too(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path, {**PRINT, "max_epochs": "4"})
    one.write({}, TREE)
    os.replace(one.path, other.path)
    with pytest.raises(ValueError, match="max_epochs: 3 there, 4 here"):
        opened(tmp_path, {**PRINT, "max_epochs": "4"})


def test_a_file_of_something_else_is_never_written_over(tmp_path):
    place = tmp_path / "one.checkpoint"
    place.write_text("a week of notes")
    with pytest.raises(
        ValueError, match=r"one\.checkpoint' cannot be used: it is a file of another"
    ):
        opened(place)
    assert place.read_text() == "a week of notes"


def test_another_release_of_torch_is_told(place):
    opened(place).write({}, TREE)
    with pytest.warns(UserWarning, match=r"written with torch 2\.0, and goes on with 2\.1"):
        opened(place, torch="2.1")
    opened(place).write({}, None)
    assert opened(place, torch="2.1").state is not None


def test_a_place_that_cannot_be_used_is_an_error_at_once(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.checkpoint").mkdir()
    places = ["file", "file/folder", "file/one.checkpoint", "folder.checkpoint"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.checkpoint")
        places.append("pipe.checkpoint")
    for place in places:
        with pytest.raises(
            ValueError, match=r"checkpoint='.*(file|folder|pipe).*' cannot be used: "
        ):
            module.check_place(tmp_path / place)
    module.check_place(str(tmp_path / "new" / "folder"))
    assert os.listdir(tmp_path / "new") == ["folder"]


def test_a_folder_that_cannot_be_written_to_is_an_error_at_once(tmp_path, monkeypatch):
    def refuse(**kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(kwargs["dir"]))

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match=r"cannot be used: .*Permission denied"):
        module.check_place(tmp_path)


def no_space(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_warns_once_and_leaves_what_there_is(place, monkeypatch, call):
    checkpoint = opened(place)
    checkpoint.write({"epoch": 1}, TREE)
    with monkeypatch.context() as full:
        full.setattr(os, call, no_space)
        with pytest.warns(UserWarning, match=r"could not be written \(.*No space left"):
            checkpoint.write({"epoch": 2}, TREE)
        checkpoint.write({"epoch": 3}, TREE)
    assert opened(place).state["progress"] == {"epoch": 1}
    assert os.listdir(checkpoint.path.parent) == [checkpoint.path.name]
    checkpoint.write({"epoch": 4}, TREE)
    assert opened(place).state["progress"] == {"epoch": 4}


def test_a_folder_that_has_gone_warns_and_one_tidied_by_another_process_does_not(tmp_path):
    def tidied(path, *args):
        path.unlink()
        return replace(path, *args)

    checkpoint, replace = opened(tmp_path / "folder"), os.replace
    with pytest.warns(UserWarning, match="could not be written"):
        checkpoint.write({}, TREE)
    module.check_place(tmp_path / "folder")
    checkpoint = opened(tmp_path / "folder")
    with pytest.MonkeyPatch.context() as other:
        other.setattr(os, "replace", lambda part, path: tidied(part, path))
        checkpoint.write({}, TREE)


# --- fits ------------------------------------------------------------------------------------


def spectrograms(n=96, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.standard_normal((n, 12, 10)).astype(np.float32)
    X[y == 1, :, :5] += 1
    return X, y


def small(checkpoint=None, **changes):
    values = {
        "channels": (4, 8),
        "hidden_units": (8,),
        "dropout": 0.3,
        "augment": ("noise", "mask", "mixup"),
        "max_epochs": 6,
        "batch_size": 24,
        "learning_rate": 1e-2,
        "validation_fraction": 0.2,
        "precision": "float32",
        "random_state": 0,
    }
    return CNNAudioClassifier(checkpoint=checkpoint, **{**values, **changes})


def embedder(checkpoint=None, **changes):
    values = {"n_channels": 2, "channels": (4, 4), "max_epochs": 5, "random_state": 0, **changes}
    return ConvAutoencoderEmbedder(checkpoint=checkpoint, batch_size=24, **values)


def outcome(estimator, X):
    method = "transform" if hasattr(estimator, "transform") else "predict_proba"
    return [
        get_weights(estimator.network_),
        estimator.history_,
        estimator.best_epoch_,
        getattr(estimator, method)(X),
    ]


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


class Epochs:
    """Counts epochs as they begin, and stops at one of them."""

    def __init__(self, monkeypatch, stop=None, error=Killed):
        self.n, self.stop, train_epoch = 0, stop, Loop._train_epoch

        def counted(loop, epoch):
            if epoch == self.stop:
                raise error
            self.n += 1
            return train_epoch(loop, epoch)

        monkeypatch.setattr(Loop, "_train_epoch", counted)


def fit_until(epoch, estimator, X, y=None):
    with pytest.MonkeyPatch.context() as monkeypatch:
        Epochs(monkeypatch, stop=epoch)
        with pytest.raises(Killed):
            estimator.fit(X, y)


def with_statistics_of_its_own(input_shape, n_outputs, **options):
    """Build a network whose statistics are weighted by a count, behind layers of other kinds."""
    return nn.Sequential(
        nn.Sequential(nn.BatchNorm2d(1, momentum=None), nn.Conv2d(1, 4, 3), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d((4, 2)), nn.Flatten(), nn.Linear(32, n_outputs)),
    )


KINDS = {
    "two parts": small,
    "one part": lambda checkpoint=None: small(checkpoint, batch_size=8),
    "bfloat16": lambda checkpoint=None: small(checkpoint, precision="bfloat16"),
    "no validation": lambda checkpoint=None: small(checkpoint, early_stopping=False),
    "no dropout": lambda checkpoint=None: small(checkpoint, dropout=0.0, augment=None),
    "daf": lambda checkpoint=None: small(checkpoint, network="daf", max_epochs=3),
    "own network": lambda checkpoint=None: small(checkpoint, network=with_statistics_of_its_own),
    "embedder": embedder,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_was_stopped_after_any_epoch_ends_with_the_same_bytes(kind, tmp_path):
    X, y = spectrograms()
    expected = outcome(KINDS[kind]().fit(X, y), X)
    n_epochs = len(expected[1]["train_loss"])
    for epoch in range(2, n_epochs + 1):
        fit_until(epoch, KINDS[kind](tmp_path), X, y)
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = Epochs(monkeypatch)
        assert equal(outcome(KINDS[kind](tmp_path).fit(X, y), X), expected)
    assert epochs.n == 1


def test_early_stopping_stops_where_it_would_have(tmp_path):
    X, y = spectrograms()
    y = np.random.default_rng(0).permutation(y)
    values = {"max_epochs": 30, "patience": 2, "learning_rate": 3e-2}
    plain = small(**values).fit(X, y)
    assert plain.n_epochs_ < 30
    for epoch in (2, plain.best_epoch_ + 1, plain.n_epochs_):
        place = tmp_path / str(epoch)
        fit_until(epoch, small(place, **values), X, y)
        assert equal(outcome(small(place, **values).fit(X, y), X), outcome(plain, X))
    # Killed after the last epoch: there is nothing left to learn.
    with pytest.MonkeyPatch.context() as monkeypatch:
        Epochs(monkeypatch, stop=plain.n_epochs_ + 1)
        assert equal(outcome(small(place, **values).fit(X, y), X), outcome(plain, X))


def test_transfer_goes_on_too_and_another_source_is_another_fit(tmp_path):
    X, y = spectrograms()
    sources = [FrozenEstimator(small(random_state=seed).fit(X, y)) for seed in (0, 1)]
    values = {"max_epochs": 3, "random_state": 0, "batch_size": 24, "frozen_layers": "conv"}
    plain, other = (CNNAudioClassifier(pretrained=s, **values).fit(X, y) for s in sources)
    place = tmp_path / "one.checkpoint"
    values["checkpoint"] = place
    fit_until(3, CNNAudioClassifier(pretrained=sources[0], **values), X, y)
    with pytest.raises(ValueError, match=r"another training \(pretrained: \w+ there, \w+ here\)"):
        CNNAudioClassifier(pretrained=sources[1], **values).fit(X, y)
    again = CNNAudioClassifier(pretrained=sources[0], **values).fit(X, y)
    assert equal(outcome(again, X), outcome(plain, X))
    assert not equal(outcome(again, X), outcome(other, X))


def test_a_finished_fit_is_there_at_once(tmp_path, capsys):
    X, y = spectrograms()
    first = small(tmp_path).fit(X, y)
    (name,) = os.listdir(tmp_path)
    assert name.startswith("CNNAudioClassifier-")
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = Epochs(monkeypatch)
        again = small(tmp_path, verbose=1).fit(X, y)
    assert epochs.n == 0
    assert "6/6" in capsys.readouterr().err
    assert equal(outcome(again, X), outcome(first, X))
    # Without what only training needs, it is about as large as the weights.
    n_bytes = sum(array.nbytes for array in get_weights(first.network_).values())
    assert os.path.getsize(tmp_path / name) < n_bytes + 16384


def test_what_does_not_change_the_outcome_does_not_make_another_fit(tmp_path, sounds, monkeypatch):
    def fit(**changes):
        changes = {"frontend__n_mels": 8, "frontend__n_frames": 10, "max_epochs": 2, **changes}
        return small(tmp_path / "all").set_params(**changes).fit(sounds.filenames, sounds.target)

    first = fit()
    epochs = Epochs(monkeypatch)
    for changes in (
        {"n_jobs": 2, "verbose": 0, "device": "cpu", "channels": [4, np.int64(8)]},
        {"frontend__cache": tmp_path / "cache", "frontend__n_jobs": 1},
        {"checkpoint": str(tmp_path / "all")},
    ):
        again = fit(**changes)
        assert epochs.n == 0
        assert equal(outcome(again, sounds.filenames), outcome(first, sounds.filenames))
    fit(frontend__top_db=40.0)
    assert epochs.n == 2


CHANGES = {
    "max_epochs": 7,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "augment": "noise",
    "early_stopping": False,
    "validation_fraction": 0.3,
    "patience": 5,
    "class_weight": "balanced",
    "dropout": 0.2,
    "channels": (4, 4),
    "kernel_size": 5,
    "hidden_units": (4,),
    "network": "daf",
    "random_state": 1,
    "precision": "bfloat16",
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_parameter_is_refused_by_name(name, one_file):
    place, X, y = one_file
    values = {name: CHANGES[name]}
    with pytest.raises(ValueError, match=rf"another training \({name}: .+ there, .+ here\)\. "):
        small(place, **values).fit(X, y)


@pytest.fixture(scope="module")
def one_file(tmp_path_factory):
    place = tmp_path_factory.mktemp("checkpoints") / "one.checkpoint"
    X, y = spectrograms()
    fit_until(3, small(place), X, y)
    return place, X, y


def test_other_data_are_refused(one_file):
    place, X, y = one_file
    labels, values = y.copy(), X.copy()
    labels[[0, 1]] = labels[[1, 0]]
    values[-1, -1, -1] += 1e-3
    for changed, sentence in (
        ((X, labels), r"\(labels: \(96,\) \w+ there, \(96,\) \w+ here\)"),
        ((values, y), r"\(spectrograms: \(96, 12, 10\) \w+ there, \(96, 12, 10\) \w+ here\)"),
        ((X[:90], y[:90]), r"\(labels: \(96,\) .*; spectrograms: \(96, .* there, \(90, "),
    ):
        with pytest.raises(ValueError, match=rf"one\.checkpoint' is .* {sentence}.*Delete it to"):
            small(place).fit(*changed)
    with pytest.raises(ValueError, match="estimator: CNNAudioClassifier there, ConvAuto"):
        embedder(place).fit(X)
    # Nothing of this has harmed it.
    assert equal(outcome(small(place).fit(X, y), X), outcome(small().fit(X, y), X))


def test_a_changed_recording_is_noticed(tmp_path, sounds):
    paths = [shutil.copy(path, tmp_path) for path in sounds.filenames]
    model = small(tmp_path / "one.checkpoint", max_epochs=2)
    model.set_params(frontend__n_mels=8, frontend__n_frames=10).fit(paths, sounds.target)
    times = os.stat(paths[0])
    shutil.copy(paths[1], paths[0])
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ValueError, match=r"another training \(spectrograms: "):
        clone(model).fit(paths, sounds.target)


def test_an_augmentation_that_cannot_be_known_again_is_an_error_at_once(tmp_path):
    class Unknown:
        def __init__(self):
            self.function = lambda batch: batch

        def __call__(self, batch, generator):
            return self.function(batch)

    X, y = spectrograms()
    with pytest.raises(TypeError, match=r"A fit with a checkpoint must know augment again: .*Unkn"):
        small(tmp_path, augment=Unknown()).fit(X, y)
    small(augment=Unknown(), max_epochs=1).fit(X, y)


def test_a_network_with_other_layers_from_the_same_builder_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("test_checkpoint.WIDTH", 4)
    X, y = spectrograms()
    fit_until(3, small(tmp_path, network=build_by_a_global), X, y)
    monkeypatch.setattr("test_checkpoint.WIDTH", 5)
    with pytest.raises(ValueError, match="holds a network with other layers"):
        small(tmp_path, network=build_by_a_global).fit(X, y)


WIDTH = 4


def build_by_a_global(input_shape, n_outputs, **options):
    return nn.Sequential(nn.Flatten(), nn.Linear(120, WIDTH), nn.Linear(WIDTH, n_outputs))


# --- random states ---------------------------------------------------------------------------


def test_a_fit_without_a_seed_takes_the_one_of_its_checkpoint(tmp_path):
    X, y = spectrograms()
    fit_until(4, small(tmp_path, random_state=None), X, y)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    first = small(tmp_path, random_state=None).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    seed = opened_of(tmp_path, first, X, y).seed
    assert equal(outcome(first, X), outcome(small(random_state=seed).fit(X, y), X))
    # So does every later one of the same folder; in another one it draws anew.
    assert equal(outcome(small(tmp_path, random_state=None).fit(X, y), X), outcome(first, X))
    other = small(tmp_path / "other", random_state=None).fit(X, y)
    assert not equal(outcome(other, X), outcome(first, X))


def opened_of(place, estimator, X, y):
    return estimator._resumable(X, y)[0]


def test_a_random_state_object_counts_by_its_state_and_goes_on_as_without_a_checkpoint(tmp_path):
    X, y = spectrograms()
    plain = np.random.RandomState(3)
    expected = [outcome(small(random_state=plain).fit(X, y), X) for _ in range(2)]
    killed = np.random.RandomState(3)
    fit_until(4, small(tmp_path, random_state=killed), X, y)
    again = np.random.RandomState(3)
    got = [outcome(small(tmp_path, random_state=again).fit(X, y), X) for _ in range(2)]
    assert equal(got, expected)
    assert again.randint(2**31) == plain.randint(2**31)


def test_the_same_fit_in_several_threads_at_once_is_the_same_in_each(tmp_path):
    X, y = spectrograms()
    expected = outcome(small().fit(X, y), X)
    with ThreadPoolExecutor(3) as pool:
        fits = [pool.submit(small(tmp_path).fit, X, y) for _ in range(6)]
    assert all(equal(outcome(fit.result(), X), expected) for fit in fits)
    assert equal(outcome(small(tmp_path).fit(X, y), X), expected)


# --- interruption and trouble ----------------------------------------------------------------


def test_an_interrupted_fit_keeps_its_best_epoch_and_can_be_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._training.train._last_interrupt", -np.inf)
    X, y = spectrograms()
    with pytest.MonkeyPatch.context() as context:
        Epochs(context, stop=4, error=KeyboardInterrupt)
        with pytest.warns(UserWarning, match="interrupted in epoch 4"):
            stopped = small(tmp_path).fit(X, y)
    assert stopped.n_epochs_ == 3
    assert equal(outcome(small(tmp_path).fit(X, y), X), outcome(small().fit(X, y), X))


def test_a_full_disk_costs_the_checkpoint_and_not_the_fit(tmp_path, monkeypatch):
    X, y = spectrograms()
    expected = outcome(small().fit(X, y), X)
    monkeypatch.setattr(os, "replace", no_space)
    with pytest.warns(UserWarning, match="could not be written") as warned:
        assert equal(outcome(small(tmp_path).fit(X, y), X), expected)
    assert len(warned) == 1
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_used_is_told_before_any_file_is_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"checkpoint='.*file' cannot be used: it is a file; expected a folder"
    ):
        small(tmp_path / "file").fit(["no such recording.wav"] * 4, [0, 1, 0, 1])


def test_a_damaged_checkpoint_costs_an_epoch_or_all_but_never_the_outcome(tmp_path):
    X, y = spectrograms()
    expected = outcome(small().fit(X, y), X)
    for both, sentence in (
        (False, "the epoch before the last"),
        (True, "from the beginning"),
    ):
        place = tmp_path / f"{both}.checkpoint"
        fit_until(4, small(place), X, y)
        damage(place)
        if both:
            damage(place.with_name(place.name + ".previous"))
        with pytest.warns(UserWarning, match=sentence):
            assert equal(outcome(small(place).fit(X, y), X), expected)


# --- processes that are killed ---------------------------------------------------------------

# Runs fits in children of a process that has imported everything, and kills them.
NURSERY = """
import os, pickle, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_checkpoint import outcome, small, spectrograms

X, y = spectrograms()

def fit(result, **values):
    Path(result).write_bytes(pickle.dumps(outcome(small(**values).fit(X, y), X)))

def born(function, *args, **values):
    child = os.fork()
    if child:
        return child
    try:
        function(*args, **values)
    finally:
        sys.stdout.flush()
        os._exit(sys.exc_info()[0] is not None)

def ended(child):
    return os.waitpid(child, 0)[1]
"""

AT_ANY_MOMENT = """
random.seed(0)
values = {"max_epochs": 30, "patience": 30}
assert ended(born(fit, "expected", **values)) == 0
folder = Path("folder")

def written():
    # A file that is just being renamed has no time.
    return [path.stat().st_mtime_ns for path in folder.glob("C*.checkpoint") if path.exists()]

n_kills = 0
while not Path("result").exists():
    before, child = written(), born(fit, "result", checkpoint=folder, **values)
    while written() == before and os.waitid(
        os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ) is None:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.08))
    if n_kills < 12:
        os.kill(child, signal.SIGKILL)
    n_kills += ended(child) == signal.SIGKILL
print(n_kills)
"""

AT_EVERY_CALL = """
from skdaf._training import checkpoint as _checkpoint

class Half:
    def __init__(self, path, mode):
        self.file = open(path, mode)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def __getattr__(self, name):
        return getattr(self.file, name)
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        counted(self.file.write)(content[len(content) // 2 :])

def counted(function):
    def call(*args, **kwargs):
        global n_left
        n_left -= 1
        if n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

def fit_and_die(n_calls, **values):
    global n_left
    n_left = n_calls
    _checkpoint.open = Half
    for name in ("fsync", "replace"):
        setattr(os, name, counted(getattr(os, name)))
    Path.unlink = counted(Path.unlink)
    fit("ended", **values)

values = {"max_epochs": 3}
assert ended(born(fit, "expected", **values)) == 0
expected = Path("expected").read_bytes()
n_kills = 0
while not Path("ended").exists():
    n_kills += 1
    values["checkpoint"] = f"{n_kills}"
    status = ended(born(fit_and_die, n_kills, **values))
    assert status == (0 if Path("ended").exists() else signal.SIGKILL), status
    assert ended(born(fit, "result", **values)) == 0
    assert Path("result").read_bytes() == expected, n_kills
    (left,) = os.listdir(values["checkpoint"])
    assert left.startswith("C"), left
print(n_kills - 1)
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills children of its own")


def nursery(code, folder):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", NURSERY + code, os.path.dirname(__file__)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@forks
@pytest.mark.slow
def test_a_fit_killed_at_any_moment_many_times_ends_with_the_same_bytes(tmp_path):
    assert nursery(AT_ANY_MOMENT, tmp_path) >= 5
    expected, result = (
        pickle.loads((tmp_path / name).read_bytes()) for name in ("expected", "result")
    )
    assert len(result[1]["train_loss"]) == 30
    assert equal(result, expected)
    (left,) = os.listdir(tmp_path / "folder")
    assert left.endswith(".checkpoint")


@forks
@pytest.mark.slow
def test_a_fit_killed_within_any_step_of_writing_ends_with_the_same_bytes(tmp_path):
    assert nursery(AT_EVERY_CALL, tmp_path) >= 15


SEARCH = """
import sys
sys.path.insert(0, sys.argv[1])
from test_checkpoint import search, spectrograms

search("folder", n_jobs=2).fit(*spectrograms())
"""


def search(checkpoint=None, n_jobs=None):
    model = small(checkpoint, max_epochs=25, early_stopping=False)
    return GridSearchCV(model, {"learning_rate": [1e-2, 3e-3]}, cv=2, n_jobs=n_jobs)


def progress_of(folder):
    """Return the number of epochs that each file of a folder holds."""
    contents = [unpack(path.read_bytes()) for path in folder.glob("C*.checkpoint")]
    return [len(content["state"]["progress"]["history"]["train_loss"]) for content in contents]


@pytest.mark.skipif(sys.platform == "win32", reason="kills a group of processes")
@pytest.mark.slow
def test_a_search_whose_workers_share_a_folder_goes_on_after_a_kill(tmp_path):
    X, y = spectrograms()
    folder = tmp_path / "folder"
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH, os.path.dirname(__file__)],
        cwd=tmp_path,
        start_new_session=True,
    )
    while len(list(folder.glob("C*.checkpoint"))) < 3:
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    epochs_before = progress_of(folder)
    plain = search().fit(X, y)
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = Epochs(monkeypatch)
        resumed = search(folder).fit(X, y)
    # Two candidates, two folds and the last fit.
    assert progress_of(folder) == [25] * 5
    assert epochs.n + sum(epochs_before) == 5 * 25
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(resumed.cv_results_[name], plain.cv_results_[name])
    assert equal(outcome(resumed.best_estimator_, X), outcome(plain.best_estimator_, X))


# --- the estimator around it -----------------------------------------------------------------


def test_it_is_a_parameter_like_others(tmp_path):
    X, y = spectrograms(24)
    model = small(tmp_path, max_epochs=1).fit(X, y)
    assert model.get_params()["checkpoint"] == clone(model).checkpoint == tmp_path
    saved = saved_and_loaded(model, tmp_path / "m")
    for loaded, place in ((pickle.loads(pickle.dumps(model)), tmp_path), (saved, None)):
        assert loaded.checkpoint == place
        assert equal(outcome(loaded, X), outcome(model, X))
    with pytest.raises(ValueError, match="'checkpoint' parameter of CNNAudioClassifier"):
        small(3).fit(X, y)


def saved_and_loaded(model, path):
    save_model(model, path)
    return load_model(path)


def test_no_checkpoint_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small(max_epochs=1).fit(*spectrograms(24))
    assert os.listdir(tmp_path) == []
