import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skdaf import AudioReadError, Clip, CNNAudioClassifier, SpectrogramTransformer, load_audio

pytestmark = pytest.mark.oldest


def small(**changes):
    values = {
        "frontend": SpectrogramTransformer(n_mels=16, n_frames=12),
        "channels": (4, 8),
        "hidden_units": (8,),
        "max_epochs": 10,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return CNNAudioClassifier(**{**values, **changes})


@pytest.fixture(scope="module")
def fitted(sounds, sound_labels):
    return small().fit(sounds.filenames, sound_labels)


def same_bytes(classifier, other, X):
    return np.array_equal(classifier.predict_proba(X), other.predict_proba(X))


class TestMainJob:
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

    def test_the_network_rests_on_the_cpu_and_does_not_train(self, fitted):
        assert {p.device.type for p in fitted.network_.parameters()} == {"cpu"}
        assert not fitted.network_.training

    def test_outputs_belong_together(self, fitted, sounds):
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
        classifier = small().fit(files[two], sound_labels[two])
        decision = classifier.decision_function(files[two])
        assert decision.shape == (two.sum(),)
        assert ((decision > 0) == (classifier.predict(files[two]) == "low_tone")).all()
        probabilities = classifier.predict_proba(files[two])[:, 1]
        np.testing.assert_allclose(1 / (1 + np.exp(-decision)), probabilities, atol=1e-12)

    @pytest.mark.parametrize("network", ["cnn", "daf"])
    def test_both_networks_learn(self, sounds, network):
        classifier = small(network=network).fit(sounds.filenames, sounds.target)
        assert classifier.score(sounds.filenames, sounds.target) > 0.9

    def test_a_builder_of_ones_own(self, sounds):
        def build(input_shape, n_outputs, **options):
            return nn.Sequential(nn.Flatten(), nn.Linear(np.prod(input_shape), n_outputs))

        classifier = small(network=build).fit(sounds.filenames, sounds.target)
        assert classifier.layer_names_ == ["0", "1"]
        assert classifier.score(sounds.filenames, sounds.target) > 0.7

    @pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
    def test_every_kind_of_features_is_learned_from(self, sounds, features):
        classifier = small().set_params(frontend__features=features, frontend__n_mels=32)
        classifier.fit(sounds.filenames, sounds.target)
        assert classifier.score(sounds.filenames, sounds.target) > 0.9

    @pytest.mark.parametrize("features", ["mel", "mfcc"])
    def test_only_levels_of_frequencies_are_bent_over_frequency(self, sounds, features):
        losses = []
        for augment in (["zoom", "equalize", "mask"], ["zoom", "mask"]):
            classifier = small(augment=augment, max_epochs=2)
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
        predicted = small(max_epochs=1).fit(sounds.filenames, y).predict(sounds.filenames[:5])
        assert predicted.dtype == np.unique(y).dtype
        assert set(predicted) <= set(y)

    def test_series_and_categories(self, sounds, sound_labels):
        y = pd.Series(sound_labels, dtype="category", index=range(100, 160))
        classifier = small(max_epochs=1).fit(pd.Series(sounds.filenames), y)
        assert set(classifier.predict(sounds.filenames)) <= set(sound_labels)

    def test_one_class_is_an_error_that_names_it(self, sounds):
        with pytest.raises(ValueError, match="only one class: 'bird'"):
            small().fit(sounds.filenames, ["bird"] * 60)

    def test_missing_labels(self, sounds):
        with pytest.raises(ValueError, match="requires y to be passed"):
            small().fit(sounds.filenames, None)
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 3\]"):
            small().fit(sounds.filenames, [0, 1, 1])
        with pytest.raises(ValueError, match="NaN"):
            small().fit(sounds.filenames[:3], [0.0, np.nan, 1.0])

    def test_one_clip_a_class_and_two_clips_in_all_still_train(self, sounds):
        files = [sounds.filenames[0], sounds.filenames[25]]
        classifier = small(max_epochs=30).fit(files, ["low", "high"])
        assert "valid_loss" not in classifier.history_
        assert classifier.predict(files).tolist() == ["low", "high"]

    def test_class_weights_move_the_decision(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 200))  # nothing to learn
        y = np.repeat([0, 1], [45, 15])
        shares = [
            small(class_weight=weight, early_stopping=False).fit(X, y).predict_proba(X)[:, 1].mean()
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
        classifier = small().fit(spectrograms, sounds.target)
        assert classifier.frontend_ is None
        from_paths = small().fit(sounds.filenames, sounds.target)
        assert same_bytes(classifier, from_paths, spectrograms)
        with pytest.raises(ValueError, match=r"no front end: X must be .* \(n_clips, 12, 16\)"):
            classifier.predict(sounds.filenames)

    def test_spectrograms_of_another_size_are_refused(self, fitted):
        with pytest.raises(ValueError, match=r"shape \(13, 16\).*fitted on \(12, 16\)"):
            fitted.predict(np.zeros((2, 13, 16)))

    def test_a_front_end_of_ones_own(self, sounds):
        def envelope(clips):
            waves = [load_audio(clip)[0] for clip in clips]
            return np.stack([np.resize(np.abs(wave), (10, 8)) for wave in waves])

        frontend = FunctionTransformer(envelope)
        classifier = small(frontend=frontend, max_epochs=1).fit(sounds.filenames, sounds.target)
        assert classifier.input_shape_ == (10, 8)
        assert classifier.predict(sounds.filenames[:2]).shape == (2,)

    def test_a_front_end_that_returns_something_else_is_an_error(self, sounds):
        flat = FunctionTransformer(lambda clips: np.zeros((len(clips), 4)))
        with pytest.raises(ValueError, match=r"\(60, n_frames, n_bins\), got \(60, 4\)"):
            small(frontend=flat).fit(sounds.filenames, sounds.target)
        holes = FunctionTransformer(lambda clips: np.full((len(clips), 4, 4), np.nan))
        with pytest.raises(ValueError, match="NaN"):
            small(frontend=holes).fit(sounds.filenames, sounds.target)

    def test_silence_trains_and_predicts(self):
        X = np.zeros((12, 4000))
        classifier = small(max_epochs=1).fit(X, np.arange(12) % 2)
        assert np.isfinite(classifier.predict_proba(X)).all()

    def test_clips_of_one_sample(self):
        X = np.array([[0.1], [0.2], [-0.3], [0.4]])
        assert small(max_epochs=1).fit(X, [0, 1, 0, 1]).predict(X).shape == (4,)

    def test_labels_in_tensors(self, sounds):
        files, target = sounds.filenames, sounds.target
        for y in (
            torch.tensor(target),
            torch.tensor(target, dtype=torch.float64, requires_grad=True),
            [torch.tensor(label) for label in target],
        ):
            classifier = small(max_epochs=1).fit(files, y)
            assert classifier.classes_.tolist() == [0, 1, 2]
        assert 0 <= classifier.score(files, torch.tensor(target)) <= 1

    def test_spectrograms_in_a_tensor(self, sounds):
        X = torch.randn(60, 12, 16, generator=torch.Generator().manual_seed(0))
        classifier = small(max_epochs=1).fit(X, sounds.target)
        assert same_bytes(classifier, small(max_epochs=1).fit(X.numpy(), sounds.target), X)
        with pytest.raises(ValueError, match=r"looks like \(n_clips, n_channels, n_samples\)"):
            small().fit(torch.zeros(60, 1, 4000), sounds.target)

    def test_sounds_with_their_rates_train_like_files(self, sounds):
        files, target = sounds.filenames, sounds.target
        pairs = [load_audio(file) for file in files]
        classifier = small(max_epochs=1).fit(pairs, target)
        of_files = small(max_epochs=1).fit(files, target)
        assert np.array_equal(classifier.predict_proba(pairs), of_files.predict_proba(files))
        scores = cross_val_score(small(max_epochs=1), pairs, target, cv=2, error_score="raise")
        assert len(scores) == 2


class TestNestedFrontEnd:
    def test_parameters_of_the_default_front_end_can_be_set(self, sounds):
        classifier = CNNAudioClassifier().set_params(frontend__n_mels=20, max_epochs=1)
        assert isinstance(classifier.frontend, SpectrogramTransformer)
        classifier.fit(sounds.filenames[::10], sounds.target[::10])
        assert classifier.input_shape_[1] == 20

    def test_front_end_and_its_parameter_in_one_call(self):
        classifier = CNNAudioClassifier().set_params(
            frontend__n_mels=20, frontend=SpectrogramTransformer(n_mels=30, fmin=50)
        )
        assert (classifier.frontend.n_mels, classifier.frontend.fmin) == (20, 50)
        classifier.set_params(frontend=None, frontend__n_mels=10)
        assert (classifier.frontend.n_mels, classifier.frontend.fmin) == (10, 0.0)

    def test_none_stays_none_when_nothing_of_it_is_set(self):
        assert CNNAudioClassifier().set_params(max_epochs=3).frontend is None

    def test_wrong_names_are_scikit_learns_error(self):
        with pytest.raises(ValueError, match="Invalid parameter 'mels'"):
            CNNAudioClassifier().set_params(frontend__mels=3)

    def test_the_given_front_end_stays_unfitted(self, sounds):
        frontend = SpectrogramTransformer(n_mels=16)
        classifier = small(frontend=frontend, n_jobs=1, max_epochs=1)
        classifier.fit(sounds.filenames[::10], sounds.target[::10])
        assert not hasattr(frontend, "n_frames_")
        assert frontend.n_jobs is None

    def test_workers_and_verbosity_reach_a_front_end_without_its_own(self, sounds):
        files, y = sounds.filenames[::10], sounds.target[::10]
        lent = small(n_jobs=2, max_epochs=1).fit(files, y)
        assert lent.frontend_.n_jobs == 2
        own = SpectrogramTransformer(n_jobs=1)
        kept = small(frontend=own, n_jobs=2, max_epochs=1).fit(files, y)
        assert kept.frontend_.n_jobs == 1


class TestReproducible:
    def test_same_seed_same_bytes(self, fitted, sounds, sound_labels):
        again = small().fit(sounds.filenames, sound_labels)
        assert same_bytes(fitted, again, sounds.filenames)
        assert again.history_ == fitted.history_

    def test_another_seed_another_model(self, fitted, sounds, sound_labels):
        other = small(random_state=1).fit(sounds.filenames, sound_labels)
        assert not same_bytes(fitted, other, sounds.filenames)

    def test_workers_do_not_matter(self, fitted, sounds, sound_labels):
        with joblib.parallel_config(backend="threading"):
            other = small(n_jobs=2).fit(sounds.filenames, sound_labels)
        assert same_bytes(fitted, other, sounds.filenames)

    def test_cache_does_not_matter(self, fitted, sounds, sound_labels, tmp_path):
        classifier = small().set_params(frontend__cache=tmp_path / "cache")
        for _ in range(2):
            classifier.fit(sounds.filenames, sound_labels)
            assert same_bytes(fitted, classifier, sounds.filenames)

    def test_random_state_instances_are_used_up(self, sounds):
        rng = np.random.RandomState(0)
        files, y = sounds.filenames[::4], sounds.target[::4]
        classifier = small(random_state=rng, max_epochs=1)
        first = classifier.fit(files, y).predict_proba(files)
        assert not np.array_equal(first, classifier.fit(files, y).predict_proba(files))

    def test_global_generators_are_left_alone(self, sounds):
        np.random.seed(0)
        torch.manual_seed(0)
        expected = np.random.rand(), torch.rand(1)
        np.random.seed(0)
        torch.manual_seed(0)
        small(dropout=0.5, augment="mask", max_epochs=1).fit(sounds.filenames, sounds.target)
        assert (np.random.rand(), torch.rand(1)) == expected

    def test_a_prediction_depends_on_its_own_clip_only(self, fitted, sounds):
        together = fitted.predict_proba(sounds.filenames)
        backwards = fitted.predict_proba(sounds.filenames[::-1])[::-1]
        alone = np.vstack([fitted.predict_proba([file]) for file in sounds.filenames])
        np.testing.assert_allclose(together, backwards, atol=1e-5)
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_threads_may_predict_at_once(self, fitted, sounds):
        expected = fitted.predict_proba(sounds.filenames)
        calls = (joblib.delayed(fitted.predict_proba)(sounds.filenames) for _ in range(8))
        for result in joblib.Parallel(n_jobs=4, backend="threading")(calls):
            np.testing.assert_array_equal(result, expected)


class TestPersistence:
    def test_joblib_round_trip_in_this_process(self, fitted, sounds, tmp_path):
        joblib.dump(fitted, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib")
        assert same_bytes(fitted, loaded, sounds.filenames)
        assert loaded.history_ == fitted.history_
        assert loaded.layer_names_ == fitted.layer_names_

    @pytest.mark.slow
    def test_joblib_round_trip_to_a_fresh_process(self, fitted, sounds, tmp_path):
        joblib.dump(fitted, tmp_path / "model.joblib")
        joblib.dump(sounds.filenames, tmp_path / "files.joblib")
        code = (
            "import joblib; model, files = map(joblib.load, ('model.joblib', 'files.joblib')); "
            "joblib.dump(model.predict_proba(files), 'out.joblib')"
        )
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
        expected = fitted.predict_proba(sounds.filenames)
        np.testing.assert_array_equal(joblib.load(tmp_path / "out.joblib"), expected)

    def test_the_state_holds_no_torch_objects(self, fitted):
        def walk(value):
            assert not isinstance(value, (torch.Tensor, nn.Module)), value
            for part in value.values() if isinstance(value, dict) else ():
                walk(part)

        walk(fitted.__getstate__())

    def test_pickling_leaves_the_estimator_as_it_was(self, fitted, sounds):
        network = fitted.network_
        fitted.__getstate__()
        assert fitted.network_ is network

    def test_parameters_set_after_fit_do_not_change_what_is_loaded(self, sounds, tmp_path):
        classifier = small(max_epochs=1).fit(sounds.filenames, sounds.target)
        expected = classifier.predict_proba(sounds.filenames)
        classifier.set_params(channels=(99,), network="daf")
        joblib.dump(classifier, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib")
        np.testing.assert_array_equal(loaded.predict_proba(sounds.filenames), expected)

    def test_clone_is_unfitted_and_equal(self, fitted):
        copy = clone(fitted)
        assert not hasattr(copy, "network_")
        assert copy.get_params()["channels"] == fitted.channels


class TestErrors:
    def test_a_network_that_is_built_already(self, fitted, sounds):
        for network in (fitted.network_, nn.Linear(3, 3)):
            name = type(network).__name__
            with pytest.raises(TypeError, match=f"already built: {name}"):
                small(network=network).fit(sounds.filenames, sounds.target)

    def test_layers_of_what_is_not_fitted(self, fitted, sounds):
        for use in (
            lambda unfitted: unfitted.layer_outputs(sounds.filenames),
            lambda unfitted: unfitted.layer_size(1),
            lambda unfitted: unfitted.layer_names_,
        ):
            with pytest.raises(NotFittedError, match="CNNAudioClassifier instance is not fitted"):
                use(clone(fitted))

    def test_bad_files_are_named_before_training(self, sounds, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "skdaf._estimators.fitting.train", lambda *a, **k: pytest.fail("trained")
        )
        (tmp_path / "text.wav").write_text("not a sound")
        (tmp_path / "empty.wav").touch()
        truncated = tmp_path / "cut.flac"
        sf.write(truncated, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 16000)
        truncated.write_bytes(truncated.read_bytes()[:5000])
        for bad in (tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path, truncated, "no.wav"):
            files = [*sounds.filenames[::10], str(bad)]
            with pytest.raises(AudioReadError, match=str(bad)):
                small().fit(files, np.arange(len(files)) % 2)

    def test_a_fit_that_fails_to_read_leaves_the_earlier_one(self, sounds):
        classifier = small(max_epochs=1).fit(sounds.filenames, sounds.target)
        expected = classifier.predict_proba(sounds.filenames)
        with pytest.raises(AudioReadError):
            classifier.fit(["lost.wav", "gone.wav"], ["a", "b"])
        assert classifier.classes_.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(classifier.predict_proba(sounds.filenames), expected)

    def test_a_single_path_is_no_list(self, sounds):
        with pytest.raises(TypeError, match=r"pass \[path\]"):
            small().fit(sounds.filenames[0], [0])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"max_epochs": 0}, "max_epochs"),
            ({"network": "resnet"}, "network"),
            ({"learning_rate": -1}, "learning_rate"),
            ({"channels": (4, 0)}, r"channels must .* got \(4, 0\)"),
            ({"channels": ()}, "channels must name at least one conv block"),
            ({"hidden_units": (1.5,)}, "hidden_units must"),
            ({"kernel_size": 4}, "kernel_size must be odd, got 4"),
            ({"dropout": 1.0}, "dropout"),
            ({"batch_size": 1}, "batch_size"),
            ({"augment": "blur"}, "augment"),
            ({"augment": ["mask", "blur"]}, "blur"),
            ({"device": "gpu"}, "device='gpu' is unknown"),
            ({"validation_fraction": 1.5}, "validation_fraction"),
            ({"frontend": "mel"}, "frontend"),
            ({"class_weight": "heavy"}, "class_weight"),
        ],
    )
    def test_wrong_parameters_are_found_before_reading(self, changes, message, monkeypatch):
        monkeypatch.setattr(
            "skdaf._audio.lengths.read_headers", lambda *a: pytest.fail("read a file")
        )
        with pytest.raises(ValueError, match=message):
            small(**changes).fit(["a.wav", "b.wav"], [0, 1])

    def test_an_absurd_learning_rate_is_an_error_that_names_it(self, sounds):
        with pytest.raises(ValueError, match=r"loss became \w+ in epoch .*learning_rate=1e\+30"):
            small(learning_rate=1e30).fit(sounds.filenames, sounds.target)

    def test_interruption_gives_a_usable_model(self, sounds):
        def interrupt(batch, generator):
            calls.append(len(batch))
            if len(calls) == 20:
                raise KeyboardInterrupt
            return batch

        calls = []
        with pytest.warns(UserWarning, match="interrupted in epoch"):
            classifier = small(augment=interrupt).fit(sounds.filenames, sounds.target)
        assert classifier.predict(sounds.filenames).shape == (60,)
        assert classifier.n_epochs_ < 8


class TestVerbosity:
    def test_silent_by_default(self, sounds, capfd):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            small(max_epochs=1).fit(sounds.filenames, sounds.target).predict(sounds.filenames)
        assert capfd.readouterr() == ("", "")

    def test_bars_for_clips_and_epochs(self, sounds, capfd):
        small(max_epochs=3, verbose=1, validation_fraction=0.2).fit(sounds.filenames, sounds.target)
        out, err = capfd.readouterr()
        assert out == ""
        assert "Spectrograms: 100%" in err
        assert "60/60" in err
        assert "Training: 100%" in err
        assert "3/3" in err
        assert "valid_loss=" in err
        assert "valid_score=" in err
