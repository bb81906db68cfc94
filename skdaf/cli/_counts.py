"""How many clips there are of each class, in one line."""

from collections import Counter

from skdaf.cli._multilabel import is_indicator

# The clips of at most this many classes are counted one by one.
_MAX_CLASSES = 12


def clips_per_class(labels):
    """Return a dict with the number of clips of each class, sorted by class.

    Parameters
    ----------
    labels : sequence, or DataFrame
        One label per clip, or an indicator of several.
    """
    if is_indicator(labels):
        return {str(name): int(column.sum()) for name, column in labels.items()}
    return dict(sorted(Counter(map(str, labels)).items()))


def counted(n, one, several=None):
    """Return a number of things as text, such as "1 clip" or "2 clips"."""
    return f"{n} {one if n == 1 else several or one + 's'}"


def described(counts):
    """Return the number of clips of each class as text; of many classes, only the extremes."""
    if len(counts) <= _MAX_CLASSES:
        return ", ".join(f"{name} {count}" for name, count in counts.items())
    fewest, most = min(counts, key=counts.get), max(counts, key=counts.get)
    return f"{counts[fewest]} ({fewest}) to {counts[most]} ({most}) of each"
