import subprocess
import sys
import warnings
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skdaf import (
    BlockScaler,
    CappedPCA,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PretrainedFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    load_model,
    make_combined_classifier,
    save_model,
)
from skdaf._estimators.fitted import find_network, iterate_parts, names_in_network

pytestmark = pytest.mark.oldest

on_features = partial(make_combined_classifier, method="svc")

SMALL = {"channels": (4, 8), "max_epochs": 8, "learning_rate": 1e-2, "random_state": 0}


def front_end():
    return SpectrogramTransformer(n_mels=16, n_frames=12)


@pytest.fixture(scope="module")
def frozen(sounds):
    classifier = CNNAudioClassifier(front_end(), hidden_units=(8,), **SMALL)
    return FrozenEstimator(classifier.fit(sounds.filenames, sounds.target))


@pytest.fixture(scope="module")
def frozen_embedder(sounds):
    embedder = ConvAutoencoderEmbedder(front_end(), **SMALL)
    return FrozenEstimator(embedder.fit(sounds.filenames))


@pytest.fixture(scope="module")
def fitted(frozen, frozen_embedder, sounds):
    extractors = [frozen, CNNFeatureExtractor(frozen_embedder, layers_dropped=3)]
    return on_features(extractors).fit(sounds.filenames, sounds.target)


class TestCappedPCA:
    def test_equals_pca_with_enough_samples(self):
        X = np.random.default_rng(0).standard_normal((30, 10))
        np.testing.assert_array_equal(
            CappedPCA(4).fit_transform(X), PCA(4, random_state=0).fit(X).transform(X)
        )

    @pytest.mark.parametrize(
        ("shape", "expected"), [((6, 20), 6), ((20, 6), 6), ((2, 1), 1), ((200, 150), 100)]
    )
    def test_keeps_at_most_the_requested_components(self, shape, expected):
        X = np.random.default_rng(0).standard_normal(shape)
        pca = CappedPCA(100).fit(X)
        assert pca.n_components_ == expected
        assert pca.transform(X).shape == (shape[0], expected)
        assert pca.get_feature_names_out().tolist() == [f"pca{i}" for i in range(expected)]

    def test_numbers_do_not_depend_on_the_threads_of_blas(self):
        X = np.random.default_rng(0).standard_normal((900, 600))
        results = []
        for n_threads in (1, 2, 3):
            with threadpool_limits(n_threads, user_api="blas"):
                results.append(CappedPCA(50).fit(X).transform(X).tobytes())
        assert results[0] == results[1] == results[2]


class TestBlockScaler:
    @pytest.mark.parametrize("shape", [(50, 3), (50, 200), (2, 1)])
    def test_variances_sum_to_one_and_means_are_zero(self, shape):
        X = np.random.default_rng(0).standard_normal(shape) * 7 + 3
        scaled = BlockScaler().fit_transform(X)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
        assert scaled.var(axis=0).sum() == pytest.approx(1)

    def test_proportions_are_kept(self):
        X = np.random.default_rng(0).standard_normal((50, 2)) * [1, 100]
        scaled = BlockScaler().fit_transform(X)
        np.testing.assert_allclose(
            scaled.std(axis=0)[1] / scaled.std(axis=0)[0], X.std(axis=0)[1] / X.std(axis=0)[0]
        )

    def test_constant_features_become_zeros(self):
        assert not BlockScaler().fit_transform(np.full((4, 3), 9.0)).any()


