"""Checkpoint files: they are read as they were written, and other files are refused."""

import errno
import io
import os

import numpy as np
import pytest
from training_helpers import (
    damage,
    make_classifier,
    make_spectrograms,
    no_space_left,
    same_trees,
)

from skdaf._training import checkpoint as module
from skdaf._training.checkpoint import Checkpoint, pack, unpack

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


# --- bytes -----------------------------------------------------------------------------------


def test_packing_and_unpacking_returns_the_same():
    assert same_trees(unpack(pack(TREE)), TREE)
    assert not same_trees(unpack(pack(TREE)), {**TREE, "text": "dog"})


def test_a_truncated_or_changed_file_is_detected_wherever_the_damage_is():
    content = pack(TREE)
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 0x10
        for damaged in (content[:position], bytes(changed)):
            with pytest.raises(ValueError, match="damaged"):
                unpack(damaged)
    with pytest.raises(ValueError, match="damaged"):
        unpack(content + b"\0")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_reading_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A malicious file with a valid checksum.
    file = io.BytesIO()
    np.save(file, np.array([Bomb()]), allow_pickle=True)
    body = file.getvalue()
    assert b"mkdir" in body
    with pytest.raises(ValueError, match="object"):
        unpack(module._MAGIC + module._digest(body) + body)
    with pytest.raises(TypeError, match="Bomb"):
        pack({"a": Bomb()})
    assert os.listdir(tmp_path) == []


# --- files -----------------------------------------------------------------------------------

FINGERPRINT = {"estimator": "Any", "max_epochs": "3"}


def open_checkpoint(location, fingerprint=FINGERPRINT, **versions):
    return Checkpoint(location, fingerprint, {"torch": "2.0", **versions})


@pytest.fixture(params=["folder", "one.checkpoint"])
def location(request, tmp_path):
    module.check_location(tmp_path / request.param)
    return tmp_path / request.param


def stored(**changes):
    state = {"progress": {}, "loop": 0}
    return {"fingerprint": FINGERPRINT, "made_with": {}, "seed": 1, "state": state, **changes}


@pytest.mark.parametrize(
    "content",
    [
        None,
        [1, 2],
        {"fingerprint": FINGERPRINT},
        stored(made_with=[]),
        stored(seed="x"),
        stored(state=None),
        {".array": 99},
    ],
)
def test_other_content_with_a_valid_checksum_is_refused(tmp_path, content):
    location = tmp_path / "one.checkpoint"
    location.write_bytes(pack(content))
    with pytest.raises(ValueError, match=r"one\.checkpoint' .* is not a checkpoint of"):
        open_checkpoint(location)


