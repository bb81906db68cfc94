"""save_model and load_model: round trips, releases, files."""

import io
import os
import pickle
import re
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
import torch
from crafting import npy, rewritten
from helpers import TESTS
from packaging.version import Version
from saved_models import SMALL, fit_classifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skdaf
from skdaf import (
    BlockScaler,
    CappedPCA,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    load_model,
    make_combined_classifier,
    save_model,
)
from skdaf._estimators.persistence.models import read_note
from skdaf._estimators.persistence.trusted_types import find_class
from skdaf._estimators.persistence.versions import scikit_learn_of

pytestmark = pytest.mark.oldest

# Small models as this release saved them, samples, and what the models made of these.
GOLDEN = TESTS / "data"


def estimators(X, folder):
    y = np.arange(20) % 2
    fitted = fit_classifier(X)
    embedder = ConvAutoencoderEmbedder(SpectrogramTransformer(n_mels=8), **SMALL).fit(X)
    extractor = CNNFeatureExtractor(FrozenEstimator(fitted))
    return {
        "front end": (SpectrogramTransformer(cache=folder / "cache").fit(X), "transform"),
        "classifier": (fitted, "predict_proba"),
        "daf": (fit_classifier(X, network="daf", hidden_units=(8,)), "predict_proba"),
        "transferred": (
            CNNAudioClassifier(pretrained=FrozenEstimator(fitted), max_epochs=1).fit(X, y),
            "predict_proba",
        ),
        "transferred from autoencoder": (
            CNNAudioClassifier(pretrained=FrozenEstimator(embedder), max_epochs=1).fit(X, y),
            "predict_proba",
        ),
        "embedder": (embedder, "transform"),
        "extractor": (extractor.fit(X), "transform"),
        "pipeline": (
            make_pipeline(extractor, StandardScaler(), SVC()).fit(X, y),
            "decision_function",
        ),
        "front end and network": (
            make_pipeline(SpectrogramTransformer(), CNNAudioClassifier(**SMALL)).fit(X, y),
            "predict_proba",
        ),
    }


def _private_paths(content):
    return set(re.findall(rb"skdaf[.\w]*\._\w*[.\w]*", content))


