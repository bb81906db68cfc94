"""What a configuration file of the combined classifier of deep_audio_features may contain."""

import difflib
import math
import os
import reprlib
from dataclasses import dataclass
from typing import Any

from sklearn.metrics import get_scorer_names

from skdaf._legacy.combiner.yaml_file import read_yaml

_KERNELS = ("linear", "poly", "rbf", "sigmoid")

# Keys of trained combiners, which are saved together with their configuration.
_TRAINED = ("Classifier", "dim_reduction")

_REQUIRED = object()


@dataclass(frozen=True)
class CombinerConfig:
    """The content of a configuration file, after it was checked.

    Attributes
    ----------
    path : str
        The file.
    kernel : str
        The kernel of the SVC.
    metric : str
        The name of the scorer with which `C` and `gamma` are chosen.
    basic_features : dict or None
        The parameters of `PyAudioAnalysisTransformer`; None without hand-crafted features.
    models : tuple of (str or None, str or None)
        The path and the Google Drive id of each network; empty without networks.
    may_download : bool or None
        Whether missing models are downloaded; None if the file does not say.
    n_components : int
        Number of principal components of each network.
    segment_step : int
        Frames from one window to the next.
    """

    path: str
    kernel: str
    metric: str
    basic_features: dict[str, float] | None
    models: tuple[tuple[str | None, str | None], ...]
    may_download: bool | None
    n_components: int
    segment_step: int

    @classmethod
    def read(cls, path):
        """Return the configuration in a file; every key is used, or the error names it."""
        path = os.fspath(path)
        top = _Section(path, "", read_yaml(path))
        top.check_keys(
            *("which_classifier", "extract_basic_features", "basic_features_params"),
            *("extract_nn_features", "model_paths", "download_models", "google_drive_ids"),
            *("n_components", "segment_step"),
        )
        has_basic, has_networks = (top.flag(f"extract_{kind}_features") for kind in ("basic", "nn"))
        if not (has_basic or has_networks):
            raise ValueError(
                f"{path!r}: extract_basic_features or extract_nn_features must be true, got false "
                "for both."
            )
        kernel, metric = _read_classifier(top)
        basic = _read_basic_features(top, _REQUIRED if has_basic else None)
        may_download = top.flag("download_models", default=None)
        models = _read_models(top, may_download, has_networks)
        default = _REQUIRED if has_networks else 1
        return cls(
            path=path,
            kernel=kernel,
            metric=metric,
            basic_features=basic if has_basic else None,
            models=models,
            may_download=may_download,
            n_components=top.count("n_components", default),
            segment_step=top.count("segment_step", default),
        )


def _read_classifier(top):
    """Return the kernel and the metric."""
    classifier = top.section("which_classifier")
    classifier.check_keys("type", "parameters")
    classifier.choice("type", ["svm"])
    parameters = classifier.section("parameters")
    parameters.check_keys("kernel", "metric")
    kernel = parameters.choice("kernel", _KERNELS)
    return kernel, parameters.choice("metric", get_scorer_names(), "a scorer of scikit-learn")


def _read_basic_features(top, default):
    params = top.section("basic_features_params", default)
    if params is None:
        return None
    names = "mid_window", "mid_step", "short_window", "short_step"
    params.check_keys(*names)
    return {name: params.seconds(name) for name in names}


def _read_models(top, may_download, has_networks):
    """Return the path and the Google Drive id of each model; either can be None."""
    only_ids = bool(may_download) and "model_paths" not in top.values
    paths = top.texts("model_paths", _REQUIRED if has_networks and not only_ids else [])
    ids = top.texts("google_drive_ids", _REQUIRED if has_networks and only_ids else [])
    if not has_networks:
        return ()
    if not (ids if only_ids else paths):
        key = "google_drive_ids" if only_ids else "model_paths"
        raise top.error(key, "name at least one model")
    if only_ids:
        return tuple((None, one) for one in ids)
    if may_download and ids and len(ids) != len(paths):
        raise top.error("google_drive_ids", f"have one id for each of the {len(paths)} model_paths")
    return tuple(zip(paths, [*ids, *[None] * len(paths)], strict=False))


class _Section:
    """A mapping in a configuration file; the errors of its methods name the file and the key."""

    def __init__(self, path, name, values):
        self._path, self._prefix, self.values = path, f"{name}." if name else "", values
        if not isinstance(values, dict):
            where = f"{name} must" if name else "the file must"
            raise ValueError(
                f"{path!r}: {where} be a mapping of keys to values, got {_show(values)}."
            )

    def error(self, key, expected):
        """Return the error for a key whose value is not as expected."""
        return ValueError(
            f"{self._path!r}: {self._prefix}{key} must {expected}, got {_show(self.values[key])}."
        )

    def check_keys(self, *known):
        """Raise an error if there is any other key."""
        for key in self.values:
            if key not in known:
                name = f"{self._prefix}{key}" if isinstance(key, str) else _show(key)
                raise ValueError(f"{self._path!r}: unknown key {name!r}{self._hint(key, known)}")

    def _hint(self, key, known):
        if not self._prefix and key in _TRAINED:
            return ", which belongs to a trained combiner: it cannot be used, train a new one."
        close = difflib.get_close_matches(str(key), known, n=1)
        return f": did you mean {close[0]!r}?" if close else f". Known keys are {', '.join(known)}."

    def section(self, key, default=_REQUIRED):
        """Return the mapping of a key."""
        value = self._get(key, default)
        if key not in self.values:
            return value
        return _Section(self._path, self._prefix + key, value)

    def flag(self, key, default=_REQUIRED):
        """Return true or false."""
        return self._checked(key, default, lambda v: isinstance(v, bool), "be true or false")

    def count(self, key, default=_REQUIRED):
        """Return a whole number that is at least 1."""
        return self._checked(key, default, _is_count, "be a whole number that is at least 1")

    def seconds(self, key):
        """Return a positive number of seconds."""
        return float(self._checked(key, _REQUIRED, _is_positive, "be a positive number of seconds"))

    def texts(self, key, default):
        """Return a list of texts."""
        expected = "be a list of texts, none of them empty"
        return self._checked(key, default, _are_texts, expected)

    def choice(self, key, choices, what=None):
        """Return one of several texts."""
        value = self._get(key, _REQUIRED)
        if isinstance(value, str) and value in choices:
            return value
        close = difflib.get_close_matches(str(value)[:100], choices, n=1)
        expected = f"be {what or ' or '.join(map(repr, choices))}"
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{self.error(key, expected)}{hint}")

    def _checked(self, key, default, is_valid, expected):
        value = self._get(key, default)
        if key in self.values and not is_valid(value):
            raise self.error(key, expected)
        return value

    def _get(self, key, default):
        if key not in self.values and default is _REQUIRED:
            raise ValueError(f"{self._path!r}: the key {self._prefix + key!r} is missing.")
        return self.values.get(key, default)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)


def _show(value):
    """Return a value for a message, shortened if it is long."""
    short = reprlib.Repr()
    short.maxlevel = 2
    return short.repr(value)
