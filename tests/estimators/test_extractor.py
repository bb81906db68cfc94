from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from helpers import small_classifier, small_frontend, wait_until_cacheable
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    clip_length,
    load_audio,
    load_model,
    save_model,
)

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def classifier(sounds, sound_labels):
    return small_classifier().fit(sounds.filenames, sound_labels)


@pytest.fixture(scope="module")
def frozen(classifier):
    return FrozenEstimator(classifier)


def features(estimator, X, **parameters):
    return CNNFeatureExtractor(estimator, **parameters).fit(X).transform(X)


class TestDepth:
    def test_no_layer_dropped_gives_the_logits(self, classifier, frozen, sounds):
        logits = features(frozen, sounds.filenames, layers_dropped=0)
        np.testing.assert_array_equal(logits, classifier.decision_function(sounds.filenames))

    def test_each_depth_is_the_input_of_the_next_layer(self, classifier, frozen, sounds):
        files = sounds.filenames[:5]
        last = classifier.network_[-1]
        hidden = torch.from_numpy(features(frozen, files, layers_dropped=1))
        logits = last(hidden).detach().numpy()
        np.testing.assert_allclose(logits, features(frozen, files, layers_dropped=0), atol=1e-5)

    @pytest.mark.parametrize(("dropped", "size"), [(0, 3), (1, 8), (2, 8 * 3 * 4), (3, 4 * 6 * 8)])
    def test_sizes_and_names_say_layer_and_index(self, frozen, sounds, dropped, size):
        extractor = CNNFeatureExtractor(frozen, layers_dropped=dropped).fit(sounds.filenames)
        result = extractor.transform(sounds.filenames[:4])
        names = extractor.get_feature_names_out()
        assert result.shape == (4, size) == (4, len(names))
        assert result.dtype == np.float32
        layer = ["output", "dense1", "conv2", "conv1"][dropped]
        assert names[0] == f"{layer}_0"
        assert names[-1] == f"{layer}_{size - 1}"

    def test_depth_changes_without_a_refit(self, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames)
        extractor.set_params(layers_dropped=2)
        assert extractor.transform(sounds.filenames[:2]).shape == (2, 96)

    @pytest.mark.parametrize("dropped", [4, 10])
    def test_dropping_all_layers_is_an_error_that_names_them(self, frozen, sounds, dropped):
        message = rf"layers_dropped={dropped} .*'conv1', 'conv2', 'dense1', 'output'"
        with pytest.raises(ValueError, match=message):
            CNNFeatureExtractor(frozen, layers_dropped=dropped).fit(sounds.filenames)
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames)
        with pytest.raises(ValueError, match=message):
            extractor.set_params(layers_dropped=dropped).transform(sounds.filenames)


