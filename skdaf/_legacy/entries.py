"""Check the entries of a model of deep_audio_features."""

from skdaf._legacy.unpickle import Reference

_MAX_COUNT = 2**20
# All names in an array take as much memory as the longest one.
_MAX_CHARACTERS = 10**6


def _is_count(value):
    return type(value) is int and 0 < value <= _MAX_COUNT


def _is_duration(value):
    return type(value) in (int, float) and 0 < value <= 1


def _is_size(value):
    return type(value) is tuple and len(value) == 2 and all(map(_is_count, value))


def _is_class_mapping(value):
    is_complete = type(value) is dict and set(value) == set(range(len(value)))
    names = list(value.values()) if is_complete else []
    return (
        len(names) > 1
        and all(type(name) is str for name in names)
        and len(set(names)) == len(names)
        and len(names) * max(map(len, names)) <= _MAX_CHARACTERS
    )


# For each entry of a model, a function that returns whether a value is valid, and a description of
# valid values.
_ENTRIES = {
    "state_dict": (lambda value: type(value) is dict, "a dict of tensors"),
    "zero_pad": (lambda value: type(value) is bool, "True or False"),
    "fuse": (lambda value: type(value) is bool, "True or False"),
    "spec_size": (_is_size, "a pair (n_bins, n_frames)"),
    "max_sequence_length": (_is_count, "a number of frames"),
    "window_length": (_is_duration, "at most one second"),
    "hop_length": (_is_duration, "at most one second"),
}
_CLASSIFIER_ENTRIES = {
    **_ENTRIES,
    "type": (lambda value: value == "classifier", "'classifier'"),
    "classes_mapping": (_is_class_mapping, "a dict of at least two names, numbered from 0"),
}
_AUTOENCODER_ENTRIES = {
    **_ENTRIES,
    "representation_channels": (_is_count, "a number of channels"),
}


def check_entries(model):
    """Check the values of a file; return whether they describe a classifier (or an autoencoder)."""
    if type(model) is not dict:
        raise ValueError(f"it contains {_shown(model)} instead of a dict")
    is_classifier = "representation_channels" not in model
    entries = _CLASSIFIER_ENTRIES if is_classifier else _AUTOENCODER_ENTRIES
    for name, (is_valid, expected) in entries.items():
        if name not in model:
            raise ValueError(f"its dict has no entry {name!r}")
        if not is_valid(model[name]):
            raise ValueError(f"its {name!r} must be {expected}, got {_shown(model[name])}")
    return is_classifier


def _shown(value):
    """Return a short description of a value for an error message, however large the value is."""
    if type(value) is Reference:
        return f"a reference to {value.name!r}"
    parts = value[:3] if type(value) is tuple else [value]
    is_plain = all(type(part) in (str, int, float, bool) for part in parts)
    return repr(value)[:60] if is_plain else f"a {type(value).__name__}"
