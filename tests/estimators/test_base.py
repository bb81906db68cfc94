"""How the estimators compose: pipelines, searches, cross-validation, calibration."""

import math
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import small_classifier, small_frontend
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
)

pytestmark = pytest.mark.oldest

SMALL = {
    "channels": (4, 8),
    "hidden_units": (8,),
    "max_epochs": 15,
    "learning_rate": 1e-2,
    "random_state": 0,
}


def small(**changes):
    return small_classifier(**{**SMALL, **changes})


def small_pipeline():
    return Pipeline(
        [
            ("spec", small_frontend()),
            ("cnn", CNNAudioClassifier(**SMALL)),
        ]
    )


either = pytest.mark.parametrize("make", [small, small_pipeline])


def predict_in_a_fresh_process(model, X, folder):
    joblib.dump((model, X), folder / "in.joblib")
    code = (
        "import joblib; model, X = joblib.load('in.joblib'); "
        "joblib.dump((model.predict(X), model.predict_proba(X)), 'out.joblib')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return joblib.load(folder / "out.joblib")


@pytest.mark.slow
def test_grid_search_over_paths_dumps_loads_and_predicts_the_same(sounds, sound_labels, tmp_path):
    grid = {"learning_rate": [1e-2, 1e-5], "frontend__n_mels": [8, 16]}
    search = GridSearchCV(CNNAudioClassifier(**SMALL), grid, cv=2, n_jobs=2)
    search.set_params(estimator__frontend__n_frames=12)
    search.fit(sounds.filenames, sound_labels)
    assert search.best_score_ > 0.8
    assert search.best_params_["learning_rate"] == 1e-2
    labels, probabilities = predict_in_a_fresh_process(
        search.best_estimator_, sounds.filenames, tmp_path
    )
    np.testing.assert_array_equal(labels, search.predict(sounds.filenames))
    np.testing.assert_array_equal(probabilities, search.predict_proba(sounds.filenames))


@pytest.mark.slow
def test_grid_search_scores_do_not_depend_on_the_workers(sounds):
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            small(),
            {"learning_rate": [1e-2, 1e-3]},
            scoring="neg_log_loss",
            cv=2,
            n_jobs=n_jobs,
            refit=False,
        )
        search.fit(sounds.filenames, sounds.target)
        scores.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)


