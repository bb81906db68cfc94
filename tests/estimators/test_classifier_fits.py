"""CNNAudioClassifier: nested parameters, reproducible fits, pickles, errors, progress."""

import re
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import soundfile as sf
import torch
from helpers import same_probabilities, small_classifier, small_embedder
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdaf import AudioReadError, CNNAudioClassifier, CNNAudioRegressor, SpectrogramTransformer

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def fitted(sounds, sound_labels):
    return small_classifier().fit(sounds.filenames, sound_labels)


def test_swapped_files_and_labels_are_noted(sounds):
    files = sounds.filenames[:6]
    # Each occurs once; others are recognized as labels (see `test_argument_order`).
    with pytest.raises(AudioReadError, match="'a': no such file") as caught:
        small_classifier().fit([*"abcdef"], files)
    assert any(note.startswith("y contains files") for note in caught.value.__notes__)
    with pytest.raises(AudioReadError) as caught:
        small_classifier().fit(["angry", "happy"] * 3, [*"ababab"])
    assert not any(note.startswith("y contains") for note in caught.value.__notes__)


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

    def test_none_stays_none_if_none_of_its_parameters_is_set(self):
        assert CNNAudioClassifier().set_params(max_epochs=3).frontend is None

    def test_wrong_names_are_scikit_learns_error(self):
        with pytest.raises(ValueError, match="Invalid parameter 'mels'"):
            CNNAudioClassifier().set_params(frontend__mels=3)

    def test_the_given_front_end_stays_unfitted(self, sounds):
        frontend = SpectrogramTransformer(n_mels=16)
        classifier = small_classifier(frontend=frontend, n_jobs=1, max_epochs=1)
        classifier.fit(sounds.filenames[::10], sounds.target[::10])
        assert not hasattr(frontend, "n_frames_")
        assert frontend.n_jobs is None

    def test_workers_and_verbosity_reach_a_front_end_without_its_own(self, sounds):
        files, y = sounds.filenames[::10], sounds.target[::10]
        lent = small_classifier(n_jobs=2, max_epochs=1).fit(files, y)
        assert lent.frontend_.n_jobs == 2
        own = SpectrogramTransformer(n_jobs=1)
        kept = small_classifier(frontend=own, n_jobs=2, max_epochs=1).fit(files, y)
        assert kept.frontend_.n_jobs == 1


class TestReproducible:
    def test_same_seed_same_probabilities(self, fitted, sounds, sound_labels):
        again = small_classifier().fit(sounds.filenames, sound_labels)
        assert same_probabilities(fitted, again, sounds.filenames)
        assert again.history_ == fitted.history_

    def test_another_seed_another_model(self, fitted, sounds, sound_labels):
        other = small_classifier(random_state=1).fit(sounds.filenames, sound_labels)
        assert not same_probabilities(fitted, other, sounds.filenames)

    def test_workers_do_not_matter(self, fitted, sounds, sound_labels):
        with joblib.parallel_config(backend="threading"):
            other = small_classifier(n_jobs=2).fit(sounds.filenames, sound_labels)
        assert same_probabilities(fitted, other, sounds.filenames)

    def test_cache_does_not_matter(self, fitted, sounds, sound_labels, tmp_path):
        classifier = small_classifier().set_params(frontend__cache=tmp_path / "cache")
        for _ in range(2):
            classifier.fit(sounds.filenames, sound_labels)
            assert same_probabilities(fitted, classifier, sounds.filenames)

    def test_random_state_instances_advance(self, sounds):
        rng = np.random.RandomState(0)
        files, y = sounds.filenames[::4], sounds.target[::4]
        classifier = small_classifier(random_state=rng, max_epochs=1)
        first = classifier.fit(files, y).predict_proba(files)
        assert not np.array_equal(first, classifier.fit(files, y).predict_proba(files))

    def test_global_generators_are_not_used(self, sounds):
        np.random.seed(0)
        torch.manual_seed(0)
        expected = np.random.rand(), torch.rand(1)
        np.random.seed(0)
        torch.manual_seed(0)
        small_classifier(dropout=0.5, augment="mask", max_epochs=1).fit(
            sounds.filenames, sounds.target
        )
        assert (np.random.rand(), torch.rand(1)) == expected

    def test_a_prediction_depends_only_on_its_clip(self, fitted, sounds):
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
        assert same_probabilities(fitted, loaded, sounds.filenames)
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

    def test_the_state_contains_no_torch_objects(self, fitted):
        def walk(value):
            assert not isinstance(value, (torch.Tensor, nn.Module)), value
            for part in value.values() if isinstance(value, dict) else ():
                walk(part)

        walk(fitted.__getstate__())

    def test_pickling_does_not_change_the_estimator(self, fitted, sounds):
        network = fitted.network_
        fitted.__getstate__()
        assert fitted.network_ is network

    def test_parameters_set_after_fit_do_not_change_what_is_loaded(self, sounds, tmp_path):
        classifier = small_classifier(max_epochs=1).fit(sounds.filenames, sounds.target)
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
    def test_a_network_that_is_already_built(self, fitted, sounds):
        for network in (fitted.network_, nn.Linear(3, 3)):
            name = type(network).__name__
            with pytest.raises(TypeError, match=f"already built: {name}"):
                small_classifier(network=network).fit(sounds.filenames, sounds.target)

    def test_layers_of_an_unfitted_classifier(self, fitted, sounds):
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
                small_classifier().fit(files, np.arange(len(files)) % 2)

    def test_a_fit_that_cannot_read_a_file_keeps_the_earlier_one(self, sounds):
        classifier = small_classifier(max_epochs=1).fit(sounds.filenames, sounds.target)
        expected = classifier.predict_proba(sounds.filenames)
        with pytest.raises(AudioReadError):
            classifier.fit(["lost.wav", "gone.wav"], ["a", "b"])
        assert classifier.classes_.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(classifier.predict_proba(sounds.filenames), expected)

    def test_a_single_path_is_an_error(self, sounds):
        with pytest.raises(TypeError, match=r"pass \[path\]"):
            small_classifier().fit(sounds.filenames[0], [0])

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
            ({"n_networks": 0}, "n_networks"),
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
            small_classifier(**changes).fit(["a.wav", "b.wav"], [0, 1])

    def test_an_absurd_learning_rate_is_an_error_that_names_it(self, sounds):
        with pytest.raises(ValueError, match=r"loss became \w+ in epoch .*learning_rate=1e\+30"):
            small_classifier(learning_rate=1e30).fit(sounds.filenames, sounds.target)

    def test_interruption_gives_a_usable_model(self, sounds):
        def interrupt(batch, generator):
            calls.append(len(batch))
            if len(calls) == 20:
                raise KeyboardInterrupt
            return batch

        calls = []
        with pytest.warns(UserWarning, match="interrupted in epoch"):
            classifier = small_classifier(augment=interrupt).fit(sounds.filenames, sounds.target)
        assert classifier.predict(sounds.filenames).shape == (60,)
        assert classifier.n_epochs_ < 8


