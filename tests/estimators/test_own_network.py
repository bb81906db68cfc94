"""Networks of users in the estimators: any function or class that returns a module."""

import functools
import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from helpers import run_python, same_weights, small_frontend
from own_networks import Backbone, CrossEntropy, LogProbabilities, ResidualNetwork, half_log_loss
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import nn

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    SaliencyDisplay,
    load_model,
    save_model,
)
from skdaf._networks.weights import get_weights

pytestmark = pytest.mark.oldest

VALUES = {"max_epochs": 6, "learning_rate": 1e-2, "random_state": 0, "precision": "float32"}


def classifier(network=ResidualNetwork, **changes):
    return CNNAudioClassifier(network=network, **{**VALUES, **changes})


@pytest.fixture(scope="module")
def spectrograms(sounds):
    return small_frontend().fit_transform(sounds.filenames)


@pytest.fixture(scope="module")
def fitted(sounds, spectrograms):
    return classifier(max_epochs=15).fit(spectrograms, sounds.target)


def test_a_residual_network_learns_files(sounds):
    model = classifier(max_epochs=15, frontend=small_frontend())
    assert model.fit(sounds.filenames, sounds.target).score(sounds.filenames, sounds.target) > 0.9


def test_its_body_and_its_output_are_layers(fitted, spectrograms):
    assert fitted.layer_names_ == ["body", "output"]
    assert fitted.layer_summary()["output_shape"].tolist() == [(16,), (len(fitted.classes_),)]
    assert fitted.layer_size(1) == 16
    features = fitted.layer_outputs(spectrograms, 1)
    weight, bias = (tensor.detach().numpy() for tensor in fitted.network_.output.parameters())
    np.testing.assert_allclose(
        features @ weight.T + bias, fitted.layer_outputs(spectrograms), atol=1e-5
    )


def test_the_weights_load_into_the_module_of_the_user(fitted, spectrograms):
    module = ResidualNetwork(len(fitted.classes_))
    module.load_state_dict(fitted.network_.body.state_dict(), strict=False)
    module.fc.load_state_dict(fitted.network_.output.state_dict())
    with torch.no_grad():
        logits = module.eval()(torch.from_numpy(spectrograms)[:, None])
    np.testing.assert_allclose(logits, fitted.layer_outputs(spectrograms), atol=1e-5)


def test_an_extractor_drops_the_output(fitted, spectrograms, sounds):
    extractor = CNNFeatureExtractor(FrozenEstimator(fitted)).fit(spectrograms)
    features = extractor.transform(spectrograms)
    np.testing.assert_array_equal(features, fitted.layer_outputs(spectrograms, 1))
    assert extractor.get_feature_names_out()[0] == "body_0"
    trained = CNNFeatureExtractor(classifier(max_epochs=1)).fit(spectrograms, sounds.target)
    assert trained.transform(spectrograms).shape == features.shape
    with pytest.raises(ValueError, match="layers_dropped=2 must be between 0 and 1"):
        extractor.set_params(layers_dropped=2).transform(spectrograms)


def test_saliency_uses_modules_inside_the_body(fitted, spectrograms):
    display = SaliencyDisplay.from_estimator(fitted, spectrograms[:2])
    assert all(0 < saliency.max() <= 1 for saliency in display.saliencies)
    other = SaliencyDisplay.from_estimator(fitted, spectrograms[:2], layer="body.blocks.0")
    assert not np.array_equal(display.saliencies[0], other.saliencies[0])
    with pytest.raises(ValueError, match=r"layer must be one of .*got 'body\.fc'"):
        SaliencyDisplay.from_estimator(fitted, spectrograms[:2], layer="body.fc")