def test_pipeline_of_front_end_and_network_can_be_searched_and_dumped(sounds, tmp_path):
    grid = {"spec__n_mels": [8, 16], "cnn__learning_rate": [1e-2]}
    search = GridSearchCV(small_pipeline(), grid, cv=2)
    search.fit(sounds.filenames, sounds.target)
    assert search.best_score_ > 0.8
    joblib.dump(search.best_estimator_, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(
        loaded.predict_proba(sounds.filenames), search.predict_proba(sounds.filenames)
    )


def test_pipeline_equals_the_nested_front_end(sounds):
    nested, pipeline = (m.fit(sounds.filenames, sounds.target) for m in (small(), small_pipeline()))
    np.testing.assert_array_equal(
        nested.predict_proba(sounds.filenames), pipeline.predict_proba(sounds.filenames)
    )


def test_halving_search_over_epochs(sounds):
    search = HalvingGridSearchCV(
        small_pipeline(),
        {"cnn__learning_rate": [1e-2, 1e-3, 1e-5]},
        resource="cnn__max_epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    )
    search.fit(np.array(sounds.filenames), sounds.target)
    assert search.n_resources_ == [2, 4]
    assert search.best_params_["cnn__learning_rate"] > 1e-5


@either
def test_cross_validation(make, sounds):
    scores = cross_val_score(make(), sounds.filenames, sounds.target, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.8


def test_grouped_cross_validation_predictions(sounds):
    groups = np.arange(60) % 4
    predicted = cross_val_predict(
        small(augment=None),
        sounds.filenames,
        sounds.target,
        groups=groups,
        cv=StratifiedGroupKFold(2),
    )
    assert (predicted == sounds.target).mean() > 0.8


@either
def test_calibration(make, sounds):
    calibrated = CalibratedClassifierCV(make(), cv=2).fit(sounds.filenames, sounds.target)
    probabilities = calibrated.predict_proba(sounds.filenames)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert calibrated.score(sounds.filenames, sounds.target) > 0.9


@either
def test_learning_curve(make, sounds):
    sizes, train, test = learning_curve(
        make(),
        sounds.filenames,
        sounds.target,
        train_sizes=[0.3, 1.0],
        cv=2,
        shuffle=True,
        random_state=0,
    )
    assert sizes.tolist() == [9, 30]
    assert train.shape == test.shape == (2, 2)
    assert test[1].mean() > 0.8


def test_one_against_the_rest(sounds):
    files = np.array(sounds.filenames)[:, None]
    model = OneVsRestClassifier(small(max_epochs=2)).fit(files, sounds.target)
    assert model.predict(files).shape == (60,)


def test_a_column_of_a_table_is_a_front_ends_x(sounds):
    import pandas as pd

    table = pd.DataFrame({"path": sounds.filenames, "room": "kitchen"})
    flat = Pipeline(
        [
            (
                "columns",
                ColumnTransformer([("files", "passthrough", ["path"])]),
            ),
            ("cnn", small(max_epochs=2)),
        ]
    )
    assert flat.fit(table, sounds.target).predict(table).shape == (60,)


# --- summaries of fitted networks ---


def fitted(sounds, **changes):
    return small(**changes).fit(sounds.filenames, sounds.target)


def test_layer_summary_has_shapes_and_numbers_of_parameters(sounds):
    model = fitted(sounds, max_epochs=1)
    summary = model.layer_summary()
    assert list(summary.columns) == ["name", "output_shape", "n_parameters"]
    assert list(summary.name) == model.layer_names_
    sizes = [model.layer_size(number) for number in range(1, len(summary) + 1)]
    assert [math.prod(shape) for shape in summary.output_shape] == sizes
    # Channels, frames and bins; then units.
    assert summary.output_shape[0] == (4, 6, 8)
    assert summary.output_shape.iloc[-1] == (3,)
    assert summary.n_parameters.sum() == sum(p.numel() for p in model.network_.parameters())
    extractor = CNNFeatureExtractor(FrozenEstimator(model)).fit(sounds.filenames)
    pd.testing.assert_frame_equal(extractor.layer_summary(), summary)


def test_layer_summary_does_not_change_the_network(sounds):
    model = fitted(sounds, max_epochs=1)
    before = joblib.hash(model.predict_proba(sounds.filenames))
    model.layer_summary()
    assert joblib.hash(model.predict_proba(sounds.filenames)) == before
    assert not any(layer._forward_hooks for layer in model.network_)


def test_layer_summary_of_an_autoencoder(sounds):
    embedder = ConvAutoencoderEmbedder(max_epochs=1, channels=(4, 4)).fit(sounds.filenames)
    summary = embedder.layer_summary()
    assert list(summary.name) == embedder.layer_names_
    assert summary.output_shape.iloc[-1] == (1, *embedder.input_shape_)


def test_the_history_is_a_table_by_epoch(sounds):
    model = fitted(sounds, max_epochs=3)
    frame = model.history_frame()
    assert list(frame.index) == [1, 2, 3]
    assert frame.index.name == "epoch"
    assert {name: list(column) for name, column in frame.items()} == model.history_


def test_summaries_need_a_fitted_estimator():
    for method in ("layer_summary", "history_frame"):
        with pytest.raises(NotFittedError):
            getattr(small(), method)()
    with pytest.raises(NotFittedError):
        CNNFeatureExtractor().layer_summary()


def test_a_converted_model_has_no_history(sounds):
    model = fitted(sounds, max_epochs=1)
    del model.history_
    with pytest.raises(ValueError, match="was converted"):
        model.history_frame()


def test_html_representations_stay_small(sounds):
    model = fitted(sounds, max_epochs=50, channels=(4,) * 4, early_stopping=False)
    extractor = CNNFeatureExtractor(FrozenEstimator(model))
    union = make_union(extractor, PyAudioAnalysisTransformer())
    pipeline = make_pipeline(union, SVC()).fit(sounds.filenames, sounds.target)
    # The part that scikit-learn adds, such as styles and scripts.
    usual = len(make_pipeline(make_union(StandardScaler(), PCA()), SVC())._repr_html_())
    for estimator in (small(), model, extractor, union, pipeline):
        page = estimator._repr_html_()
        assert page == page.encode().decode()
        assert type(estimator).__name__ in page
        assert len(page) < usual + 100_000
        # Neither the layers of the network nor its weights are written out.
        assert "Conv2d" not in page
        assert "tensor(" not in page
        assert len(repr(estimator)) < 2000


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_pipeline_may_be_the_front_end(verbose, capsys):
    X = [np.random.default_rng(i).standard_normal(1000) for i in range(8)]
    frontend = make_pipeline(SpectrogramTransformer(n_mels=8, n_frames=10))
    classifier = CNNAudioClassifier(frontend, channels=(2,), max_epochs=1, verbose=verbose)
    classifier.fit(X, [0, 1] * 4)
    assert classifier.predict_proba(X).shape == (8, 2)
    assert ("[Pipeline]" in capsys.readouterr().out) == bool(verbose)