class TestBlocks:
    def test_blocks_have_the_same_weight(self, fitted, sounds):
        features = fitted[:-1].transform(sounds.filenames)
        names = [name.split("__")[0] for name in fitted[:-1].get_feature_names_out()]
        variances = features.var(axis=0)
        for block in ("cnn1", "cnn2", "handcrafted"):
            assert variances[np.array(names) == block].sum() == pytest.approx(1, abs=1e-4)

    def test_steps_and_their_names(self, fitted):
        assert list(fitted.named_steps) == ["features", "svc"]
        blocks = dict(fitted.named_steps["features"].transformer_list)
        assert list(blocks) == ["cnn1", "cnn2", "handcrafted"]
        assert list(blocks["cnn1"].named_steps) == ["extractor", "pca", "scaler"]
        assert isinstance(blocks["handcrafted"][0], PyAudioAnalysisTransformer)
        assert fitted.named_steps["svc"].class_weight == "balanced"

    def test_learns(self, fitted, sounds):
        assert fitted.score(sounds.filenames, sounds.target) == 1.0

    def test_parameters_reach_their_steps(self):
        combined = on_features(
            CNNAudioClassifier(), n_components=7, C=3.0, gamma=0.1, memory="folder", n_jobs=2
        )
        parameters = combined.get_params()
        assert parameters["features__cnn1__pca__n_components"] == 7
        assert (parameters["svc__C"], parameters["svc__gamma"]) == (3.0, 0.1)
        assert (combined.memory, parameters["features__n_jobs"]) == ("folder", 2)

    def test_paths_networks_and_extractors_are_accepted(self, frozen, tmp_path):
        save_model(frozen.estimator, tmp_path / "model.skops")
        extractor = CNNFeatureExtractor(frozen, layers_dropped=2)
        for one in (frozen, tmp_path / "model.skops", str(tmp_path / "model.skops"), extractor):
            blocks = on_features(one).named_steps["features"].transformer_list
            inner = blocks[0][1].named_steps["extractor"]
            assert isinstance(inner, CNNFeatureExtractor)
            assert inner is extractor or inner.estimator is one

    @pytest.mark.parametrize("handcrafted", [False, "drop"])
    def test_without_the_handcrafted_block(self, frozen, sounds, handcrafted):
        combined = on_features(frozen, handcrafted=handcrafted)
        combined.fit(sounds.filenames, sounds.target)
        names = combined[:-1].get_feature_names_out()
        assert all(name.startswith("cnn1__") for name in names)

    def test_without_cnn_blocks(self, sounds):
        combined = on_features([]).fit(sounds.filenames, sounds.target)
        assert combined[:-1].transform(sounds.filenames).shape == (60, 136)

    @pytest.mark.parametrize("method", ["vote", "svc"])
    def test_nothing_to_combine_is_an_error(self, method):
        with pytest.raises(ValueError, match="extractors is empty"):
            make_combined_classifier([], handcrafted=False, method=method)

    def test_an_unknown_method_is_an_error(self):
        with pytest.raises(ValueError, match="method must be 'vote' or 'svc', got 'mean'"):
            make_combined_classifier([], method="mean")