def test_saliency_inside_a_layer_is_that_of_the_layer(sounds, spectrograms):
    def build(n_outputs):
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.LazyLinear(n_outputs))

    def wrapped(n_outputs):
        return nn.Sequential(nn.Sequential(*build(n_outputs)[:2]), build(n_outputs)[2])

    flat, nested = (
        classifier(network, max_epochs=2, augment=None).fit(spectrograms, sounds.target)
        for network in (build, wrapped)
    )
    weights = get_weights(flat.network_)
    names = dict(zip(get_weights(nested.network_), weights.values(), strict=True))
    nested.network_.load_state_dict({name: torch.tensor(a) for name, a in names.items()})
    displays = [SaliencyDisplay.from_estimator(m, spectrograms[:3]) for m in (flat, nested)]
    for left, right in zip(*(display.saliencies for display in displays), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


# --- transfer ---


def transferred(source, kind=CNNAudioClassifier, **changes):
    return kind(pretrained=FrozenEstimator(source), **{**VALUES, "max_epochs": 2, **changes})


def body_of(estimator):
    return get_weights(estimator.network_.body)


@pytest.mark.parametrize("frozen_layers", [0, 1, "conv"])
def test_a_new_task_starts_from_the_body(fitted, spectrograms, frozen_layers):
    before = body_of(fitted)
    halves = np.arange(len(spectrograms)) % 2
    new = transferred(fitted, frozen_layers=frozen_layers).fit(spectrograms, halves)
    assert new.layer_names_ == ["body", "output"]
    assert same_weights(body_of(new), before) == (frozen_layers != 0)
    assert same_weights(body_of(fitted), before)
    start = transferred(fitted, learning_rate=1e-12, weight_decay=0.0).fit(spectrograms, halves)
    weights = body_of(start)
    for name, array in before.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            np.testing.assert_allclose(weights[name], array, atol=1e-6, err_msg=name)


def test_classifiers_and_regressors_start_from_each_other(fitted, spectrograms):
    numbers = spectrograms.mean(axis=(1, 2))
    regressor = transferred(fitted, CNNAudioRegressor, frozen_layers=1).fit(spectrograms, numbers)
    assert same_weights(body_of(regressor), body_of(fitted))
    back = transferred(regressor, frozen_layers=1).fit(spectrograms, numbers > 0)
    assert same_weights(body_of(back), body_of(fitted))
    again = pickle.loads(pickle.dumps(back))
    np.testing.assert_array_equal(
        again.predict_proba(spectrograms), back.predict_proba(spectrograms)
    )


def test_an_autoencoder_is_a_source_whatever_the_network_parameter_is(spectrograms, sounds):
    source = ConvAutoencoderEmbedder(channels=(4,), max_epochs=1, random_state=0).fit(spectrograms)
    new = transferred(source, network=ResidualNetwork, network_params={"width": 2})
    assert new.fit(spectrograms, sounds.target).layer_names_[:2] == ["conv1", "embedding"]


def test_a_network_without_a_linear_output_says_what_it_cannot_do(spectrograms, sounds):
    model = classifier(LogProbabilities, max_epochs=1).fit(spectrograms, sounds.target)
    assert model.layer_names_ == ["network"]
    with pytest.raises(ValueError, match="pretrained contains a network with the single layer"):
        transferred(model).fit(spectrograms, sounds.target)
    with pytest.raises(ValueError, match="layers_dropped=1 must be between 0 and 0"):
        CNNFeatureExtractor(FrozenEstimator(model)).fit(spectrograms)


def test_conv_layers_that_cannot_be_told_apart_are_frozen_by_number(spectrograms, sounds):
    def with_inner_linear(n_outputs):
        body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(4))
        return nn.Sequential(body, nn.Linear(4, n_outputs))

    source = classifier(with_inner_linear, max_epochs=1).fit(spectrograms, sounds.target)
    with pytest.raises(ValueError, match="frozen_layers='conv' freezes no layer"):
        transferred(source, frozen_layers="conv").fit(spectrograms, sounds.target)
    transferred(source, frozen_layers=1).fit(spectrograms, sounds.target)


# --- network__name ---


