"""The description of a network in a model file, for `skdaf info`, without building the network."""

from skdaf.cli._settings import training_facts


def describe_outline(path):
    """Return the same facts as for the estimator in a file; None if it has to be built first."""
    from skdaf._estimators.persistence.outline import NoOutlineError, read_outline

    try:
        estimator, layers = read_outline(path)
        return _facts(estimator) | {"networks": [_network_facts(estimator, layers)]}
    except NoOutlineError:
        return None


def rounded_length(attributes):
    """Return the median length of the training clips in seconds; None if it is unknown."""
    length = attributes.get("clip_length_")
    return None if length is None else round(length, 4)


def _facts(estimator):
    facts = {"estimator": estimator.kind, "fitted": True}
    classes, names = estimator.state.get("classes_"), estimator.state.get("_label_names")
    if classes is not None:
        several = estimator.state.get("_indicator_dtype") is not None
        names = classes if names is None else names
        facts["labels" if several else "classes"] = [str(name) for name in names]
    return facts


def _network_facts(estimator, layers):
    from skdaf._estimators.persistence.outline import shown

    state, frontend = estimator.state, estimator.state["frontend_"]
    n_frames, n_bins = state["input_shape_"]
    return {
        "estimator": estimator.kind,
        "front end": "none" if frontend is None else shown(frontend),
        "sampling rate": None if frontend is None else frontend.state["sampling_rate_"],
        "seconds per clip": None if frontend is None else rounded_length(frontend.state),
        "input": f"{n_frames} frames x {n_bins} bins",
        **training_facts(state),
        "layers": [
            {
                "layer": layer.name,
                "outputs": layer.n_outputs,
                "weights": layer.n_parameters,
                "layers-dropped": len(layers) - number,
            }
            for number, layer in enumerate(layers, start=1)
        ],
    }
