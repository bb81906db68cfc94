"""Pictures: what is on the axes, not only that something is drawn."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from matplotlib import font_manager
from matplotlib.colors import to_hex
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    DurationDisplay,
    EmbeddingDisplay,
    PyAudioAnalysisTransformer,
    SaliencyDisplay,
    SegmentsDisplay,
    SpectrogramDisplay,
    SpectrogramTransformer,
    TrainingDisplay,
    predict_segments,
    save_model,
    write_segments,
)
from skdaf._display import sources as _sources
from skdaf._legacy.spectrogram_transformer import LegacySpectrogramTransformer

pytestmark = pytest.mark.oldest

RATE = 16_000


@pytest.fixture(autouse=True)
def _closed_figures():
    """Draw every picture in full: what is missing or overlaps shows as a warning."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def tone(frequency, duration=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(round(duration * RATE)) / RATE)


def fitted_frontend(X, *args, **params):
    return SpectrogramTransformer(*args, **params).fit(X)


@pytest.fixture(scope="module")
def classifier(sounds, sound_labels):
    model = CNNAudioClassifier(max_epochs=6, random_state=0, hidden_units=(16,))
    return model.fit(sounds.filenames, sound_labels)


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def texts(labels):
    return [label.get_text() for label in labels]


# --- SpectrogramDisplay ---


@pytest.mark.parametrize("frequency", [250, 1000, 3100, 6000])
@pytest.mark.parametrize("params", [{}, {"n_mels": 40, "fmin": 100.0, "fmax": 7000.0}])
def test_a_tone_lies_at_its_frequency(frequency, params):
    X = [tone(frequency)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X, **params), X)
    image = display.images_[0]
    borders = image.get_coordinates()[:, 0, 1]
    row = image.get_array()[:, 10].argmax()
    assert borders[row] <= frequency <= borders[row + 1]


def test_ticks_lie_where_their_frequencies_are():
    X = [tone(1000)]
    display = SpectrogramDisplay.from_estimator(fitted_frontend(X), X)
    ax = display.ax_
    ticks = dict(zip(texts(ax.get_yticklabels()), ax.get_yticks(), strict=True))
    assert ticks["1000"] == 1000
    assert {"500", "1000", "2000", "4000"} <= set(ticks)
    # On the screen bands are equally high: the axis is the mel scale.
    borders = display.images_[0].get_coordinates()[:, 0, 1]
    heights = ax.transData.transform([(0, hz) for hz in borders])[:, 1]
    np.testing.assert_allclose(np.diff(heights), np.diff(heights).mean(), rtol=1e-6)
    bright = display.images_[0].get_array()[:, 10].argmax()
    height_of_1k = ax.transData.transform((0, 1000))[1]
    assert heights[bright] <= height_of_1k <= heights[bright + 1]


def test_narrow_bands_have_ticks_too():
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
    assert display.colorbar_.ax.get_ylabel() == "Level (dB below the peak)"
    assert display.figure_ is ax.figure
    values, borders = image.get_array(), image.get_coordinates()[0, :, 0]
    assert values.max() == 0.0
    assert values.min() == -80.0
    loud = values.max(axis=0) > -30
    first, last = borders[:-1][loud].min(), borders[1:][loud].max()
    np.testing.assert_allclose((first, last), (0.25, 0.5), atol=0.03)
    plain = SpectrogramTransformer(standardize=False).fit_transform(X)[0]
    np.testing.assert_array_equal(values, plain.T)


def test_a_tall_panel_names_more_frequencies_than_a_low_one():
    X = [tone(1000)]
    frontend = fitted_frontend(X)
    counts = []
    for height in (1.2, 6):
        _, ax = plt.subplots(figsize=(5, height), layout="constrained")
        SpectrogramDisplay.from_estimator(frontend, X, ax=ax)
        counts.append(len(ax.get_yticks()))
    assert counts[0] < counts[1]


