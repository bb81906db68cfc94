"""What has an outline is what load_model accepts."""

import math

import numpy as np
import pytest
from saved_models import fit_classifier
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from skdaf import CNNAudioClassifier, ConvAutoencoderEmbedder, SpectrogramTransformer
from skdaf._estimators.persistence import outline_values
from skdaf._estimators.persistence.outline import EstimatorState, _parameters
from skdaf._estimators.persistence.outline_values import is_certain
from skdaf._estimators.persistence.trusted_types import RUN_PARAMETERS

KINDS = [CNNAudioClassifier, ConvAutoencoderEmbedder, SpectrogramTransformer]
SETTINGS = SpectrogramTransformer().fit(np.ones((2, 4000)))._fitted_settings
VALUES = [
    *(None, True, False, -1, 0, 1, 2, 3, 99, 100, 2**31, 2**33, 10**400),
    *(-0.5, 0.0, 5e-324, 0.5, 1.0, 1.5, 1e300, math.inf, -math.inf, math.nan),
    *("", "x", "auto", "cnn", "daf", "mel", "mfcc", "pad", "log_loss", "loss", "score", "sqrt"),
    *("adamw", "stretch", "noise", "mixup", "mask", "shift", "warp", "int64", "float32", "conv"),
    *([], [1], ["x"], (2, 3), (0,), (True,), {}, {"a": 1}, {"a": np.ones(2)}),
    *(np.ones(2), -np.ones(2), np.ones((2, 2)), np.array(["x"]), SETTINGS),
    *({**SETTINGS, name: value} for name in SETTINGS for value in (None, True, -1, 0.5, "x")),
    {**SETTINGS, "features": "mfcc", "n_mfcc": 41},
    {**SETTINGS, "other": 1},
    {name: value for name, value in SETTINGS.items() if name != "channel"},
    EstimatorState("SpectrogramTransformer", {}),
    EstimatorState("CNNAudioClassifier", {}),
]


def _is_accepted(kind, name, value):
    """Return whether load_model accepts a value."""
    if type(value) is EstimatorState:
        value = {one.__name__: one() for one in KINDS}[value.kind]
    if name not in _parameters(kind.__name__):
        return kind._saved_attributes[name](value)
    if not isinstance(value, (bool, float, int, str, type(None))) and name == "frontend":
        return hasattr(value, "fit") and hasattr(value, "transform")
    try:
        validate_parameter_constraints(kind._parameter_constraints, {name: value}, kind.__name__)
    except InvalidParameterError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_values_with_an_outline_are_accepted(kind):
    defaults = _parameters(kind.__name__)
    names = [*defaults, *outline_values._FITTED[kind.__name__]]
    n_certain = 0
    for name in names:
        for value in VALUES:
            if name not in RUN_PARAMETERS and is_certain(kind.__name__, name, value, defaults):
                n_certain += 1
                assert _is_accepted(kind, name, value), (name, value)
    assert n_certain > 2 * len(names)


def test_attributes_that_no_class_has_are_uncertain():
    assert not is_certain("SpectrogramTransformer", "network_", {}, {})
    assert not is_certain("ConvAutoencoderEmbedder", "classes_", np.arange(2), {})


def test_usual_models_have_only_certain_values():
    X = np.random.default_rng(0).standard_normal((20, 2000))
    model = fit_classifier(X, weight_decay=0.1, dropout=0.1, augment="mixup", batch_size=8)
    defaults = _parameters("CNNAudioClassifier")
    for name, value in model.__getstate__().items():
        if isinstance(value, SpectrogramTransformer):
            value = EstimatorState("SpectrogramTransformer", vars(value))
        known = name in RUN_PARAMETERS or is_certain("CNNAudioClassifier", name, value, defaults)
        assert known, (name, value)