class TestParameters:
    def test_they_can_be_set_seen_and_cloned(self):
        model = classifier().set_params(network__width=3)
        assert model.network_params == {"width": 3}
        assert model.get_params()["network__width"] == 3
        assert "network__width" not in model.get_params(deep=False)
        assert "network_params={'width': 3}" in repr(model)
        copied = clone(model)
        assert copied.get_params()["network__width"] == 3
        assert copied.set_params(**model.get_params()).network_params == model.network_params

    def test_setting_one_does_not_change_a_clone_or_the_dict_of_the_user(self):
        shared = {"width": 3}
        model = classifier(network_params=shared)
        other = classifier(network_params=shared).set_params(network__width=5, network__n_blocks=1)
        assert shared == model.network_params == {"width": 3}
        assert other.network_params == {"width": 5, "n_blocks": 1}

    def test_they_reach_the_network(self, spectrograms, sounds):
        model = classifier(max_epochs=1).set_params(network__width=3, network__n_blocks=1)
        model.fit(spectrograms, sounds.target)
        assert model.network_.body.stem.out_channels == 3
        assert len(model.network_.body.blocks) == 1

    def test_parameters_of_the_estimator_reach_the_network_if_it_has_them(
        self, spectrograms, sounds
    ):
        model = classifier(max_epochs=1, dropout=0.25).fit(spectrograms, sounds.target)
        assert model.network_.body.dropout.p == 0.25

    def test_the_network_and_its_parameters_can_be_set_together(self):
        model = CNNAudioClassifier().set_params(network__width=3, network=ResidualNetwork)
        assert (model.network, model.network_params) == (ResidualNetwork, {"width": 3})

    @pytest.mark.slow
    def test_they_can_be_searched_by_workers(self, spectrograms, sounds):
        grid = {"cnnaudioclassifier__network__width": [2, 3]}
        model = make_pipeline("passthrough", classifier(max_epochs=2, loss=half_log_loss))
        search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(spectrograms, sounds.target)
        best = search.best_params_["cnnaudioclassifier__network__width"]
        assert search.best_estimator_[-1].network_.body.stem.out_channels == best
        alone = GridSearchCV(model, grid, cv=2).fit(spectrograms, sounds.target)
        np.testing.assert_array_equal(
            alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
        )

    @pytest.mark.parametrize(
        ("network", "params", "message"),
        [
            (ResidualNetwork, {"network__widths": 3}, "'widths'.*Did you mean width"),
            (ResidualNetwork, {"network__n_outputs": 3}, "accept 'n_outputs': it accepts width"),
            ("cnn", {"network__width": 3}, "network__width needs a function or class as network"),
        ],
    )
    def test_unknown_names_are_errors_when_they_are_set(self, network, params, message):
        model = classifier(network)
        with pytest.raises(ValueError, match=message):
            model.set_params(**params)
        assert model.network_params is None

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"network_params": {"widths": 3}}, "does not accept 'widths'"),
            ({"channels": (3,)}, "network=ResidualNetwork does not accept 'channels'"),
            ({"kernel_size": 3, "hidden_units": (3,)}, "accept 'kernel_size', 'hidden_units'"),
            ({"dropout": 0.1, "network_params": {"dropout": 0.2}}, "dropout is set twice"),
            ({"network": "cnn", "network_params": {"width": 3}}, "network__width needs a function"),
            ({"n_networks": 2}, "n_networks=2 needs network='cnn'"),
        ],
    )
    def test_they_are_checked_before_any_file_is_read(self, values, message):
        with pytest.raises(ValueError, match=message):
            classifier(**values).fit(["no such file.wav"] * 4, [0, 1, 0, 1])


# --- the same guarantees as for other networks ---


def test_bytes_do_not_depend_on_the_number_of_torch_threads(spectrograms, sounds):
    before = torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            model = classifier(dropout=0.3, max_epochs=3, batch_size=32)
            found.append(get_weights(model.fit(spectrograms, sounds.target).network_))
    finally:
        torch.set_num_threads(before)
    assert same_weights(*found)


def test_global_generators_do_not_change(spectrograms, sounds):
    state = torch.get_rng_state()
    model = classifier(dropout=0.3, max_epochs=1).fit(spectrograms, sounds.target)
    pickle.loads(pickle.dumps(model))
    assert torch.equal(torch.get_rng_state(), state)


def test_features_of_any_number_get_an_output_layer(spectrograms, sounds):
    model = classifier(functools.partial(Backbone, width=3)).fit(spectrograms, sounds.target)
    assert model.layer_names_ == ["body", "output"]
    assert model.network_.output.in_features == 12


def test_a_function_may_load_a_model_to_use_its_layers(fitted, spectrograms, sounds):
    content = pickle.dumps(fitted)

    def on_loaded_layers():
        return pickle.loads(content).network_.body

    model = classifier(on_loaded_layers, max_epochs=1).fit(spectrograms, sounds.target)
    assert model.network_.body.stem.weight.shape == fitted.network_.body.stem.weight.shape