class TestVotes:
    def test_probabilities_are_weighted_means_of_those_of_the_blocks(self, frozen, sounds):
        network = CNNAudioClassifier(front_end(), hidden_units=(8,), **SMALL)
        combined = make_combined_classifier([network, frozen])
        combined.fit(sounds.filenames, sounds.target)
        assert list(combined.named_estimators_) == ["cnn1", "cnn2", "handcrafted"]
        blocks = [voter.predict_proba(sounds.filenames) for voter in combined.estimators_]
        np.testing.assert_allclose(
            combined.predict_proba(sounds.filenames),
            (3 * blocks[0] + 3 * blocks[1] + blocks[2]) / 7,
        )

    def test_weights_are_those_of_the_estimators_that_vote(self, frozen, sounds):
        combined = make_combined_classifier([frozen, frozen], handcrafted=False)
        assert list(combined.named_estimators) == ["cnn1", "cnn2"]
        assert combined.weights == [3, 3]
        combined.set_params(weights=[1, 2]).fit(sounds.filenames, sounds.target)
        assert combined.predict_proba(sounds.filenames[:2]).shape == (2, 3)
        kept = make_combined_classifier([frozen], handcrafted="drop")
        assert (dict(kept.estimators)["handcrafted"], kept.weights) == ("drop", [3, 1])

    def test_probabilities_sum_to_one_in_float64(self, frozen, sounds):
        combined = make_combined_classifier(frozen).fit(sounds.filenames, sounds.target)
        probabilities = combined.predict_proba(sounds.filenames)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            log_loss(sounds.target, probabilities)

    def test_a_network_to_train_votes_itself_and_other_networks_through_their_features(
        self, frozen, tmp_path
    ):
        save_model(frozen.estimator, tmp_path / "model.skops")
        network = CNNAudioClassifier()
        extractor = CNNFeatureExtractor(network, layers_dropped=2)
        combined = make_combined_classifier([network, extractor, frozen, tmp_path / "model.skops"])
        voters = dict(combined.estimators)
        assert voters["cnn1"] is network
        assert voters["cnn2"].named_steps["extractor"] is extractor
        for name in ("cnn2", "cnn3", "cnn4"):
            assert list(voters[name].named_steps) == ["extractor", "pca", "scaler", "logistic"]
        assert list(voters["handcrafted"].named_steps) == [
            "extractor",
            "standard",
            "scaler",
            "logistic",
        ]

    def test_blocks_can_be_dropped_and_parameters_searched(self, frozen, sounds):
        combined = make_combined_classifier(frozen, C=1.0, memory="folder", n_jobs=2)
        assert combined.get_params()["handcrafted__logistic__C"] == 1.0
        assert (combined.n_jobs, combined.named_estimators["cnn1"].memory) == (2, "folder")
        grids = [
            {"weights": [[1, 1], [1, 3]]},
            {"handcrafted": ["drop"], "cnn1__extractor__layers_dropped": [1, 2]},
        ]
        search = GridSearchCV(make_combined_classifier(frozen), grids, cv=2)
        search.fit(sounds.filenames, sounds.target)
        assert search.best_score_ > 0.9

    def test_without_networks_the_handcrafted_block_decides(self, sounds):
        combined = make_combined_classifier([]).fit(sounds.filenames, sounds.target)
        assert combined.score(sounds.filenames, sounds.target) > 0.9

    def test_a_fitted_network_can_vote_itself_as_one_that_is_trained_with_the_others(
        self, sounds, tmp_path
    ):
        X, y = sounds.filenames[::5], np.array(["a", "b", "c"])[sounds.target[::5]]
        network = CNNAudioClassifier(front_end(), channels=(4,), max_epochs=2, random_state=0)
        trained = make_combined_classifier(network).fit(X, y)
        frozen = FrozenEstimator(clone(network).fit(X, y))
        combined = make_combined_classifier(frozen).set_params(cnn1=frozen).fit(X, y)
        expected = trained.predict_proba(X)
        np.testing.assert_array_equal(combined.predict_proba(X), expected)
        save_model(combined, tmp_path / "votes.skops")
        loaded = load_model(tmp_path / "votes.skops")
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        assert names_in_network(loaded, find_network(loaded)) == ["a", "b", "c"]

    def test_safe_file_round_trip(self, frozen, sounds, tmp_path):
        combined = make_combined_classifier(frozen).fit(sounds.filenames, sounds.target)
        save_model(combined, tmp_path / "votes.skops")
        loaded = load_model(tmp_path / "votes.skops")
        np.testing.assert_array_equal(
            loaded.predict_proba(sounds.filenames), combined.predict_proba(sounds.filenames)
        )


class TestNames:
    def test_names_are_unique_and_say_block_and_feature(self, fitted):
        names = fitted[:-1].get_feature_names_out().tolist()
        assert len(set(names)) == len(names)
        assert names[0] == "cnn1__pca0"
        assert "cnn2__pca0" in names
        assert "handcrafted__zcr_mean" in names

    def test_pandas_output_through_the_whole_union(self, frozen, sounds):
        combined = on_features(frozen).set_output(transform="pandas")
        combined.fit(sounds.filenames, sounds.target)
        table = combined[:-1].transform(sounds.filenames[:4])
        assert table.shape[0] == 4
        assert table.columns[0] == "cnn1__pca0"
        assert "handcrafted__zcr_mean" in table.columns