def test_a_grid_has_a_row_a_class_and_its_name(sounds, sound_labels):
    frontend = fitted_frontend(sounds.filenames)
    display = SpectrogramDisplay.from_estimator(frontend, sounds.filenames, sound_labels, n_clips=3)
    assert len(display.ax_) == len(display.images_) == 9
    titles = [ax.get_title(loc="left") for ax in display.ax_]
    assert titles == ["high_tone", "", "", "low_tone", "", "", "white_noise", "", ""]
    rows = [ax.get_subplotspec().rowspan.start for ax in display.ax_]
    assert rows == [0] * 3 + [1] * 3 + [2] * 3
    assert display.figure_.get_supxlabel() == "Time (s)"
    assert display.figure_.get_supylabel() == "Frequency (Hz)"
    # One scale of time and of colours for all.
    assert len({ax.get_xlim() for ax in display.ax_}) == 1
    assert len({image.get_clim() for image in display.images_}) == 1


def test_clips_without_labels_make_a_square(sounds):
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


def test_a_resized_input_is_shown_at_the_seconds_of_its_clip():
    X = [tone(1000, 1.0), np.concatenate([tone(500, 0.5), tone(4000, 0.5)])]
    frontend = fitted_frontend(X, n_frames=20)
    display = SpectrogramDisplay.from_estimator(frontend, X[1:], processed=True)
    borders = display.images_[0].get_coordinates()[0, :, 0]
    assert len(borders) == 21
    np.testing.assert_allclose(borders[[0, -1]], [0, 1], atol=0.01)
    rows = display.images_[0].get_array().argmax(axis=0)
    changes = np.flatnonzero(np.diff(rows) > 5)
    np.testing.assert_allclose(borders[changes + 1], 0.5, atol=0.03)
    np.testing.assert_array_equal(display.images_[0].get_array(), frontend.transform(X[1:])[0].T)
    assert display.colorbar_.ax.get_ylabel() == "Level (standard deviations)"


def test_a_padded_input_ends_after_its_clip():
    X = [tone(1000, 0.3)]
    frontend = fitted_frontend(X, n_frames=100, length="pad")
    display = SpectrogramDisplay.from_estimator(frontend, X, processed=True)
    np.testing.assert_allclose(display.ax_.get_xlim(), (0, 0.995))


def test_coefficients_are_named_and_shown_row_by_row(sounds):
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
    edges = _sources.band_edges(_sources.settings_for(fitted_frontend(X), X[0]))
    row = values[:64, 20].argmax()
    assert edges[row] <= 440 <= edges[row + 1]
    assert ticks["1000 Hz"] == pytest.approx(np.searchsorted(edges, 1000) - 1, abs=0.6)
    # A4 is the pitch class A: the tenth row from C.
    assert values[64:, 20].argmax() == 9
    assert ticks["C"] == 64


