"""The bytes of model files depend only on the model."""

import io
import pickle
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import skops.io
from saved_models import SMALL, fit_classifier
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    load_model,
    make_combined_classifier,
    save_model,
)
from skdaf._estimators.persistence import run_settings
from skdaf._estimators.persistence.writer import repacked

pytestmark = pytest.mark.oldest

Y = np.arange(20) % 2


def _extractor(X):
    return CNNFeatureExtractor(FrozenEstimator(fit_classifier(X)))


def _union(X):
    embedder = ConvAutoencoderEmbedder(SpectrogramTransformer(n_mels=8), **SMALL)
    union = FeatureUnion([("network", _extractor(X)), ("embedding", embedder)])
    return make_pipeline(union, StandardScaler(), SVC())


def _on_features(X, classifier):
    return make_pipeline(_extractor(X), classifier).fit(X, Y)


MODELS = {
    "front end": lambda X: SpectrogramTransformer(n_mels=8).fit(X),
    "classifier": fit_classifier,
    "names": lambda X: CNNAudioClassifier(**SMALL).fit(X, np.where(Y, "cat", "dog").tolist()),
    "continued": lambda X: CNNAudioClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1]),
    "regressor": lambda X: CNNAudioRegressor(**SMALL).fit(X, Y + 0.5),
    "autoencoder": lambda X: ConvAutoencoderEmbedder(**SMALL).fit(X),
    "extractor": lambda X: _extractor(X).fit(X),
    "pipeline": lambda X: _on_features(X, SVC()),
    "union": lambda X: _union(X).fit(X, Y),
    "combined": lambda X: make_combined_classifier(fit_classifier(X), n_components=2).fit(X, Y),
    "forest": lambda X: _on_features(X, RandomForestClassifier(2, random_state=0)),
    "boosting": lambda X: _on_features(
        X, HistGradientBoostingClassifier(max_iter=2, random_state=0)
    ),
    "neighbors": lambda X: _on_features(X, KNeighborsClassifier(algorithm="kd_tree")),
    "centers": lambda X: KMeans(2, random_state=0).fit(X),
    "sparse": lambda X: SVC().fit(sparse.csr_matrix(X[:, :30]), Y),
}


def saved(model, folder):
    save_model(model, folder / "model.skops")
    return (folder / "model.skops").read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_the_same_model_has_the_same_bytes(name, waveforms, tmp_path, monkeypatch):
    model = MODELS[name](waveforms)
    first = saved(model, tmp_path)
    again = load_model(tmp_path / "model.skops")
    # Pickles have other objects at other addresses, too.
    copied = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    for other in (model, again, copied):
        assert saved(other, tmp_path) == first
    monkeypatch.undo()
    assert saved(MODELS[name](waveforms), tmp_path) == first


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(waveforms, tmp_path):
    folders = {name: tmp_path / name for name in MODELS}
    expected = {}
    for name, folder in folders.items():
        folder.mkdir()
        model = MODELS[name](waveforms)
        (folder / "model.pickle").write_bytes(pickle.dumps(model))
        expected[name] = saved(model, folder)
    code = (
        "import pickle, sys, skdaf\n"
        "for folder in sys.argv[1:]:\n"
        "    with open(f'{folder}/model.pickle', 'rb') as file:\n"
        "        skdaf.save_model(pickle.load(file), f'{folder}/model.skops')\n"
    )
    subprocess.run([sys.executable, "-c", code, *folders.values()], check=True)
    for name, folder in folders.items():
        assert (folder / "model.skops").read_bytes() == expected[name], name


def test_computers_with_other_cores_write_the_same_bytes(waveforms, tmp_path, monkeypatch):
    model = MODELS["centers"](waveforms)
    first = saved(model, tmp_path)
    here = load_model(tmp_path / "model.skops")._n_threads
    monkeypatch.setitem(run_settings._RUN_ATTRIBUTES, "_n_threads", lambda: here + 1)
    assert load_model(tmp_path / "model.skops")._n_threads == here + 1
    model._n_threads = here + 2
    assert saved(model, tmp_path) == first


def test_the_order_of_attributes_and_of_sets_makes_no_difference():
    one, other = SpectrogramTransformer(), SpectrogramTransformer()
    vars(other)["n_mels"] = vars(other).pop("n_mels")
    assert list(vars(one)) != list(vars(other))
    # Both numbers have the same place in the table of a small set.
    assert list({0, 8}) != list({8, 0})
    first, second = float("1.5"), float("1.5")  # two objects
    pairs = [
        (one, other),
        ({0, 8}, {8, 0}),
        ({(first, "a"), (second, "b")}, {(second, "a"), (first, "b")}),
        tuple({np.float64(value) for value in values} for values in (range(9), range(8, -1, -1))),
    ]
    for pair in pairs:
        contents = {repacked(skops.io.dumps(value)) for value in pair}
        assert len(contents) == 1, pair


def test_what_has_an_order_keeps_it():
    contents = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, ["a", "b"], ["b", "a"]]
    assert len({repacked(skops.io.dumps(value)) for value in contents}) == len(contents)
    loaded = skops.io.loads(repacked(skops.io.dumps(contents)))
    assert [list(value) for value in loaded] == [list(value) for value in contents]


def test_parts_are_shared_as_before():
    array, parts = np.arange(3), ["a"]
    value = [array, array, np.arange(3), parts, parts, ["a"], ("x", array), ("x", parts)]
    loaded = skops.io.loads(repacked(skops.io.dumps(value)))
    assert loaded[0] is loaded[1] is loaded[6][1]
    assert loaded[0] is not loaded[2]
    assert loaded[3] is loaded[4] is loaded[7][1]
    assert loaded[3] is not loaded[5]


def test_members_have_plain_names_and_no_time(waveforms, tmp_path):
    content = saved(MODELS["pipeline"](waveforms), tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    numbered = [f"{number}.npy" for number in range(1, len(names) - 1)]
    assert names == [*numbered, "schema.json", "skdaf.json"]
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
