"""How a network was trained, for `skdaf info`: what a model file says without running code."""

from numbers import Real

# Parameters of the training, in the order in which they are shown.
_NAMES = (
    *("max_epochs", "batch_size", "learning_rate", "optimizer", "weight_decay", "loss"),
    *("label_smoothing", "class_weight", "augment", "dropout", "n_networks", "frozen_layers"),
    *("early_stopping", "validation_fraction", "patience", "scoring", "precision"),
    "random_state",
)

# Columns of the history, and on which clips they were computed.
_SCORES = {
    "valid_loss": "loss on clips held out to choose the epoch",
    "valid_score": "score on clips held out to choose the epoch",
    "train_loss": "loss on the training clips",
    "train_score": "score on the training clips",
}


def training_facts(attributes, names_of_weights=None):
    """Return facts about the training of a network.

    Parameters
    ----------
    attributes : dict
        The attributes of the estimator; those of models that were converted say nothing.
    names_of_weights : dict, default=None
        What the keys of class weights are called, where these are others.

    Returns
    -------
    facts : dict
        `training clips`: their number, if it is known; `training`: the epoch that was kept;
        `results`: its losses and scores; `settings`: the parameters of the training.
    """
    if "n_epochs_" not in attributes:
        return {}
    best = attributes["best_epoch_"]
    n_clips = attributes.get("n_clips_")  # unknown for files of earlier releases
    facts = {} if n_clips is None else {"training clips": n_clips}
    facts["training"] = f"epoch {best} of {attributes['n_epochs_']}"
    results = _results(attributes.get("history_"), best)
    settings = {name: _plain(attributes[name]) for name in _NAMES if name in attributes}
    weights = settings.get("class_weight")
    if isinstance(weights, dict):
        names = names_of_weights or {}
        settings["class_weight"] = {names.get(k, k): weight for k, weight in weights.items()}
    return facts | ({"results": results} if results else {}) | {"settings": settings}


def _results(history, epoch):
    """Return the losses and scores of an epoch."""
    found = {}
    for name, text in _SCORES.items():
        values = history.get(name) if isinstance(history, dict) else None
        if isinstance(values, (list, tuple)) and len(values) >= epoch > 0:
            value = values[epoch - 1]
            if isinstance(value, Real):
                found[text] = round(float(value), 4)
    return found


def _plain(value):
    """Return a parameter as JSON can hold it: of functions and objects, the name."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    return getattr(value, "__name__", type(value).__name__)


def in_one_line(facts):
    """Return settings or results as text."""
    known = {name: value for name, value in facts.items() if value is not None}
    return ", ".join(f"{name} {_shown(value)}" for name, value in known.items())


def _shown(value):
    if isinstance(value, list):
        return "+".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