class TestSources:
    def test_an_unfitted_network_is_cloned_and_fitted(self, sounds, sound_labels, frozen):
        unfitted = small_classifier()
        extractor = CNNFeatureExtractor(unfitted).fit(sounds.filenames, sound_labels)
        assert not hasattr(unfitted, "network_")
        np.testing.assert_array_equal(
            extractor.transform(sounds.filenames), features(frozen, sounds.filenames)
        )

    def test_a_frozen_estimator_is_used_as_it_is(self, classifier, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames, sounds.target[::-1])
        assert extractor.estimator_ is classifier

    def test_a_path_of_a_saved_model(self, classifier, frozen, sounds, tmp_path):
        save_model(classifier, tmp_path / "model.skops")
        for path in (tmp_path / "model.skops", str(tmp_path / "model.skops")):
            np.testing.assert_array_equal(
                features(path, sounds.filenames), features(frozen, sounds.filenames)
            )

    def test_the_error_of_an_unfitted_copy_suggests_freezing(self, classifier, sounds):
        extractor = CNNFeatureExtractor(clone(classifier))
        for use in (
            lambda: extractor.transform(sounds.filenames),
            extractor.get_feature_names_out,
            extractor.layer_summary,
            lambda: extractor.layer_names_,
        ):
            with pytest.raises(
                NotFittedError, match=r"CNNFeatureExtractor is .*FrozenEstimator\(net"
            ):
                use()
        with pytest.raises(
            NotFittedError, match=r"CNNAudioClassifier in FrozenEstimator is not fit"
        ):
            CNNFeatureExtractor(FrozenEstimator(clone(classifier))).fit(sounds.filenames)

    def test_labels_in_a_tensor(self, sounds):
        labels = torch.tensor(sounds.target)
        extractor = CNNFeatureExtractor(small_classifier(max_epochs=1)).fit(
            sounds.filenames, labels
        )
        assert extractor.estimator_.classes_.tolist() == [0, 1, 2]

    def test_a_missing_file(self, sounds):
        with pytest.raises(FileNotFoundError, match=r"no model file 'lost\.skops'"):
            CNNFeatureExtractor("lost.skops").fit(sounds.filenames)

    def test_the_error_without_labels_suggests_freezing(self, classifier, sounds):
        with pytest.raises(ValueError, match=r"pass FrozenEstimator\(classifier\)"):
            CNNFeatureExtractor(classifier).fit(sounds.filenames)

    def test_a_frozen_estimator_that_was_never_fitted(self, sounds):
        with pytest.raises(NotFittedError):
            CNNFeatureExtractor(FrozenEstimator(small_classifier())).fit(sounds.filenames)

    def test_other_estimators_are_refused(self, sounds):
        other = FrozenEstimator(LogisticRegression().fit([[0], [1]], [0, 1]))
        with pytest.raises(TypeError, match="must be a CNNAudioClassifier"):
            CNNFeatureExtractor(other).fit(sounds.filenames)

    @pytest.mark.parametrize("other", [LogisticRegression(), make_pipeline(SVC())])
    def test_other_unfitted_estimators_are_refused(self, sounds, other):
        with pytest.raises(TypeError, match="must be a CNNAudioClassifier"):
            CNNFeatureExtractor(other).fit(sounds.filenames, sounds.target)

    def test_an_autoencoder_needs_no_labels(self, sounds):
        embedder = ConvAutoencoderEmbedder(
            SpectrogramTransformer(n_mels=16, n_frames=12), channels=(4, 4), max_epochs=1
        )
        extractor = CNNFeatureExtractor(embedder, layers_dropped=3).fit(sounds.filenames)
        assert extractor.layer_names_ == [
            "conv1",
            "conv2",
            "embedding",
            "deconv1",
            "deconv2",
            "output",
        ]
        np.testing.assert_array_equal(
            extractor.transform(sounds.filenames), extractor.estimator_.transform(sounds.filenames)
        )