NETWORKS = [small_classifier(), CNNAudioRegressor(random_state=0), small_embedder()]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("model", NETWORKS)
def test_a_fit_that_fails_changes_nothing(model, method, error):
    def fail(batch, generator):
        raise error

    if not hasattr(model, method):
        pytest.skip("does not have this method")
    X, y = np.random.default_rng(0).random((24, 12, 16)), np.arange(24) % 2
    model = clone(model).set_params(max_epochs=2, augment=fail)
    with pytest.raises(error):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)

    model.set_params(augment=None).fit(X, y)
    outputs, before = model.layer_outputs(X), dict(vars(model))
    model.set_params(augment=fail)
    other = (X[:, 2:], 10 + np.arange(24) % 3) if method == "fit" else (X, y)
    with pytest.raises(error):
        getattr(model, method)(*other)
    del before["augment"]
    assert all(vars(model)[name] is value for name, value in before.items())
    assert vars(model).keys() - before.keys() == {"augment"}
    np.testing.assert_array_equal(model.layer_outputs(X), outputs)


class TestVerbosity:
    def test_silent_by_default(self, sounds, capfd):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            small_classifier(max_epochs=1).fit(sounds.filenames, sounds.target).predict(
                sounds.filenames
            )
        assert capfd.readouterr() == ("", "")

    def test_one_bar_for_a_prediction_in_batches(self, sounds, capfd, monkeypatch):
        classifier = small_classifier(max_epochs=1).fit(sounds.filenames, sounds.target)
        files = 3 * sounds.filenames
        expected = classifier.predict_proba(files)
        monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)
        np.testing.assert_array_equal(classifier.predict_proba(files), expected)
        assert capfd.readouterr().err == ""
        classifier.set_params(verbose=1).predict(files)
        first, last = capfd.readouterr().err.splitlines()
        assert "Spectrograms:   0%" in first
        assert "Spectrograms: 100%" in last
        assert "180/180" in last

    def test_progress_bars_for_clips_and_epochs(self, sounds, capfd):
        small_classifier(max_epochs=3, verbose=1, early_stopping=True, validation_fraction=0.2).fit(
            sounds.filenames, sounds.target
        )
        out, err = capfd.readouterr()
        assert out == ""
        assert "Spectrograms: 100%" in err
        assert "60/60" in err
        assert "Training: 100%" in err
        assert "3/3" in err
        assert "valid_loss=" in err
        assert "valid_score=" in err

    @pytest.mark.parametrize("delay", [0.0, 60.0])
    def test_a_bar_for_headers_if_they_take_long(self, delay, sounds, capfd, monkeypatch):
        monkeypatch.setattr("skdaf._audio.lengths._PROGRESS_AFTER", delay)
        small_classifier(max_epochs=1, verbose=1).fit(sounds.filenames, sounds.target)
        assert ("Headers: 100%" in capfd.readouterr().err) == (delay == 0.0)

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_the_bar_moves_within_an_epoch(self, method, capfd, monkeypatch):
        monkeypatch.setattr("skdaf._core.progress._LINE_INTERVAL", 0.0)
        X, y = np.random.default_rng(0).random((30, 12, 16)), np.arange(30) % 2
        network = small_classifier(max_epochs=2, batch_size=10, early_stopping=False, verbose=1)
        getattr(network, method)(X, y, **({} if method == "fit" else {"classes": [0, 1]}))
        shown = re.findall(r"([\d.]+)/[12] \[", capfd.readouterr().err)
        epoch = ["0.33", "0.66", "1"]
        second = ["1.33", "1.66", "2"] if method == "fit" else []
        # The bar is also shown at the beginning and at the end.
        assert list(dict.fromkeys(shown)) == ["0", *epoch, *second]
