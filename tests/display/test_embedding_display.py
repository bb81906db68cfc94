"""Clips as points."""

import numpy as np
import pandas as pd
import pytest
from helpers import texts
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    EmbeddingDisplay,
    SpectrogramTransformer,
    make_combined_classifier,
    transform_segments,
)

pytestmark = pytest.mark.oldest


def test_points_are_principal_components_by_class():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((30, 5)) * [9, 4, 1, 1, 1]
    y = np.array(["a", "b", "c"] * 10)
    display = EmbeddingDisplay.from_embeddings(embeddings, y)
    centered = embeddings - embeddings.mean(axis=0)
    axes = np.linalg.svd(centered, full_matrices=False)[2][:2]
    for label, points in display.scatters_.items():
        expected = np.abs((centered @ axes.T)[y == label])
        np.testing.assert_allclose(np.abs(points.get_offsets()), expected, atol=1e-8)
    assert texts(display.legend_.get_texts()) == ["a", "b", "c"]
    assert display.ax_.get_xlabel().startswith("Principal component 1 (")
    assert "% of the variance" in display.ax_.get_ylabel()


def test_seventy_classes_have_different_styles_and_names():
    rng = np.random.default_rng(0)
    y = np.array([f"class {i:02d} with a name that is too long to show" for i in range(70)])
    display = EmbeddingDisplay.from_embeddings(rng.standard_normal((70, 4)), y)
    looks = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.scatters_.values()
    }
    assert len(looks) == 70
    assert len({*texts(display.legend_.get_texts())}) == 70


@pytest.mark.parametrize("n_classes", [70, 71])
def test_the_legend_says_that_styles_repeat(n_classes):
    points = np.zeros((n_classes + 1, 2))
    labels = [*(f"class {i}" for i in range(n_classes)), None]
    title = EmbeddingDisplay(points, labels=labels).plot().legend_.get_title().get_text()
    assert ("repeat" in title) == (n_classes == 71)


def test_any_transformer_can_be_the_projection():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((20, 4))
    display = EmbeddingDisplay.from_embeddings(embeddings, projection=TSNE(perplexity=5))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("TSNE 1", "TSNE 2")
    fitted = make_pipeline(PCA(2).fit(embeddings))
    display = EmbeddingDisplay.from_embeddings(embeddings[:3], projection=FrozenEstimator(fitted))
    np.testing.assert_allclose(display.points, fitted.transform(embeddings[:3]))


def test_extractor_classifier_and_pipeline_show_the_same(classifier, sounds, sound_labels):
    X = sounds.filenames[:10]
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier)).fit(X)
    pipeline = make_pipeline(extractor, LogisticRegression()).fit(sounds.filenames, sound_labels)
    expected = EmbeddingDisplay.from_embeddings(extractor.transform(X)).points
    for estimator in (extractor, classifier, pipeline):
        points = EmbeddingDisplay.from_estimator(estimator, X).points
        np.testing.assert_allclose(points, expected, atol=1e-4)


def test_real_numbers_are_shown_on_a_color_scale():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=20)
    display = EmbeddingDisplay.from_embeddings(rng.standard_normal((20, 3)), y)
    np.testing.assert_array_equal(display.scatters_[None].get_array(), y)
    assert display.colorbar_ is not None
    assert display.legend_ is None


MISSING = [None, np.nan, pd.NA]


