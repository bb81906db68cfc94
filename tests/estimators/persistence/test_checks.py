import numpy as np
import pytest
from crafting import attribute, change_array, change_schema, node, plain
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from skdaf import load_model, save_model

RNG = np.random.default_rng(0)
Y = np.arange(45) % 3
X = np.abs(RNG.standard_normal((45, 6)) + Y[:, None])
NEW = np.abs(RNG.standard_normal((50, 6)) + 1)
TWO = [("a", SVC()), ("b", DecisionTreeClassifier(random_state=0))]

ESTIMATORS = [
    AdaBoostClassifier(n_estimators=3),
    BaggingClassifier(max_features=0.5, n_estimators=3),
    CalibratedClassifierCV(LinearSVC(), cv=3),
    CalibratedClassifierCV(SVC(), method="isotonic", cv=3),
    ColumnTransformer([("a", StandardScaler(), [0, 1])], remainder=PCA(2)),
    DecisionTreeClassifier(max_leaf_nodes=5),
    ExtraTreesClassifier(n_estimators=3),
    FunctionTransformer(np.log1p),
    GaussianNB(),
    GaussianProcessClassifier(),
    GradientBoostingClassifier(n_estimators=3),
    GridSearchCV(SVC(), {"C": [1, 2]}, scoring="f1_macro", cv=StratifiedKFold(2)),
    HistGradientBoostingClassifier(max_iter=3),
    IsolationForest(n_estimators=3, max_features=0.5),
    KMeans(3),
    KNeighborsClassifier(algorithm="brute"),
    KNeighborsClassifier(algorithm="kd_tree", leaf_size=2),
    KNeighborsClassifier(algorithm="ball_tree", metric="minkowski", p=3),
    LocalOutlierFactor(novelty=True),
    LogisticRegression(),
    MLPClassifier(max_iter=3),
    NuSVC(nu=0.2),
    OneClassSVM(),
    OneVsRestClassifier(SVC()),
    PolynomialFeatures(3),
    RandomForestClassifier(n_estimators=3),
    SGDClassifier(),
    SVC(kernel="poly", class_weight="balanced"),
    SVR(),
    SelectFromModel(RandomForestClassifier(n_estimators=3)),
    SelectKBest(k=2),
    SparseRandomProjection(2),
    StackingClassifier(TWO, cv=2),
    VotingClassifier(TWO),
    make_pipeline(make_union(StandardScaler(), PCA(2)), SVC()),
]


def saved(model, tmp_path):
    save_model(model, tmp_path / "model.skops")
    return tmp_path / "model.skops"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
def test_scikit_learn_estimators_predict_the_same_after_a_round_trip(model, tmp_path):
    model.fit(X, Y)
    loaded = load_model(saved(model, tmp_path))
    for name in ("predict", "predict_proba", "decision_function", "transform", "kneighbors"):
        if hasattr(model, name):
            expected, found = getattr(model, name)(NEW), getattr(loaded, name)(NEW)
            if hasattr(expected, "toarray"):
                expected, found = expected.toarray(), found.toarray()
            np.testing.assert_array_equal(found, expected)


def nodes_of_tree(state):
    return state["tree_"]["content"]["content"]["nodes"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("left_child", 0, "do not form a tree"),
        ("left_child", 10**9, "do not form a tree"),
        ("right_child", -7, "do not form a tree"),
        ("feature", 10**7, "feature indices"),
        ("feature", -3, "feature indices"),
    ],
)
def test_broken_links_of_a_tree_are_refused(tmp_path, field, value, reason):
    path = saved(DecisionTreeClassifier().fit(X, Y), tmp_path)

    def change(nodes):
        nodes[field][0] = value

    change_array(path, nodes_of_tree, change)
    with pytest.raises(ValueError, match=reason):
        load_model(path)


@pytest.mark.parametrize(("name", "value"), [("max_depth", 0), ("node_count", 3)])
def test_wrong_counts_of_a_tree_are_refused(tmp_path, name, value):
    path = saved(DecisionTreeClassifier().fit(X, Y), tmp_path)

    def change(state):
        state["tree_"]["content"]["content"][name] = plain(value)

    change_schema(path, change)
    with pytest.raises(ValueError, match="it has"):
        load_model(path)


