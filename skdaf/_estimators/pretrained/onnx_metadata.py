"""What the metadata of an ONNX file say about a network of sounds.

Files of `skdaf.export_onnx` have the entries `skdaf_version`, `sampling_rate` (Hz), `task`,
`classes` (JSON) and `window` (seconds). Files of others may have the same entries, or none.
"""

import json
from dataclasses import dataclass
from math import isfinite

from skdaf._core.limits import MAX_SAMPLING_RATE

# In Hz. The parameter `sampling_rate` has the same bounds.
MIN_SAMPLING_RATE = 100


@dataclass(frozen=True)
class Metadata:
    """The entries that `PretrainedFeatureExtractor` uses; None for those that are missing."""

    sampling_rate: int | None
    window: float | None
    classes: tuple[str, ...] | None
    takes_any_length: bool


def read_metadata(entries):
    """Return the Metadata of a dict of strings; raise ValueError if one cannot be read."""
    is_exported = "skdaf_version" in entries
    return Metadata(
        sampling_rate=_rate(entries.get("sampling_rate") or entries.get("sample_rate")),
        # Exported networks bring clips to the length of their window themselves.
        window=None if is_exported else _number("window", entries.get("window")),
        classes=_classes(entries.get("classes")),
        takes_any_length=is_exported,
    )


def _number(name, text):
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (isfinite(number) and number > 0):
        raise ValueError(f"its metadata have {name}={text[:60]!r}: expected a number above 0.")
    return number


def _rate(text):
    rate = _number("sampling_rate", text)
    if rate is None:
        return None
    if rate != int(rate) or not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise ValueError(
            f"its metadata have sampling_rate={text[:60]!r}: expected an integer from "
            f"{MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} (Hz)."
        )
    return int(rate)


def _classes(text):
    """Return the names of classes, from JSON or separated by commas."""
    if not text:
        return None
    try:
        names = json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        names = text.split(",")
    if isinstance(names, dict):  # numbers and names, as some exporters write them
        names = list(names.values())
    if not isinstance(names, list):
        return None
    return tuple(str(name).strip() for name in names)
