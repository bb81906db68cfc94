"""Saliency maps on spectrograms."""

import copy

import numpy as np
import pytest
import soundfile
from helpers import tone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skdaf import (
    CNNAudioClassifier,
    ConvAutoencoderEmbedder,
    SaliencyDisplay,
    SpectrogramTransformer,
    make_combined_classifier,
)

pytestmark = pytest.mark.oldest

RATE = 16_000


def two_bands(n_clips, duration=0.4):
    """Return clips of noise and a tone in one of two bands, and the band as the label."""
    rng = np.random.default_rng(0)
    pitches = np.where(np.arange(n_clips) % 2, 4000, 500)
    X = [
        tone(pitch, duration) + 0.05 * rng.standard_normal(int(duration * RATE))
        for pitch in pitches
    ]
    return X, np.where(pitches == 500, "low", "high")


@pytest.fixture(scope="module")
def band_classifier():
    X, y = two_bands(40)
    return CNNAudioClassifier(max_epochs=8, augment=None, random_state=0).fit(X, y)


def test_saliency_is_highest_in_the_band_that_decides(band_classifier):
    X, y = two_bands(4)
    display = SaliencyDisplay.from_estimator(band_classifier, X)
    for image, label in zip(display.images_, y, strict=True):
        heat = image.get_array().sum(axis=1)
        edges = image.get_coordinates()[:, 0, 1]
        pitch = {"low": 500, "high": 4000}[label]
        row = heat.argmax()
        # Half of the saliency is within eight of the 64 bands around the tone.
        place = np.searchsorted(edges, pitch) - 1
        assert abs(row - place) <= 6
        assert heat[max(0, place - 8) : place + 9].sum() > 0.5 * heat.sum()


def test_titles_name_true_labels(band_classifier):
    X, y = two_bands(2)
    display = SaliencyDisplay.from_estimator(band_classifier, X, y)
    titles = [ax.get_title("left") for ax in np.ravel(display.ax_)]
    assert [title.rpartition("\ntrue: ")[2] for title in titles] == y.tolist()
    with pytest.raises(ValueError, match=r"y must contain 2 labels, .* got shape \(1,\)"):
        SaliencyDisplay.from_estimator(band_classifier, X, y[:1])


def test_too_many_clips_for_a_figure_are_refused_at_once(band_classifier):
    X = [np.zeros(100)] * 41
    with pytest.raises(ValueError, match="X contains 41 clips, but a figure shows at most 40"):
        SaliencyDisplay.from_estimator(band_classifier, X)


def test_saliencies_have_the_times_and_frequencies_of_the_clip(band_classifier):
    X, _ = two_bands(2, duration=0.8)
    display = SaliencyDisplay.from_estimator(band_classifier, X[:1])
    ax, image = display.ax_, display.images_[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    # The network sees 41 frames; resized from twice as many, they cover all of the clip.
    edges = image.get_coordinates()[0, :, 0]
    assert len(edges) == band_classifier.input_shape_[0] + 1
    np.testing.assert_allclose(edges[[0, -1]], [0, 0.8], atol=0.011)
    assert ax.get_xlim() == (0, 0.8)
    assert len(ax.collections) == 2
    assert display.colorbar_.ax.get_ylabel() == "Saliency (1 = maximum of the clip)"
    assert (image.get_array().min(), image.get_array().max()) == (0, 1)


def test_titles_name_the_class_and_its_probability(band_classifier):
    X, y = two_bands(2)
    display = SaliencyDisplay.from_estimator(band_classifier, X)
    probabilities = band_classifier.predict_proba(X)
    predicted = band_classifier.predict(X)
    for ax, label, shares in zip(display.ax_, predicted, probabilities, strict=True):
        assert ax.get_title(loc="left") == f"{label} ({shares.max():.2f})"
    assert list(predicted) == list(y)
    other = SaliencyDisplay.from_estimator(band_classifier, X[:1], target="high")
    assert other.ax_.get_title(loc="left").startswith("high (0.")


def test_layers_and_methods_are_chosen_by_name(band_classifier):
    X, _ = two_bands(1)
    maps = [
        SaliencyDisplay.from_estimator(band_classifier, X, **choice).saliencies[0]
        for choice in ({}, {"layer": "conv4"}, {"method": "gradcam"}, {"layer": "conv2"})
    ]
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[0], maps[2])
    np.testing.assert_array_equal(maps[0], maps[3])
    with pytest.raises(ValueError, match="conv9"):
        SaliencyDisplay.from_estimator(band_classifier, X, layer="conv9")
    with pytest.raises(ValueError, match="method"):
        SaliencyDisplay.from_estimator(band_classifier, X, method="magic")
    with pytest.raises(ValueError, match=r"target.*'none'"):
        SaliencyDisplay.from_estimator(band_classifier, X, target="none")
    with pytest.raises(ValueError, match="target must be one label"):
        SaliencyDisplay.from_estimator(band_classifier, X, target=["low", "low"])


def test_a_pipeline_with_a_front_end_gives_the_same_saliency(sounds, sound_labels):
    steps = make_pipeline(
        SpectrogramTransformer(), CNNAudioClassifier(max_epochs=2, random_state=0)
    )
    steps.fit(sounds.filenames, sound_labels)
    whole = CNNAudioClassifier(max_epochs=2, random_state=0).fit(sounds.filenames, sound_labels)
    X = sounds.filenames[:1]
    both = [SaliencyDisplay.from_estimator(model, X) for model in (steps, whole)]
    np.testing.assert_allclose(both[0].saliencies[0], both[1].saliencies[0], atol=1e-5)
    assert both[0].ax_.get_ylabel() == "Frequency (Hz)"


