"""The search for the best SVC of a combined classifier, as in deep_audio_features."""

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid, RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skdaf._core.progress import progress_bar

_N_FOLDS, _N_REPEATS = 5, 3

_C = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
_GAMMA = ["auto", 0.001, 0.0001, 0.00001, 0.000001]


@dataclass(frozen=True)
class SearchResult:
    """The result of a search, with the names that `GridSearchCV` has for it.

    Attributes
    ----------
    best_estimator : Pipeline
        Fitted to all clips.
    best_params : dict
    n_candidates : int
    mean_score, std_score : float
        Mean and standard deviation of the scores of the best parameters over all folds.
    """

    best_estimator: Pipeline
    best_params: dict[str, Any]
    n_candidates: int
    mean_score: float
    std_score: float


def search_svc(pipeline, X, y, *, scoring, what="scoring", random_state=0, n_jobs=None, verbose=0):
    """Choose `C` and `gamma` of the SVC in a pipeline, and fit the pipeline with the best values.

    The result is that of `GridSearchCV` with this pipeline and 5 folds, repeated 3 times. But the
    features of each clip are computed once, not for each fold and candidate: they do not depend on
    the other clips, because the networks are frozen. What does depend on them (principal
    components, scaling) is fitted in each fold.

    Parameters
    ----------
    pipeline : Pipeline
        From `make_combined_classifier(method="svc")`.
    X : list of str
    y : ndarray of str
    scoring : str
        The name of a scorer.
    what : str, default="scoring"
        What messages call the scorer.
    random_state : int, default=0
        Seed of the folds.
    n_jobs : int, default=None
        Number of candidates to fit in parallel.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    result : SearchResult
    """
    kernel = pipeline.named_steps["svc"].kernel
    _check_labels(y)
    _check_scoring(scoring, what, kernel, len(set(y)))
    extractors = _extractors(pipeline)
    blocks = {name: one.fit(X, y).transform(X) for name, one in extractors.items()}
    on_arrays = clone(pipeline).set_params(**_column_extractors(blocks))
    features = np.hstack([*blocks.values()])
    options = {"scoring": scoring, "n_jobs": n_jobs}
    folds = RepeatedStratifiedKFold(
        n_splits=_N_FOLDS, n_repeats=_N_REPEATS, random_state=random_state
    )
    with progress_bar(folds.get_n_splits(), "Search", "fold", verbose) as advance:
        scores = []
        for train, test in folds.split(features, y):
            scores.append(_scores_in_fold(on_arrays, features, y, train, test, options))
            advance(1)
    candidates, scores = ParameterGrid(parameter_grid(kernel)), np.column_stack(scores)
    best = _best_row(scores, what, scoring)
    fitted = clone(on_arrays).set_params(**candidates[best]).fit(features, y)
    fitted.set_params(**{f"features__{name}__extractor": one for name, one in extractors.items()})
    return SearchResult(
        fitted, candidates[best], len(candidates), scores[best].mean(), scores[best].std()
    )


def _scores_in_fold(pipeline, features, y, train, test, options):
    """Return the score of each candidate in one fold."""
    union, svc = clone(pipeline.named_steps["features"]), pipeline.named_steps["svc"]
    prepared = union.fit_transform(features[train], y[train]), union.transform(features[test])
    rows = np.arange(len(train)), len(train) + np.arange(len(test))
    grid = {
        name.removeprefix("svc__"): values for name, values in parameter_grid(svc.kernel).items()
    }
    search = GridSearchCV(svc, grid, cv=[rows], refit=False, error_score="raise", **options)
    search.fit(np.concatenate(prepared), np.concatenate([y[train], y[test]]))
    return search.cv_results_["mean_test_score"]


def _best_row(scores, what, scoring):
    """Return the first row with the highest mean; NaN counts as the lowest."""
    means = scores.mean(axis=1)
    if np.isnan(means).all():
        raise ValueError(f"{what} {scoring!r} is not defined in at least one of the folds.")
    return int(np.argmax(np.where(np.isnan(means), -np.inf, means)))


def parameter_grid(kernel):
    """Return the values among which a search chooses; a linear kernel has no `gamma`."""
    return {"svc__C": _C} | ({} if kernel == "linear" else {"svc__gamma": _GAMMA})


def _extractors(pipeline):
    """Return a copy of the first step of each block of features, by the name of the block."""
    union = pipeline.named_steps["features"]
    return {
        name: clone(block.named_steps["extractor"])
        for name, block in union.transformer_list
        if block != "drop"
    }


def _column_extractors(blocks):
    """Return parameters that replace each extractor by the columns of its features."""
    replaced, first = {}, 0
    for name, features in blocks.items():
        stop = first + features.shape[1]
        columns = {"first": first, "stop": stop, "dtype": features.dtype.name}
        replaced[f"features__{name}__extractor"] = FunctionTransformer(_columns, kw_args=columns)
        first = stop
    return replaced


def _columns(X, first, stop, dtype):
    return X[:, first:stop].astype(dtype)


def _check_labels(y):
    counts = Counter(map(str, y))
    if len(counts) < 2:
        raise ValueError(f"A classifier needs clips of at least two classes, got {[*counts]}.")
    name, most = counts.most_common(1)[0]
    if most < _N_FOLDS:
        raise ValueError(
            f"The search uses {_N_FOLDS} folds, so a class must have at least {_N_FOLDS} clips, "
            f"but the largest class, {name!r}, has {most}."
        )


def _check_scoring(scoring, what, kernel, n_classes):
    """Raise ValueError if a metric cannot score an SVC with this number of classes."""
    labels = np.repeat([f"class {number}" for number in range(n_classes)], 4)
    X = np.random.default_rng(0).standard_normal((len(labels), 2))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            get_scorer(scoring)(SVC(kernel=kernel).fit(X, labels), X, labels)
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"{what} {scoring!r} cannot score an SVC with {n_classes} classes whose labels are "
            f"text. Use 'f1_macro', for example. (scikit-learn's reason: {reason}.)"
        ) from error
