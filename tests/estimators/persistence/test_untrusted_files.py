"""Model files that are damaged, malicious, or of another format."""

import contextlib
import io
import json
import os
import pickle
import shlex
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
import torch
from crafting import (
    array,
    attribute,
    called,
    change_schema,
    listed,
    mapping,
    node,
    npy,
    plain,
    rewritten,
    write_crafted,
)
from helpers import CASES
from saved_models import SMALL, fit_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    SpectrogramTransformer,
    load_model,
    save_model,
)
from skdaf._estimators.persistence.trusted_types import find_class

pytestmark = pytest.mark.oldest


class Touch:
    """A malicious pickle, which does something as soon as it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("dump", [joblib.dump, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_pickles_are_refused_and_nothing_is_run(tmp_path, dump):
    dump(Touch(tmp_path / "touched"), tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"model\.skops' was not written by save_model"):
        load_model(tmp_path / "model.skops")
    assert not (tmp_path / "touched").exists()


class Foreign(SpectrogramTransformer):
    """A type of another package."""


def test_types_that_are_not_trusted_are_refused_by_name(tmp_path):
    skops.io.dump(Foreign(), tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"not trusted: .*Foreign\. Nothing was loaded"):
        load_model(tmp_path / "model.skops")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda c: GridSearchCV(c, {"max_epochs": [1, 2]}, cv=2),
        lambda c: GridSearchCV(c, {"max_epochs": [1, 2]}, cv=2, scoring="f1"),
        lambda c: CalibratedClassifierCV(c, cv=2, ensemble=False),
        lambda c: VotingClassifier([("a", c), ("b", c)], voting="soft"),
        lambda c: make_pipeline(CNNFeatureExtractor(c), RandomForestClassifier(n_estimators=3)),
        lambda c: make_pipeline(CNNFeatureExtractor(c), HistGradientBoostingClassifier()),
    ],
)
def test_searches_and_ensembles_of_scikit_learn_are_loaded_too(waveforms, tmp_path, wrap):
    network = CNNAudioClassifier(SpectrogramTransformer(n_mels=8), **SMALL)
    model = wrap(network).fit(waveforms, np.arange(20) % 2)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(waveforms), model.predict_proba(waveforms))


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.datasets._base.rmtree",
        "sklearn.datasets._base.urlretrieve",
        "sklearn.utils.estimator_checks.joblib",
        "sklearn.pipeline.Bunch",
        "sklearn.nowhere.Thing",
        "sklearn.conftest.pytest",
        "sklearn.externals._packaging.version.Version",
        "sklearn.tree.tests.test_tree.Tree",
        "sklearn.utils.parallel.Parallel",
        "sklearn.utils._testing.TempMemmap",
        "sklearnish.Thing",
        "os.system",
    ],
)
def test_only_what_scikit_learn_defines_itself_is_trusted(name):
    assert find_class(name) is None


def test_what_could_not_be_loaded_is_not_saved(waveforms, tmp_path):
    fitted = fit_classifier(waveforms).set_params(augment=os.path.join)
    with pytest.raises(ValueError, match=r"augment=join .* is code.*Nothing was written"):
        save_model(fitted, tmp_path / "model.skops")
    assert not os.listdir(tmp_path)


def test_a_damaged_file_is_reported_as_damaged(waveforms, tmp_path):
    path = tmp_path / "model.skops"
    save_model(fit_classifier(waveforms), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"model\.skops' was not written by save_model"):
        load_model(path)


def test_a_missing_folder_is_named_as_given(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/model\.skops' could not be written"):
        save_model(SpectrogramTransformer(), tmp_path / "nowhere" / "model.skops")


def test_functions_are_refused_by_name(waveforms, tmp_path):
    fitted = fit_classifier(waveforms).set_params(augment=os.path.join)
    skops.io.dump(fitted, tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"not trusted: .*join"):
        load_model(tmp_path / "model.skops")


def test_other_archives_are_refused(tmp_path):
    path = tmp_path / "model.skops"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"model\.skops' was not written by save_model"):
        load_model(path)


def attacks(target):
    """Return a value that would create a folder, or refer to it, when it is loaded."""
    text, system = plain(str(target)), plain(f"mkdir {shlex.quote(str(target))}")
    code = plain(f"__import__('os').mkdir({str(target)!r})")
    old = {"module_path": "posix", "function": "mkdir"}
    function = node("FunctionNode", "posix.mkdir", content=old)
    partial = {"func": function, "args": listed(text, kind="tuple")}
    partial |= {"kwds": plain(None), "namespace": plain(None)}
    stateful = {"content": listed(), "__reduce__": {"args": listed(text, kind="tuple")}}
    method = {"func": "mkdir", "obj": called("pathlib.PosixPath", text)}
    generator = {"bit_generator": plain("seed")}
    generator = node("DictNode", "builtins.dict", key_types=listed(), content=generator)
    return {
        "function": called("posix.mkdir", text),
        "shell": called("posix.system", system),
        "process": called("subprocess.Popen", system),
        "eval": called("builtins.eval", code),
        "exec": called("builtins.exec", code),
        "list": node("ListNode", "posix.system", content=[system]),
        "loss": node("LossNode", "posix.mkdir", **stateful),
        "state of a random state": node("RandomStateNode", "os.getcwd", content=text),
        "name": function,
        "type": node("TypeNode", "posix.mkdir"),
        "object": node("ObjectNode", "subprocess.Popen", content=text),
        "partial": node("PartialNode", "functools.partial", content=partial),
        "method": node("MethodNode", "pathlib.PosixPath", content=method),
        "operator": node("OperatorFuncNode", "operator.call", attrs=listed(function, text)),
        "generator": node(
            "RandomGeneratorNode",
            "numpy.random._generator.Generator",
            content={"bit_generator": generator, "seed_seq": plain({})},
        ),
        "test helper": called("sklearn.utils._testing.TempMemmap", text),
        "parallel call": called("sklearn.utils.parallel._FuncWrapper", function),
        "import of scikit-learn's": called("sklearn.datasets._base.rmtree", text),
        "import of skdaf's": called("skdaf._estimators.persistence.models.importlib", text),
    }


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("name", attacks(""))
def test_a_crafted_file_is_refused_and_nothing_is_run(tmp_path, name, protocol):
    path, target = tmp_path / "model.skops", tmp_path / "touched"
    attack = attacks(target)[name]
    reason = r"model\.skops' (contains types that are not trusted: .*Nothing|is damaged: )"
    write_crafted(path, attack, protocol)
    with pytest.raises(ValueError, match=reason):
        load_model(path)
    # The same, deep inside a valid model.
    save_model(SpectrogramTransformer(n_mels=8), path)
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["content"]["content"]["n_mels"] = listed(attack)
    schema["protocol"] = protocol
    rewritten(path, **{"schema.json": json.dumps(schema)})
    with pytest.raises(ValueError, match=reason):
        load_model(path)
    assert not target.exists()


def test_a_name_behind_another_name_is_refused(tmp_path):
    path = tmp_path / "model.skops"
    hidden = {"module_path": "posix", "function": "mkdir"}
    write_crafted(path, node("FunctionNode", "numpy.absolute", content=hidden), protocol=0)
    with pytest.raises(ValueError, match=r"not trusted: numpy\.absolute"):
        load_model(path)


def test_the_attacks_of_these_tests_would_work(tmp_path):
    path, target = tmp_path / "model.skops", tmp_path / "touched"
    for name in ("function", "shell", "eval", "loss"):
        write_crafted(path, attacks(target)[name])
        with contextlib.suppress(Exception):  # what comes after it does not matter
            skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        target.rmdir()


def test_pickles_inside_of_arrays_are_not_loaded(tmp_path):
    path, target = tmp_path / "model.skops", tmp_path / "touched"
    array, sparse = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Touch(target)], dtype=object), allow_pickle=True)
    np.savez(sparse, data=np.array([Touch(target)], dtype=object), format=np.array("csr"))
    for loader, kind, content in (
        ("NdArrayNode", "numpy.ndarray", array.getvalue()),
        ("SparseMatrixNode", "scipy.sparse._csr.csr_matrix", sparse.getvalue()),
    ):
        file_type = "numpy" if loader == "NdArrayNode" else "scipy"
        write_crafted(path, node(loader, kind, type=file_type, file="a"), a=content)
        with pytest.raises(ValueError, match=r"model\.skops' (is damaged|contains types)"):
            load_model(path)
    assert not target.exists()


@pytest.mark.parametrize("file", ["../secret.npy", "/etc/hostname", "secret.npy"])
def test_names_of_files_outside_the_archive_are_not_followed(tmp_path, file):
    np.save(tmp_path / "secret.npy", np.arange(3))
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "model.skops"
    write_crafted(path, node("NdArrayNode", "numpy.ndarray", type="numpy", file=file))
    with pytest.raises(ValueError, match=r"damaged: the archive has no member"):
        load_model(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["inner", "model.skops", "secret.npy"]


def test_archives_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    monkeypatch.setattr("skdaf._core.archives._ALWAYS_ALLOWED_BYTES", 2**20)
    write_crafted(path, plain("x"), zeros=bytes(2**24))
    with pytest.raises(ValueError, match=r"model\.skops' .* 16777\d+ bytes"):
        load_model(path)
    with pytest.raises(ValueError, match=r"Transformer .*\d+ bytes"):
        save_model(SpectrogramTransformer(top_db=np.zeros(2**21)), tmp_path / "new.skops")
    assert os.listdir(tmp_path) == ["model.skops"]


def test_absurd_claims_cost_nothing(waveforms, tmp_path):
    path = tmp_path / "model.skops"
    huge, array = io.BytesIO(), node("NdArrayNode", "numpy.ndarray", type="numpy", file="a")
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(huge, header)
    write_crafted(path, array, a=huge.getvalue())
    with pytest.raises(ValueError, match=r"model\.skops' is damaged"):
        load_model(path)
    nested = '{"protocol": 0, "a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    rewritten(path, **{"schema.json": nested})
    with pytest.raises(ValueError, match=r"model\.skops' is damaged: RecursionError"):
        load_model(path)
    for name, value, reason in (
        ("n_outputs", 10**9, "The number of outputs must be at most"),
        ("n_outputs", 5, "one output per class"),
        ("network", "daf", "but the network needs"),
    ):
        save_model(fit_classifier(waveforms), path)
        changed = {name: plain(value)}
        change_schema(
            path, lambda state, new=changed: state["_architecture"]["content"].update(new)
        )
        with pytest.raises(ValueError, match=rf"model\.skops' is damaged: .*{reason}"):
            load_model(path)


def test_any_damage_is_reported_as_damage(waveforms, tmp_path):
    path = tmp_path / "model.skops"
    save_model(fit_classifier(waveforms), path)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(ValueError):  # if it changes an unused byte
            load_model(path)


@pytest.mark.parametrize("schema", [None, "", "{}", "[]", "null", '{"__module__": 3}'])
def test_a_file_whose_parts_do_not_fit_is_called_damaged(waveforms, tmp_path, schema):
    path = tmp_path / "model.skops"
    save_model(fit_classifier(waveforms), path)
    rewritten(path, **{"schema.json": schema})
    with pytest.raises(ValueError, match=r"model\.skops' is damaged"):
        load_model(path)


STRANGE_ATTRIBUTES = [
    ("network", node("FunctionNode", "subprocess.call"), "not trusted: subprocess.call"),
    ("network", plain("legacy daf"), "network"),
    ("predict", plain("x"), "predict"),
    ("layer_outputs", plain("x"), "layer_outputs"),
    ("__sklearn_clone__", plain("x"), "__sklearn_clone__"),
    ("note", plain("x"), "note"),
    ("frontend_", mapping(transform=plain(1)), "frontend_ cannot be"),
    ("network_", listed(), "network_ cannot be"),
    ("classes_", listed(plain(1)), "classes_ cannot be"),
    ("input_shape_", listed(plain(3), plain(8), kind="tuple"), "differs from that of its network"),
    ("max_epochs", plain(-3), "max_epochs"),
]


def test_attributes_that_no_classifier_has_are_refused(waveforms, tmp_path):
    path = tmp_path / "model.skops"
    fitted = fit_classifier(waveforms, max_epochs=1)
    for name, value, reason in STRANGE_ATTRIBUTES:
        save_model(fitted, path)
        attribute(path, name, value)
        with pytest.raises(ValueError, match=reason):
            load_model(path)


ATTACKS = CASES / "models" / "attacks.py"

# Loads files in a process that has nothing else in memory, each within limits.
LOAD_ALL = """
import resource, sys, time
from skdaf import load_model
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        load_model(path)
        print("loaded", path)
    except ValueError as error:
        assert path in str(error), error
    assert time.process_time() - start < 10, path
try:
    # On Linux, the maximum that getrusage returns includes the process that started this one.
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
except OSError:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
assert peak < 2**30, f"{peak / 2**20:.0f} MiB"
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the resource module")
def test_attacks_cost_little_and_touch_nothing(tmp_path):
    for name, attack in attacks(tmp_path / "touched").items():
        write_crafted(tmp_path / f"{name}.skops", attack)
    many = [{**array("a"), "__id__": number} for number in range(1, 5000)]
    write_crafted(tmp_path / "many.skops", listed(*many), a=npy(np.zeros(2**23)))
    nested = {**listed(plain(1)), "__id__": 1}
    for number in range(2, 40):
        nested = {**listed(nested, {**listed(), "__id__": number - 1}), "__id__": number}
    write_crafted(tmp_path / "nested.skops", nested)
    if ATTACKS.is_file():
        subprocess.run([sys.executable, ATTACKS, tmp_path], check=True)
    files = sorted(tmp_path.glob("*.skops"))
    command = [sys.executable, "-c", LOAD_ALL, *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert sorted(tmp_path.iterdir()) == files
