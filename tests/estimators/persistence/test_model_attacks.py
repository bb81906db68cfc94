"""Malicious files made from fitted estimators, beyond what `skops` writes."""

import copy
import struct
import zipfile
import zlib
from collections import OrderedDict

import numpy as np
import pytest
import skops.io
from crafting import array, instance, listed, node, npy, plain, rewritten, write_crafted
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import Birch, FeatureAgglomeration
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import PairwiseKernel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    SpectrogramTransformer,
    load_model,
    save_model,
)
from skdaf._core.archives import Archive
from skdaf._training.checkpoint import Checkpoint, pack

RNG = np.random.default_rng(0)
Y = np.arange(45) % 3
X = RNG.standard_normal((45, 6)) + Y[:, None]


def crafted(model, tmp_path, **attributes):
    """Write an estimator with any attributes, unchecked."""
    model = copy.deepcopy(model)
    vars(model).update(attributes)
    path = tmp_path / "model.skops"
    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED)
    return path


def fake_tree(model):
    """Return an object with the attributes of a tree, with many more features than its ensemble."""
    wide = DecisionTreeClassifier().fit(np.hstack([np.zeros((45, 1000)), X]), Y)
    fake = KBinsDiscretizer()
    fake.tree_, fake.n_features_in_, fake.n_outputs_ = wide.tree_, model.n_features_in_, 1
    return fake


def kept_by_search(kind):
    values = {"frontend__cache": ["evil"], "checkpoint": ["evil"], "max_epochs": [1]}
    search = GridSearchCV(CNNAudioClassifier(), {})
    search.param_grid = kind(**values)
    return search


@pytest.mark.parametrize("kind", [dict, OrderedDict, Bunch])
@pytest.mark.parametrize("wrap", [lambda grid: grid, lambda grid: [grid]])
def test_folders_in_any_kind_of_dict_are_not_loaded(tmp_path, kind, wrap):
    search = kept_by_search(kind)
    search.param_grid = wrap(search.param_grid)
    loaded = load_model(crafted(search, tmp_path))
    assert loaded.param_grid == wrap({"max_epochs": [1]})
    save_model(search, tmp_path / "saved.skops")
    assert b"evil" not in zipfile.ZipFile(tmp_path / "saved.skops").read("schema.json")


def test_paths_in_arrays_of_a_search_are_not_loaded(tmp_path):
    search = GridSearchCV(SVC(), {"estimator": np.array(["evil", "drop"])})
    assert list(load_model(crafted(search, tmp_path)).param_grid["estimator"]) == [None, "drop"]


def test_ensembles_set_no_run_parameters(tmp_path):
    bagging = BaggingClassifier(CNNAudioClassifier())
    with pytest.raises(ValueError, match="estimator_params"):
        load_model(crafted(bagging, tmp_path, estimator_params=("frontend__cache",)))
    loaded = load_model(crafted(bagging, tmp_path, frontend__cache="evil"))
    assert not hasattr(loaded, "frontend__cache")


def test_arguments_of_kernels_start_no_workers(tmp_path):
    kernel = PairwiseKernel(pairwise_kernels_kwargs={"n_jobs": 10**6})
    loaded = load_model(crafted(GaussianProcessRegressor(kernel), tmp_path))
    assert loaded.kernel.pairwise_kernels_kwargs == {}


def test_members_are_unpacked_no_further_than_they_claim(tmp_path):
    path = crafted(StandardScaler().fit(X), tmp_path)
    name = next(n for n in zipfile.ZipFile(path).namelist() if n.endswith(".npy"))
    rewritten(path, **{name: zlib.compress(bytes(2**28), wbits=-15)})
    content = bytearray(path.read_bytes())
    for mark, at_name, at_method, at_size in ((b"PK\1\2", 46, 10, 24), (b"PK\3\4", 30, 8, 22)):
        start = content.index(mark)
        while content[start + at_name :][: len(name)] != name.encode():
            start = content.index(mark, start + 1)
        struct.pack_into("<H", content, start + at_method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", content, start + at_size, 100)
    path.write_bytes(content)
    unpacked = []

    class Decompressor:
        def __init__(self, wbits):
            self._inner = real(wbits)

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def decompress(self, *arguments):
            unpacked.append(len(data := self._inner.decompress(*arguments)))
            return data

    real = zlib.decompressobj
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "decompressobj", Decompressor)
        with pytest.raises(ValueError, match=r"is damaged: .*CRC-32"):
            load_model(path)
    assert max(unpacked) < 10_000


def test_errors_name_a_few_types_without_control_characters(tmp_path):
    path = tmp_path / "model.skops"
    names = [node("ObjectNode", f"evil.\x1b[2J{number}") for number in range(1000)]
    write_crafted(path, listed(*names))
    with pytest.raises(ValueError, match=r"not trusted: .* and 980 more\. Nothing") as caught:
        load_model(path)
    assert len(str(caught.value)) < 2000
    assert str(caught.value).isprintable()
    rewritten(path, **{"skdaf.json": '{"skdaf": "\\u001b[2J", "format": 99}'})
    with pytest.raises(ValueError, match="update skdaf") as caught:
        load_model(path)
    assert str(caught.value).isprintable()