@pytest.mark.parametrize(("index", "value"), [(0, 2), (2, 10**8)])
def test_wrong_arguments_of_a_tree_are_refused(tmp_path, index, value):
    path = saved(DecisionTreeClassifier(random_state=0).fit(X[:, ::-1], Y), tmp_path)

    def change(state):
        state["tree_"]["__reduce__"]["args"]["content"][index] = plain(value)

    change_schema(path, change)
    with pytest.raises(ValueError, match="it has"):
        load_model(path)


ONE = node("TupleNode", "builtins.tuple", content=[plain(1)])
BROKEN = [
    (RandomForestClassifier(2), "n_features_in_", plain(2), "other features"),
    (GradientBoostingClassifier(n_estimators=2), "n_trees_per_iteration_", plain(1), "trees"),
    (KMeans(3), "n_features_in_", plain(2), "centers"),
    (KNeighborsClassifier(), "n_features_in_", plain(2), "points"),
    (SVC(), "shape_fit_", ONE, "no sample"),
    (SVC(), "_impl", plain("nu_svr"), "_impl"),
    (StackingClassifier(TWO, cv=2), "stack_method_", plain("tofile"), "stack_method_"),
    (SelectFromModel(SVC(kernel="linear")), "importance_getter", plain("__class__.x"), "import"),
    (NMF(2, max_iter=300, tol=0.1), "max_iter", plain(10**9), "at most 100000"),
    (PolynomialFeatures(2), "degree", plain(90), "degree=90"),
    (TfidfVectorizer(), "input", plain("filename"), "filename"),
    (TfidfVectorizer(), "token_pattern", plain("(a+)+$"), "token_pattern"),
    (LogisticRegression(), "predict", plain(1), "predict"),
    (LogisticRegression(), "C", plain(-1), "'C' parameter"),
    (LogisticRegression(), "__sklearn_clone__", plain(1), "__sklearn_clone__"),
]


@pytest.mark.parametrize(("model", "name", "value", "reason"), BROKEN)
def test_attributes_that_decide_what_code_runs_are_checked(tmp_path, model, name, value, reason):
    words = ["aa bb", "bb cc", "aa cc"] * 15
    model.fit(words if isinstance(model, TfidfVectorizer) else X, Y)
    path = saved(model, tmp_path)
    attribute(path, name, value)
    with pytest.raises(ValueError, match=f"damaged: .*{reason}"):
        load_model(path)


@pytest.mark.parametrize(
    ("model", "name", "reason"),
    [
        (KNeighborsClassifier(algorithm="brute"), "_y", "labels"),
        (SVC(), "_n_support", "support vectors"),
        (SVC(), "support_", "no sample"),
    ],
)
def test_indices_that_compiled_code_would_trust_are_checked(tmp_path, model, name, reason):
    path = saved(model.fit(X, Y), tmp_path)
    change_array(path, lambda state: state[name], lambda values: values.fill(10**8))
    with pytest.raises(ValueError, match=reason):
        load_model(path)


def test_trees_of_neighbors_are_rebuilt(tmp_path):
    model = KNeighborsClassifier(algorithm="kd_tree", leaf_size=2).fit(X, Y)
    path = saved(model, tmp_path)

    def find(state):
        return state["_tree"]["content"]["content"][1]

    change_array(path, find, lambda order: order.fill(10**12))
    np.testing.assert_array_equal(load_model(path).predict(NEW), model.predict(NEW))


def test_boosted_trees_with_broken_links_are_refused(tmp_path):
    path = saved(HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(X, Y), tmp_path)

    def find(state):
        return state["_predictors"]["content"][0]["content"][0]["content"]["content"]["nodes"]

    def change(nodes):
        nodes["left"][0] = 2**30

    change_array(path, find, change)
    with pytest.raises(ValueError, match="do not form a tree"):
        load_model(path)
