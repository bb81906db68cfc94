"""Numbers over time."""

import numpy as np
import pandas as pd
import pytest
from helpers import small_pipeline, texts
from sklearn.linear_model import Ridge

from skdaf import Clip, SegmentsDisplay, ValuesDisplay, load_audio, predict_segments, save_model
from skdaf._segments.smoothing import smooth_values

pytestmark = [
    pytest.mark.oldest,
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
]


@pytest.fixture(scope="module")
def ridge(sounds):
    return small_pipeline(Ridge()).fit(sounds.filenames, 100.0 * sounds.target)


@pytest.fixture(scope="module")
def path(sounds):
    return sounds.filenames[0]


def values(n_windows=6, n_targets=1, step=1.0):
    starts = step * np.arange(n_windows)
    names = ["value"] if n_targets == 1 else [f"value_{i}" for i in range(n_targets)]
    columns = {name: np.arange(n_windows) + 10.0 * i for i, name in enumerate(names)}
    return pd.DataFrame({"start": starts, "end": starts + 1, **columns})


def test_the_curve_goes_through_the_middles_of_the_windows(ridge, path):
    options = {"window": 0.05, "step": 0.02}
    display = ValuesDisplay.from_estimator(ridge, path, **options)
    table = predict_segments(ridge, path, **options)
    line = display.lines_["predicted", "value"]
    np.testing.assert_allclose(line.get_xdata(), (table.start + table.end) / 2)
    np.testing.assert_allclose(line.get_ydata(), table.value)
    spectrogram, curve = display.ax_
    assert (spectrogram.get_ylabel(), curve.get_ylabel()) == ("Frequency (Hz)", "value")
    samples, rate = load_audio(path)
    for panel in display.ax_:
        np.testing.assert_allclose(panel.get_xlim(), (0, len(samples) / rate))


def test_smoothing(ridge, path):
    options = {"window": 0.05, "step": 0.02}
    display = ValuesDisplay.from_estimator(ridge, path, **options, smooth=0.1)
    expected = smooth_values(predict_segments(ridge, path, **options), 0.1)
    drawn = display.lines_["predicted", "value"].get_ydata()
    np.testing.assert_allclose(drawn, expected.value)
    assert not np.allclose(drawn, display.predicted.value)


def test_several_targets_have_a_panel_each():
    display = ValuesDisplay.from_predictions(None, values(n_targets=3))
    assert [panel.get_ylabel() for panel in display.ax_] == ["value_0", "value_1", "value_2"]
    for number in range(3):
        drawn = display.lines_["predicted", f"value_{number}"].get_ydata()
        np.testing.assert_array_equal(drawn, np.arange(6) + 10 * number)


def test_true_values_are_horizontal_lines():
    true = pd.DataFrame({"start": [0, 4], "end": [3, 6], "value": [1.5, 4.5]})
    display = ValuesDisplay.from_predictions(true, values())
    line = display.lines_["true", "value"]
    np.testing.assert_array_equal(line.get_xdata(), [0, 3, np.nan, 4, 6, np.nan])
    np.testing.assert_array_equal(line.get_ydata(), [1.5, 1.5, np.nan, 4.5, 4.5, np.nan])
    assert texts(display.ax_[0].get_legend().get_texts()) == ["true", "predicted"]


def test_the_values_of_a_part_fill_its_panel(path):
    predicted = pd.DataFrame({"start": [0.0, 0.1, 0.2, 50], "value": [1.0, 2, 4, 900]})
    predicted["end"] = predicted.start + 0.1
    true = pd.DataFrame({"start": [0.0, 0.1], "end": [0.1, 60], "value": [800, 5]})
    options = {"path": Clip(path, 0.15, 0.2)}
    # The curve goes from 2 (at 0.15 s) to 3 (at 0.2 s).
    low, high = ValuesDisplay.from_predictions(None, predicted, **options).ax_[-1].get_ylim()
    assert (low, high) == pytest.approx((1.95, 3.05), abs=0.05)
    low, high = ValuesDisplay.from_predictions(true, predicted, **options).ax_[-1].get_ylim()
    assert (low, high) == pytest.approx((1.85, 5.15), abs=0.05)
    # A panel without values keeps its limits.
    options = {"path": Clip(path, 0.0, 0.01)}
    assert ValuesDisplay.from_predictions(None, predicted[2:], **options).ax_[-1].get_ylim()


def test_missing_windows_are_gaps_but_steps_longer_than_windows_are_not():
    line = ValuesDisplay.from_predictions(None, values().drop(index=[2, 3])).lines_
    np.testing.assert_array_equal(
        line["predicted", "value"].get_xdata(), [0.5, 1.5, np.nan, 4.5, 5.5]
    )
    line = ValuesDisplay.from_predictions(None, values(step=3.0)).lines_["predicted", "value"]
    assert np.isfinite(line.get_xdata()).all()


def test_one_window_and_none():
    display = ValuesDisplay.from_predictions(None, values(1))
    assert display.lines_["predicted", "value"].get_marker() == "."
    assert len(ValuesDisplay.from_predictions(None, values(0)).ax_) == 1


def test_saved_models_and_given_axes(ridge, path, tmp_path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2)
    display = ValuesDisplay.from_predictions(None, values(n_targets=2), ax=axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="2 matplotlib axes"):
        ValuesDisplay.from_predictions(None, values(n_targets=2), ax=axes[:1])
    with_path = ValuesDisplay.from_predictions(None, values(1), path=path)
    assert len(with_path.ax_) == 2


def test_what_cannot_be_shown(ridge, classifier, path):
    with pytest.raises(TypeError, match="got a classifier: show its labels with SegmentsDisplay"):
        ValuesDisplay.from_estimator(classifier, path, window=0.2)
    with pytest.raises(ValueError, match=r"value_1, ...\).*'label'.*use SegmentsDisplay"):
        ValuesDisplay.from_predictions(None, predict_segments(classifier, path, window=0.2))
    with pytest.raises(TypeError, match="with ValuesDisplay"):
        SegmentsDisplay.from_estimator(ridge, path)
    with pytest.raises(ValueError, match="true must have the columns start, end, value_0, value_1"):
        ValuesDisplay.from_predictions(values(), values(n_targets=2))
    with pytest.raises(ValueError, match="got a list"):
        ValuesDisplay.from_predictions(None, [1, 2])


def test_saved_regressors(ridge, path, tmp_path):
    from skdaf import CNNAudioRegressor

    model = CNNAudioRegressor(channels=(4,), max_epochs=1, random_state=0)
    model.set_params(frontend__n_mels=16, frontend__n_frames=12).fit([path] * 4, [1, 2, 3, 4])
    save_model(model, tmp_path / "model.skops")
    display = ValuesDisplay.from_estimator(tmp_path / "model.skops", path, window=0.1)
    assert len(display.ax_) == 2
