"""Start from a trained network: CNNAudioClassifier(pretrained=...)."""

import joblib
import numpy as np
import pytest
from helpers import same_weights, small_classifier, small_frontend
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import (
    CNNAudioClassifier,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    clip_length,
    load_model,
    save_model,
)
from skdaf._networks.weights import get_weights

pytestmark = pytest.mark.oldest

SMALL = {"max_epochs": 4, "learning_rate": 1e-2, "random_state": 0}


@pytest.fixture(scope="module")
def classifier(sounds):
    front_end = SpectrogramTransformer(n_mels=16, n_frames=12)
    return CNNAudioClassifier(
        front_end, channels=(4, 8), hidden_units=(8, 6), dropout=0.5, **SMALL
    ).fit(sounds.filenames, sounds.target)


@pytest.fixture(scope="module")
def embedder(sounds):
    front_end = SpectrogramTransformer(n_mels=16, n_frames=12)
    return ConvAutoencoderEmbedder(front_end, channels=(4, 8), n_channels=3, **SMALL).fit(
        sounds.filenames
    )


@pytest.fixture(scope="module")
def halves(sounds):
    """A different task from the one learned before."""
    return np.arange(60) % 2


def transferred(source, X, y, **parameters):
    values = {**SMALL, **parameters}
    return CNNAudioClassifier(pretrained=FrozenEstimator(source), **values).fit(X, y)


def weights_of(estimator, layer):
    return get_weights(getattr(estimator.network_, layer))


def test_the_front_end_is_that_of_the_source_except_for_the_length_of_clips(classifier):
    clips = [(np.random.default_rng(seed).standard_normal(20_000), 16_000) for seed in range(10)]
    old, new = classifier.frontend_, transferred(classifier, clips, [*"ab"] * 5).frontend_
    assert new.clip_length_ == 1.25 != old.clip_length_
    assert new.n_frames_ == old.n_frames_
    np.testing.assert_array_equal(new.transform(clips), old.transform(clips))


@pytest.mark.parametrize(
    ("frozen_layers", "n_frozen"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), ("conv", 2)]
)
def test_frozen_layers_keep_every_bit_and_the_others_learn(
    classifier, sounds, halves, frozen_layers, n_frozen
):
    new = transferred(classifier, sounds.filenames, halves, frozen_layers=frozen_layers)
    assert new.layer_names_ == ["conv1", "conv2", "dense1", "dense2", "output"]
    for number, layer in enumerate(new.layer_names_[:-1]):
        kept = same_weights(weights_of(new, layer), weights_of(classifier, layer))
        assert kept == (number < n_frozen), layer


def test_running_statistics_are_among_the_bits_kept(classifier, sounds, halves):
    frozen = transferred(classifier, sounds.filenames, halves, frozen_layers="conv")
    learning = transferred(classifier, sounds.filenames, halves)
    name = "norm.running_mean"
    before = weights_of(classifier, "conv2")[name]
    assert np.array_equal(weights_of(frozen, "conv2")[name], before)
    assert not np.array_equal(weights_of(learning, "conv2")[name], before)


def test_the_source_is_not_touched(classifier, sounds, halves):
    before = get_weights(classifier.network_)
    transferred(classifier, sounds.filenames, halves)
    assert same_weights(get_weights(classifier.network_), before)
    assert all(p.requires_grad for p in classifier.network_.parameters())


def test_output_layer_and_classes_are_new(classifier, sounds, halves):
    names = np.array(["even", "odd"])[halves]
    new = transferred(classifier, sounds.filenames, names)
    assert new.classes_.tolist() == ["even", "odd"]
    assert new.predict_proba(sounds.filenames[:3]).shape == (3, 2)


def test_clips_are_measured_if_the_front_end_is_a_pipeline():
    noise = np.random.default_rng(0).standard_normal(20_000)
    clips, y = [(noise * scale, 16_000) for scale in (1, 0.9, 0.8, 0.7)], [*"abab"]
    frontend = make_pipeline(small_frontend(), FunctionTransformer())
    short = [(samples[:8000], rate) for samples, rate in clips]
    old = small_classifier(frontend=frontend, max_epochs=1).fit(short, y)
    new = transferred(old, clips, y, max_epochs=1)
    assert (clip_length(old), clip_length(new)) == (0.5, 1.25)


