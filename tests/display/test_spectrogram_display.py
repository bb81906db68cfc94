"""Spectrograms: what is on the axes, not only that something is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import fitted_frontend, texts, tone
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdaf import (
    Clip,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    LegacySpectrogramTransformer,
    SpectrogramDisplay,
    SpectrogramTransformer,
    save_model,
)
from skdaf._display.clip_spectrogram import band_edges, settings_for

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize("frequency", [250, 1000, 3200, 6000])
@pytest.mark.parametrize("params", [{}, {"n_mels": 40, "fmin": 100.0, "fmax": 7000.0}])
def test_a_tone_is_drawn_at_its_frequency(frequency, params):
    X = [tone(frequency)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X, **params), X)
    image = display.images_[0]
    edges = image.get_coordinates()[:, 0, 1]
    row = image.get_array()[:, 10].argmax()
    assert edges[row] <= frequency <= edges[row + 1]


def shown_lengths(X, **options):
    """Return the durations of the clips that a display shows, in samples."""
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X, **options)
    return [round(16_000 * times[-1]) for times in display.times]


def test_clips_come_from_as_many_groups_as_possible():
    X = [tone(1000, n / 16_000) for n in (4000, 4100, 4200, 4300, 4400)]
    y, groups = [0, 0, 0, 0, 1], ["a", "a", "b", "b", "a"]
    assert shown_lengths(X, y=y, n_clips=2) == [4000, 4100, 4400]
    assert shown_lengths(X, y=y, n_clips=2, groups=groups) == [4000, 4200, 4400]
    assert shown_lengths(X, y=y, n_clips=3, groups=groups) == [4000, 4100, 4200, 4400]
    assert shown_lengths(X, n_clips=2, groups=groups) == [4000, 4200]
    with pytest.raises(ValueError, match="groups must contain 5 groups, one per clip"):
        shown_lengths(X, groups=groups[:4])


def panel_titles(X, **options):
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X, **options)
    return [panel.get_title("left") for panel in np.ravel(display.ax_)]


def test_titles_and_classes_keep_the_order_of_the_clips():
    X = [tone(1000, n / 16_000) for n in (4000, 4100, 4200, 4300)]
    names = ["zebra", "cat", "ape", "zebra"]
    assert panel_titles(X, titles=names) == names
    assert panel_titles(X, titles=names, n_clips=2) == names[:2]
    assert panel_titles(X, y=names) == ["zebra", "", "cat", "ape"]
    assert panel_titles(X, y=names, titles=list("1234"), n_clips=2) == ["1", "4", "2", "3"]
    assert shown_lengths(X, y=names, n_clips=2) == [4000, 4300, 4100, 4200]


@pytest.mark.parametrize(
    ("titles", "got"), [(["a"], r"shape \(1,\)"), ("ab", "'ab'"), ([["a"], ["b"]], "shape")]
)
def test_there_is_one_title_per_clip(titles, got):
    X = [tone(1000, 0.2)] * 2
    with pytest.raises(ValueError, match=f"titles must contain 2 titles, one per clip, got {got}"):
        panel_titles(X, titles=titles)
    for name in ("titles", "labels"):
        with pytest.raises(ValueError, match=f"{name} must contain 2 {name}, one per clip, got"):
            SpectrogramDisplay([np.zeros((2, 2))] * 2, **{name: titles}).plot()


@pytest.mark.parametrize("kind", [tuple, np.array, lambda names: pd.Series(names, index=[3, 4])])
@pytest.mark.parametrize("name", ["titles", "labels"])
def test_any_sequence_of_titles_or_labels(name, kind):
    display = SpectrogramDisplay([np.zeros((2, 2))] * 2, **{name: kind(["a", "b"])}).plot()
    assert [ax.get_title(loc="left") for ax in display.ax_] == ["a", "b"]


def test_long_titles_are_shortened_in_a_grid():
    names = ["a recording with a name that is longer than its panel.wav", "short"]
    [first, second] = SpectrogramDisplay([np.zeros((2, 2))] * 2, titles=names).plot().ax_
    assert second.get_title("left") == "short"
    assert 20 < len(first.get_title("left")) < 28
    assert first.get_title("left").endswith(".wav")
    one = SpectrogramDisplay([np.zeros((2, 2))], titles=names[:1]).plot().ax_
    assert one.get_title("left") == names[0]


def test_parts_of_a_file_are_a_group(tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path in paths:
        sf.write(path, tone(1000, 2.0), 16_000)
    first, second = paths
    X = [Clip(first, 0.0, 0.25), Clip(first, 0.5, 1.0), Clip(second, 0.0, 0.75)]
    assert shown_lengths(X, y=["x"] * 3, n_clips=2) == [4000, 12_000]
    # Without classes, the first clips are what the user asked for.
    assert shown_lengths(X, n_clips=2) == [4000, 8000]


def test_ticks_are_at_their_frequencies():
    X = [tone(1000)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X)
    ax = display.ax_
    ticks = dict(zip(texts(ax.get_yticklabels()), ax.get_yticks(), strict=True))
    assert ticks["1000"] == 1000
    assert {"500", "1000", "2000", "4000"} <= set(ticks)
    # All bands have the same height on the screen: the axis is a mel scale.
    edges = display.images_[0].get_coordinates()[:, 0, 1]
    heights = ax.transData.transform([(0, hz) for hz in edges])[:, 1]
    np.testing.assert_allclose(np.diff(heights), np.diff(heights).mean(), rtol=1e-6)
    bright = display.images_[0].get_array()[:, 10].argmax()
    height_of_1k = ax.transData.transform((0, 1000))[1]
    assert heights[bright] <= height_of_1k <= heights[bright + 1]


def test_a_narrow_frequency_range_has_ticks():
    X = [tone(2500)]
    display = SpectrogramDisplay.from_estimator(
        fitted_frontend(X, fmin=2100.0, fmax=2900.0, n_mels=8), X
    )
    ticks = display.ax_.get_yticks()
    assert len(ticks) >= 3
    assert (ticks >= 2100).all()
    assert (ticks <= 2900).all()


def test_a_clip_is_shown_in_seconds_and_decibels():
    X = [np.concatenate([np.zeros(4000), tone(1000, 0.25), np.zeros(8000)])]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X)
    ax, image = display.ax_, display.images_[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    assert ax.get_xlim() == (0.0, 1.0)
    assert display.colorbar_.ax.get_ylabel() == "Level (dB, peak = 0)"
    assert display.figure_ is ax.figure
    values, edges = image.get_array(), image.get_coordinates()[0, :, 0]
    assert values.max() == 0.0
    assert values.min() == -80.0
    loud = values.max(axis=0) > -30
    first, last = edges[:-1][loud].min(), edges[1:][loud].max()
    np.testing.assert_allclose((first, last), (0.25, 0.5), atol=0.03)
    plain = SpectrogramTransformer(standardize=False).fit_transform(X)[0]
    np.testing.assert_array_equal(values, plain.T)


def test_taller_panels_have_more_ticks():
    X = [tone(1000)]
    frontend = fitted_frontend(X)
    counts = []
    for height in (1.2, 6):
        _, ax = plt.subplots(figsize=(5, height), layout="constrained")
        SpectrogramDisplay.from_estimator(frontend, X, ax=ax)
        counts.append(len(ax.get_yticks()))
    assert counts[0] < counts[1]


def test_a_grid_has_one_row_per_class_with_its_name(sounds, sound_labels):
    frontend = fitted_frontend(sounds.filenames)
    display = SpectrogramDisplay.from_estimator(frontend, sounds.filenames, sound_labels, n_clips=3)
    assert len(display.ax_) == len(display.images_) == 9
    titles = [ax.get_title(loc="left") for ax in display.ax_]
    assert titles == ["high_tone", "", "", "low_tone", "", "", "white_noise", "", ""]
    rows = [ax.get_subplotspec().rowspan.start for ax in display.ax_]
    assert rows == [0] * 3 + [1] * 3 + [2] * 3
    assert display.figure_.get_supxlabel() == "Time (s)"
    assert display.figure_.get_supylabel() == "Frequency (Hz)"
    # All panels share the time scale and the color scale.
    assert len({ax.get_xlim() for ax in display.ax_}) == 1
    assert len({image.get_clim() for image in display.images_}) == 1


def test_clips_without_labels_are_arranged_in_a_square(sounds):
    frontend = fitted_frontend(sounds.filenames)
    display = SpectrogramDisplay.from_estimator(frontend, sounds.filenames)
    assert len(display.ax_) == 4
    assert display.ax_[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)


def test_fifty_classes_fit_on_a_page():
    X = [tone(1000, 0.1)] * 50
    y = [f"a rather long name, number {i:02d}, of a class" for i in range(50)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X, y)
    assert len(display.ax_) == 50
    width, height = display.figure_.get_size_inches()
    assert 0.5 < width / height < 2
    display.figure_.canvas.draw()
    boxes = [ax._left_title.get_window_extent() for ax in display.ax_]
    pictures = [ax.get_window_extent() for ax in display.ax_]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :] + pictures)


def test_a_resized_input_has_the_times_of_its_clip():
    X = [tone(1000, 1.0), np.concatenate([tone(500, 0.5), tone(4000, 0.5)])]
    frontend = fitted_frontend(X, n_frames=20)
    display = SpectrogramDisplay.from_estimator(frontend, X[1:], processed=True)
    edges = display.images_[0].get_coordinates()[0, :, 0]
    assert len(edges) == 21
    np.testing.assert_allclose(edges[[0, -1]], [0, 1], atol=0.01)
    rows = display.images_[0].get_array().argmax(axis=0)
    changes = np.flatnonzero(np.diff(rows) > 5)
    np.testing.assert_allclose(edges[changes + 1], 0.5, atol=0.03)
    np.testing.assert_array_equal(display.images_[0].get_array(), frontend.transform(X[1:])[0].T)
    assert display.colorbar_.ax.get_ylabel() == "Level (standard deviations)"


def test_a_tiled_input_shows_the_middle_of_its_clip():
    # The tone changes in the middle. All clips are squeezed by 500 frames / 250.
    long = np.concatenate([tone(500, 5.0), tone(4000, 5.0)])
    X = [tone(1000, 5.0), tone(1000, 5.0), long]
    frontend = fitted_frontend(X, length="tile")
    assert frontend.n_frames_ == 250
    display = SpectrogramDisplay.from_estimator(frontend, X[2:], processed=True)
    edges = display.images_[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges[[0, -1]], [2.5, 7.5], atol=0.03)
    rows = display.images_[0].get_array().argmax(axis=0)
    changes = np.flatnonzero(np.diff(rows) > 5)
    np.testing.assert_allclose(edges[changes + 1], 5.0, atol=0.05)
    repeated = SpectrogramDisplay.from_estimator(frontend, [tone(1000, 1.0)], processed=True)
    np.testing.assert_allclose(repeated.ax_.get_xlim(), (0, 5), atol=0.06)


def test_a_padded_input_ends_after_its_clip():
    X = [tone(1000, 0.3)]
    frontend = fitted_frontend(X, n_frames=100, length="pad")
    display = SpectrogramDisplay.from_estimator(frontend, X, processed=True)
    np.testing.assert_allclose(display.ax_.get_xlim(), (0, 0.995))


def test_cepstral_coefficients_are_standardized_row_by_row(sounds):
    X = sounds.filenames[:1]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X, "mfcc"), X)
    assert display.ax_.get_ylabel() == "Coefficient"
    assert texts(display.ax_.get_yticklabels()) == ["MFCC", "delta", "delta-delta"]
    np.testing.assert_allclose(display.ax_.get_yticks(), [6, 19, 32])
    values = display.images_[0].get_array()
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=1), 1, atol=1e-4)
    raw = SpectrogramTransformer("mfcc", standardize=False).fit_transform(X)[0]
    np.testing.assert_array_equal(display.spectrograms[0], raw)


def test_mel_and_chroma_share_an_axis():
    X = [tone(440)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X, "mel+chroma"), X)
    ax, values = display.ax_, display.images_[0].get_array()
    ticks = dict(zip(texts(ax.get_yticklabels()), ax.get_yticks(), strict=True))
    edges = band_edges(settings_for(fitted_frontend(X), X[0]))
    row = values[:40, 20].argmax()
    assert edges[row] <= 440 <= edges[row + 1]
    assert ticks["1000 Hz"] == pytest.approx(np.searchsorted(edges, 1000) - 1, abs=0.6)
    # A4 is the pitch class A: the tenth row from C.
    assert values[40:, 20].argmax() == 9
    assert ticks["C"] == 40


def test_ticks_of_long_recordings_are_minutes_or_hours():
    display = SpectrogramDisplay(
        [np.zeros((10, 4))], times=[np.linspace(0, 600, 11)], frequencies=np.arange(5) * 100.0
    ).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_xlabel() == "Time (min:s)"
    ticks = dict(zip(display.ax_.get_xticks(), texts(display.ax_.get_xticklabels()), strict=True))
    assert (ticks[0], ticks[120], ticks[600]) == ("0:00", "2:00", "10:00")
    display = SpectrogramDisplay([np.zeros((10, 4))], times=[np.linspace(0, 9000, 11)]).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_xlabel() == "Time (h:min:s)"
    assert "1:30:00" in texts(display.ax_.get_xticklabels())


def test_the_front_end_is_found_in_any_estimator(classifier, sounds, sound_labels, tmp_path):
    X = sounds.filenames[:1]
    expected = SpectrogramDisplay.from_estimator(classifier.frontend_, X).spectrograms[0]
    path = tmp_path / "model.skops"
    save_model(classifier, path)
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier))
    pipeline = make_pipeline(extractor, LogisticRegression()).fit(sounds.filenames, sound_labels)
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2)
    search.fit(sounds.filenames[::6], sound_labels[::6])
    steps = make_pipeline(SpectrogramTransformer(), CNNAudioClassifier(max_epochs=1))
    steps.fit(sounds.filenames[::6], sound_labels[::6])
    for holder in (classifier, FrozenEstimator(classifier), path, pipeline, search, steps):
        display = SpectrogramDisplay.from_estimator(holder, X)
        np.testing.assert_array_equal(display.spectrograms[0], expected)


def test_a_legacy_front_end_is_shown_with_its_own_settings(sounds):
    X = sounds.filenames[:2]
    frontend = LegacySpectrogramTransformer(window_length=0.05, n_mels=40).fit(X)
    display = SpectrogramDisplay.from_estimator(frontend, X)
    for path, spectrogram in zip(X, display.spectrograms, strict=True):
        plain = LegacySpectrogramTransformer(window_length=0.05, n_mels=40, standardize=False)
        np.testing.assert_array_equal(spectrogram, plain.fit_transform([path])[0])


class OtherFrontEnd(TransformerMixin, BaseEstimator):
    """A front end of another library."""

    n_dimensions = 3

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.arange(len(X) * 30.0).reshape(len(X), 5, 6)[
            (...,) + (0,) * (3 - self.n_dimensions)
        ]


def test_other_front_ends_are_shown_in_frames_and_bins():
    display = SpectrogramDisplay.from_estimator(OtherFrontEnd().fit(None), [tone(1000)])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Frame", "Bin")
    np.testing.assert_array_equal(display.images_[0].get_array(), np.arange(30).reshape(5, 6).T)


def test_spectrograms_are_shown_in_frames_and_bins():
    X = np.random.default_rng(0).standard_normal((12, 8, 9))
    classifier = CNNAudioClassifier(max_epochs=1, channels=(4,)).fit(X, [0, 1] * 6)
    display = SpectrogramDisplay.from_estimator(classifier, X[:1])
    assert display.ax_.get_xlabel() == "Frame"
    np.testing.assert_allclose(display.images_[0].get_array(), X[0].T, rtol=1e-6)


def test_a_transformer_without_spectrograms_raises():
    own = OtherFrontEnd().fit(None)
    own.n_dimensions = 2
    with pytest.raises(TypeError, match="front end"):
        SpectrogramDisplay.from_estimator(own, [tone(1000)])


def test_drawing_into_given_axes(sounds):
    frontend = fitted_frontend(sounds.filenames)
    figure, axes = plt.subplots(1, 2)
    display = SpectrogramDisplay.from_estimator(frontend, sounds.filenames[:2], ax=axes)
    assert display.figure_ is figure
    assert list(display.ax_) == list(axes)
    assert [ax.get_xlabel() for ax in axes] == ["Time (s)"] * 2
    with pytest.raises(ValueError, match="ax must contain 3"):
        SpectrogramDisplay.from_estimator(frontend, sounds.filenames[:3], ax=axes)


def test_a_wrong_number_of_labels_raises(sounds):
    frontend = fitted_frontend(sounds.filenames)
    with pytest.raises(ValueError, match="60 labels"):
        SpectrogramDisplay.from_estimator(frontend, sounds.filenames, ["a"])
