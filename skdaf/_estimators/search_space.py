"""search_space: values of parameters for hyperparameter searches."""

from typing import Any, Literal

from skdaf._core.public import public

_Values = dict[str, list[Any]]

# Parameters of networks and of front ends. The page "How the defaults were chosen" shows what
# they changed on real sounds; candidates of "small" all take about as long as the defaults. Lists,
# because `save_model` does not store distributions, and so that the defaults are among the values.
_SPACES: dict[str, tuple[_Values, _Values]] = {
    "small": (
        {
            "augment": [
                ("zoom", "equalize", "mask"),
                ("shift", "equalize", "mask"),
                None,
            ],
            "learning_rate": [0.001, 0.0015, 0.002, 0.003, 0.0045, 0.007, 0.01],
            "weight_decay": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
        },
        {"mean_subtraction": ["auto", 0.0, 0.5, 1.0]},
    ),
}
_SPACES["large"] = (
    {
        **_SPACES["small"][0],
        "channels": [(16, 32, 64, 128), (24, 48, 96, 192)],
        "kernel_size": [3, 5],
        "dropout": [0.1, 0.2, 0.3, 0.4, 0.5],
        "label_smoothing": [0.0, 0.05, 0.1, 0.15, 0.2],
    },
    {**_SPACES["small"][1], "length": ["resize", "tile"], "n_mels": [40, 64]},
)


@public
def search_space(
    size: Literal["small", "large"] = "small",
    *,
    prefix: str = "",
    frontend_prefix: str | None = None,
) -> dict[str, Any]:
    """Return values of the parameters of a `CNNAudioClassifier` that are worth a search.

    Pass the result to `RandomizedSearchCV` or `HalvingRandomSearchCV` of scikit-learn as
    `param_distributions`.

    Parameters
    ----------
    size : {"small", "large"}, default="small"
        "small" has four parameters that changed the accuracy on sets of real sounds: `augment`,
        `learning_rate`, `weight_decay`, and `mean_subtraction` of the front end. Its candidates
        take about as long to train as the defaults, and all of its parameters exist for
        `CNNAudioRegressor`, too. "large" adds `channels`, `kernel_size`, `dropout`,
        `label_smoothing`, and `length` and `n_mels` of the front end. It needs many more
        candidates, some of which take several times as long.
    prefix : str, default=""
        What to put before the names, such as ``"cnn__"`` for a step "cnn" of a pipeline, or
        ``"cnn1__"`` for a `make_combined_classifier`.
    frontend_prefix : str, default=None
        What to put before the names of front-end parameters. If None, `prefix` and
        ``"frontend__"``. If the front end is a step of a pipeline, its name and two underscores.

    Returns
    -------
    space : dict
        A list of values for each parameter, in a dict that you can change. It contains the
        defaults.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : Tries candidates drawn from these values.

    Notes
    -----
    The defaults need not be among the candidates drawn, and are hard to beat: compare
    ``search.best_score_`` with `cross_val_score` of the defaults on the same splits. The page
    "Hyperparameter search" of the user guide has measurements.

    Examples
    --------
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from skdaf import CNNAudioClassifier, SpectrogramTransformer, search_space
    >>> sorted(search_space("small"))
    ['augment', 'frontend__mean_subtraction', 'learning_rate', 'weight_decay']
    >>> search_space("small")["learning_rate"]
    [0.001, 0.0015, 0.002, 0.003, 0.0045, 0.007, 0.01]
    >>> search = RandomizedSearchCV(
    ...     CNNAudioClassifier(SpectrogramTransformer(cache="spectrograms"), random_state=0),
    ...     search_space("small"),
    ...     n_iter=10,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> sorted(search_space("small", prefix="cnn__", frontend_prefix="spec__"))
    ['cnn__augment', 'cnn__learning_rate', 'cnn__weight_decay', 'spec__mean_subtraction']
    """
    if size not in _SPACES:
        raise ValueError(f"size must be one of {sorted(_SPACES)}, got {size!r}.")
    if frontend_prefix is None:
        frontend_prefix = f"{prefix}frontend__"
    of_network, of_frontend = _SPACES[size]
    space = {f"{prefix}{name}": values for name, values in of_network.items()}
    space |= {f"{frontend_prefix}{name}": values for name, values in of_frontend.items()}
    return {name: list(values) for name, values in space.items()}