def test_long_recordings_are_averaged_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "MOST_FRAMES", 50)
    monkeypatch.setattr(_sources, "_SECONDS_AT_ONCE", 0.7)
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, 3 * RATE + 777) * np.linspace(0.01, 1, 3 * RATE + 777)
    path = tmp_path / "long.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    frontend = fitted_frontend([path])
    settings = _sources.settings_for(frontend, Clip(path))
    for clip in (Clip(path), Clip(path, 0.0, 100.0), samples.astype(np.float32)):
        spectrogram, times = _sources.own_spectrogram(settings, clip)
        whole = SpectrogramTransformer(standardize=False, top_db=None).fit_transform([path])[0]
        n_together = -(-len(whole) // 50)
        expected = [
            10 * np.log10((10.0 ** (whole[i : i + n_together] / 10)).mean(axis=0))
            for i in range(0, len(whole), n_together)
        ]
        expected -= np.max(expected)
        assert len(spectrogram) == len(expected) <= 50
        np.testing.assert_allclose(spectrogram, expected, atol=2e-3)
        np.testing.assert_allclose(times[[0, -1]], [0, len(samples) / RATE])
        np.testing.assert_allclose(np.diff(times)[1:-1], n_together * 0.01)


def test_long_recordings_have_minutes_and_hours_on_their_axis():
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


def test_the_front_end_is_found_wherever_it_is(classifier, sounds, sound_labels, tmp_path):
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


def test_old_front_ends_are_shown_as_they_are(sounds):
    X = sounds.filenames[:2]
    frontend = LegacySpectrogramTransformer(window_length=0.05, n_mels=40).fit(X)
    display = SpectrogramDisplay.from_estimator(frontend, X)
    for path, spectrogram in zip(X, display.spectrograms, strict=True):
        plain = LegacySpectrogramTransformer(window_length=0.05, n_mels=40, standardize=False)
        np.testing.assert_array_equal(spectrogram, plain.fit_transform([path])[0])


class Own(TransformerMixin, BaseEstimator):
    """A front end that nobody knows."""

    n_dimensions = 3

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.arange(len(X) * 30.0).reshape(len(X), 5, 6)[
            (...,) + (0,) * (3 - self.n_dimensions)
        ]


def test_an_unknown_front_end_is_shown_in_frames_and_bins():
    display = SpectrogramDisplay.from_estimator(Own().fit(None), [tone(1000)])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Frame", "Bin")
    np.testing.assert_array_equal(display.images_[0].get_array(), np.arange(30).reshape(5, 6).T)


def test_spectrograms_are_shown_in_frames_and_bins():
    X = np.random.default_rng(0).standard_normal((12, 8, 9))
    classifier = CNNAudioClassifier(max_epochs=1, channels=(4,)).fit(X, [0, 1] * 6)
    display = SpectrogramDisplay.from_estimator(classifier, X[:1])
    assert display.ax_.get_xlabel() == "Frame"
    np.testing.assert_allclose(display.images_[0].get_array(), X[0].T, rtol=1e-6)


def test_what_makes_no_spectrograms_is_refused():
    own = Own().fit(None)
    own.n_dimensions = 2
    with pytest.raises(TypeError, match="must hold a front end"):
        SpectrogramDisplay.from_estimator(own, [tone(1000)])


def test_drawing_into_given_axes(sounds):
    frontend = fitted_frontend(sounds.filenames)
    figure, axes = plt.subplots(1, 2)
    display = SpectrogramDisplay.from_estimator(frontend, sounds.filenames[:2], ax=axes)
    assert display.figure_ is figure
    assert list(display.ax_) == list(axes)
    assert [ax.get_xlabel() for ax in axes] == ["Time (s)"] * 2
    with pytest.raises(ValueError, match="ax must hold 3 matplotlib axes"):
        SpectrogramDisplay.from_estimator(frontend, sounds.filenames[:3], ax=axes)


def test_labels_must_be_as_many_as_clips(sounds):
    frontend = fitted_frontend(sounds.filenames)
    with pytest.raises(ValueError, match="y must hold 60 labels"):
        SpectrogramDisplay.from_estimator(frontend, sounds.filenames, ["a"])


# --- TrainingDisplay ---


def test_losses_and_scores_are_those_of_the_history(classifier):
    display = TrainingDisplay.from_estimator(classifier)
    assert set(display.lines_) == {"train_loss", "valid_loss", "train_score", "valid_score"} & set(
        classifier.history_
    )
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, classifier.n_epochs_ + 1))
        np.testing.assert_array_equal(line.get_ydata(), classifier.history_[name])
    losses, scores = display.ax_
    assert [ax.get_xlabel() for ax in display.ax_] == ["Epoch", "Epoch"]
    assert losses.get_ylabel() == "Loss (cross-entropy)"
    assert scores.get_ylabel() == "Accuracy"
    for line in display.best_lines_:
        assert line.get_xdata()[0] == classifier.best_epoch_
    assert f"Best epoch ({classifier.best_epoch_})" in texts(losses.get_legend().get_texts())


def test_curves_are_told_apart_without_colours():
    history = {"train_loss": [2.0, 1.0], "valid_loss": [2.1, 1.2]}
    train, valid = TrainingDisplay(history).plot().lines_.values()
    assert train.get_linestyle() != valid.get_linestyle()
    assert train.get_marker() != valid.get_marker()


def test_epochs_are_whole_numbers_from_one_on():
    for n_epochs in (1, 2, 3, 100):
        ax = TrainingDisplay({"train_loss": [1.0] * n_epochs}, best_epoch=1).plot().ax_
        ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert ticks
        assert all(tick == int(tick) >= 1 for tick in ticks)


def test_an_autoencoder_has_losses_only(sounds):
    embedder = ConvAutoencoderEmbedder(max_epochs=2, channels=(4,), random_state=0)
    display = TrainingDisplay.from_estimator(embedder.fit(sounds.filenames))
    assert display.ax_.get_ylabel() == "Mean squared error"
    with pytest.raises(ValueError, match="nothing to draw for kind='score'"):
        TrainingDisplay.from_estimator(embedder, kind="score")


