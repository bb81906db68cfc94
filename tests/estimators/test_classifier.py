"""CNNAudioClassifier: what it learns, labels, and forms of X."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from helpers import same_probabilities, silence, small_classifier
from packaging.version import Version
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skdaf import Clip, SpectrogramTransformer, load_audio

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def fitted(sounds, sound_labels):
    return small_classifier().fit(sounds.filenames, sound_labels)


class TestBasicUse:
    def test_learns_kinds_of_sound_from_paths(self, fitted, sounds, sound_labels):
        assert fitted.score(sounds.filenames, sound_labels) > 0.95

    def test_learned_attributes(self, fitted):
        assert fitted.classes_.tolist() == ["high_tone", "low_tone", "white_noise"]
        assert isinstance(fitted.network_, nn.Sequential)
        assert fitted.layer_names_ == ["conv1", "conv2", "dense1", "output"]
        assert fitted.input_shape_ == (12, 16)
        assert fitted.n_epochs_ == len(fitted.history_["train_loss"]) == 10
        assert 1 <= fitted.best_epoch_ <= 10
        assert fitted.frontend_.sampling_rate_ == 16000

    def test_the_network_is_on_the_cpu_and_in_evaluation_mode(self, fitted):
        assert {p.device.type for p in fitted.network_.parameters()} == {"cpu"}
        assert not fitted.network_.training

    def test_outputs_are_consistent(self, fitted, sounds):
        some = sounds.filenames[::7]
        probabilities, logits = fitted.predict_proba(some), fitted.decision_function(some)
        assert probabilities.shape == logits.shape == (len(some), 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_allclose(
            np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), probabilities
        )
        assert (fitted.predict(some) == fitted.classes_[probabilities.argmax(axis=1)]).all()

    def test_two_classes_have_one_decision_value(self, sounds, sound_labels):
        files = np.array(sounds.filenames)
        two = sound_labels != "white_noise"
        classifier = small_classifier().fit(files[two], sound_labels[two])
        decision = classifier.decision_function(files[two])
        assert decision.shape == (two.sum(),)
        assert ((decision > 0) == (classifier.predict(files[two]) == "low_tone")).all()
        probabilities = classifier.predict_proba(files[two])[:, 1]
        np.testing.assert_allclose(1 / (1 + np.exp(-decision)), probabilities, atol=1e-12)

    @pytest.mark.parametrize("network", ["cnn", "daf"])
    def test_both_networks_learn(self, sounds, network):
        classifier = small_classifier(network=network, max_epochs=15)
        classifier.fit(sounds.filenames, sounds.target)
        assert classifier.score(sounds.filenames, sounds.target) > 0.9

    def test_a_custom_builder(self, sounds):
        def build(input_shape, n_outputs, **options):
            return nn.Sequential(nn.Flatten(), nn.Linear(np.prod(input_shape), n_outputs))

        classifier = small_classifier(network=build).fit(sounds.filenames, sounds.target)
        assert classifier.layer_names_ == ["0", "1"]
        assert classifier.score(sounds.filenames, sounds.target) > 0.7

    @pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
    def test_every_kind_of_features_is_learned_from(self, sounds, features):
        classifier = small_classifier().set_params(frontend__features=features, frontend__n_mels=32)
        classifier.fit(sounds.filenames, sounds.target)
        assert classifier.score(sounds.filenames, sounds.target) > 0.9

    @pytest.mark.parametrize("features", ["mel", "mfcc"])
    def test_equalize_is_left_out_for_mfcc(self, sounds, features):
        losses = []
        for augment in (["zoom", "equalize", "mask"], ["zoom", "mask"]):
            classifier = small_classifier(augment=augment, max_epochs=2)
            classifier.set_params(frontend__features=features).fit(sounds.filenames, sounds.target)
            losses.append(classifier.history_["train_loss"])
        assert (losses[0] == losses[1]) == (features == "mfcc")


class TestLabels:
    @pytest.mark.parametrize(
        "names",
        [
            np.array(["a", "b", "c"]),
            np.array(["a", "b", "c"], dtype=object),
            np.array([7, -1, 3]),
            np.array([7, 200, 3], dtype=np.uint8),
            np.array([0.0, 1.0, 2.0]),
            np.array([True, False, True]),
        ],
        ids=lambda names: str(names.dtype),
    )
    def test_predictions_have_the_labels_own_dtype(self, sounds, names):
        y = names[sounds.target]
        predicted = (
            small_classifier(max_epochs=1).fit(sounds.filenames, y).predict(sounds.filenames[:5])
        )
        assert predicted.dtype == np.unique(y).dtype
        assert set(predicted) <= set(y)

    def test_series_and_categories(self, sounds, sound_labels):
        y = pd.Series(sound_labels, dtype="category", index=range(100, 160))
        classifier = small_classifier(max_epochs=1).fit(pd.Series(sounds.filenames), y)
        assert set(classifier.predict(sounds.filenames)) <= set(sound_labels)

    def test_one_class_is_an_error_that_names_it(self, sounds):
        with pytest.raises(ValueError, match="only one class: 'bird'"):
            small_classifier().fit(sounds.filenames, ["bird"] * 60)

    def test_missing_labels(self, sounds):
        with pytest.raises(ValueError, match="requires y to be passed"):
            small_classifier().fit(sounds.filenames, None)
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 3\]"):
            small_classifier().fit(sounds.filenames, [0, 1, 1])
        with pytest.raises(ValueError, match="NaN"):
            small_classifier().fit(sounds.filenames[:3], [0.0, np.nan, 1.0])

    def test_one_clip_per_class_and_two_clips_in_all_still_train(self, sounds):
        files = [sounds.filenames[0], sounds.filenames[25]]
        classifier = small_classifier(max_epochs=30).fit(files, ["low", "high"])
        assert "valid_loss" not in classifier.history_
        assert classifier.predict(files).tolist() == ["low", "high"]

    def test_class_weights_move_the_decision(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 200))  # nothing to learn
        y = np.repeat([0, 1], [45, 15])
        shares = [
            small_classifier(class_weight=weight, early_stopping=False)
            .fit(X, y)
            .predict_proba(X)[:, 1]
            .mean()
            for weight in (None, "balanced", {0: 1, 1: 30})
        ]
        assert shares[0] < shares[1] < shares[2]


class TestFormsOfX:
    def test_every_form_gives_the_same_prediction(self, fitted, sounds):
        files = sounds.filenames[:6]
        expected = fitted.predict_proba(files)
        waves = [load_audio(file) for file in files]
        spectrograms = fitted.frontend_.transform(files)
        for X in (
            np.array(files),
            pd.Series(files),
            pd.DataFrame({"path": files}),
            [Clip(file) for file in files],
            waves,
            spectrograms,
        ):
            np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)

    def test_spectrograms_skip_the_front_end(self, sounds):
        spectrograms = SpectrogramTransformer(n_frames=12, n_mels=16).fit_transform(
            sounds.filenames
        )
        classifier = small_classifier().fit(spectrograms, sounds.target)
        assert classifier.frontend_ is None
        from_paths = small_classifier().fit(sounds.filenames, sounds.target)
        assert same_probabilities(classifier, from_paths, spectrograms)
        with pytest.raises(ValueError, match=r"no front end: X must be .* \(n_clips, 12, 16\)"):
            classifier.predict(sounds.filenames)

    def test_spectrograms_of_another_size_are_refused(self, fitted):
        with pytest.raises(ValueError, match=r"shape \(13, 16\).*fitted on \(12, 16\)"):
            fitted.predict(np.zeros((2, 13, 16)))

    def test_a_custom_front_end(self, sounds):
        def envelope(clips):
            waves = [load_audio(clip)[0] for clip in clips]
            return np.stack([np.resize(np.abs(wave), (10, 8)) for wave in waves])

        frontend = FunctionTransformer(envelope)
        classifier = small_classifier(frontend=frontend, max_epochs=1).fit(
            sounds.filenames, sounds.target
        )
        assert classifier.input_shape_ == (10, 8)
        assert classifier.predict(sounds.filenames[:2]).shape == (2,)

    def test_a_front_end_that_returns_something_else_is_an_error(self, sounds):
        flat = FunctionTransformer(lambda clips: np.zeros((len(clips), 4)))
        with pytest.raises(ValueError, match=r"\(60, n_frames, n_bins\), got \(60, 4\)"):
            small_classifier(frontend=flat).fit(sounds.filenames, sounds.target)
        holes = FunctionTransformer(lambda clips: np.full((len(clips), 4, 4), np.nan))
        with pytest.raises(ValueError, match="NaN"):
            small_classifier(frontend=holes).fit(sounds.filenames, sounds.target)

    @silence
    def test_silence_trains_and_predicts(self):
        X = np.zeros((12, 4000))
        classifier = small_classifier(max_epochs=1).fit(X, np.arange(12) % 2)
        assert np.isfinite(classifier.predict_proba(X)).all()

    def test_clips_of_one_sample(self):
        X = [np.array([value]) for value in (0.1, 0.2, -0.3, 0.4)]
        assert small_classifier(max_epochs=1).fit(X, [0, 1, 0, 1]).predict(X).shape == (4,)

    def test_labels_in_tensors(self, sounds):
        files, target = sounds.filenames, sounds.target
        for y in (
            torch.tensor(target),
            torch.tensor(target, dtype=torch.float64, requires_grad=True),
            [torch.tensor(label) for label in target],
        ):
            classifier = small_classifier(max_epochs=1).fit(files, y)
            assert classifier.classes_.tolist() == [0, 1, 2]
        # The scores of scikit-learn 1.6.0 refuse tensors.
        if Version(sklearn.__version__) > Version("1.6.0"):
            assert 0 <= classifier.score(files, torch.tensor(target)) <= 1

    def test_spectrograms_in_a_tensor(self, sounds):
        X = torch.randn(60, 12, 16, generator=torch.Generator().manual_seed(0))
        classifier = small_classifier(max_epochs=1).fit(X, sounds.target)
        assert same_probabilities(
            classifier, small_classifier(max_epochs=1).fit(X.numpy(), sounds.target), X
        )
        with pytest.raises(ValueError, match=r"looks like \(n_clips, n_channels, n_samples\)"):
            small_classifier().fit(torch.zeros(60, 1, 4000), sounds.target)

    def test_sounds_with_their_rates_train_like_files(self, sounds):
        files, target = sounds.filenames, sounds.target
        pairs = [load_audio(file) for file in files]
        classifier = small_classifier(max_epochs=1).fit(pairs, target)
        of_files = small_classifier(max_epochs=1).fit(files, target)
        assert np.array_equal(classifier.predict_proba(pairs), of_files.predict_proba(files))
        scores = cross_val_score(
            small_classifier(max_epochs=1), pairs, target, cv=2, error_score="raise"
        )
        assert len(scores) == 2