def test_a_claim_of_more_bytes_than_the_file_has_allocates_nothing(tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(file, header)
    body = file.getvalue()
    location = tmp_path / "one.checkpoint"
    location.write_bytes(module._MAGIC + module._digest(body) + body)
    with pytest.raises(ValueError, match="claims more bytes"):
        open_checkpoint(location)


@pytest.mark.parametrize("part", ["progress", "loop"])
def test_a_state_that_does_not_belong_to_the_fit_is_refused(tmp_path, part):
    X, y = make_spectrograms(24)
    location = tmp_path / "one.checkpoint"
    make_classifier(location, max_epochs=2).fit(X, y)
    content = unpack(location.read_bytes())
    progress = content["state"]["progress"]
    progress["history"] = {name: values[:1] for name, values in progress["history"].items()}
    progress["best_epoch"] = 1
    content["state"][part] = {"history": {"train_loss": ["a"]}}
    location.write_bytes(pack(content))
    with pytest.raises(ValueError, match=r"one\.checkpoint' does not contain the (progress|state)"):
        make_classifier(location, max_epochs=2).fit(X, y)


def test_the_last_state_is_what_the_next_fit_finds(location):
    assert open_checkpoint(location).state is None
    first = open_checkpoint(location)
    first.seed = 7
    for epoch in range(3):
        first.write({"epoch": epoch}, TREE)
        assert open_checkpoint(location).seed == 7
        expected = {"progress": {"epoch": epoch}, "loop": TREE}
        assert same_trees(open_checkpoint(location).state, expected)


def test_a_finished_fit_leaves_only_one_file(location):
    checkpoint = open_checkpoint(location)
    for loop in (TREE, TREE, None):
        # The partial file of a killed process.
        checkpoint.path.with_name(f".{checkpoint.path.stem}.123.part.checkpoint").touch()
        checkpoint.write({}, loop)
    assert os.listdir(checkpoint.path.parent) == [checkpoint.path.name]
    assert open_checkpoint(location).state == {"progress": {}, "loop": None}


def test_each_fit_in_a_folder_has_its_own_file(tmp_path):
    one, other = (
        open_checkpoint(tmp_path),
        open_checkpoint(tmp_path, {**FINGERPRINT, "max_epochs": "4"}),
    )
    one.write({"epoch": 1}, TREE)
    other.write({"epoch": 2}, TREE)
    assert open_checkpoint(tmp_path).state["progress"] == {"epoch": 1}
    other.write({"epoch": 3}, None)
    assert open_checkpoint(tmp_path).state["progress"] == {"epoch": 1}


def test_a_link_keeps_pointing_to_its_file(tmp_path):
    link, file = tmp_path / "link.checkpoint", tmp_path / "far" / "one.checkpoint"
    module.check_location(file)
    link.symlink_to(file)
    for epoch, loop in ((1, TREE), (2, TREE), (3, None)):
        open_checkpoint(link).write({"epoch": epoch}, loop)
        assert open_checkpoint(file).state["progress"] == {"epoch": epoch}
    assert link.is_symlink()
    assert os.listdir(tmp_path / "far") == ["one.checkpoint"]


def test_a_damaged_file_falls_back_to_the_previous_one_and_then_to_the_beginning(location):
    checkpoint = open_checkpoint(location)
    for epoch in (1, 2):
        checkpoint.write({"epoch": epoch}, TREE)
    damage(checkpoint.path)
    with pytest.warns(UserWarning, match=r"damaged: .* the previous epoch"):
        assert open_checkpoint(location).state["progress"] == {"epoch": 1}
    damage(checkpoint._previous)
    with pytest.warns(UserWarning, match=r"damaged .* the beginning"):
        again = open_checkpoint(location)
    assert again.state is None
    again.write({"epoch": 1}, TREE)
    assert open_checkpoint(location).state["progress"] == {"epoch": 1}


def test_the_previous_file_is_used_between_two_renames(location):
    checkpoint = open_checkpoint(location)
    for epoch in (1, 2):
        checkpoint.write({"epoch": epoch}, TREE)
    checkpoint.path.unlink()
    assert open_checkpoint(location).state["progress"] == {"epoch": 1}


def test_the_file_of_another_fit_is_refused_with_the_differences(tmp_path):
    location = tmp_path / "one.checkpoint"
    open_checkpoint(location).write({}, TREE)
    with pytest.raises(ValueError, match=r"one\.checkpoint' .* another fit \(max_epochs: 3 "):
        open_checkpoint(location, {**FINGERPRINT, "max_epochs": "4"})
    with pytest.raises(ValueError, match=r"\(epochs: None .*, 3 .*; max_epochs: 3 .*, None"):
        open_checkpoint(location, {"estimator": "Any", "epochs": "3"})


def test_a_renamed_file_in_a_folder_is_refused_too(tmp_path):
    changed = {**FINGERPRINT, "max_epochs": "4"}
    one, other = open_checkpoint(tmp_path), open_checkpoint(tmp_path, changed)
    one.write({}, TREE)
    os.replace(one.path, other.path)
    with pytest.raises(ValueError, match=r"max_epochs: 3 .*, 4 "):
        open_checkpoint(tmp_path, changed)


def test_another_file_is_never_overwritten(tmp_path):
    location = tmp_path / "one.checkpoint"
    location.write_text("a week of notes")
    with pytest.raises(ValueError, match=r"one\.checkpoint' .* not a checkpoint file"):
        open_checkpoint(location)
    assert location.read_text() == "a week of notes"


def test_another_release_of_torch_warns(location):
    open_checkpoint(location).write({}, TREE)
    with pytest.warns(UserWarning, match=r"torch 2\.0.* 2\.1"):
        open_checkpoint(location, torch="2.1")
    open_checkpoint(location).write({}, None)
    assert open_checkpoint(location, torch="2.1").state is not None


def test_an_unusable_path_is_an_error_before_training(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.checkpoint").mkdir()
    locations = ["file", "file/folder", "file/one.checkpoint", "folder.checkpoint"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.checkpoint")
        locations.append("pipe.checkpoint")
    for location in locations:
        with pytest.raises(ValueError, match=r"checkpoint='.*(file|folder|pipe).*' cannot be used"):
            module.check_location(tmp_path / location)
    module.check_location(str(tmp_path / "new" / "folder"))
    assert os.listdir(tmp_path / "new") == ["folder"]


def test_a_folder_without_write_permission_is_an_error_before_training(tmp_path, monkeypatch):
    def refuse(**kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(kwargs["dir"]))

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match=r"cannot be used: .*Permission denied"):
        module.check_location(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_warns_once_and_keeps_the_previous_file(location, monkeypatch, call):
    checkpoint = open_checkpoint(location)
    checkpoint.write({"epoch": 1}, TREE)
    with monkeypatch.context() as full:
        full.setattr(os, call, no_space_left)
        with pytest.warns(UserWarning, match=r"could not be written \(.*No space left"):
            checkpoint.write({"epoch": 2}, TREE)
        checkpoint.write({"epoch": 3}, TREE)
    assert open_checkpoint(location).state["progress"] == {"epoch": 1}
    assert os.listdir(checkpoint.path.parent) == [checkpoint.path.name]
    checkpoint.write({"epoch": 4}, TREE)
    assert open_checkpoint(location).state["progress"] == {"epoch": 4}


def test_a_missing_folder_warns_but_a_file_removed_by_another_process_does_not(tmp_path):
    def removed_by_another(path, *args):
        path.unlink()
        return replace(path, *args)

    checkpoint, replace = open_checkpoint(tmp_path / "folder"), os.replace
    with pytest.warns(UserWarning, match="could not be written"):
        checkpoint.write({}, TREE)
    module.check_location(tmp_path / "folder")
    checkpoint = open_checkpoint(tmp_path / "folder")
    with pytest.MonkeyPatch.context() as other:
        other.setattr(os, "replace", lambda part, path: removed_by_another(part, path))
        checkpoint.write({}, TREE)