class TestWindows:
    def test_a_window_as_long_as_the_clip_changes_nothing(self, frozen, sounds):
        files = sounds.filenames[:5]
        whole = features(frozen, files)
        np.testing.assert_array_equal(features(frozen, files, window=10.0), whole)

    @pytest.mark.parametrize("step", [None, 0.05])
    def test_features_are_the_mean_over_windows(self, frozen, sounds, step):
        file = sounds.filenames[0]
        duration = len(load_audio(file)[0]) / 16000
        starts = np.arange(0, duration, step or 0.1)
        starts = starts[: 1 + np.flatnonzero(starts + 0.1 >= duration - 1e-9)[0]]
        cut = [Clip(file, start, start + 0.1) for start in starts]
        expected = features(frozen, cut).mean(axis=0)
        result = features(frozen, [file], window=0.1, step=step)[0]
        np.testing.assert_allclose(result, expected, atol=1e-5)

    def test_files_and_waveforms_agree(self, frozen, sounds):
        files = sounds.filenames[:4]
        expected = features(frozen, files, window=0.1)
        waves = [load_audio(file) for file in files]
        np.testing.assert_allclose(features(frozen, waves, window=0.1), expected, atol=1e-5)
        with pytest.warns(UserWarning, match="16000 Hz is assumed"):
            of_arrays = features(frozen, [samples for samples, _ in waves], window=0.1)
        np.testing.assert_allclose(of_arrays, expected, atol=1e-5)

    def test_many_clips_are_computed_in_batches(self, frozen, sounds, monkeypatch):
        expected = features(frozen, sounds.filenames, window=0.1)
        monkeypatch.setattr("skdaf._estimators.extractor._CLIPS_PER_BATCH", 7)
        np.testing.assert_allclose(
            features(frozen, sounds.filenames, window=0.1), expected, atol=1e-5
        )

    def test_bad_files_are_all_named(self, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen, window=0.1).fit(sounds.filenames)
        with pytest.raises(AudioReadError) as info:
            extractor.transform([sounds.filenames[0], "lost.wav", "gone.wav"])
        assert info.value.paths == ["lost.wav", "gone.wav"]

    @pytest.mark.parametrize("content", [b"RIFF", None])
    def test_bad_files_of_all_batches_are_named(
        self, classifier, frozen, sounds, tmp_path, monkeypatch, content
    ):
        good, names = sounds.filenames[:70], [str(tmp_path / f"{name}.wav") for name in "ab"]
        if content is None:  # a header that promises more samples than there are
            content = Path(good[0]).read_bytes()[:-1000]
        for name in names:
            Path(name).write_bytes(content)
        extractor = CNNFeatureExtractor(frozen, window=0.1).fit(good)
        applied = []
        outputs = type(classifier).layer_outputs
        monkeypatch.setattr(
            type(classifier), "layer_outputs", lambda *a: applied.append(a[2]) or outputs(*a)
        )
        monkeypatch.setattr("skdaf._estimators.extractor._CLIPS_PER_BATCH", 20)
        with pytest.raises(AudioReadError) as info:
            extractor.transform([*good[:20], names[0], *good[20:], names[1]])
        assert [*dict.fromkeys(info.value.paths)] == names
        # After the error, files are read, but the network is not applied.
        assert set(applied[2:]) <= {0}

    def test_waveforms_for_a_front_end_that_is_a_pipeline(self, sounds):
        frontend = make_pipeline(small_frontend(sampling_rate=8000), FunctionTransformer())
        network = small_classifier(frontend=frontend, max_epochs=1)
        X = np.random.default_rng(0).standard_normal((4, 4000))
        extractor = CNNFeatureExtractor(network, window=0.25).fit(X, [0, 1, 0, 1])
        frozen = FrozenEstimator(extractor.estimator_)
        halves = [features(frozen, [*half]) for half in (X[:, :2000], X[:, 2000:])]
        expected = np.mean(halves, axis=0)
        np.testing.assert_allclose(extractor.transform(X), expected, atol=1e-5)

    def test_gaps_between_windows_give_a_warning(self, frozen, sounds):
        expected = r"step=0\.2 is longer than window=0\.1 \(seconds\)"
        with pytest.warns(UserWarning, match=expected) as caught:
            CNNFeatureExtractor(frozen, window=0.1, step=0.2).fit(sounds.filenames)
        assert caught[0].filename == __file__

    def test_windows_stay_inside_a_clip(self, frozen, sounds):
        part = Clip(sounds.filenames[0], 0.05, 0.15)
        np.testing.assert_allclose(
            features(frozen, [part], window=0.1), features(frozen, [part]), atol=1e-6
        )

    def test_a_step_needs_a_window(self, frozen, sounds):
        with pytest.raises(ValueError, match=r"step=0\.1"):
            CNNFeatureExtractor(frozen, step=0.1).fit(sounds.filenames)

    def test_spectrograms_have_no_windows(self, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen, window=0.1).fit(sounds.filenames)
        with pytest.raises(ValueError, match="got spectrograms"):
            extractor.transform(np.zeros((2, 12, 16)))