class TestMissingLabels:
    EMBEDDINGS = np.random.default_rng(0).standard_normal((6, 3))

    def unlabeled(self, display):
        points = display.scatters_["no label"]
        assert {to_hex(color) for color in points.get_facecolor()} == {to_hex("0.6")}
        return points.get_offsets().tolist()

    @pytest.mark.parametrize("missing", MISSING, ids=str)
    @pytest.mark.parametrize("kind", [list, lambda y: np.array(y, object), pd.Series])
    def test_their_points_are_gray(self, missing, kind):
        y = kind(["a", missing, "b", "a", missing, "b"])
        display = EmbeddingDisplay.from_embeddings(self.EMBEDDINGS, y)
        assert list(display.scatters_) == ["a", "b", "no label"]
        assert self.unlabeled(display) == display.points[[1, 4]].tolist()
        assert display.scatters_["a"].get_offsets().tolist() == display.points[[0, 3]].tolist()
        assert texts(display.legend_.get_texts()) == ["a", "b", "no label"]

    @pytest.mark.parametrize("missing", MISSING, ids=str)
    def test_all_labels_are_missing(self, missing):
        display = EmbeddingDisplay.from_embeddings(self.EMBEDDINGS, [missing] * 6)
        assert self.unlabeled(display) == display.points.tolist()
        assert texts(display.legend_.get_texts()) == ["no label"]

    def test_classes_of_numbers_stay_numbers(self):
        display = EmbeddingDisplay.from_embeddings(self.EMBEDDINGS, [1, None, 2, 1, None, 2])
        assert texts(display.legend_.get_texts()) == ["1", "2", "no label"]

    @pytest.mark.parametrize("missing", MISSING, ids=str)
    def test_real_numbers(self, missing):
        y = [0.5, missing, 1.25, 3.0, missing, 2.0]
        display = EmbeddingDisplay.from_embeddings(self.EMBEDDINGS, y, scatter_kw={"cmap": "magma"})
        assert display.scatters_[None].get_array().tolist() == [0.5, 1.25, 3.0, 2.0]
        assert self.unlabeled(display) == display.points[[1, 4]].tolist()
        assert texts(display.legend_.get_texts()) == ["no label"]

    def test_windows_below_the_threshold(self):
        starts = np.arange(6.0)
        table = pd.DataFrame({"start": starts, "end": starts + 1, "x": starts, "y": starts**2})
        labels = pd.Series(["owl", None, None, "owl", "wren", None], index=starts + 7)
        display = EmbeddingDisplay.from_segments(table, labels)
        assert len(self.unlabeled(display)) == 3
        assert display.path_ is not None


class TestFromSegments:
    @pytest.fixture
    def table(self):
        """Return the features of ten windows, which are not sorted by time."""
        starts = np.random.default_rng(0).permutation(10) * 0.5
        rows = np.random.default_rng(1).standard_normal((10, 4))
        features = pd.DataFrame(rows, columns=[*"abcd"])
        return pd.concat([pd.DataFrame({"start": starts, "end": starts + 1}), features], axis=1)

    def test_points_are_those_of_the_features_colored_by_time(self, table):
        display = EmbeddingDisplay.from_segments(table)
        expected = EmbeddingDisplay.from_embeddings(table[[*"abcd"]])
        np.testing.assert_allclose(display.points, expected.points)
        np.testing.assert_allclose(display.scatters_[None].get_array(), table.start + 0.5)
        assert display.colorbar_.ax.get_ylabel() == "Time (s)"
        assert expected.path_ is None

    @pytest.mark.parametrize("y", [None, np.repeat(["cat", "dog"], 5)], ids=["times", "classes"])
    def test_the_path_joins_the_points_in_the_order_of_time(self, table, y):
        display = EmbeddingDisplay.from_segments(table, y)
        expected = np.asarray(display.points)[np.argsort(table.start)]
        np.testing.assert_allclose(display.path_.get_xydata(), expected)
        assert (display.legend_ is None) == (y is None)
        assert (display.colorbar_ is None) == (y is not None)

    def test_the_features_of_a_recording(self, classifier, sounds):
        extractor = CNNFeatureExtractor(FrozenEstimator(classifier)).fit(sounds.filenames)
        table = transform_segments(extractor, sounds.filenames[0], window=0.05)
        display = EmbeddingDisplay.from_segments(table, projection=PCA(2, random_state=0))
        assert len(display.scatters_[None].get_offsets()) == len(table) > 3
        assert display.ax_.get_xlabel() == "PCA 1"

    def test_ticks_of_long_recordings_are_hours(self, table):
        table = table.assign(start=table.start * 3600, end=table.end * 3600)
        bar = EmbeddingDisplay.from_segments(table).colorbar_
        bar.ax.figure.canvas.draw()
        assert bar.ax.get_ylabel() == "Time (h:min:s)"
        assert "2:00:00" in texts(bar.ax.get_yticklabels())

    def test_other_columns_are_refused(self, table):
        with pytest.raises(ValueError, match=r"\['file'\] are not.*one recording"):
            EmbeddingDisplay.from_segments(table.assign(file="a.wav"))
        with pytest.raises(ValueError, match=r"start, end.*got \['start', 'a'"):
            EmbeddingDisplay.from_segments(table.drop(columns="end"))
        with pytest.raises(ValueError, match=r"features.*got \['start', 'end'\]"):
            EmbeddingDisplay.from_segments(table[["start", "end"]])
        with pytest.raises(ValueError, match="got ndarray"):
            EmbeddingDisplay.from_segments(table.to_numpy())
        with pytest.raises(ValueError, match=r"times.*10 points.*\(3,\)"):
            EmbeddingDisplay(np.zeros((10, 2)), times=[1, 2, 3]).plot()


