"""The clients of packages other than scikit-learn that `other_libraries` tries.

Each function takes `Clips`, runs the client on them, and returns a score on the test clips. It
imports the package by itself, because few people have all of them.
"""

import contextlib
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from benchmarks import _sklearn_clients as of_sklearn
from skdaf import TRUSTED_TYPES, CNNFeatureExtractor

# imbalanced-learn


def unbalanced(clips):
    """Return training clips of which the first class has half as many, and their labels."""
    codes, _ = clips.codes()
    first = np.flatnonzero(codes == 0)
    rows = np.setdiff1d(np.arange(len(codes)), first[: len(first) // 2])
    X = clips.X_train
    if isinstance(X, list):
        X = [X[row] for row in rows]
    else:
        X = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
    return X, clips.y_train[rows]


def run_over_sampler(clips):
    from imblearn.over_sampling import RandomOverSampler

    X, y = RandomOverSampler(random_state=0).fit_resample(*unbalanced(clips))
    assert len(set(np.unique(y, return_counts=True)[1])) == 1
    return clips.classifier().fit(X, y).score(clips.X_test, clips.y_test)


def run_imblearn_pipeline(clips):
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline

    model = make_pipeline(RandomOverSampler(random_state=0), clips.classifier())
    return model.fit(*unbalanced(clips)).score(clips.X_test, clips.y_test)


def run_balanced_bagging(clips):
    from imblearn.ensemble import BalancedBaggingClassifier

    model = BalancedBaggingClassifier(clips.classifier(), n_estimators=2, random_state=0)
    return model.fit(*unbalanced(clips)).score(clips.X_test, clips.y_test)


# MAPIE


def coverage(sets, labels, classes):
    """Return the share of the prediction sets that contain the label."""
    return np.mean(sets[np.arange(len(labels)), np.searchsorted(classes, labels), 0])


def run_split_conformal(clips):
    from mapie.classification import SplitConformalClassifier

    fitted = clips.classifier().fit(clips.X_train, clips.y_train)
    conformal = SplitConformalClassifier(fitted, confidence_level=0.8, prefit=True)
    half = (len(clips.y_test) + 1) // 2
    conformal.conformalize(clips.X_test[:half], clips.y_test[:half])
    _, sets = conformal.predict_set(clips.X_test[half:])
    return coverage(sets, clips.y_test[half:], np.unique(clips.y_train))


def run_cross_conformal(clips):
    from mapie.classification import CrossConformalClassifier

    conformal = CrossConformalClassifier(
        clips.classifier(), confidence_level=0.8, cv=2, random_state=0
    )
    conformal.fit_conformalize(clips.X_train, clips.y_train)
    _, sets = conformal.predict_set(clips.X_test)
    return coverage(sets, clips.y_test, np.unique(clips.y_train))


def run_conformal_regressor(clips):
    from mapie.regression import CrossConformalRegressor

    train_codes, test_codes = clips.codes()
    conformal = CrossConformalRegressor(
        clips.regressor(), confidence_level=0.8, cv=2, random_state=0
    )
    conformal.fit_conformalize(clips.X_train, train_codes.astype(float))
    _, intervals = conformal.predict_interval(clips.X_test)
    lower, upper = intervals[:, :, 0].T
    return np.mean((lower <= test_codes) & (test_codes <= upper))


# Optuna


def run_optuna_search(clips):
    from optuna.distributions import FloatDistribution
    from optuna_integration import OptunaSearchCV

    space = {clips.parameter("dropout"): FloatDistribution(0.1, 0.3)}
    with quiet_optuna():
        search = OptunaSearchCV(clips.classifier(), space, cv=2, n_trials=2, random_state=0)
        return of_sklearn.accuracy(search, clips)


def run_optuna_study(clips):
    import optuna

    def objective(trial):
        dropout = trial.suggest_float("dropout", 0.1, 0.3)
        classifier = clips.classifier(dropout=dropout)
        return cross_val_score(classifier, clips.X_train, clips.y_train, cv=2).mean()

    with quiet_optuna():
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
        )
        study.optimize(objective, n_trials=2)
    return study.best_value


@contextlib.contextmanager
def quiet_optuna():
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


# skrub


def run_table_vectorizer(clips):
    from skrub import TableVectorizer

    extractor = CNNFeatureExtractor(clips.classifier())
    vectorizer = TableVectorizer(specific_transformers=[(extractor, ["path"])])
    model = make_pipeline(vectorizer, LogisticRegression(max_iter=1000))
    model.fit(of_sklearn.with_numbers(clips.X_train), clips.y_train)
    return model.score(of_sklearn.with_numbers(clips.X_test), clips.y_test)


def run_tabular_pipeline(clips):
    from skrub import tabular_pipeline

    model = tabular_pipeline(clips.classifier()).fit(clips.X_train, clips.y_train)
    n_numbers = getattr(model[-1], "n_features_in_", 0)
    if n_numbers:
        raise AssertionError(f"the paths became {n_numbers} columns of numbers")
    return model.score(clips.X_test, clips.y_test)


def run_data_ops(clips):
    import skrub

    table = skrub.X(of_sklearn.with_numbers(clips.X_train))
    y = skrub.y(clips.y_train)
    features = table.skb.apply(CNNFeatureExtractor(clips.classifier()), cols="path", y=y)
    predicted = features.skb.apply(LogisticRegression(max_iter=1000), y=y)
    return predicted.skb.cross_validate(cv=2)["test_score"].mean()


# MLflow


@contextlib.contextmanager
def tracking():
    """Return a context in which MLflow tracks runs in a database in a temporary folder."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
        mlflow.set_experiment(
            experiment_id=mlflow.create_experiment("clips", Path(folder, "files").as_uri())
        )
        with mlflow.start_run():
            yield mlflow


def logged(mlflow, clips, **parameters):
    """Fit a classifier and log it; return the address of the model."""
    fitted = clips.classifier().fit(clips.X_train, clips.y_train)
    # Without requirements, MLflow loads the model in another process to find them.
    return mlflow.sklearn.log_model(
        fitted, name="model", pip_requirements=["skdaf"], **parameters
    ).model_uri


def run_mlflow_default(clips):
    with tracking() as mlflow:
        loaded = mlflow.sklearn.load_model(logged(mlflow, clips))
        return loaded.score(clips.X_test, clips.y_test)


def run_mlflow_trusted(clips):
    with tracking() as mlflow:
        loaded = mlflow.sklearn.load_model(logged(mlflow, clips, skops_trusted_types=TRUSTED_TYPES))
        return loaded.score(clips.X_test, clips.y_test)


def run_mlflow_pyfunc(clips):
    with tracking() as mlflow:
        signature = mlflow.models.infer_signature(clips.X_test, clips.y_test)
        uri = logged(mlflow, clips, skops_trusted_types=TRUSTED_TYPES, signature=signature)
        return np.mean(mlflow.pyfunc.load_model(uri).predict(clips.X_test) == clips.y_test)


def run_mlflow_autolog(clips):
    return autologged(clips.classifier(), clips)


def run_mlflow_autolog_pipeline(clips):
    return autologged(make_pipeline(clips.classifier()), clips)


def autologged(model, clips):
    """Return the training accuracy that MLflow logs by itself."""
    with tracking() as mlflow:
        mlflow.sklearn.autolog(log_models=False)
        try:
            model.fit(clips.X_train, clips.y_train)
        finally:
            mlflow.sklearn.autolog(disable=True)
        run = mlflow.get_run(mlflow.active_run().info.run_id)
    if not run.data.params:
        raise AssertionError("nothing was logged")
    return run.data.metrics["training_accuracy_score"]


# dask


def run_dask_grid(clips):
    from dask_ml.model_selection import GridSearchCV

    grid = {clips.parameter("dropout"): [0.1, 0.3]}
    search = GridSearchCV(clips.classifier(), grid, cv=2, scheduler="synchronous")
    return of_sklearn.accuracy(search, clips)


def run_parallel_post_fit(clips):
    from dask_ml.wrappers import ParallelPostFit

    return of_sklearn.accuracy(ParallelPostFit(clips.classifier()), clips)


def run_post_fit_dask_table(clips):
    return post_fit_dask_table(clips)


def run_post_fit_with_meta(clips):
    return post_fit_dask_table(clips, predict_meta=clips.y_train[:0])


def post_fit_dask_table(clips, **parameters):
    """Return the accuracy of predictions for a table in dask, in two partitions."""
    import dask.dataframe
    from dask_ml.wrappers import ParallelPostFit

    model = ParallelPostFit(clips.classifier(), **parameters).fit(clips.X_train, clips.y_train)
    table = dask.dataframe.from_pandas(clips.X_test, npartitions=2, sort=False)
    return np.mean(model.predict(table).compute() == clips.y_test)


def run_joblib_dask(clips):
    import joblib
    from dask.distributed import Client as DaskClient
    from dask.distributed import LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, DaskClient(cluster), joblib.parallel_config(backend="dask"):
        return cross_val_score(
            clips.classifier(), clips.X_train, clips.y_train, cv=2, n_jobs=2
        ).mean()


# skops


def run_skops(clips, **parameters):
    import skops.io

    fitted = clips.classifier().fit(clips.X_train, clips.y_train)
    loaded = skops.io.loads(skops.io.dumps(fitted), **parameters)
    return loaded.score(clips.X_test, clips.y_test)


def run_skops_trusted(clips):
    return run_skops(clips, trusted=TRUSTED_TYPES)
