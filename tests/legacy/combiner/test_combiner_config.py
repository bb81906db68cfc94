"""Configuration files: each key is used, or the error names it."""

import re
import sys
import time

import pytest
from config_files import ABSENT, EXAMPLE, VALUES, changed, write_config

from skdaf._legacy.combiner.config import CombinerConfig
from skdaf._legacy.combiner.yaml_file import read_yaml

pytestmark = pytest.mark.oldest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.yaml"


@pytest.fixture
def read(path):
    """A function that writes a file with some values changed, and reads it."""
    return lambda **changes: CombinerConfig.read(write_config(path, **changes))


def refused(read, **changes):
    """Return the error for a file, after the name of the file."""
    with pytest.raises(ValueError, match=r"config\.yaml': ") as info:
        read(**changes)
    message = str(info.value)
    assert "\n" not in message
    assert len(message) < 600
    return message.partition("config.yaml': ")[2]


# --- what is read ---


def test_the_file_of_deep_audio_features(path):
    path.write_text(EXAMPLE)
    assert read_yaml(str(path)) == VALUES
    assert CombinerConfig.read(path) == CombinerConfig(
        path=str(path),
        kernel="rbf",
        metric="f1_macro",
        basic_features={"mid_window": 1, "mid_step": 1, "short_window": 0.05, "short_step": 0.01},
        models=(
            ("one.skops", "GOOGLE_DRIVE_ID_OF_MODEL_1"),
            ("old.pt", "GOOGLE_DRIVE_ID_OF_MODEL_2"),
        ),
        may_download=True,
        n_components=100,
        segment_step=5,
    )


def test_every_key_has_an_effect(read):
    original = read()
    different = {
        "which_classifier__parameters__kernel": "linear",
        "which_classifier__parameters__metric": "accuracy",
        "extract_basic_features": False,
        "basic_features_params__mid_window": 2.0,
        "basic_features_params__mid_step": 2,
        "basic_features_params__short_window": 0.02,
        "basic_features_params__short_step": 0.02,
        "extract_nn_features": False,
        "model_paths": ["two.skops", "old.pt"],
        "download_models": False,
        "google_drive_ids": ["a", "b"],
        "n_components": 3,
        "segment_step": 4,
    }
    for name, value in different.items():
        assert read(**{name: value}) != original, name


@pytest.mark.parametrize("kind", ["basic", "nn"])
def test_features_that_are_not_used_need_no_settings(read, kind):
    own = {
        "basic": ["basic_features_params"],
        "nn": ["model_paths", "download_models", "google_drive_ids", "n_components"]
        + ["segment_step"],
    }[kind]
    changes = {f"extract_{kind}_features": False} | dict.fromkeys(own, ABSENT)
    config = read(**changes)
    assert (config.basic_features is None) == (kind == "basic")
    assert (config.models == ()) == (kind == "nn")
    # Their settings may be there, but must be right.
    with_settings = read(**{f"extract_{kind}_features": False})
    assert (with_settings.basic_features is None) == (kind == "basic")
    assert "must be" in refused(
        read, **{f"extract_{kind}_features": False}, **dict.fromkeys(own[:1], "x")
    )


def test_forms_of_the_names_of_models(read):
    paths = read(google_drive_ids=ABSENT, download_models=ABSENT)
    assert paths.models == (("one.skops", None), ("old.pt", None))
    assert paths.may_download is None
    ids = read(model_paths=ABSENT)
    assert [path for path, _ in ids.models] == [None, None]
    assert [one for _, one in ids.models] == VALUES["google_drive_ids"]
    # Ids are not used.
    assert read(download_models=False, google_drive_ids=["x"]).may_download is False


# --- what is refused ---


@pytest.mark.parametrize(
    "name",
    [
        *("which_classifier", "which_classifier.type", "which_classifier.parameters"),
        *("which_classifier.parameters.kernel", "which_classifier.parameters.metric"),
        *("extract_basic_features", "extract_nn_features", "n_components", "segment_step"),
        *("basic_features_params", *(f"basic_features_params.{name}" for name in
           ("mid_window", "mid_step", "short_window", "short_step"))),
    ],
)  # fmt: skip
def test_missing_keys(read, name):
    text = refused(read, **{name.replace(".", "__"): ABSENT})
    assert text == f"the key {name!r} is missing."


def test_missing_models(read):
    assert refused(read, model_paths=ABSENT, download_models=False) == (
        "the key 'model_paths' is missing."
    )
    assert refused(read, model_paths=ABSENT, google_drive_ids=ABSENT) == (
        "the key 'google_drive_ids' is missing."
    )
    assert refused(read, model_paths=[]) == "model_paths must name at least one model, got []."
    assert "google_drive_ids must name at least one model" in refused(
        read, model_paths=ABSENT, google_drive_ids=[]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n_component", "unknown key 'n_component': did you mean 'n_components'?"),
        ("layers", "unknown key 'layers'. Known keys are which_classifier, extract_basic"),
        ("which_classifier.C", "unknown key 'which_classifier.C'. Known keys are type, param"),
        ("which_classifier.parameters.kernels", "did you mean 'kernel'?"),
        ("basic_features_params.mid_windo", "did you mean 'mid_window'?"),
        ("dim_reduction", "belongs to a trained combiner"),
        ("Classifier", "belongs to a trained combiner"),
    ],
)
def test_unknown_keys(read, name, expected):
    assert expected in refused(read, **{name.replace(".", "__"): 1})