def test_only_estimators_are_saved_and_loaded(tmp_path):
    path = tmp_path / "model.skops"
    write_crafted(path, listed(plain(1)))
    with pytest.raises(ValueError, match="a list, not an estimator"):
        load_model(path)
    with pytest.raises(ValueError, match=r"load_model would refuse .*list"):
        save_model([StandardScaler()], tmp_path / "other.skops")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_an_estimator_without_attributes_is_refused(tmp_path):
    path = tmp_path / "model.skops"
    write_crafted(path, node("ObjectNode", "sklearn.svm._classes.SVC"))
    with pytest.raises(ValueError, match="damaged: in a SVC"):
        load_model(path)


def test_what_skops_cannot_write_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"load_model would refuse .*Birch"):
        save_model(Birch().fit(X), tmp_path / "model.skops")


def test_points_of_neighbors_are_counted(tmp_path, monkeypatch):
    path = crafted(KNeighborsClassifier(algorithm="kd_tree").fit(X, Y), tmp_path)
    with Archive(path, "file") as archive:
        for _ in range(2):
            archive.take_points(2**19)
        with pytest.raises(ValueError, match="1048577 points"):
            archive.take_points(1)
    counted = []
    monkeypatch.setattr(Archive, "take_points", lambda self, n_points: counted.append(n_points))
    load_model(path)
    assert counted == [45]


def test_repeated_bytes_are_bounded_by_the_size_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    write_crafted(path, listed(*[array("a")] * 20), a=npy(np.zeros(2**20)))
    monkeypatch.setattr("skdaf._estimators.persistence.schema._MAX_REPEATED_BYTES", 2**25)
    with pytest.raises(ValueError, match=r"refer to \d+ bytes"):
        load_model(path)


@pytest.mark.parametrize("shape", [(2**40, 0), (0, 2**40)])
def test_empty_arrays_of_objects_are_bounded(tmp_path, shape):
    path = tmp_path / "model.skops"
    sides = listed(*map(plain, shape), kind="tuple")
    empty = node("NdArrayNode", "numpy.ndarray", type="json", shape=sides, content=[])
    write_crafted(path, instance("sklearn.frozen._frozen.FrozenEstimator", estimator=empty))
    with pytest.raises(ValueError, match="plausible size"):
        load_model(path)


def wide_forest(model):
    """Return the attributes of an isolation forest whose trees use features that it lacks."""
    wide = IsolationForest(n_estimators=2).fit(np.hstack([np.zeros((45, 1000)), X]))
    return {
        "estimators_": wide.estimators_,
        "estimators_features_": [np.zeros(1006, int)] * 2,
        "_max_features": 6,
    }


BINARY = GradientBoostingClassifier(n_estimators=1).fit(X, Y > 0)
BOOSTING = GradientBoostingClassifier(n_estimators=1).fit(X, Y)
BOOSTED = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5).fit(X, Y)
BOOSTED._feature_subsample_rng = None  # skops writes it, save_model does not
FOREST = RandomForestClassifier(2).fit(X, Y)
NEIGHBORS = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
OTHERS = KNeighborsClassifier(algorithm="kd_tree").fit(X[:30, :2], Y[:30])
ONE_HOT = OneHotEncoder().fit((X > 0).astype(float))
UNPRINTED = "{feature_name:>3000000000}"
COLUMNS = ColumnTransformer(
    [("a", StandardScaler(), [0])], verbose_feature_names_out="{feature_name}"
)