def test_a_pickle_loads_where_the_code_can_be_imported(fitted, spectrograms, tmp_path):
    joblib.dump((fitted, spectrograms), tmp_path / "model.joblib")
    code = """
        import sys, joblib
        sys.path.insert(0, sys.argv[2])
        model, X = joblib.load(sys.argv[1])
        joblib.dump(model.predict_proba(X), sys.argv[1])
    """
    folder = ResidualNetwork.__init__.__code__.co_filename.rpartition("/")[0]
    run_python(code, tmp_path / "model.joblib", folder)
    answer = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(answer, fitted.predict_proba(spectrograms))


def test_a_lambda_can_be_fitted_but_not_pickled(spectrograms, sounds):
    model = classifier(lambda n_outputs: ResidualNetwork(n_outputs, 2), max_epochs=1)
    clone(model).fit(spectrograms, sounds.target)
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(model)


def by_name(network):
    """Return estimators with a parameter that is code, by the name of the parameter."""
    sgd = functools.partial(torch.optim.SGD, lr=0.1)
    return {
        "network=ResidualNetwork": network,
        "network=Backbone": classifier(functools.partial(Backbone, width=2)),
        "loss=half_log_loss": classifier("cnn", loss=half_log_loss),
        "loss=CrossEntropyLoss": classifier("cnn", loss=nn.CrossEntropyLoss()),
        "optimizer=SGD": make_pipeline(CNNFeatureExtractor(classifier("cnn", optimizer=sgd))),
        "augment=half_log_loss": classifier("cnn", augment=["mask", half_log_loss]),
    }


def test_model_files_refuse_code_and_name_the_parameter(fitted, spectrograms, sounds, tmp_path):
    path = tmp_path / "model.skops"
    for name, model in by_name(fitted).items():
        with pytest.raises(ValueError, match=rf"{name} of the CNNAudioClassifier is code.*joblib"):
            save_model(model, path)
    # The network may also come from a pretrained one.
    new = transferred(fitted).fit(spectrograms, sounds.target).set_params(pretrained=None)
    with pytest.raises(ValueError, match="network=ResidualNetwork of the CNNAudioClassifier"):
        save_model(new, path)
    assert not path.exists()
    save_model(classifier("cnn"), path)
    assert load_model(path).loss == "log_loss"


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (lambda n_outputs: None, TypeError, "network=<lambda> must return an nn.Module"),
        (lambda n_outputs: nn.Flatten(), ValueError, "network=<lambda> must return 3 outputs"),
        (lambda n_outputs: nn.Identity(), ValueError, "network=<lambda> .*shape"),
        (lambda n_outputs: 1 / 0, ValueError, "network=<lambda> failed .*ZeroDivisionError"),
        (ResidualNetwork(3), TypeError, "network must be 'cnn'.*already built: ResidualNetwork"),
    ],
)
def test_networks_that_cannot_be_used_are_errors_that_name_the_parameter(
    network, error, message, spectrograms, sounds
):
    y = np.arange(len(spectrograms)) % 3
    with pytest.raises(error, match=message):
        classifier(network).fit(spectrograms, y)


# Checks whose result may depend on the code of users: it is copied, pickled, called with other
# numbers of clips, weights and classes. `test_battery` runs all checks, with built-in networks.
CHECKS = {
    "check_classifiers_classes",
    "check_classifiers_one_label",
    "check_dict_unchanged",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_dont_overwrite_attributes",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_parameters_default_constructible",
    "check_regressors_int",
    "check_sample_weight_equivalence_on_dense_data",
    "check_supervised_y_2d",
}

WITH_OWN_CODE = [
    CNNAudioClassifier(network=ResidualNetwork, network_params={"width": 2}, max_epochs=1),
    CNNAudioRegressor(network=ResidualNetwork, network_params={"width": 2}, max_epochs=1),
    CNNAudioClassifier(channels=(4,), max_epochs=1, loss=CrossEntropy(), optimizer=torch.optim.SGD),
]


def own_code_checks():
    """Yield estimators with code of users, and the checks of scikit-learn for them."""
    for number, estimator in enumerate(WITH_OWN_CODE):
        for _, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name in CHECKS and "readonly_memmap" not in check.keywords:
                yield pytest.param(estimator, check, id=f"{number}-{name}")


@pytest.mark.parametrize(("estimator", "check"), [*own_code_checks()])
def test_checks_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
