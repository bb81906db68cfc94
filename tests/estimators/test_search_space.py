"""Search spaces: their names are parameters, and every candidate trains."""

import ast
import re

import numpy as np
import pytest
from helpers import ROOT, noise
from sklearn.base import clone
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    SpectrogramTransformer,
    load_model,
    make_combined_classifier,
    save_model,
    search_space,
)

WAVEFORMS = np.stack([noise(seed, 2000) for seed in range(8)])
LABELS = np.arange(8) % 2


def tiny():
    """Return a classifier that trains for one epoch on few frames."""
    frontend = SpectrogramTransformer(n_frames=16, sampling_rate=16_000)
    return CNNAudioClassifier(frontend, max_epochs=1, random_state=0)


def candidates(space, n=12):
    return ParameterSampler(space, n, random_state=0)


@pytest.mark.parametrize("size", ["small", "large"])
def test_names_are_parameters_of_the_classifier(size):
    assert (
        search_space(size).keys()
        <= CNNAudioClassifier(SpectrogramTransformer()).get_params().keys()
    )
    # Without a front end, too.
    CNNAudioClassifier().set_params(**next(iter(candidates(search_space(size)))))


def test_the_default_is_small_and_part_of_large():
    assert search_space().keys() == search_space("small").keys()
    assert search_space("small").keys() < search_space("large").keys()


@pytest.mark.parametrize("size", ["small", "large"])
def test_every_kind_of_candidate_trains(size):
    space = search_space(size)
    drawn = list(candidates(space))
    for name in ("augment", "frontend__mean_subtraction"):  # every kind of value is drawn
        assert {repr(one[name]) for one in drawn} == set(map(repr, space[name]))
    for candidate in drawn:
        fitted = tiny().set_params(**candidate).fit(WAVEFORMS, LABELS)
        assert fitted.predict(WAVEFORMS).shape == (8,)


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_defaults_are_among_the_values(size):
    default = clone(CNNAudioClassifier(SpectrogramTransformer())).get_params()
    # What None or "auto" stands for.
    default |= {
        "channels": (16, 32, 64, 128),
        "kernel_size": 3,
        "dropout": 0.3,
        "frontend__length": "resize",
    }
    for name, values in search_space(size).items():
        assert default[name] in values, name


def test_the_documentation_lists_all_values():
    page = (ROOT / "docs" / "searching.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (both|\"large\") \|$", page, re.MULTILINE)
    values = {name: ast.literal_eval(f"[{text.replace('`', '')}]") for name, text, _ in rows}
    assert values == search_space("large")
    in_both = [name for name, _, where in rows if where == "both"]
    assert {name: values[name] for name in in_both} == search_space("small")


def test_small_fits_regressors():
    names = CNNAudioRegressor(SpectrogramTransformer()).get_params().keys()
    assert search_space("small").keys() <= names


def test_prefix_of_a_combined_classifier():
    combined = make_combined_classifier(CNNAudioClassifier(SpectrogramTransformer()))
    space = search_space("large", prefix="cnn1__")
    assert "cnn1__frontend__n_mels" in space
    assert space.keys() <= combined.get_params().keys()


def test_prefixes_of_a_pipeline():
    classifier = tiny()
    steps = [("spec", classifier.frontend), ("cnn", classifier.set_params(frontend=None))]
    space = search_space("small", prefix="cnn__", frontend_prefix="spec__")
    search = RandomizedSearchCV(Pipeline(steps), space, n_iter=2, cv=2, random_state=0)
    search.fit(WAVEFORMS, LABELS)
    assert search.best_params_.keys() == space.keys()


def test_a_search_can_be_saved(tmp_path):
    search = RandomizedSearchCV(tiny(), search_space("large"), n_iter=1, cv=2, random_state=0)
    search.fit(WAVEFORMS, LABELS)
    save_model(search, tmp_path / "search.skops")
    loaded = load_model(tmp_path / "search.skops")
    np.testing.assert_array_equal(loaded.predict(WAVEFORMS), search.predict(WAVEFORMS))
    assert loaded.best_params_ == search.best_params_


def test_the_result_can_be_changed():
    space = search_space("small")
    space["augment"].clear()
    del space["learning_rate"]
    assert search_space("small")["augment"]
    assert "learning_rate" in search_space("small")


@pytest.mark.parametrize("size", ["medium", "", None, 4])
def test_unknown_sizes_name_the_known_ones(size):
    with pytest.raises(ValueError, match=r"size must be one of \['large', 'small'\], got"):
        search_space(size)