def test_one_feature_and_two_clips_are_enough():
    display = EmbeddingDisplay.from_embeddings(np.array([[0.0], [1.0]]), ["a", "b"])
    assert np.asarray(display.points).shape == (2, 2)
    with pytest.raises(ValueError, match="2 clips"):
        EmbeddingDisplay.from_embeddings(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"y must.*2 points"):
        EmbeddingDisplay.from_embeddings(np.eye(2), ["a"])


def same_points(model, other, X):
    displays = [EmbeddingDisplay.from_estimator(one, X) for one in (model, other)]
    return np.array_equal(displays[0].points, displays[1].points)


@pytest.fixture(scope="module")
def short(sounds, sound_labels):
    """Clips, labels and the parameters of a network that is trained quickly."""
    return sounds.filenames[::4], sound_labels[::4], {"channels": (4,), "max_epochs": 1}


def test_a_combined_classifier_is_shown_by_the_features_of_its_network(short):
    X, y, small = short
    votes = make_combined_classifier(CNNAudioClassifier(**small)).fit(X, y)
    network = votes.named_estimators_["cnn1"]
    for model in (votes, make_pipeline(votes), FrozenEstimator(votes)):
        assert same_points(model, network, X)
    block = make_combined_classifier(CNNFeatureExtractor(FrozenEstimator(network))).fit(X, y)
    assert same_points(block, block.named_estimators_["cnn1"][:-1], X)


def test_a_pipeline_of_a_front_end_and_a_network_is_shown_by_its_last_layer(short):
    X, y, small = short
    model = make_pipeline(SpectrogramTransformer(), CNNAudioClassifier(**small)).fit(X, y)
    expected = EmbeddingDisplay.from_embeddings(
        model[-1].layer_outputs(model[0].transform(X), len(model[-1].layer_names_) - 1)
    )
    np.testing.assert_array_equal(EmbeddingDisplay.from_estimator(model, X).points, expected.points)


def test_of_several_networks_one_has_to_be_chosen(short):
    X, y, small = short
    two = make_combined_classifier([CNNAudioClassifier(**small)] * 2, handcrafted=False).fit(X, y)
    with pytest.raises(ValueError, match=r'has 2 with a network.*named_estimators_\["cnn2"\]'):
        EmbeddingDisplay.from_estimator(two, X)
    without = VotingClassifier([(n, DummyClassifier()) for n in "ab"], voting="soft").fit(X, y)
    with pytest.raises(ValueError, match=r'this VotingClassifier .* has 2\. .*estimators_\["a"\]'):
        EmbeddingDisplay.from_estimator(without, X)
