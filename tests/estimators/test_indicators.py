"""Several labels per clip: indicators of all kinds, what is learned, and messages."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MultiLabelBinarizer

from skdaf import CNNAudioClassifier, CNNAudioRegressor, CNNFeatureExtractor, load_model, save_model
from skdaf._estimators.indicators import encode_indicator, label_sets
from skdaf._training.objectives import multilabel_classification

N_LABELS = 3


def make_clips(n_clips, seed=0):
    """Return spectrograms with a bright band for each label, and the indicator."""
    rng = np.random.default_rng(seed)
    indicator = rng.integers(0, 2, (n_clips, N_LABELS))
    X = rng.standard_normal((n_clips, 12, 9)).astype(np.float32)
    X += 2 * np.repeat(indicator, 3, axis=1)[:, None, :]
    return X, indicator


X, Y = make_clips(80)
X_TEST, Y_TEST = make_clips(40, seed=1)


def new(**parameters):
    defaults = {"channels": (8,), "max_epochs": 8, "augment": None, "random_state": 0}
    return CNNAudioClassifier(**defaults | parameters)


def test_any_number_of_labels_is_learned():
    model = new(max_epochs=20).fit(X, Y)
    assert model.multilabel_
    assert model.classes_.tolist() == [0, 1, 2]
    probabilities = model.predict_proba(X_TEST)
    assert average_precision_score(Y_TEST, probabilities, average="macro") > 0.95
    assert (~Y.any(axis=1)).sum() > 3  # clips without a label are clips like all others
    np.testing.assert_array_equal(model.predict(X_TEST), probabilities > 0.5)
    np.testing.assert_array_equal(model.decision_function(X_TEST) > 0, probabilities > 0.5)
    assert model.score(X_TEST, Y_TEST) == (model.predict(X_TEST) == Y_TEST).all(axis=1).mean()


@pytest.mark.parametrize(
    "kind",
    [
        np.ndarray.tolist,
        list,
        torch.from_numpy,
        csr_matrix,
        csr_array,
        pd.DataFrame,
        np.asfortranarray,
    ],
    ids=["lists", "list of arrays", "tensor", "csr_matrix", "csr_array", "DataFrame", "fortran"],
)
def test_kinds_of_indicators_are_equal(kind):
    model, expected = new(max_epochs=1).fit(X, kind(Y)), new(max_epochs=1).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    predicted = model.predict(X)
    assert issparse(predicted) == issparse(kind(Y))
    predicted = predicted.toarray() if issparse(predicted) else predicted
    np.testing.assert_array_equal(predicted, expected.predict(X))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, np.float64])
def test_predictions_have_the_data_type_of_y(dtype):
    assert new(max_epochs=1).fit(X, Y.astype(dtype)).predict(X[:2]).dtype == dtype


def test_names_of_columns_are_the_names_of_labels():
    table = pd.DataFrame(Y, columns=["rain", "dog", "wind"])
    model = new(max_epochs=1).fit(X, table)
    assert model.label_names_.tolist() == ["rain", "dog", "wind"]
    np.testing.assert_array_equal(model.predict(X), new(max_epochs=1).fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="several columns with the same name"):
        new().fit(X, table.set_axis(["rain", "dog", "dog"], axis=1))


def test_integers_may_be_names_of_labels():
    table = pd.DataFrame(Y, columns=[11, 5, 7])
    model = new(max_epochs=1).fit(X, table, X_val=X, y_val=table)
    assert model.label_names_.tolist() == [11, 5, 7]
    assert new(class_weight={5: 2.0}, max_epochs=1).fit(X, table).label_names_.tolist() == [
        11,
        5,
        7,
    ]
    with pytest.raises(ValueError, match=r"expected \[11, 5, 7\], got \[5, 7, 11\]"):
        model.partial_fit(X, table[[5, 7, 11]])
    with pytest.raises(ValueError, match="y_val must have the columns of y, in the same order"):
        model.fit(X, table, X_val=X, y_val=table[[5, 7, 11]])
    mixed = pd.DataFrame(Y, columns=["rain", 5, 7])
    assert new(max_epochs=1).fit(X, mixed).classes_.tolist() == [0, 1, 2]


def test_the_byte_order_does_not_matter(tmp_path):
    model = new(max_epochs=1).fit(X, Y.astype(Y.dtype.newbyteorder()))
    save_model(model, tmp_path / "model.skops")
    assert load_model(tmp_path / "model.skops").predict(X).dtype == Y.dtype


def test_lists_of_labels_work_as_the_advice_says():
    binarizer = MultiLabelBinarizer()
    y = binarizer.fit_transform([np.array(["rain", "dog", "wind"])[row == 1] for row in Y])
    labels = binarizer.inverse_transform(new(max_epochs=20).fit(X, y).predict(X))
    assert {label for row in labels for label in row} == {"rain", "dog", "wind"}


def test_one_column_is_one_label_per_clip():
    with pytest.warns(UserWarning, match="column-vector"):
        assert not new(max_epochs=1).fit(X, Y[:, :1]).multilabel_
    with pytest.warns(UserWarning, match="column-vector"):
        model = new(max_epochs=1).fit(X, np.where(Y[:, :1], "rain", "dry"))
    assert model.classes_.tolist() == ["dry", "rain"]


def test_a_second_fit_may_have_other_kinds_of_labels():
    model = new(max_epochs=1).fit(X, csr_matrix(Y))
    model.fit(X, Y[:, 0])
    assert not model.multilabel_
    assert model.predict(X).shape == (80,)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y * 2, r"shape \(80, 3\).*contains \['2'\].*CNNAudioRegressor"),
        (Y + 0.25, r"multilabel indicator.*'0.25'"),
        (np.where(Y, "yes", "no"), "contains .*'no', 'yes'"),
        (Y.astype(str), "it contains text, such as '0'"),
        (np.where(Y, np.nan, 0.0), "y contains NaN.* of 80 rows .*needs a value for each label"),
        (np.where(Y, np.inf, 0.0), "y contains infinity"),
        (Y[:-1], r"inconsistent numbers of samples: \[80, 79\]"),
        ([[0, 1]] * 79 + [[0, 1, 1]], r"rows of the same length, got \[2, 3\]"),
        (pd.DataFrame(Y).astype(object).mask(Y > 0, None), "NaN, None or NA in"),
    ],
)
def test_other_tables_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        new().fit(X, y)


def test_labels_without_differences_are_named():
    y = np.column_stack([Y, np.ones(80, int), np.zeros(80, int)])
    with pytest.warns(UserWarning, match="nothing to learn") as caught:
        model = new(max_epochs=1).fit(X, y)
    messages = " ".join(str(warning.message) for warning in caught)
    assert "that all clips have: [3]" in messages
    assert "that no clip has: [4]" in messages
    assert np.isfinite(model.predict_proba(X)).all()


# --- weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [None, "sqrt", "balanced", {0: 5.0, 2: 0.5}])
@pytest.mark.parametrize("sample_weight", [None, np.arange(80.0)])
def test_the_mean_weight_is_one(class_weight, sample_weight):
    encoded = encode_indicator(Y, 80, class_weight, "model", sample_weight)
    absent, present = encoded.class_weights
    weights = np.where(Y, present, absent).mean(axis=1)
    assert np.average(weights, weights=sample_weight) == pytest.approx(1)


def test_balanced_weights_of_a_label_are_those_of_two_classes():
    y = np.column_stack([np.arange(80) < 8, np.arange(80) < 40])
    absent, present = encode_indicator(y, 80, "balanced", "model").class_weights
    np.testing.assert_allclose(present / absent, [9, 1], rtol=1e-6)
    absent, present = encode_indicator(y, 80, "sqrt", "model").class_weights
    np.testing.assert_allclose(present / absent, [3, 1], rtol=1e-6)
    absent, present = encode_indicator(y, 80, {1: 4}, "model").class_weights
    np.testing.assert_allclose(present / absent, [1, 4], rtol=1e-6)


def test_weights_of_unknown_labels_are_refused():
    table = pd.DataFrame(Y, columns=["rain", "dog", "wind"])
    with pytest.raises(ValueError, match=r"the key 'rian', .* 'rain', 'dog', 'wind'\. Did you"):
        new(class_weight={"rian": 2.0}).fit(X, table)


def test_higher_weights_make_labels_more_probable():
    mean = {
        weight: new(class_weight={0: weight}).fit(X, Y).predict_proba(X_TEST)[:, 0].mean()
        for weight in (0.2, 1.0, 5.0)
    }
    assert mean[0.2] < mean[1.0] < mean[5.0]


def test_weights_of_clips_are_repetitions():
    weights = np.arange(80) % 3
    with_weights = new(max_epochs=2).fit(X, Y, sample_weight=weights)
    rows = np.repeat(np.arange(80), weights)
    repeated = new(max_epochs=2).fit(X[rows], Y[rows])
    np.testing.assert_allclose(with_weights.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


# --- the loss --------------------------------------------------------------------------------


def test_the_loss_is_weighted_cross_entropy():
    weights = np.array([[0.5, 1.0], [2.0, 1.5]], dtype=np.float32)
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    p = torch.sigmoid(logits).numpy()
    soft = targets.numpy() * 0.8 + 0.1
    losses = -(soft * np.log(p) + (1 - soft) * np.log(1 - p))
    expected = (losses * np.where(targets.numpy() == 1, weights[1], weights[0])).mean()
    objective = multilabel_classification(weights, 0.2)
    assert objective.loss(logits, targets).item() == pytest.approx(expected, rel=1e-5)
    twice = torch.stack([logits, logits], dim=1)
    assert objective.loss(twice, targets).item() == pytest.approx(expected, rel=1e-5)
    assert objective.score(logits, targets) == 0.5
    assert objective.score(twice, targets) == 0.5


def test_mixup_blends_sets_of_labels():
    model = new(augment=["mixup"], max_epochs=20).fit(X, Y)
    assert average_precision_score(Y_TEST, model.predict_proba(X_TEST)) > 0.95


# --- held-out clips --------------------------------------------------------------------------


def test_rare_sets_of_labels_are_one_stratum():
    targets = np.array([[0, 0]] * 5 + [[1, 0]] * 4 + [[0, 1], [1, 1]])
    assert label_sets(targets, 3).tolist() == [1] * 5 + [2] * 4 + [0, 0]
    assert len(set(label_sets(targets[:-1], 3))) == 2  # one rare clip joins a frequent set
    assert set(label_sets(targets, 100)) == {0}


@pytest.mark.parametrize("seed", range(3))
def test_held_out_clips_have_the_same_shares_of_sets(seed):
    trained_on = set()

    def remember(batch, generator):
        trained_on.update(batch[:, 0, 0].int().tolist())
        return batch

    y = np.array([[0, 0], [0, 1], [1, 1]])[np.repeat([0, 1, 2], [100, 60, 40])]
    spectrograms = np.tile(np.arange(200, dtype=np.float32)[:, None, None], (1, 6, 6))
    model = new(early_stopping=True, max_epochs=1, augment=remember, random_state=seed)
    model.fit(spectrograms, y)
    held_out = y[sorted({*range(200)} - trained_on)]
    assert held_out.sum(axis=1).tolist() == [0] * 10 + [1] * 6 + [2] * 4


def test_own_clips_for_validation_need_the_same_labels():
    model = new().fit(X, Y, X_val=X_TEST, y_val=csr_matrix(Y_TEST))
    assert len(model.history_["valid_loss"]) == model.n_epochs_
    with pytest.raises(ValueError, match=r"y_val must have 3 columns.*got 2"):
        new().fit(X, Y, X_val=X_TEST, y_val=Y_TEST[:, :2])
    with pytest.raises(ValueError, match=r"y_val must have 3 columns.*got 1"):
        new().fit(X, Y, X_val=X_TEST, y_val=Y_TEST[:, 0])
    with pytest.raises(ValueError, match=r"y_val must have one label per clip.*\(40, 3\)"):
        new().fit(X, Y[:, 0], X_val=X_TEST, y_val=Y_TEST)
    table = pd.DataFrame(Y, columns=["rain", "dog", "wind"])
    with pytest.raises(ValueError, match="y_val must have the columns of y, in the same order"):
        new().fit(X, table, X_val=X, y_val=table[["dog", "rain", "wind"]])


# --- everything around -----------------------------------------------------------------------


def test_scores_of_two_labels_need_no_workaround():
    # scikit-learn takes two columns for two classes unless there is a decision function.
    scores = cross_val_score(new(max_epochs=15), X, Y[:, :2], scoring="average_precision", cv=2)
    assert scores.min() > 0.9
    scores = cross_val_score(new(max_epochs=15), X, Y[:, :2], scoring="roc_auc", cv=2)
    assert scores.min() > 0.9
    table = pd.DataFrame(Y[:, :2], columns=["rain", "dog"])
    for scoring in ("average_precision", "roc_auc", "f1_macro"):
        scores = cross_val_score(new(max_epochs=15), X, table, scoring=scoring, cv=2)
        assert scores.min() > 0.8


def test_searches_and_clones():
    search = GridSearchCV(new(max_epochs=1), {"class_weight": [None, "sqrt"]}, cv=2, n_jobs=2)
    assert search.fit(X, Y).predict(X).shape == Y.shape
    assert clone(search.best_estimator_).fit(X, Y).multilabel_


@pytest.mark.parametrize("n_networks", [1, 2])
def test_saved_models_predict_the_same(tmp_path, n_networks):
    table = pd.DataFrame(Y, columns=["rain", "dog", "wind"])
    model = new(n_networks=n_networks, max_epochs=1).fit(X, table)
    save_model(model, tmp_path / "model.skops")
    for loaded in (load_model(tmp_path / "model.skops"), pickle.loads(pickle.dumps(model))):
        assert loaded.multilabel_
        assert loaded.label_names_.tolist() == ["rain", "dog", "wind"]
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    sparse = new(max_epochs=1).fit(X, csr_matrix(Y))
    save_model(sparse, tmp_path / "sparse.skops")
    assert issparse(load_model(tmp_path / "sparse.skops").predict(X))


def test_a_file_cannot_name_other_data_types():
    model = new(max_epochs=1).fit(X, Y)
    for value in ("O", "float128", "f4,f4", 3):
        state = model.__getstate__() | {"_indicator_dtype": value}
        with pytest.raises(ValueError, match="_indicator_dtype cannot be"):
            CNNAudioClassifier._check_saved_state(state)


def test_features_and_transfer_in_both_directions():
    extractor = CNNFeatureExtractor(new(max_epochs=1)).fit(X, Y)
    assert extractor.transform(X).shape == (80, 512)
    single = new(max_epochs=1).fit(X, Y[:, 0])
    several = new(channels=None, max_epochs=1, pretrained=FrozenEstimator(single)).fit(X, Y)
    assert several.predict(X).shape == Y.shape
    for kind, y in ((CNNAudioClassifier, Y[:, 0]), (CNNAudioRegressor, Y[:, 0] / 3)):
        model = kind(pretrained=FrozenEstimator(several), max_epochs=1, random_state=0)
        assert model.fit(X, y).predict(X).shape == (80,)


def test_an_interrupted_fit_continues_exactly(tmp_path):
    n_calls = []

    def interrupt(batch, generator):
        n_calls.append(1)
        if len(n_calls) == 25:
            raise MemoryError
        return batch

    # The whole run has 10 batches in each of 4 epochs, three of which call the function.
    parameters = {"batch_size": 8, "max_epochs": 5, "augment": interrupt}
    half = new(checkpoint=tmp_path, **parameters)
    with pytest.raises(MemoryError):
        half.fit(X, Y)
    half.fit(X, Y)
    assert len(n_calls) < 2 * 40
    whole = new(**parameters).fit(X, Y)
    np.testing.assert_array_equal(half.predict_proba(X), whole.predict_proba(X))


def test_one_network_per_label_still_works():
    model = MultiOutputClassifier(new(max_epochs=1)).fit(X, Y)
    assert model.predict(X).shape == Y.shape


def test_an_own_loss_gets_shares_and_weights():
    shapes = set()

    def loss(outputs, targets, pos_weight):
        shapes.add((outputs.shape[1:], targets.shape[1:], pos_weight.shape, targets.dtype))
        return torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, targets, pos_weight=pos_weight
        )

    model = new(loss=loss, class_weight={0: 2.0}).fit(X, Y)
    assert shapes == {((3,), (3,), (3,), torch.float32)}
    assert average_precision_score(Y_TEST, model.predict_proba(X_TEST)) > 0.9


def test_an_own_loss_must_take_weights_for_several_labels():
    with pytest.raises(ValueError, match=r"no effect.*loss=mse_loss has no parameter 'pos_weight'"):
        new(loss=torch.nn.functional.mse_loss, class_weight="balanced").fit(X, Y)

    def loss(outputs, targets, pos_weight):
        return torch.nn.functional.cross_entropy(outputs, targets)

    with pytest.raises(ValueError, match=r"no effect.*loss=loss has no parameter 'weight'"):
        new(loss=loss, class_weight="balanced").fit(X, Y[:, 0])
    missing = [f"missing{number}.wav" for number in range(80)]
    with pytest.raises(ValueError, match="has no parameter 'weight'"):  # before files are read
        new(loss=loss, class_weight="balanced").fit(missing, Y[:, 0])


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf, "2"])
@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["several labels", "one label"])
def test_impossible_class_weights_are_refused(y, weight):
    with pytest.raises(ValueError, match=r"class_weight\[0\] must be a number.*got"):
        new(class_weight={0: weight}).fit(X, y)


# --- continued training ----------------------------------------------------------------------


def test_warm_start_continues_with_the_same_labels():
    model = new(warm_start=True, max_epochs=3).fit(X, Y)
    before = model.history_["train_loss"][-1]
    assert model.fit(X, Y).n_epochs_ == 6
    assert model.history_["train_loss"][-1] < before
    with pytest.raises(ValueError, match=r"Previously got \[0, 1, 2\], `y` has \[0, 1\]"):
        model.fit(X, Y[:, :2])
    with pytest.raises(ValueError, match=r"continues with an indicator.*but y is one label"):
        model.fit(X, Y[:, 0])
    single = new(warm_start=True, max_epochs=1).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"continues with one label.*but y is an indicator"):
        single.fit(X, Y)


def test_partial_fit_learns_from_a_stream():
    names = ["rain", "dog", "wind"]
    model = new()
    for _ in range(12):
        for rows in np.split(np.arange(80), 4):
            model.partial_fit(X[rows], pd.DataFrame(Y[rows], columns=names), classes=names)
    assert model.label_names_.tolist() == names
    assert average_precision_score(Y_TEST, model.predict_proba(X_TEST)) > 0.95
    model.partial_fit(X[:1], Y[:1])
    assert model.n_epochs_ == 49
    assert model.predict(X).shape == Y.shape


def test_class_weights_of_a_stream_are_those_of_all_clips():
    model = new(class_weight="balanced")
    y = np.column_stack([np.arange(80) < 8, np.arange(80) < 40])
    for rows in (slice(0, 50), slice(50, 80)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1])
    np.testing.assert_array_equal(model._class_counts, [80, 8, 40])


def test_partial_fit_checks_classes():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        new().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"a column for each of the 2 classes.*got 3"):
        new().partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes contains a label twice: \['a', 'b', 'a'\]"):
        new().partial_fit(X, Y, classes=[*"aba"])
    model = new().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, Y, classes=[2, 1, 0])
    with pytest.raises(ValueError, match="in the same order"):
        new().partial_fit(X, pd.DataFrame(Y, columns=[*"abc"]), classes=[*"bac"])
    with pytest.raises(ValueError, match="but y is one label"):
        model.partial_fit(X, Y[:, 0])


def test_the_hidden_layer_is_wider_for_several_labels():
    sizes = {
        name: model.layer_summary().set_index("name").output_shape["dense1"]
        for name, model in {
            "one": new(max_epochs=1).fit(X, Y[:, 0]),
            "several": new(max_epochs=1).fit(X, Y),
            "given": new(max_epochs=1, hidden_units=(8,)).fit(X, Y),
            "none again": new(max_epochs=1).fit(X, Y).fit(X, Y[:, 0]),
        }.items()
    }
    assert sizes == {"one": (128,), "several": (512,), "given": (8,), "none again": (128,)}