def test_one_of_both_goes_into_one_axes(classifier):
    figure, ax = plt.subplots()
    display = TrainingDisplay.from_estimator(classifier, kind="score", ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_ylabel() == "Accuracy"
    with pytest.raises(ValueError, match="2 matplotlib axes"):
        TrainingDisplay.from_estimator(classifier, ax=ax)


def test_only_networks_are_trained(sounds):
    with pytest.raises(ValueError, match="CNNAudioClassifier"):
        TrainingDisplay.from_estimator(fitted_frontend(sounds.filenames))


# --- SegmentsDisplay ---


@pytest.fixture(scope="module")
def recording(sounds, sound_labels, tmp_path_factory):
    """Return a recording of six clips and a table of what is where."""
    rows = np.arange(0, 60, 10)
    parts = [soundfile.read(sounds.filenames[row])[0] for row in rows]
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.concatenate(parts), RATE)
    ends = np.cumsum([len(part) for part in parts]) / RATE
    true = pd.DataFrame({"start": [0, *ends[:-1]], "end": ends, "label": sound_labels[rows]})
    return path, true


def bars(collection):
    """Return (start, end) of each bar."""
    return [tuple(path.vertices[:, 0][[0, 2]]) for path in collection.get_paths()]


def test_segments_lie_at_their_times_in_their_lanes(classifier, recording):
    path, true = recording
    display = SegmentsDisplay.from_estimator(classifier, path, true=true, window=0.2, step=0.1)
    spectrogram, bands, lanes = display.ax_
    assert texts(lanes.get_yticklabels()) == ["true", "predicted"]
    assert (spectrogram.get_ylabel(), lanes.get_xlabel()) == ("Frequency (Hz)", "Time (s)")
    duration = true.end.iloc[-1]
    for ax in display.ax_:
        np.testing.assert_allclose(ax.get_xlim(), (0, duration))
    for label, rows in true.groupby("label"):
        spans = bars(display.bars_["true", label])
        np.testing.assert_allclose(spans, rows[["start", "end"]].to_numpy())
        heights = display.bars_["true", label].get_paths()[0].vertices[:, 1]
        assert (heights.min() + heights.max()) / 2 == pytest.approx(0)
    assert texts(bands.get_yticklabels()) == list(classifier.classes_)
    assert set(texts(display.legend_.get_texts())) >= set(true.label)


def test_bands_are_the_probabilities(classifier, recording):
    path, _ = recording
    display = SegmentsDisplay.from_estimator(classifier, path, window=0.2)
    windows = predict_segments(classifier, path, window=0.2)
    np.testing.assert_allclose(
        display.bands_.get_array(), windows[list(classifier.classes_)].to_numpy().T
    )
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, :-1, 0], windows.start)
    assert display.bands_.get_clim() == (0, 1)
    # The first class is on top.
    bands = display.ax_[1]
    assert bands.get_ylim() == (2.5, -0.5)


def test_predicted_segments_are_merged_and_smoothed_in_the_lane():
    predicted = pd.DataFrame(
        {"start": [0, 1, 2, 3], "end": [1, 2, 3, 4], "label": ["a", "a", "b", "a"]}
    )
    plain = SegmentsDisplay.from_predictions(None, predicted)
    assert bars(plain.bars_["predicted", "a"]) == [(0, 2), (3, 4)]
    smooth = SegmentsDisplay.from_predictions(None, predicted, min_duration=1.5)
    assert bars(smooth.bars_["predicted", "a"]) == [(0, 4)]
    assert texts(plain.ax_[-1].get_yticklabels()) == ["predicted"]


def test_gaps_stay_empty():
    table = pd.DataFrame(
        {"start": [0, 5], "end": [1, 6], "label": ["a", "b"], "a": [0.9, 0.2], "b": [0.1, 0.8]}
    )
    display = SegmentsDisplay.from_predictions(None, table)
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, :, 0], [0, 1, 5, 6])
    values = display.bands_.get_array()
    np.testing.assert_allclose(values[:, [0, 2]], [[0.9, 0.2], [0.1, 0.8]])
    assert np.ma.getmaskarray(np.ma.masked_invalid(values))[:, 1].all()


