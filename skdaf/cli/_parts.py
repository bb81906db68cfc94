"""Which parts of a model commands use that take only the networks in it."""

from skdaf.cli._program import note


def note_parts_used(path, model, networks):
    """Say that only the networks in the model of a file are used, if it has other parts.

    The parameters `model` and `networks` are those of `parts_used`.
    """
    if text := parts_used(model, networks):
        note(f"Of the model in {path!r}, {text}")


def parts_used(model, networks):
    """Return that only the networks in a model are used, as text; "" if it has no other parts.

    Parameters
    ----------
    model : estimator
        The fitted model.
    networks : list of estimators
        The networks in it that are used; an empty list if the model is used as it is.
    """
    from skdaf._estimators.fitted import find_networks, unwrap

    if not networks or unwrap(model) is networks[0]:
        return ""
    used, unused = [], []
    for name, block in _blocks(model).items():
        (used if find_networks(block) else unused).append(name)
    what = "network is" if len(networks) == 1 else "networks are"
    names = f" ({', '.join(used)})" if used else ""
    without = f", without {', '.join(unused)}" if unused else ""
    return f"only the {what} used{names}{without}"


def _blocks(model):
    """Return the blocks of a combined classifier by name; none of other models."""
    from sklearn.pipeline import FeatureUnion

    from skdaf._estimators.fitted import iterate_parts, unwrap_calibrated, votes

    inner = unwrap_calibrated(model)
    if votes(inner):
        blocks = inner.named_estimators_
    else:
        unions = (part for part in iterate_parts(inner) if isinstance(part, FeatureUnion))
        blocks = dict(getattr(next(unions, None), "transformer_list", ()))
    # "drop" and "passthrough" are no blocks.
    return {name: block for name, block in blocks.items() if not isinstance(block, str)}