BROKEN = [
    (NEIGHBORS, {"n_samples_fit_": 10**12}, "n_samples_fit_"),
    (NEIGHBORS, {"n_neighbors": 10**9}, "n_neighbors=1000000000"),
    (NEIGHBORS, {"_tree": OTHERS._tree}, "other points"),
    (NEIGHBORS, {"effective_metric_params_": {"VI": np.ones((2, 2))}}, r"shape \(2, 2\)"),
    (BOOSTED, {"_preprocessor": PCA(1, random_state=0).fit(X)}, "a preprocessor"),
    (BOOSTED, {"n_trees_per_iteration_": 10**9}, "number of trees"),
    (BOOSTING, {"estimators_": np.array([[fake_tree(BOOSTING)] * 3])}, "not trees"),
    (BOOSTING, {"init_": LogisticRegression().fit(X, Y > 0)}, "several classes"),
    (BINARY, {"estimators_": np.repeat(BINARY.estimators_, 9, axis=1)}, "number of trees"),
    (
        BINARY,
        {"estimators_": np.repeat(BINARY.estimators_, 9, axis=1), "n_trees_per_iteration_": 9},
        "number of trees",
    ),
    (FOREST, {"estimators_": [fake_tree(FOREST)]}, "not trees"),
    (FOREST, {"n_classes_": 10**9}, "n_classes_=1000000000"),
    (IsolationForest(n_estimators=2).fit(X), wide_forest(X), "other features"),
    (ONE_HOT, {"_n_features_outs": [1] * 6}, "number of outputs"),
    (ONE_HOT, {"categories_": [np.arange(5000.0)] * 6}, "number of outputs"),
    (ONE_HOT, {"_drop_idx_after_grouping": np.array([9] * 6, dtype=object)}, "dropped category"),
    (PolynomialFeatures(2).fit(X), {"_max_degree": 10**9}, "degree=1000000000"),
    (PolynomialFeatures(2).fit(X), {"_n_out_full": 10**9}, "outputs: 1000000000"),
    (PolynomialFeatures(2).fit(X), {"n_features_in_": 20_000}, "with 20000 features"),
    (COLUMNS.fit(X), {"verbose_feature_names_out": UNPRINTED}, "verbose_feature_names_out"),
    (DummyRegressor().fit(X, Y), {"n_outputs_": 10**9}, "n_outputs_"),
    (NMF(2, max_iter=500).fit(abs(X)), {"_n_components": 10**9}, "number of components"),
    (FeatureAgglomeration().fit(X), {"labels_": np.full(6, 10**9)}, "labels"),
    (DictVectorizer().fit([{"a": 1}]), {"vocabulary_": {"a": 10**6}}, "vocabulary_"),
    (OrdinalEncoder(), {"dtype": np.dtype("<U500000000")}, "empty array"),
    (OrdinalEncoder(), {"dtype": np.dtype("<U2000")}, "an array of small values"),
    (
        LogisticRegression().fit(X, Y),
        {"coef_": sparse.csc_matrix((10**9, 6))},
        "sparse matrix",
    ),
    (SpectrogramTransformer().fit(X * np.ones((45, 1))), {"n_frames_": 0}, "n_frames_ cannot be"),
]


@pytest.mark.parametrize(("model", "attributes", "reason"), BROKEN)
def test_attributes_that_do_not_fit_together_are_refused(tmp_path, model, attributes, reason):
    assert isinstance(load_model(crafted(model, tmp_path)), BaseEstimator)
    with pytest.raises(ValueError, match=f"damaged: .*{reason}"):
        load_model(crafted(model, tmp_path, **attributes))


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=2, init="zero"),
        OneHotEncoder(drop="first"),
        OneHotEncoder(drop="if_binary"),
        OneHotEncoder(max_categories=2, drop="first"),
        OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"),
        PolynomialFeatures((2, 3), interaction_only=True, include_bias=False),
        ColumnTransformer(
            [("a", StandardScaler(), [0])],
            verbose_feature_names_out="{transformer_name}-{feature_name}",
        ),
        NMF(2, max_iter=500),
        FeatureAgglomeration(2),
        KNeighborsClassifier(
            algorithm="brute", metric="mahalanobis", metric_params={"VI": np.eye(6)}
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_valid_models_of_these_kinds_are_loaded(tmp_path, model):
    rounded = np.abs(X).round()
    model.fit(rounded, Y)
    save_model(model, tmp_path / "model.skops")
    method = "transform" if hasattr(model, "transform") else "predict"
    found = getattr(load_model(tmp_path / "model.skops"), method)(rounded)
    expected = getattr(model, method)(rounded)
    if sparse.issparse(expected):
        found, expected = found.toarray(), expected.toarray()
    np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_whose_fingerprint_is_not_plain_is_refused(tmp_path):
    state = {"progress": None, "loop": None}
    for value in (np.ones(3), {"a": 1}, [1]):
        stored = {"fingerprint": {"estimator": value}, "made_with": {}, "seed": None}
        (tmp_path / "a.checkpoint").write_bytes(pack({**stored, "state": state}))
        with pytest.raises(ValueError, match="is not a checkpoint of this release"):
            Checkpoint(tmp_path / "a.checkpoint", {"estimator": "E"}, {})


def test_an_error_shows_a_little_of_a_long_fingerprint(tmp_path):
    for fingerprint in ({"estimator": "x" * 10**5}, {str(number): "x" for number in range(10**4)}):
        state = {"progress": None, "loop": None}
        stored = {"fingerprint": fingerprint, "made_with": {}, "seed": None, "state": state}
        (tmp_path / "a.checkpoint").write_bytes(pack(stored))
        with pytest.raises(ValueError, match="another fit") as caught:
            Checkpoint(tmp_path / "a.checkpoint", {"estimator": "E"}, {})
        assert len(str(caught.value)) < 2000


def test_an_extractor_cuts_a_bounded_number_of_windows(tmp_path):
    waveforms = RNG.standard_normal((6, 2000))
    network = CNNAudioClassifier(SpectrogramTransformer(n_mels=8), channels=(2,), max_epochs=1)
    extractor = CNNFeatureExtractor(network, window=0.1).fit(waveforms, np.arange(6) % 2)
    save_model(extractor, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops").set_params(step=1e-5)
    with pytest.raises(ValueError, match="Windows per second"):
        loaded.transform(waveforms)