def test_keys_that_are_no_text(path):
    path.write_text(EXAMPLE + "\n1: x\n")
    with pytest.raises(ValueError, match="unknown key '1'"):
        CombinerConfig.read(path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("which_classifier", "svm", "which_classifier must be a mapping of keys to values"),
        ("which_classifier.type", "knn", "which_classifier.type must be 'svm', got 'knn'."),
        ("which_classifier.parameters", None, "parameters must be a mapping"),
        ("which_classifier.parameters.kernel", "rbv", "'sigmoid', got 'rbv'. Did you mean 'rbf'?"),
        ("which_classifier.parameters.kernel", "precomputed", "must be 'linear' or 'poly' or"),
        ("which_classifier.parameters.kernel", 3, "kernel must be"),
        ("which_classifier.parameters.metric", "f1_makro", "a scorer of scikit-learn, got 'f1_ma"),
        ("which_classifier.parameters.metric", "f1_makro", "Did you mean 'f1_macro'?"),
        ("which_classifier.parameters.metric", ["f1"], "got ['f1']."),
        ("extract_basic_features", "yes", "extract_basic_features must be true or false, got 'y"),
        ("extract_nn_features", 1, "extract_nn_features must be true or false, got 1."),
        ("download_models", None, "download_models must be true or false, got None."),
        ("basic_features_params", [], "basic_features_params must be a mapping"),
        ("basic_features_params.mid_window", 0, "mid_window must be a positive number of seconds"),
        ("basic_features_params.mid_step", -1.5, "a positive number of seconds, got -1.5."),
        ("basic_features_params.short_window", "5e-2", "a positive number of seconds, got '5e-2'."),
        ("basic_features_params.short_step", True, "seconds, got True."),
        ("model_paths", "one.skops", "model_paths must be a list of texts"),
        ("model_paths", ["one.skops", 3], "model_paths must be a list of texts"),
        ("model_paths", ["one.skops", " "], "none of them empty"),
        ("google_drive_ids", ["x"], "google_drive_ids must have one id for each of the 2 model"),
        ("google_drive_ids", {"a": 1}, "google_drive_ids must be a list of texts"),
        ("n_components", 0, "n_components must be a whole number that is at least 1, got 0."),
        ("n_components", 0.9, "at least 1, got 0.9."),
        ("n_components", True, "at least 1, got True."),
        ("segment_step", -5, "segment_step must be a whole number that is at least 1, got -5."),
        ("segment_step", "5", "at least 1, got '5'."),
        ("segment_step", [[list(range(99))] * 9] * 9, "at least 1, got [[["),
    ],
)
def test_wrong_values(read, name, value, expected):
    assert expected in refused(read, **{name.replace(".", "__"): value})


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_durations_are_finite(path, value):
    path.write_text(EXAMPLE.replace("short_step: 0.01", f"short_step: .{value}"))
    with pytest.raises(ValueError, match=f"short_step must be a positive .*, got {value}"):
        CombinerConfig.read(path)


def test_something_must_be_extracted(read):
    assert "extract_basic_features or extract_nn_features must be true" in refused(
        read, extract_basic_features=False, extract_nn_features=False
    )


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "just text", "3"])
def test_files_without_keys(path, content):
    path.write_text(content)
    with pytest.raises(ValueError, match=r"config.yaml': the file must be a mapping of keys"):
        CombinerConfig.read(path)


# --- files that are not YAML, or are meant to harm ---


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1, 2", "(line 1, column 9)"),
        (b"a: 1\n b: 2", "(line 2, column 3)"),
        (b"a: \t- 1\nb: @", "line"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (b"\x80\x04\x95", "cannot be read as YAML"),
        (b"a: 1\n---\nb: 2\n", "expected a single document"),
        (b"a: 1\nb: {c: 1, c: 2}\n", "the key 'c' occurs twice (line 2, column 11)"),
        (b"a: 1\na: 2\n", "the key 'a' occurs twice (line 2, column 1)"),
        (b"a: &x [1]\nb: *x\n", "aliases (*) are not supported (line 2, column 4)"),
        (b"a: &x {k: 1}\nb: {<<: *x}\n", "aliases (*) are not supported"),
        (b"a: !!python/object/apply:os.system ['false']", "could not determine a constructor"),
        (b"a: !!python/name:os.system", "could not determine a constructor"),
        (b"a: 2020-99-99", "month must be in 1..12"),
        (b"? [a, b]\n: 1", "unhashable key"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_files_that_are_not_read(path, content, expected):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{str(path)!r} cannot be read as ")) as info:
        CombinerConfig.read(path)
    assert expected in str(info.value)
    assert "\n" not in str(info.value)


def test_a_small_file_cannot_describe_a_huge_value(path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    path.write_text("\n".join(lines))
    start = time.monotonic()
    with pytest.raises(ValueError, match="aliases"):
        CombinerConfig.read(path)
    assert time.monotonic() - start < 5


def test_files_that_are_too_large(path):
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(
        ValueError, match=r"config\.yaml' is not a configuration file: it is too la"
    ):
        CombinerConfig.read(path)


def test_without_pyyaml(path, monkeypatch):
    path.write_text(EXAMPLE)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match=r"pip install pyyaml, or"):
        CombinerConfig.read(path)


def test_the_changes_of_these_tests():
    assert changed({}) == VALUES
    assert changed({"n_components": ABSENT}).keys() == VALUES.keys() - {"n_components"}