def test_the_network_does_not_change(band_classifier):
    X, _ = two_bands(2)
    before = band_classifier.predict_proba(X)
    SaliencyDisplay.from_estimator(band_classifier, X)
    np.testing.assert_array_equal(band_classifier.predict_proba(X), before)


def test_an_estimator_that_is_not_a_classifier_raises(sounds):
    embedder = ConvAutoencoderEmbedder(max_epochs=1, channels=(4,)).fit(sounds.filenames[:12])
    with pytest.raises(TypeError, match="ConvAutoencoderEmbedder"):
        SaliencyDisplay.from_estimator(embedder, sounds.filenames[:1])


def test_one_of_several_labels_is_explained():
    X, y = two_bands(40)
    indicator = np.column_stack([y == "low", y == "high", np.arange(40) % 3 == 0])
    model = CNNAudioClassifier(max_epochs=8, augment=None, random_state=0).fit(X, indicator)
    display = SaliencyDisplay.from_estimator(model, X[:2])
    probabilities = model.predict_proba(X[:2])
    expected = [f"{row.argmax()} ({row.max():.2f})" for row in probabilities]
    assert [panel.get_title(loc="left") for panel in display.ax_] == expected
    assert (
        SaliencyDisplay.from_estimator(model, X[:1], target=2)
        .ax_.get_title(loc="left")
        .startswith("2 (")
    )


@pytest.fixture(scope="module")
def combined():
    """A combined classifier whose classes, in the network, are 0 and 1."""
    X, y = two_bands(40)
    network = CNNAudioClassifier(max_epochs=4, augment=None, random_state=0)
    return make_combined_classifier(network).fit(X, y)


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline, FrozenEstimator])
def test_classes_of_a_combined_classifier_have_their_names(combined, wrap):
    X, y = two_bands(2)
    display = SaliencyDisplay.from_estimator(wrap(combined), X, y, target="high")
    network = combined.named_estimators_["cnn1"].predict_proba(X)[:, 0]
    rows = zip(network, combined.predict_proba(X).max(axis=1), y, strict=True)
    expected = [
        f"network: high ({share:.2f})\nmodel: {label} ({best:.2f})\ntrue: {label}"
        for share, best, label in rows
    ]
    assert [panel.get_title("left") for panel in display.ax_] == expected
    with pytest.raises(ValueError, match=r"target must be .* \['high', 'low'\], got 'h'"):
        SaliencyDisplay.from_estimator(combined, X, target="h")


def test_the_class_that_a_combined_classifier_predicts_is_explained(combined):
    X, _ = two_bands(2)
    other = copy.copy(combined).set_params(weights=[1, 1])
    other.predict_proba = lambda clips: 1 - combined.predict_proba(clips)
    other.predict = lambda clips: combined.predict(clips)[::-1]
    titles = [panel.get_title("left") for panel in SaliencyDisplay.from_estimator(other, X).ax_]
    assert [title.split()[1] for title in titles] == ["high", "low"]
    # The network alone would choose the others.
    choices = [title.split("its choice: ")[1].split()[0] for title in titles]
    assert choices == ["low", "high"]


def test_a_network_from_elsewhere_keeps_its_classes(band_classifier):
    X, _ = two_bands(12)
    moods = make_combined_classifier(FrozenEstimator(band_classifier), n_components=2)
    moods.fit(X, ["calm", "wild"] * 6)
    display = SaliencyDisplay.from_estimator(moods, X[:2])
    titles = [panel.get_title("left") for panel in display.ax_]
    assert [title[: len("network: low")] for title in titles] == ["network: low", "network: hig"]
    assert [title.partition("\nmodel: ")[2][:4] for title in titles] == ["calm", "wild"]


def test_a_model_without_probabilities_is_named_by_its_label(band_classifier):
    X, y = two_bands(12)
    pipeline = make_combined_classifier(FrozenEstimator(band_classifier), method="svc").fit(X, y)
    title = SaliencyDisplay.from_estimator(pipeline, X[:1]).ax_.get_title("left")
    assert title.startswith("network: low (")
    assert title.endswith("\nmodel: low")


def test_long_titles_have_room_for_each_line(combined):
    X, y = two_bands(9)
    display = SaliencyDisplay.from_estimator(combined, X, y)
    display.figure_.canvas.draw()
    [title] = [text for text in display.ax_[3].get_children() if "model" in _text(text)]
    assert title.get_window_extent().y1 < display.ax_[0].get_window_extent().y0


def _text(artist):
    return artist.get_text() if hasattr(artist, "get_text") else ""


def test_titles_begin_with_the_name_of_the_file(combined, tmp_path):
    X, y = two_bands(2)
    paths = [tmp_path / f"a rather long name of a recording {i}.wav" for i in range(2)]
    for path, samples in zip(paths, X, strict=True):
        soundfile.write(path, samples, RATE)
    display = SaliencyDisplay.from_estimator(combined, paths, y)
    lines = [panel.get_title("left").split("\n") for panel in display.ax_]
    # Names are cut in the middle.
    assert [own[0][:8] for own in lines] == ["a rather"] * 2
    assert [own[0].split("\u2026")[1][-5:] for own in lines] == ["0.wav", "1.wav"]
    assert [own[1][:8] for own in lines] == ["network:"] * 2
    assert [own[-1] for own in lines] == [f"true: {label}" for label in y]
