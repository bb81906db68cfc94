"""The clients of scikit-learn that `other_libraries` tries.

Each function takes `Clips`, runs the client on them, and returns a score on the test clips.
"""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    make_combined_classifier,
)


def accuracy(model, clips, **fit_parameters):
    """Fit a classifier on the training clips; return its accuracy on the test clips."""
    return model.fit(clips.X_train, clips.y_train, **fit_parameters).score(
        clips.X_test, clips.y_test
    )


def r2(model, clips):
    """Fit a regressor of the numbers of the labels; return its R2 on the test clips."""
    train_codes, test_codes = (codes.astype(float) for codes in clips.codes())
    return model.fit(clips.X_train, train_codes).score(clips.X_test, test_codes)


# Cross-validation and searches


def run_cross_val_predict(clips):
    predicted = cross_val_predict(clips.classifier(), clips.X_train, clips.y_train, cv=2)
    return np.mean(predicted == clips.y_train)


def run_learning_curve(clips):
    return learning_curve(
        clips.classifier(), clips.X_train, clips.y_train, cv=2, train_sizes=[0.7, 1.0], shuffle=True
    )[2][-1].mean()


def run_halving(clips):
    grid = {clips.parameter("dropout"): [0.1, 0.3]}
    search = HalvingGridSearchCV(
        clips.classifier(), grid, cv=2, factor=2, min_resources="smallest", random_state=0
    )
    return accuracy(search, clips)


def run_tuned_threshold(clips):
    y_train, y_test = clips.has_first_label()
    tuned = TunedThresholdClassifierCV(clips.classifier(), cv=2)
    return tuned.fit(clips.X_train, y_train).score(clips.X_test, y_test)


def run_calibrated(clips):
    return accuracy(CalibratedClassifierCV(clips.classifier(), cv=2), clips)


def run_permutation_importance(clips):
    fitted = clips.classifier().fit(clips.X_train, clips.y_train)
    found = permutation_importance(fitted, clips.X_test, clips.y_test, n_repeats=2, random_state=0)
    return found.importances_mean.max()


# Ensembles


def run_voting(clips):
    voters = [("small", clips.classifier()), ("large", clips.classifier(channels=(8, 32)))]
    return accuracy(VotingClassifier(voters, voting="soft"), clips)


def run_stacking(clips):
    stack = StackingClassifier([("cnn", clips.classifier())], LogisticRegression(), cv=2)
    return accuracy(stack, clips)


def run_bagging(clips):
    bagging = BaggingClassifier(clips.classifier(), n_estimators=2, n_jobs=2, random_state=0)
    return accuracy(bagging, clips, sample_weight=np.ones(len(clips.y_train)))


def run_adaboost(clips):
    return accuracy(AdaBoostClassifier(clips.classifier(), n_estimators=2, random_state=0), clips)


# Several classes and several labels


def run_one_vs_one(clips):
    return accuracy(OneVsOneClassifier(clips.classifier()), clips)


def run_one_vs_rest(clips):
    return accuracy(OneVsRestClassifier(clips.classifier()), clips)


def right_labels(model, clips):
    """Fit a classifier of several labels per clip; return the share of right ones."""
    y_train, y_test = clips.indicators()
    return np.mean(model.fit(clips.X_train, y_train).predict(clips.X_test) == y_test)


def run_one_vs_rest_labels(clips):
    return right_labels(OneVsRestClassifier(clips.classifier()), clips)


def run_multi_output(clips):
    return right_labels(MultiOutputClassifier(clips.classifier()), clips)


def run_chain(clips):
    return right_labels(ClassifierChain(clips.classifier()), clips)


def run_chain_on_features(clips):
    chain = ClassifierChain(LogisticRegression())
    return right_labels(make_pipeline(PyAudioAnalysisTransformer(), StandardScaler(), chain), clips)


def run_self_training(clips):
    train_codes, test_codes = clips.codes()
    # -1 means that the label is not known.
    known = np.where(np.arange(len(train_codes)) % 3, train_codes, -1)
    model = SelfTrainingClassifier(clips.classifier(), max_iter=2)
    return model.fit(clips.X_train, known).score(clips.X_test, test_codes)


# Regressors


def run_bagging_regressor(clips):
    return r2(BaggingRegressor(clips.regressor(), n_estimators=2, random_state=0), clips)


def run_transformed_target(clips):
    model = TransformedTargetRegressor(clips.regressor(), func=np.exp, inverse_func=np.log)
    model.set_params(check_inverse=False)
    return r2(model, clips)


# Other estimators of skdaf


def run_combined_bagging(clips):
    combined = make_combined_classifier(CNNAudioClassifier(**clips.small()))
    return accuracy(BaggingClassifier(combined, n_estimators=2, random_state=0), clips)


def run_combined_adaboost(clips):
    combined = make_combined_classifier(CNNAudioClassifier(**clips.small()))
    return accuracy(AdaBoostClassifier(combined, n_estimators=2, random_state=0), clips)


def run_embedder_bagging(clips):
    small = {**clips.small(channels=(8, 8)), "n_channels": 4}
    model = make_pipeline(ConvAutoencoderEmbedder(**small), LogisticRegression(max_iter=1000))
    return accuracy(BaggingClassifier(model, n_estimators=2, random_state=0), clips)


def with_numbers(table):
    """Return a table with a numeric column beside the paths."""
    temperature = np.linspace(10, 20, len(table))
    if hasattr(table, "with_columns"):  # polars
        return table.with_columns(temperature=temperature)
    return table.assign(temperature=temperature)


def run_column_transformer(clips):
    extractor = CNNFeatureExtractor(clips.classifier())
    columns = ColumnTransformer(
        [("audio", extractor, ["path"]), ("numbers", StandardScaler(), ["temperature"])]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    model.fit(with_numbers(clips.X_train), clips.y_train)
    return model.score(with_numbers(clips.X_test), clips.y_test)