class TestSearch:
    def test_everything_can_be_searched_and_the_frozen_network_is_never_fitted(
        self, frozen, sounds, monkeypatch
    ):
        monkeypatch.setattr(CNNAudioClassifier, "fit", lambda *a: pytest.fail("fitted"))
        grids = [
            {"svc__C": [0.1, 10.0], "svc__gamma": ["scale", 0.01]},
            {"features__cnn1__pca__n_components": [2, 500]},
            {"features__cnn1__extractor__layers_dropped": [0, 1, 2]},
            {"features__handcrafted": ["drop", PyAudioAnalysisTransformer()]},
            {"features__cnn1": ["drop"]},
        ]
        search = GridSearchCV(on_features(frozen), grids, cv=2)
        search.fit(sounds.filenames, sounds.target)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.best_score_ > 0.95

    @pytest.mark.slow
    def test_two_workers_dump_load_in_a_fresh_process_same_predictions(
        self, frozen, sounds, tmp_path
    ):
        search = GridSearchCV(on_features(frozen), {"svc__C": [0.1, 10.0]}, cv=2, n_jobs=2).fit(
            sounds.filenames, sounds.target
        )
        joblib.dump((search, sounds.filenames), tmp_path / "in.joblib")
        code = (
            "import joblib; search, X = joblib.load('in.joblib'); "
            "joblib.dump((search.predict(X), search.decision_function(X)), 'out.joblib')"
        )
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
        predicted, decisions = joblib.load(tmp_path / "out.joblib")
        np.testing.assert_array_equal(predicted, search.predict(sounds.filenames))
        np.testing.assert_array_equal(decisions, search.decision_function(sounds.filenames))

    def test_memory_computes_the_blocks_once_for_all_values_of_c(
        self, frozen, sounds, tmp_path, monkeypatch
    ):
        calls = []
        transform = PyAudioAnalysisTransformer.transform
        monkeypatch.setattr(
            PyAudioAnalysisTransformer,
            "transform",
            lambda self, X: calls.append(len(X)) or transform(self, X),
        )
        combined = on_features(frozen, memory=str(tmp_path))
        for C in (1.0, 10.0, 100.0):
            combined.set_params(svc__C=C).fit(sounds.filenames, sounds.target)
        assert calls == [60]

    def test_probabilities_through_calibration(self, frozen, sounds):
        model = CalibratedClassifierCV(on_features(frozen), ensemble=False, cv=2)
        model.fit(sounds.filenames, sounds.target)
        probabilities = model.predict_proba(sounds.filenames)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert (probabilities.argmax(axis=1) == sounds.target).mean() > 0.9

    def test_an_unfitted_network_is_fitted_in_each_fold(self, sounds):
        network = CNNAudioClassifier(front_end(), hidden_units=(8,), **SMALL)
        combined = on_features(network)
        assert cross_val_score(combined, sounds.filenames, sounds.target, cv=2).mean() > 0.9


def test_safe_file_round_trip(fitted, sounds, tmp_path):
    save_model(fitted, tmp_path / "combined.skops")
    loaded = load_model(tmp_path / "combined.skops")
    np.testing.assert_array_equal(
        loaded.decision_function(sounds.filenames), fitted.decision_function(sounds.filenames)
    )


def test_several_labels_per_clip_need_a_classifier_per_label(sounds):
    indicator = np.eye(3, dtype=int)[sounds.target]
    indicator[::4] = 0
    network = CNNAudioClassifier(channels=(4,), hidden_units=(8,), max_epochs=1, random_state=0)
    combined = make_combined_classifier([network], method="svc")
    combined.set_params(svc=OneVsRestClassifier(SVC()))
    assert combined.fit(sounds.filenames, indicator).predict(sounds.filenames).shape == (60, 3)