class TestLengthOfClips:
    """`clip_length_` is the length of the clips of `fit`, whatever network there is."""

    RATE = 8000

    def clips(self, seconds):
        rng = np.random.default_rng(0)
        return [(rng.standard_normal(round(seconds * self.RATE)), self.RATE) for _ in range(4)]

    def test_is_that_of_the_last_fit(self, classifier, frozen, tmp_path):
        save_model(classifier, tmp_path / "model.skops")
        labels = [0, 1, 0, 1]
        for estimator in (frozen, tmp_path / "model.skops", small_classifier(max_epochs=1)):
            extractor = CNNFeatureExtractor(estimator).fit(self.clips(1.5), labels)
            assert extractor.clip_length_ == 1.5
            save_model(extractor, tmp_path / "extractor.skops")
            assert load_model(tmp_path / "extractor.skops").clip_length_ == 1.5
            extractor.fit(np.zeros((4, 12, 16)), labels)  # spectrograms
            assert not hasattr(extractor, "clip_length_")
        assert classifier.frontend_.clip_length_ < 0.5

    def test_a_file_of_an_earlier_release_has_none(self, frozen, sounds, tmp_path):
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames)
        del extractor.clip_length_
        save_model(extractor, tmp_path / "old.skops")
        loaded = load_model(tmp_path / "old.skops")
        assert loaded.transform(sounds.filenames[:2]).shape == (2, 8)
        assert clip_length(loaded) == frozen.estimator.frontend_.clip_length_

    def test_files_are_reported_in_fit(self, frozen, sounds):
        with pytest.raises(AudioReadError) as info:
            CNNFeatureExtractor(frozen).fit([sounds.filenames[0], "lost.wav", "gone.wav"])
        assert info.value.paths == ["lost.wav", "gone.wav"]


class TestSettingsOfARun:
    @pytest.fixture
    def workers(self, monkeypatch):
        """The number of workers of each call that computes spectrograms."""
        found, compute = [], SpectrogramTransformer.transform

        def spy(self, X):
            found.append(joblib.effective_n_jobs(self.n_jobs))
            return compute(self, X)

        monkeypatch.setattr(SpectrogramTransformer, "transform", spy)
        return found

    @pytest.mark.parametrize("window", [None, 0.1])
    def test_workers_of_fixed_networks(self, classifier, frozen, sounds, workers, tmp_path, window):
        files = sounds.filenames[:2]
        expected = features(frozen, files, window=window)
        extractor = CNNFeatureExtractor(frozen, n_jobs=2, window=window).fit(files)
        assert np.array_equal(extractor.transform(files), expected)
        extractor.set_params(n_jobs=3).transform(files)
        save_model(extractor, tmp_path / "extractor.skops")
        loaded = load_model(tmp_path / "extractor.skops").set_params(n_jobs=2)
        loaded.transform(files)
        assert workers == [1, 2, 3, 2]
        # The network itself does not change.
        assert classifier.n_jobs is None
        assert classifier.frontend_.n_jobs is None

    def test_workers_of_trained_networks(self, sounds, workers):
        files, y = sounds.filenames[:4], [0, 1, 0, 1]
        network = small_classifier(max_epochs=1)
        extractor = CNNFeatureExtractor(network, n_jobs=2).fit(files, y)
        extractor.set_params(n_jobs=3).transform(files)
        assert workers == [2, 3]
        own = CNNFeatureExtractor(network.set_params(n_jobs=2), n_jobs=3).fit(files, y)
        own.transform(files)
        own.set_params(estimator__n_jobs=1).transform(files)
        assert workers[2:] == [2, 2, 1]

    def test_no_workers_are_refused(self, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames).set_params(n_jobs=0)
        with pytest.raises(ValueError, match="n_jobs=0 is not allowed"):
            extractor.transform(sounds.filenames[:2])

    def test_of_a_trained_network_apply_to_it(self, sounds, tmp_path):
        files, y = sounds.filenames[:4], [0, 1, 0, 1]
        network = CNNAudioClassifier(channels=(2,), max_epochs=1, random_state=0)
        extractor = CNNFeatureExtractor(network).fit(files, y)
        expected = extractor.transform(files)
        extractor.set_params(estimator__frontend__cache=tmp_path, estimator__max_epochs=2)
        assert extractor.estimator_.frontend_.cache == tmp_path
        assert extractor.estimator_.max_epochs == 1
        wait_until_cacheable()
        np.testing.assert_array_equal(extractor.transform(files), expected)
        assert any(tmp_path.iterdir())

    def test_of_another_network_wait_for_the_next_fit(self, sounds):
        frontend = make_pipeline(small_frontend(), FunctionTransformer())
        extractor = CNNFeatureExtractor(small_classifier(max_epochs=1))
        extractor.fit(sounds.filenames[:4], [0, 1, 0, 1])
        extractor.set_params(estimator=small_classifier(frontend=frontend))
        extractor.set_params(estimator__frontend__spectrogramtransformer__n_jobs=2)
        assert extractor.estimator.frontend[0].n_jobs == 2
        assert extractor.estimator_.frontend_.n_jobs is None


