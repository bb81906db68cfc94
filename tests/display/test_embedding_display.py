"""Clips as points."""

import numpy as np
import pytest
from helpers import texts
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline

from skdaf import (
    CNNFeatureExtractor,
    EmbeddingDisplay,
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


def test_fifty_classes_have_different_styles_and_names():
    rng = np.random.default_rng(0)
    y = np.array([f"class {i:02d} with a name that is too long to show" for i in range(50)])
    display = EmbeddingDisplay.from_embeddings(rng.standard_normal((50, 4)), y)
    looks = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.scatters_.values()
    }
    assert len(looks) == 50
    assert len({*texts(display.legend_.get_texts())}) == 50


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


def test_one_feature_and_two_clips_are_enough():
    display = EmbeddingDisplay.from_embeddings(np.array([[0.0], [1.0]]), ["a", "b"])
    assert np.asarray(display.points).shape == (2, 2)
    with pytest.raises(ValueError, match="2 clips"):
        EmbeddingDisplay.from_embeddings(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"labels.*2 points"):
        EmbeddingDisplay.from_embeddings(np.eye(2), ["a"])