def test_classes_have_colours_of_their_own_the_same_in_both_lanes():
    labels = list("abcdefghij")
    table = pd.DataFrame({"start": range(10), "end": range(1, 11), "label": labels})
    display = SegmentsDisplay.from_predictions(table, table)
    look = {
        key: (to_hex(found.get_facecolor()[0]), found.get_hatch())
        for key, found in display.bars_.items()
    }
    assert len({look["true", label] for label in labels}) == 10
    assert all(look["true", label] == look["predicted", label] for label in labels)


def test_segments_name_themselves_where_they_have_room():
    table = pd.DataFrame({"start": [0, 9.9], "end": [9.9, 10], "label": ["wide", "narrow"]})
    display = SegmentsDisplay.from_predictions(None, table)
    assert texts(display.ax_[-1].texts) == ["wide"]


def test_true_segments_may_lie_in_a_file(tmp_path, recording):
    path, true = recording
    write_segments(true, tmp_path / "true.txt")
    display = SegmentsDisplay.from_predictions(tmp_path / "true.txt", true, path=path)
    assert len(display.ax_) == 2
    assert {lane for lane, _ in display.bars_} == {"true", "predicted"}


def test_a_part_of_a_recording_keeps_the_times_of_the_recording(classifier, recording):
    path, true = recording
    part = Clip(path, 0.4, 1.2)
    display = SegmentsDisplay.from_estimator(classifier, part, true=true, window=0.2)
    for ax in display.ax_:
        np.testing.assert_allclose(ax.get_xlim(), (0.4, 1.2))
    np.testing.assert_allclose(display.bands_.get_coordinates()[0, [0, -1], 0], [0.4, 1.2])


def test_other_classifiers_are_shown_too(sounds, sound_labels, recording):
    model = make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression(max_iter=10_000))
    model.fit(sounds.filenames, sound_labels)
    display = SegmentsDisplay.from_estimator(model, recording[0], window=0.2)
    assert display.spectrogram.features == "mel"
    assert len(display.ax_) == 3


def test_hours_of_segments_are_drawn():
    n = 9000
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(50) * 0.1, n)
    names = [f"species {i:02d}" for i in range(50)]
    table = pd.DataFrame({"start": np.arange(n) * 2.0, "end": np.arange(n) * 2.0 + 2})
    table["label"] = [names[i] for i in shares.argmax(axis=1)]
    table[names] = shares
    display = SegmentsDisplay.from_predictions(None, table)
    assert display.bands_.get_array().shape == (50, 1800)
    np.testing.assert_allclose(display.bands_.get_array()[:, 0], shares[:5].mean(axis=0))
    assert display.ax_[-1].get_xlabel() == "Time (h:min:s)"


@pytest.mark.parametrize("name", ["start", "label"])
def test_a_class_may_be_called_like_a_column(name):
    table = pd.DataFrame({"start": [0], "end": [1], "label": [name], f"{name}_": [0.7], "x": [0.3]})
    display = SegmentsDisplay.from_predictions(None, table)
    assert texts(display.ax_[0].get_yticklabels()) == [name, "x"]
    assert list(display.bars_) == [("predicted", name)]


# --- EmbeddingDisplay ---


def test_points_are_principal_components_by_class():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((30, 5)) * [9, 4, 1, 1, 1]
    y = np.array(["a", "b", "c"] * 10)
    display = EmbeddingDisplay.from_embeddings(embeddings, y)
    centred = embeddings - embeddings.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    for label, points in display.scatters_.items():
        expected = np.abs((centred @ axes.T)[y == label])
        np.testing.assert_allclose(np.abs(points.get_offsets()), expected, atol=1e-8)
    assert texts(display.legend_.get_texts()) == ["a", "b", "c"]
    assert display.ax_.get_xlabel().startswith("Principal component 1 (")
    assert "% of the variance" in display.ax_.get_ylabel()