class TestSampleWeight:
    """With metadata routing, every part that takes weights gets them."""

    @pytest.fixture(autouse=True)
    def routing(self):
        with config_context(enable_metadata_routing=True):
            yield

    @pytest.fixture
    def weights(self, sounds):
        return np.random.default_rng(0).integers(0, 3, len(sounds.filenames))

    def test_each_voter_is_fitted_with_the_weights(self, sounds, weights):
        X, y = sounds.filenames, sounds.target
        network = CNNAudioClassifier(front_end(), hidden_units=(8,), **SMALL)
        combined = make_combined_classifier(network, C=2.0).fit(X, y, sample_weight=weights)
        alone = network.fit(X, y, sample_weight=weights)
        voter, handcrafted = combined.estimators_
        np.testing.assert_array_equal(voter.predict_proba(X), alone.predict_proba(X))
        *_, (_, logistic) = handcrafted.steps
        features = handcrafted[:-1].transform(X)
        same = clone(logistic).fit(features, y, sample_weight=weights)
        np.testing.assert_allclose(logistic.coef_, same.coef_, rtol=1e-6)
        features = PyAudioAnalysisTransformer().fit(X).transform(X)
        mean = np.average(features, axis=0, weights=weights)
        np.testing.assert_allclose(handcrafted["standard"].mean_, mean, rtol=1e-5, atol=1e-9)

    def test_one_svc_and_its_extractor_get_the_weights(self, sounds, weights, tmp_path):
        X, y = sounds.filenames, sounds.target
        extractor = CNNFeatureExtractor(CNNAudioClassifier(front_end(), **SMALL))
        combined = on_features(extractor, handcrafted=False).fit(X, y, sample_weight=weights)
        same = clone(extractor).fit(X, y, sample_weight=weights)
        block = combined["features"].transformer_list[0][1]
        np.testing.assert_array_equal(block["extractor"].transform(X), same.transform(X))
        svc = clone(combined["svc"]).fit(combined[:-1].transform(X), y, sample_weight=weights)
        np.testing.assert_allclose(combined["svc"].dual_coef_, svc.dual_coef_, rtol=1e-6)
        save_model(combined, tmp_path / "combined.skops")
        np.testing.assert_array_equal(
            load_model(tmp_path / "combined.skops").predict(X), combined.predict(X)
        )

    def test_the_estimators_and_requests_of_the_user_do_not_change(self, sounds, weights):
        unset = CNNAudioClassifier(front_end(), **SMALL)
        ignoring = CNNAudioClassifier(front_end(), **SMALL).set_fit_request(sample_weight=False)
        combined = make_combined_classifier([unset, ignoring], handcrafted=False)
        assert "_metadata_request" not in vars(unset)
        combined.fit(sounds.filenames, sounds.target, sample_weight=weights)
        plain = ignoring.fit(sounds.filenames, sounds.target)
        np.testing.assert_array_equal(
            combined.estimators_[1].predict_proba(sounds.filenames),
            plain.predict_proba(sounds.filenames),
        )

    def test_nothing_is_requested_without_routing(self):
        with config_context(enable_metadata_routing=False):
            combined = make_combined_classifier(CNNAudioClassifier())
            assert not [p for p in iterate_parts(combined) if "_metadata_request" in vars(p)]


class Moments:
    """A pretrained network."""

    def __call__(self, waveforms):
        return np.stack([waveforms.mean(axis=1), waveforms.std(axis=1)], axis=1)


class TestPretrained:
    def test_blocks_have_their_own_names_and_no_pca(self, frozen, sounds):
        pretrained = PretrainedFeatureExtractor(Moments(), sampling_rate=16_000)
        combined = make_combined_classifier([pretrained, frozen, "silero-vad"], handcrafted=False)
        assert [name for name, _ in combined.estimators[:3]] == [
            *("pretrained1", "cnn1", "pretrained2")
        ]
        (one, _, two) = (model for _, model in combined.estimators[:3])
        assert list(one.named_steps) == ["extractor", "standard", "scaler", "logistic"]
        assert two[0].model == "silero-vad"
        combined.set_params(pretrained2="drop").fit(sounds.filenames, sounds.target)
        assert combined.score(sounds.filenames, sounds.target) > 0.9

    def test_one_svc_on_all_features(self, frozen, sounds):
        pretrained = PretrainedFeatureExtractor(Moments(), sampling_rate=16_000)
        combined = on_features([pretrained, frozen], handcrafted=False)
        combined.fit(sounds.filenames, sounds.target)
        names = list(combined[:-1].get_feature_names_out())
        assert names[:2] == ["pretrained1__feature_0", "pretrained1__feature_1"]
        assert combined.score(sounds.filenames, sounds.target) > 0.9


@pytest.mark.parametrize(
    ("channels", "expected"), [([0], 0), ([1, 1], 1), ([0, 1], None), ([0, None], None)]
)
def test_the_handcrafted_block_reads_the_channel_of_the_networks(channels, expected):
    frontends = [one if one is None else SpectrogramTransformer(channel=one) for one in channels]
    networks = [CNNAudioClassifier(frontend) for frontend in frontends]
    combined = make_combined_classifier(networks)
    assert combined.get_params()["handcrafted__extractor__channel"] == expected
    own = make_combined_classifier(networks, handcrafted=PyAudioAnalysisTransformer())
    assert own.get_params()["handcrafted__extractor__channel"] is None