class TestComposition:
    def test_features_feed_a_classifier_as_well_as_the_network(self, sounds, sound_labels):
        learned = small_classifier(max_epochs=20).fit(sounds.filenames, sound_labels)
        model = make_pipeline(CNNFeatureExtractor(FrozenEstimator(learned)), SVC())
        assert cross_val_score(model, sounds.filenames, sounds.target, cv=2).mean() > 0.95

    def test_a_network_is_trained_only_on_the_training_folds(self, sounds, monkeypatch):
        seen = []
        fit = CNNAudioClassifier.fit

        def spy(self, X, y):
            seen.append(len(X))
            return fit(self, X, y)

        monkeypatch.setattr(CNNAudioClassifier, "fit", spy)
        model = make_pipeline(CNNFeatureExtractor(small_classifier(max_epochs=1)), SVC())
        cross_val_score(model, sounds.filenames, sounds.target, cv=3)
        assert seen == [40, 40, 40]

    def test_a_frozen_network_is_never_fitted_by_a_search(self, frozen, sounds, monkeypatch):
        monkeypatch.setattr(CNNAudioClassifier, "fit", lambda *a: pytest.fail("fitted"))
        model = make_pipeline(CNNFeatureExtractor(frozen), SVC())
        grid = {"cnnfeatureextractor__layers_dropped": [0, 1, 2], "svc__C": [1, 10]}
        search = GridSearchCV(model, grid, cv=2).fit(sounds.filenames, sounds.target)
        assert search.best_score_ > 0.9

    def test_parameters_of_an_unfitted_network_can_be_set(self):
        extractor = CNNFeatureExtractor(small_classifier()).set_params(
            estimator__learning_rate=0.5, estimator__frontend__n_mels=7
        )
        assert extractor.estimator.learning_rate == 0.5
        assert extractor.estimator.frontend.n_mels == 7

    def test_parameters_of_the_default_network_can_be_set(self):
        extractor = CNNFeatureExtractor().set_params(estimator__frontend__n_mels=7)
        assert extractor.estimator.frontend.n_mels == 7

    def test_pandas_output_has_the_names(self, frozen, sounds):
        extractor = CNNFeatureExtractor(frozen).set_output(transform="pandas")
        table = extractor.fit(sounds.filenames).transform(sounds.filenames[:3])
        assert table.columns[0] == "dense1_0"
        assert table.shape == (3, 8)

    def test_clone_keeps_a_frozen_network(self, classifier, frozen, sounds):
        copy = clone(CNNFeatureExtractor(frozen)).fit(sounds.filenames)
        assert copy.estimator_ is classifier

    def test_joblib_round_trip(self, frozen, sounds, tmp_path):
        extractor = CNNFeatureExtractor(frozen).fit(sounds.filenames)
        joblib.dump(extractor, tmp_path / "extractor.joblib")
        loaded = joblib.load(tmp_path / "extractor.joblib")
        np.testing.assert_array_equal(
            loaded.transform(sounds.filenames), extractor.transform(sounds.filenames)
        )


@pytest.mark.parametrize(("has_memory", "n_fits"), [(False, 2 * 2 + 1), (True, 2 + 1)])
def test_a_pipeline_with_memory_trains_the_network_once_per_fold(
    has_memory, n_fits, sounds, sound_labels, tmp_path, monkeypatch
):
    fits, fit = [], CNNAudioClassifier.fit
    monkeypatch.setattr(CNNAudioClassifier, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    steps = [("deep", CNNFeatureExtractor(small_classifier(max_epochs=2))), ("svc", SVC())]
    pipeline = Pipeline(steps, memory=str(tmp_path) if has_memory else None)
    search = GridSearchCV(pipeline, {"svc__C": [0.01, 10]}, cv=2)
    search.fit(sounds.filenames, sound_labels)
    assert len(fits) == n_fits
    direct = clone(pipeline).set_params(memory=None, **search.best_params_)
    expected = direct.fit(sounds.filenames, sound_labels).decision_function(sounds.filenames)
    np.testing.assert_array_equal(search.decision_function(sounds.filenames), expected)