def test_fifty_classes_look_different_and_are_all_named():
    rng = np.random.default_rng(0)
    y = np.array([f"class {i:02d} with a name that is too long to show" for i in range(50)])
    display = EmbeddingDisplay.from_embeddings(rng.standard_normal((50, 4)), y)
    looks = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.scatters_.values()
    }
    assert len(looks) == 50
    assert len({*texts(display.legend_.get_texts())}) == 50


def test_any_transformer_projects():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((20, 4))
    display = EmbeddingDisplay.from_embeddings(embeddings, projection=TSNE(perplexity=5))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("TSNE 1", "TSNE 2")
    fitted = make_pipeline(fitted_pca(embeddings))
    display = EmbeddingDisplay.from_embeddings(embeddings[:3], projection=FrozenEstimator(fitted))
    np.testing.assert_allclose(display.points, fitted.transform(embeddings[:3]))


def fitted_pca(embeddings):
    from sklearn.decomposition import PCA

    return PCA(2).fit(embeddings)


def test_what_is_embedded_depends_on_the_estimator(classifier, sounds, sound_labels):
    X = sounds.filenames[:10]
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier)).fit(X)
    pipeline = make_pipeline(extractor, LogisticRegression()).fit(sounds.filenames, sound_labels)
    expected = EmbeddingDisplay.from_embeddings(extractor.transform(X)).points
    for estimator in (extractor, classifier, pipeline):
        points = EmbeddingDisplay.from_estimator(estimator, X).points
        np.testing.assert_allclose(points, expected, atol=1e-4)


def test_numbers_with_a_fraction_are_a_scale():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=20)
    display = EmbeddingDisplay.from_embeddings(rng.standard_normal((20, 3)), y)
    np.testing.assert_array_equal(display.scatters_[None].get_array(), y)
    assert display.colorbar_ is not None
    assert display.legend_ is None


def test_one_feature_and_two_clips_are_enough():
    display = EmbeddingDisplay.from_embeddings(np.array([[0.0], [1.0]]), ["a", "b"])
    assert np.asarray(display.points).shape == (2, 2)
    with pytest.raises(ValueError, match="at least 2 clips"):
        EmbeddingDisplay.from_embeddings(np.ones((1, 4)))
    with pytest.raises(ValueError, match="labels must hold one label for each of the 2 points"):
        EmbeddingDisplay.from_embeddings(np.eye(2), ["a"])


# --- SaliencyDisplay ---


def two_bands(n_clips, duration=0.4):
    """Return noise everywhere and a tone in one of two bands, which is the class."""
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


def test_the_band_that_decides_lights_up(band_classifier):
    X, y = two_bands(4)
    display = SaliencyDisplay.from_estimator(band_classifier, X)
    for image, label in zip(display.images_, y, strict=True):
        heat = image.get_array().sum(axis=1)
        borders = image.get_coordinates()[:, 0, 1]
        pitch = {"low": 500, "high": 4000}[label]
        row = heat.argmax()
        # Half of all lies within eight of the 64 bands around the tone.
        place = np.searchsorted(borders, pitch) - 1
        assert abs(row - place) <= 6
        assert heat[max(0, place - 8) : place + 9].sum() > 0.5 * heat.sum()