def test_files_name_only_public_modules(waveforms, tmp_path):
    combined = make_combined_classifier([fit_classifier(waveforms)], n_components=2, method="svc")
    combined.fit(waveforms, np.arange(20) % 2)
    for model, _ in estimators(waveforms, tmp_path).values():
        assert not _private_paths(pickle.dumps(model))
    save_model(combined, tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        names = b"".join(archive.read(name) for name in archive.namelist())
    assert b'"skdaf"' in names
    assert not _private_paths(names)
    joblib.dump(combined, tmp_path / "model.joblib")
    assert not _private_paths((tmp_path / "model.joblib").read_bytes())


def test_every_estimator_predicts_the_same_after_a_round_trip(waveforms, tmp_path):
    for name, (estimator, method) in estimators(waveforms, tmp_path).items():
        path = tmp_path / f"{name}.skops"
        save_model(estimator, path)
        expected = getattr(estimator, method)(waveforms)
        answer = getattr(load_model(path), method)(waveforms)
        np.testing.assert_array_equal(answer, expected, err_msg=name)


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same_bytes(waveforms, tmp_path):
    models = estimators(waveforms, tmp_path)
    frozen = FrozenEstimator(models["classifier"][0])
    combined = make_combined_classifier(frozen, n_components=4, method="svc")
    calibrated = CalibratedClassifierCV(clone(combined), cv=2, ensemble=False)
    y = np.arange(20) % 2
    models["combined"] = combined.fit(waveforms, y), "decision_function"
    models["calibrated"] = calibrated.fit(waveforms, y), "predict_proba"
    for name, (model, _) in models.items():
        save_model(model, tmp_path / f"{name}.skops")
        joblib.dump(model, tmp_path / f"{name}.joblib")
    np.save(tmp_path / "X.npy", waveforms)
    code = (
        "import sys, joblib, numpy as np, skdaf; X = np.load('X.npy')\n"
        "for name, method in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    for load, kind in ((skdaf.load_model, 'skops'), (joblib.load, 'joblib')):\n"
        "        answer = getattr(load(f'{name}.{kind}'), method)(X)\n"
        "        np.save(f'{name}.{kind}.npy', answer)\n"
    )
    names = [text for name, (_, method) in models.items() for text in (name, method)]
    subprocess.run([sys.executable, "-c", code, *names], cwd=tmp_path, check=True)
    for name, (model, method) in models.items():
        expected = getattr(model, method)(waveforms)
        for kind in ("skops", "joblib"):
            answer = np.load(tmp_path / f"{name}.{kind}.npy")
            np.testing.assert_array_equal(answer, expected, err_msg=f"{name}, {kind}")


def test_an_existing_file_is_replaced_only_by_a_complete_one(waveforms, tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    save_model(SpectrogramTransformer(n_mels=8), path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="could not be written"):
        save_model(SpectrogramTransformer(n_mels=9), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.skops"]


def test_a_file_names_the_release_that_wrote_it(tmp_path):
    path = tmp_path / "model.skops"
    save_model(SpectrogramTransformer(), path)
    assert read_note(path) == {"skdaf": skdaf.__version__, "format": 1}
    rewritten(path, **{"skdaf.json": '{"skdaf": "99.0", "format": 2}'})
    with pytest.raises(ValueError, match=r"skdaf 99\.0, .* update skdaf"):
        load_model(path)


def test_a_name_that_no_model_has_is_not_imported():
    sys.modules.pop("sklearn.experimental.enable_halving_search_cv", None)
    find_class("sklearn.experimental.enable_halving_search_cv.HalvingGridSearchCV")
    assert "sklearn.experimental.enable_halving_search_cv" not in sys.modules


# The files contain estimators of another release of scikit-learn, which warns about that.
files_of_another_scikit_learn = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.InconsistentVersionWarning"
)


def load_golden(name):
    """Load a model of an earlier release, unless it needs a newer scikit-learn."""
    path = GOLDEN / f"{name}-0.1.0.skops"
    saved = scikit_learn_of(path)
    if saved and Version(sklearn.__version__) < Version(saved):
        pytest.skip(f"the file was saved with scikit-learn {saved}")
    return load_model(path)


@files_of_another_scikit_learn
@pytest.mark.parametrize("name", ["classifier", "embedder", "combined"])
def test_files_of_earlier_releases_predict_as_before(name):
    model = load_golden(name)
    golden = np.load(GOLDEN / f"{name}-0.1.0.npz")
    np.testing.assert_allclose(
        getattr(model, str(golden["method"]))(golden["X"]), golden["answer"], atol=1e-4
    )


@files_of_another_scikit_learn
@pytest.mark.parametrize("name", ["classifier", "embedder", "combined"])
def test_releases_with_more_parameters_load_them_too(name, with_new_parameter):
    kinds = [SpectrogramTransformer, CNNAudioClassifier, ConvAutoencoderEmbedder]
    for kind in [*kinds, CNNFeatureExtractor, PyAudioAnalysisTransformer, CappedPCA, BlockScaler]:
        with_new_parameter(kind)
    model = load_golden(name)
    golden = np.load(GOLDEN / f"{name}-0.1.0.npz")
    answer = getattr(model, str(golden["method"]))(golden["X"])
    np.testing.assert_allclose(answer, golden["answer"], atol=1e-4)
    added = [key for key in model.get_params() if key.split("__")[-1] == "added"]
    assert len(added) >= 2
    again = clone(model, safe=False).set_params(**dict.fromkeys(added, "otherwise"))
    assert all(again.get_params()[key] == "otherwise" for key in added)


def test_a_file_from_a_computer_with_another_byte_order(waveforms, tmp_path):
    model = make_pipeline(CNNFeatureExtractor(fit_classifier(waveforms)), SVC())
    model.fit(waveforms, np.arange(20) % 2)
    path = tmp_path / "model.skops"
    skdaf.save_model(model, path)
    with zipfile.ZipFile(path) as archive:
        arrays = {
            name: np.lib.format.read_array(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if name.endswith(".npy")
        }
    swapped = {name: npy(a.astype(a.dtype.newbyteorder())) for name, a in arrays.items()}
    rewritten(path, **swapped)
    loaded = skdaf.load_model(path)
    expected = model.decision_function(waveforms)
    np.testing.assert_array_equal(loaded.decision_function(waveforms), expected)


def test_a_model_for_a_missing_device_predicts_on_the_cpu(waveforms, tmp_path, monkeypatch):
    # As on a machine with a GPU: only the name of the device would reach the file.
    with monkeypatch.context() as there:
        for module in ("base", "fitting"):
            there.setattr(f"skdaf._estimators.{module}.resolve_device", lambda device, **_: "cpu")
        fitted = fit_classifier(waveforms, device="cuda")
        expected = fitted.predict_proba(waveforms)
        save_model(fitted, tmp_path / "model.skops")
        joblib.dump(fitted, tmp_path / "model.joblib")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = load_model(tmp_path / "model.skops")
    assert loaded.device == "auto"
    np.testing.assert_array_equal(loaded.predict_proba(waveforms), expected)
    loaded = joblib.load(tmp_path / "model.joblib")
    with pytest.warns(UserWarning, match="device='cuda' is not available"):
        np.testing.assert_array_equal(loaded.predict_proba(waveforms), expected)
    with pytest.raises(ValueError, match="device='cuda' is not available"):
        loaded.fit(waveforms, np.arange(20) % 2)


def test_missing_files_and_folders(tmp_path):
    for path, end in ((tmp_path / "lost.skops", r"lost\.skops'\.$"), (tmp_path, "it is a folder")):
        with pytest.raises(FileNotFoundError, match=f"no model file .*{end}"):
            load_model(path)


def test_a_class_is_not_an_estimator(tmp_path):
    with pytest.raises(TypeError, match="SpectrogramTransformer: pass an instance"):
        save_model(SpectrogramTransformer, tmp_path / "model.skops")


def test_bytes_paths_are_accepted(tmp_path):
    path = os.fsencode(tmp_path / "model.skops")
    save_model(SpectrogramTransformer(n_mels=8), path)
    assert load_model(path).n_mels == 8
    with pytest.raises(FileNotFoundError, match=r"no model file '.*lost\.skops'"):
        load_model(os.fsencode(tmp_path / "lost.skops"))


def test_a_long_legal_name_can_be_saved_to(tmp_path):
    path = tmp_path / ("m" * 244 + ".skops")
    save_model(SpectrogramTransformer(n_mels=8), path)
    assert load_model(path).n_mels == 8
    assert os.listdir(tmp_path) == [path.name]


def test_an_object_in_several_places_is_written_once(waveforms, tmp_path):
    fitted = fit_classifier(waveforms)
    save_model(CNNFeatureExtractor(FrozenEstimator(fitted)).fit(waveforms), tmp_path / "two.skops")
    loaded = load_model(tmp_path / "two.skops")
    assert loaded.estimator.estimator is loaded.estimator_
    save_model(fitted, tmp_path / "one.skops")
    assert (tmp_path / "two.skops").stat().st_size < 1.3 * (tmp_path / "one.skops").stat().st_size


def test_skops_reads_the_files_with_the_published_types(waveforms, tmp_path):
    forest = RandomForestClassifier(n_estimators=2)
    model = make_pipeline(CNNFeatureExtractor(FrozenEstimator(fit_classifier(waveforms))), forest)
    model.fit(waveforms, np.arange(20) % 2)
    save_model(model, tmp_path / "model.skops")
    loaded = skops.io.load(tmp_path / "model.skops", trusted=skdaf.TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict(waveforms), model.predict(waveforms))


@pytest.mark.parametrize("name", ["x.joblib", "m.pkl", "M.PKL", "a.b.onnx", b"x.pt"])
def test_an_extension_of_another_format_gives_a_warning(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    expected = re.escape(repr(str(path))) + ".*only load_model reads. Name it "
    suggested = re.escape(repr(str(path.with_suffix(".skops"))))
    with pytest.warns(UserWarning, match=expected + suggested) as caught:
        save_model(StandardScaler().fit(np.eye(3)), os.fsencode(path))
    assert [warning.filename for warning in caught] == [__file__]
    assert isinstance(load_model(path), StandardScaler)


@pytest.mark.parametrize(
    "unfitted",
    [SpectrogramTransformer(), make_pipeline(SpectrogramTransformer(), StandardScaler())],
    ids=str,
)
def test_an_estimator_that_is_not_fitted_gives_a_warning(tmp_path, unfitted):
    expected = f"This {type(unfitted).__name__} is not fitted.*Call fit before save_model"
    with pytest.warns(UserWarning, match=expected) as caught:
        save_model(unfitted, tmp_path / "model.skops")
    assert [warning.filename for warning in caught] == [__file__]
    assert type(load_model(tmp_path / "model.skops")) is type(unfitted)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["model.skops", "model", "model.v2", "model.bin"])
def test_other_names_of_fitted_estimators_give_none(tmp_path, name):
    save_model(StandardScaler().fit(np.eye(3)), tmp_path / name)
