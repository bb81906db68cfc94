"""The list of all clients that `other_libraries` tries: a name, a package, what to run."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import _other_clients as other
from benchmarks import _sklearn_clients as of_sklearn
from benchmarks._forms import FORMS, Clips

TABLES = ("table", "polars table")


@dataclass(frozen=True)
class Client:
    """A client, the package (as pip calls it) that it is from, and the forms of X to try."""

    name: str
    package: str
    run: Callable[[Clips], float]
    forms: tuple[str, ...] = FORMS


def _of(package, *rows):
    return [Client(row[0], package, *row[1:]) for row in rows]


# A chain adds labels to X as further columns, and permutation_importance shuffles each column: with
# waveforms, columns are samples.
NO_WAVEFORMS = tuple(form for form in FORMS if form != "waveforms")

FROM_SKLEARN = _of(
    "scikit-learn",
    ("cross_val_predict", of_sklearn.run_cross_val_predict),
    ("learning_curve", of_sklearn.run_learning_curve),
    ("HalvingGridSearchCV", of_sklearn.run_halving),
    ("TunedThresholdClassifierCV", of_sklearn.run_tuned_threshold),
    ("CalibratedClassifierCV", of_sklearn.run_calibrated),
    ("permutation_importance", of_sklearn.run_permutation_importance, NO_WAVEFORMS),
    ("VotingClassifier", of_sklearn.run_voting),
    ("StackingClassifier", of_sklearn.run_stacking),
    ("BaggingClassifier", of_sklearn.run_bagging),
    ("AdaBoostClassifier", of_sklearn.run_adaboost),
    ("OneVsOneClassifier", of_sklearn.run_one_vs_one),
    ("OneVsRestClassifier", of_sklearn.run_one_vs_rest),
    ("OneVsRestClassifier, several labels", of_sklearn.run_one_vs_rest_labels),
    ("MultiOutputClassifier", of_sklearn.run_multi_output),
    ("ClassifierChain", of_sklearn.run_chain, NO_WAVEFORMS),
    ("ClassifierChain on features", of_sklearn.run_chain_on_features, ("list",)),
    ("SelfTrainingClassifier", of_sklearn.run_self_training),
    ("BaggingRegressor", of_sklearn.run_bagging_regressor),
    ("TransformedTargetRegressor", of_sklearn.run_transformed_target),
    ("ColumnTransformer", of_sklearn.run_column_transformer, TABLES),
    ("BaggingClassifier of a combined classifier", of_sklearn.run_combined_bagging, ("table",)),
    ("AdaBoostClassifier of a combined classifier", of_sklearn.run_combined_adaboost, ("table",)),
    ("BaggingClassifier of an embedder", of_sklearn.run_embedder_bagging, ("table",)),
)

FROM_OTHERS = [
    *_of(
        "imbalanced-learn",
        ("RandomOverSampler", other.run_over_sampler),
        ("imblearn.pipeline.Pipeline", other.run_imblearn_pipeline),
        ("BalancedBaggingClassifier", other.run_balanced_bagging),
    ),
    *_of(
        "mapie",
        ("SplitConformalClassifier", other.run_split_conformal),
        ("CrossConformalClassifier", other.run_cross_conformal),
        ("CrossConformalRegressor", other.run_conformal_regressor),
    ),
    *_of("optuna", ("a study of cross_val_score", other.run_optuna_study)),
    *_of("optuna-integration", ("OptunaSearchCV", other.run_optuna_search)),
    *_of(
        "skrub",
        ("TableVectorizer", other.run_table_vectorizer, TABLES),
        ("DataOps", other.run_data_ops, TABLES),
        ("tabular_pipeline", other.run_tabular_pipeline, TABLES),
    ),
    *_of(
        "skops",
        ("skops.io", other.run_skops, ("list",)),
        ("skops.io with TRUSTED_TYPES", other.run_skops_trusted, ("list",)),
    ),
    *_of("distributed", ("joblib's backend dask", other.run_joblib_dask, ("list",))),
    *_of(
        "dask-ml",
        ("dask_ml GridSearchCV", other.run_dask_grid),
        ("ParallelPostFit", other.run_parallel_post_fit),
        ("ParallelPostFit, table in dask", other.run_post_fit_dask_table, ("table",)),
        ("ParallelPostFit, predict_meta", other.run_post_fit_with_meta, ("table",)),
    ),
    *_of(
        "mlflow",
        ("log_model", other.run_mlflow_default, ("list",)),
        ("log_model with TRUSTED_TYPES", other.run_mlflow_trusted, ("list",)),
        ("mlflow.pyfunc", other.run_mlflow_pyfunc, ("list", "array", "table")),
        ("autolog", other.run_mlflow_autolog, ("table",)),
        ("autolog of a pipeline", other.run_mlflow_autolog_pipeline, ("table",)),
    ),
]

CLIENTS = [*FROM_SKLEARN, *FROM_OTHERS]