def test_saliencies_lie_over_the_seconds_and_hertz_of_the_clip(band_classifier):
    X, _ = two_bands(2, duration=0.8)
    display = SaliencyDisplay.from_estimator(band_classifier, X[:1])
    ax, image = display.ax_, display.images_[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    # The network sees 41 frames; resized from twice as many, they cover all of the clip.
    borders = image.get_coordinates()[0, :, 0]
    assert len(borders) == band_classifier.input_shape_[0] + 1
    np.testing.assert_allclose(borders[[0, -1]], [0, 0.8], atol=0.011)
    assert ax.get_xlim() == (0, 0.8)
    assert len(ax.collections) == 2
    assert display.colorbar_.ax.get_ylabel() == "Saliency (share of the largest)"
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
    with pytest.raises(ValueError, match="layer must be one of"):
        SaliencyDisplay.from_estimator(band_classifier, X, layer="conv9")
    with pytest.raises(ValueError, match="'method' parameter"):
        SaliencyDisplay.from_estimator(band_classifier, X, method="magic")
    with pytest.raises(ValueError, match="target 'none' is none of the classes"):
        SaliencyDisplay.from_estimator(band_classifier, X, target="none")
    with pytest.raises(ValueError, match="target must be one label or 1"):
        SaliencyDisplay.from_estimator(band_classifier, X, target=["low", "low"])


def test_a_pipeline_with_its_front_end_is_explained_alike(sounds, sound_labels):
    steps = make_pipeline(
        SpectrogramTransformer(), CNNAudioClassifier(max_epochs=2, random_state=0)
    )
    steps.fit(sounds.filenames, sound_labels)
    whole = CNNAudioClassifier(max_epochs=2, random_state=0).fit(sounds.filenames, sound_labels)
    X = sounds.filenames[:1]
    both = [SaliencyDisplay.from_estimator(model, X) for model in (steps, whole)]
    np.testing.assert_allclose(both[0].saliencies[0], both[1].saliencies[0], atol=1e-5)
    assert both[0].ax_.get_ylabel() == "Frequency (Hz)"


def test_the_network_is_as_it_was(band_classifier):
    X, _ = two_bands(2)
    before = band_classifier.predict_proba(X)
    SaliencyDisplay.from_estimator(band_classifier, X)
    np.testing.assert_array_equal(band_classifier.predict_proba(X), before)


def test_only_classifiers_listen_for_something(sounds):
    embedder = ConvAutoencoderEmbedder(max_epochs=1, channels=(4,)).fit(sounds.filenames[:12])
    with pytest.raises(TypeError, match="needs a classifier, got a ConvAutoencoderEmbedder"):
        SaliencyDisplay.from_estimator(embedder, sounds.filenames[:1])


# --- DurationDisplay ---


def test_durations_are_those_of_the_files(sounds, sound_labels):
    display = DurationDisplay.from_clips(sounds.filenames, sound_labels)
    durations = np.array([soundfile.info(path).duration for path in sounds.filenames])
    np.testing.assert_allclose(display.durations, durations)
    labels = texts(display.ax_.get_yticklabels())
    assert labels == ["high_tone (20)", "low_tone (20)", "white_noise (20)"]
    for row, (dots, label) in enumerate(zip(display.dots_, np.unique(sound_labels), strict=True)):
        x, y = dots.get_offsets().T
        np.testing.assert_allclose(np.sort(x), np.sort(durations[sound_labels == label]))
        assert np.abs(y - row).max() < 0.5
    assert display.median_line_.get_xdata()[0] == np.median(durations)
    assert display.percentile_line_.get_xdata()[0] == np.quantile(durations, 0.95)
    assert display.ax_.get_xlabel() == "Duration (s)"
    assert display.ax_.get_xscale() == "linear"
    assert display.ax_.get_xlim()[0] == 0
    # The first class is on top.
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_the_marks_are_what_the_front_end_would_choose(sounds):
    display = DurationDisplay.from_clips(sounds.filenames)
    for length, line in [("resize", display.median_line_), ("pad", display.percentile_line_)]:
        n_frames = fitted_frontend(sounds.filenames, length=length).n_frames_
        assert abs(n_frames * 0.01 - line.get_xdata()[0]) < 0.03


def test_waveforms_have_durations_too():
    display = DurationDisplay.from_clips([np.zeros(8000), np.zeros(16000)], sampling_rate=8000)
    np.testing.assert_array_equal(display.durations, [1.0, 2.0])
    assert texts(display.ax_.get_yticklabels()) == ["all clips (2)"]


def test_durations_of_all_sizes_have_a_logarithmic_axis():
    assert DurationDisplay([1.0, 1.0, 100.0]).plot().ax_.get_xscale() == "log"
    assert DurationDisplay([1.0, 1.0, 100.0]).plot(xscale="linear").ax_.get_xscale() == "linear"


def test_fifty_classes_have_a_row_each():
    names = [f"a class with quite a long name, number {i:02d}, in words" for i in range(50)]
    display = DurationDisplay(np.linspace(1, 2, 100), labels=names * 2).plot()
    assert len(display.dots_) == 50
    assert len({*texts(display.ax_.get_yticklabels())}) == 50
    assert display.figure_.get_figheight() > 10


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "no.wav"
    with pytest.raises(AudioReadError, match=r"no\.wav"):
        DurationDisplay.from_clips([path])
    with pytest.raises(ValueError, match="one label for each of the 2 durations"):
        DurationDisplay([1.0, 2.0], labels=["a"]).plot()


# --- names, fonts, matplotlib itself ---


@pytest.mark.parametrize(
    "names", [["Ωμέγα", "δέλτα"], ["a$b$c", "x_1^2$"], ["_silence", "two\nlines"]]
)
def test_names_are_drawn_as_they_are(names):
    shown = [" ".join(name.split()) for name in names]
    display = EmbeddingDisplay.from_embeddings(np.eye(2), names)
    display.figure_.canvas.draw()
    found = [text.replace("\\$", "$").strip() for text in texts(display.legend_.get_texts())]
    assert sorted(found) == sorted(shown)
    DurationDisplay([1.0, 2.0], labels=names).plot()
    table = pd.DataFrame({"start": [0, 1], "end": [1, 2], "label": names})
    display = SegmentsDisplay.from_predictions(None, table)
    assert len(display.legend_.get_texts()) == 2


def font_with(letters, path):
    """Write a font whose letters are all the same square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in [(100, 700), (800, 700), (800, 0)]:
        pen.lineTo(point)
    pen.closePath()
    names = [".notdef", *(f"u{ord(letter):X}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):X}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares of the test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def test_a_font_that_has_the_letters_is_found(tmp_path, monkeypatch):
    # Of a range that no font has by custom.
    letters = "\U000f1234\U000f1235"
    font_with(letters, tmp_path / "squares.ttf")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    font_manager.fontManager.addfont(tmp_path / "squares.ttf")
    display = EmbeddingDisplay.from_embeddings(np.eye(2), list(letters))
    assert texts(display.legend_.get_texts()) == list(letters)
    families = display.legend_.get_texts()[0].get_fontfamily()
    assert families[-1] == "Squares of the test"
    display.figure_.canvas.draw()


def test_letters_that_no_font_has_become_numbers_with_a_warning():
    names = ["\U000f1234 bird", "cat"]
    with pytest.warns(UserWarning, match="No installed font has the letters '\\\\U000f1234'"):
        display = EmbeddingDisplay.from_embeddings(np.eye(2), names)
    assert sorted(texts(display.legend_.get_texts())) == ["<F1234> bird", "cat"]
    display.figure_.canvas.draw()


DRAWINGS = {
    "SpectrogramDisplay.plot": lambda: SpectrogramDisplay([np.zeros((2, 2))]).plot(),
    "TrainingDisplay.plot": lambda: TrainingDisplay({"train_loss": [1.0]}).plot(),
    "SegmentsDisplay.from_predictions": lambda: SegmentsDisplay.from_predictions(None, None),
    "EmbeddingDisplay.from_embeddings": lambda: EmbeddingDisplay.from_embeddings(np.eye(2)),
    "SaliencyDisplay.from_estimator": lambda: SaliencyDisplay.from_estimator(None, None),
    "DurationDisplay.from_clips": lambda: DurationDisplay.from_clips(["x.wav"]),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_matplotlib_an_error_says_how_to_install_it(name, no_matplotlib):
    with pytest.raises(ImportError, match=rf"{name} draws with matplotlib.*skdaf\[plot\]"):
        DRAWINGS[name]()


def test_displays_need_neither_matplotlib_nor_torch_until_they_draw():
    code = "import sys; from skdaf import SpectrogramDisplay, SaliencyDisplay; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"matplotlib", "torch"}.isdisjoint(run.stdout.split())


@pytest.mark.parametrize("seconds", [0.5, 30.0])
def test_pictures_show_the_channel_of_the_front_end(tmp_path, seconds):
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, round(seconds * RATE)))
    right[: len(right) // 2] = 0
    both, alone = tmp_path / "both.wav", tmp_path / "right.wav"
    soundfile.write(both, np.column_stack([left, right]), RATE)
    soundfile.write(alone, right, RATE)
    pictures = [
        _sources.own_spectrogram(_sources.settings_for(frontend, Clip(path)), Clip(path))[0]
        for path, frontend in [
            (both, fitted_frontend([both], channel=1)),
            (alone, fitted_frontend([alone])),
        ]
    ]
    np.testing.assert_array_equal(*pictures)