class TestSettingsOfARun:
    def test_apply_to_the_front_end_of_the_source(self, classifier, sounds, halves, tmp_path):
        model = CNNAudioClassifier(pretrained=FrozenEstimator(classifier), **SMALL)
        model.set_params(max_epochs=1, frontend__cache=tmp_path, frontend__n_jobs=1)
        model.fit(sounds.filenames, halves)
        assert (model.frontend_.cache, model.frontend_.n_jobs) == (tmp_path, 1)
        assert model.frontend_.n_mels == 16
        assert classifier.frontend_.cache is None
        model.set_params(frontend__cache=None, frontend__n_jobs=None)
        assert model.frontend_.cache is None
        assert model.fit(sounds.filenames, halves).frontend_.n_jobs is None

    def test_do_not_prevent_a_refit_after_loading(self, classifier, sounds, halves, tmp_path):
        model = transferred(classifier, sounds.filenames, halves, max_epochs=1)
        save_model(model.set_params(frontend__n_jobs=1), tmp_path / "model.skops")
        load_model(tmp_path / "model.skops").fit(sounds.filenames, halves)

    def test_apply_to_a_pipeline(self, sounds, halves, tmp_path):
        frontend = make_pipeline(small_frontend(), FunctionTransformer())
        old = small_classifier(frontend=frontend, max_epochs=1).fit(sounds.filenames, halves)
        new = transferred(old, sounds.filenames, halves, max_epochs=1)
        new.set_params(frontend__cache=tmp_path)
        assert new.frontend_[0].cache == tmp_path
        assert new.fit(sounds.filenames, halves).frontend_[0].cache == tmp_path


def test_front_end_comes_from_the_source(classifier, sounds, halves):
    new = transferred(classifier, sounds.filenames[:30], halves[:30])
    assert new.input_shape_ == classifier.input_shape_
    assert new.frontend_ is not classifier.frontend_
    np.testing.assert_array_equal(
        new.frontend_.transform(sounds.filenames), classifier.frontend_.transform(sounds.filenames)
    )


def test_transfer_helps_from_the_first_epoch(classifier, sounds):
    few = np.arange(60)[::10]
    start = {"max_epochs": 2, "learning_rate": 1e-3}
    new = transferred(
        classifier, np.array(sounds.filenames)[few], sounds.target[few], frozen_layers=4, **start
    )
    scratch = CNNAudioClassifier(**{**SMALL, **start}).fit(
        np.array(sounds.filenames)[few], sounds.target[few]
    )
    kept = new.layer_outputs(sounds.filenames, 4)
    np.testing.assert_array_equal(kept, classifier.layer_outputs(sounds.filenames, 4))
    assert scratch.layer_names_ != new.layer_names_


def test_path_of_a_saved_model(classifier, sounds, halves, tmp_path):
    save_model(classifier, tmp_path / "source.skops")
    from_path = CNNAudioClassifier(pretrained=tmp_path / "source.skops", **SMALL)
    from_path.fit(sounds.filenames, halves)
    frozen = transferred(classifier, sounds.filenames, halves)
    assert same_weights(get_weights(from_path.network_), get_weights(frozen.network_))


@pytest.mark.parametrize("frozen_layers", [0, 1, "conv"])
def test_the_encoder_of_an_autoencoder_becomes_the_conv_layers(embedder, sounds, frozen_layers):
    new = transferred(
        embedder, sounds.filenames, sounds.target, frozen_layers=frozen_layers, hidden_units=(8,)
    )
    assert new.layer_names_ == ["conv1", "conv2", "embedding", "dense1", "output"]
    n_frozen = {0: 0, 1: 1, "conv": 3}[frozen_layers]
    for number, layer in enumerate(new.layer_names_[:3]):
        kept = same_weights(weights_of(new, layer), weights_of(embedder, layer))
        assert kept == (number < n_frozen), layer


def test_an_autoencoder_with_the_usual_channels_transfers_too(sounds):
    front_end = SpectrogramTransformer(n_mels=16, n_frames=16)
    usual = {"channels": None, "kernel_size": None, "max_epochs": 1, "random_state": 0}
    source = ConvAutoencoderEmbedder(front_end, **usual).fit(sounds.filenames)
    new = transferred(source, sounds.filenames, sounds.target, hidden_units=[8], max_epochs=1)
    assert new.layer_names_[:5] == source.layer_names_[:5]
    assert new.network_.dense1.linear.out_features == 8


def test_a_transferred_network_can_be_transferred_again(classifier, embedder, sounds, halves):
    for source in (classifier, embedder):
        once = transferred(source, sounds.filenames, sounds.target)
        twice = transferred(once, sounds.filenames, halves, frozen_layers="conv")
        assert same_weights(weights_of(twice, "conv2"), weights_of(once, "conv2"))


@pytest.mark.parametrize("which", ["classifier", "embedder"])
def test_joblib_round_trip(which, sounds, halves, tmp_path, request):
    source = request.getfixturevalue(which)
    new = transferred(source, sounds.filenames, halves, frozen_layers=1)
    joblib.dump(new, tmp_path / "new.joblib")
    loaded = joblib.load(tmp_path / "new.joblib")
    np.testing.assert_array_equal(
        loaded.predict_proba(sounds.filenames), new.predict_proba(sounds.filenames)
    )


def test_frozen_layers_can_be_searched(classifier, sounds, halves):
    search = GridSearchCV(
        CNNAudioClassifier(pretrained=FrozenEstimator(classifier), **SMALL),
        {"frozen_layers": [0, 2, "conv"]},
        cv=2,
    ).fit(sounds.filenames, halves)
    assert set(search.cv_results_["param_frozen_layers"]) == {0, 2, "conv"}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_clone_keeps_the_source(classifier):
    model = clone(CNNAudioClassifier(pretrained=FrozenEstimator(classifier)))
    assert model.pretrained.estimator is classifier


def test_source_fitted_on_spectrograms(sounds, halves):
    X = SpectrogramTransformer(n_mels=16, n_frames=12).fit_transform(sounds.filenames)
    source = CNNAudioClassifier(channels=(4,), **SMALL).fit(X, sounds.target)
    assert transferred(source, X, halves).predict(X).shape == (60,)
    with pytest.raises(ValueError, match="has no front end"):
        transferred(source, sounds.filenames, halves)
    with pytest.raises(ValueError, match=r"shape \(5, 16\).*fitted on \(12, 16\)"):
        transferred(source, X[:, :5], halves)


class TestErrors:
    def test_frozen_layers_without_a_source(self, sounds):
        with pytest.raises(ValueError, match=r"frozen_layers='conv' needs a pretrained network"):
            CNNAudioClassifier(frozen_layers="conv").fit(sounds.filenames, sounds.target)

    def test_all_layers_frozen(self, classifier, sounds, halves):
        with pytest.raises(ValueError, match=r"frozen_layers=5 .*'output'"):
            transferred(classifier, sounds.filenames, halves, frozen_layers=5)

    def test_a_source_that_is_not_frozen(self, classifier, sounds, halves):
        with pytest.raises(ValueError, match=r"FrozenEstimator\(estimator\) .* or the path"):
            CNNAudioClassifier(pretrained=classifier).fit(sounds.filenames, halves)

    def test_a_source_that_was_never_fitted(self, sounds, halves):
        with pytest.raises(NotFittedError):
            transferred(CNNAudioClassifier(), sounds.filenames, halves)

    def test_a_source_that_was_saved_without_a_fit(self, sounds, halves, tmp_path):
        path = tmp_path / "50%s.skops"
        with pytest.warns(UserWarning, match="is not fitted"):
            save_model(CNNAudioClassifier(), path)
        with pytest.raises(NotFittedError, match=r"CNNAudioClassifier in '.*50%s.skops' is not"):
            CNNAudioClassifier(pretrained=path).fit(sounds.filenames, halves)

    def test_a_source_of_another_kind(self, sounds, halves):
        other = LogisticRegression().fit([[0], [1]], [0, 1])
        with pytest.raises(
            ValueError, match="must contain a CNNAudioClassifier, a CNNAudioRegressor or"
        ):
            transferred(other, sounds.filenames, halves)

    def test_a_front_end_in_addition_to_that_of_the_source(self, classifier, sounds, halves):
        other = SpectrogramTransformer(n_mels=20, n_jobs=2)
        for frontend in (other, make_pipeline(SpectrogramTransformer())):
            with pytest.raises(ValueError, match="frontend must be None"):
                transferred(classifier, sounds.filenames, halves, frontend=frontend)

    @pytest.mark.parametrize("option", [{"channels": (4, 8)}, {"kernel_size": 5}])
    def test_sizes_of_layers_in_addition_to_those_of_the_source(
        self, classifier, sounds, halves, option
    ):
        with pytest.raises(ValueError, match=f"{next(iter(option))} must be None, because conv"):
            transferred(classifier, sounds.filenames, halves, **option)
