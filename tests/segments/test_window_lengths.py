"""The default length of windows, and warnings about windows that are too long or too short."""

from copy import deepcopy

import numpy as np
import pytest
from helpers import segment_table, small_classifier, small_frontend, small_pipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

from skdaf import (
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
    clip_length,
    clips_from_segments,
    make_combined_classifier,
    merge_segments,
    predict_segments,
    predict_stream,
    save_model,
    segment_report,
    transform_segments,
    tune_thresholds,
)
from skdaf._segments.window_lengths import window_or_default

RATE = 8000
SOUND = np.random.default_rng(0).standard_normal(40 * RATE), RATE


def clips_of(*seconds):
    return [(SOUND[0][: round(s * RATE)], RATE) for s in seconds]


@pytest.fixture(scope="module")
def model():
    classifier = LogisticRegression()
    return small_pipeline(classifier, n_frames=None).fit(clips_of(1.5, 1.5, 1.5, 1), [*"abab"])


@pytest.fixture(scope="module")
def network():
    """A network that was trained on short clips."""
    return small_classifier(max_epochs=1).fit(clips_of(1, 1, 1, 1), [*"abab"])


class TestDefault:
    def test_is_the_median_length_of_the_training_clips(self, model):
        assert clip_length(model) == window_or_default(model, None) == 1.5
        assert window_or_default(model, 0.25) == 0.25

    def test_is_a_second_if_the_length_is_unknown(self, model):
        other = LogisticRegression().fit([[0], [1]], [0, 1])
        assert clip_length(other) is None
        assert window_or_default(other, None) == 1
        # As if it came from a file of an earlier release.
        old = small_frontend().fit(clips_of(2))
        del old.clip_length_
        assert window_or_default(old, None) == 1

    def test_hand_crafted_features_know_it(self):
        steps = FeatureUnion([("a", PyAudioAnalysisTransformer())]), LogisticRegression()
        model = make_pipeline(*steps).fit(clips_of(2, 2, 3), [*"aba"])
        assert clip_length(model) == clip_length(FrozenEstimator(model)) == 2

    def test_combined_classifiers_know_it(self, tmp_path):
        network = small_classifier(frontend=small_frontend(), max_epochs=1)
        model = make_combined_classifier(network).fit(clips_of(2, 2, 2, 2), [*"abab"])
        calibrated = CalibratedClassifierCV(model, cv=2).fit(clips_of(2, 2, 3, 3), [*"abab"])
        assert clip_length(model) == 2
        assert 2 <= clip_length(calibrated) <= 3
        save_model(model, tmp_path / "model.skops")
        assert clip_length(tmp_path / "model.skops") == 2

    def test_is_not_the_length_of_the_clips_of_a_frozen_network(self, network, tmp_path):
        save_model(network, tmp_path / "network.skops")
        for fixed in (FrozenEstimator(network), tmp_path / "network.skops"):
            features = make_pipeline(CNNFeatureExtractor(fixed), LogisticRegression())
            for model in (features, make_combined_classifier(fixed)):
                model.fit(clips_of(5, 5, 5.5, 4.5), [*"abab"])
                save_model(model, tmp_path / "model.skops")
                assert clip_length(model) == clip_length(tmp_path / "model.skops") == 5
                predict_segments(model, clips_of(10)[0], window=5)  # without a warning

    def test_other_parts_come_before_frozen_ones(self, network):
        combined = make_combined_classifier(FrozenEstimator(network))
        combined.fit(clips_of(5, 5, 5.5, 4.5), [*"abab"])
        extractor = combined.named_estimators_["cnn1"][0]
        del extractor.clip_length_  # as in a file of an earlier release
        assert clip_length(combined) == 5
        # What is frozen as a whole does not look at other clips.
        assert clip_length(make_pipeline(FrozenEstimator(extractor))) == 1

    def test_the_estimator_is_fitted(self):
        for model in (small_classifier(), make_pipeline(small_frontend(), LogisticRegression())):
            with pytest.raises(NotFittedError):
                clip_length(model)

    def test_of_every_function(self, model):
        recording = clips_of(4)[0]
        expected = [(0, 1.5), (1.5, 3), (3, 4)]
        table = predict_segments(model, recording)
        assert [*zip(table.start, table.end, strict=True)] == expected
        rows = predict_stream(model, [recording[0]], RATE)
        assert [(row["start"], row["end"]) for row in rows] == expected


class TestWarning:
    @pytest.mark.parametrize("window", [0.7, 3.3])
    def test_far_from_the_clips_of_the_training(self, model, window):
        with pytest.warns(
            UserWarning, match=rf"window={window} s is far.*\(median 1.5 s\)"
        ) as caught:
            predict_segments(model, clips_of(5)[0], window=window)
        assert caught[0].filename == __file__
        with pytest.warns(UserWarning, match="is far") as caught:
            predict_stream(model, [SOUND[0]], RATE, window=window)
        assert caught[0].filename == __file__

    @pytest.mark.parametrize("window", [0.75, 3, None])
    def test_not_near_them(self, model, window):
        predict_segments(model, clips_of(5)[0], window=window)

    def test_longer_than_the_recording(self):
        frontend = small_frontend().fit(clips_of(1))
        with pytest.warns(UserWarning, match=r"window=1000 s is longer .*\(40 s\)") as caught:
            transform_segments(frontend, SOUND, window=1000)
        assert caught[0].filename == __file__
        transform_segments(frontend, clips_of(0.5)[0], window=1)
        with pytest.warns(UserWarning, match="window=500 s is longer") as caught:
            clips_from_segments(SOUND, segment_table((0, 1, "a")), window=500)
        assert caught[0].filename == __file__

    def test_a_window_gets_one_warning(self, model):
        with pytest.warns(UserWarning, match="far from the length of the clips") as caught:
            predict_segments(model, SOUND, window=500)
        assert len(caught) == 1

    def test_the_default_window_is_no_mistake(self, model):
        model = deepcopy(model)
        model[0].clip_length_ = 50.0
        assert len(predict_segments(model, SOUND)) == 1  # pytest makes warnings errors
        with pytest.warns(UserWarning, match="window=51 s is longer"):
            predict_segments(model, SOUND, window=51)

    def test_shorter_than_a_frame(self, model):
        with pytest.raises(ValueError, match=r"window=0.001 s is shorter than a frame .*\(0.0"):
            predict_segments(model, clips_of(5)[0], window=0.001)
        with pytest.raises(ValueError, match="shorter than a frame"):
            predict_stream(model, [SOUND[0]], RATE, window=0.001)
        with pytest.warns(UserWarning, match=r"window=0.02 s is shorter than a frame") as caught:
            clips_from_segments(SOUND, segment_table((0, 1, "a")), window=0.02)
        assert caught[0].filename == __file__


class TestGaps:
    def test_give_a_warning(self, model):
        recording = clips_of(5)[0]
        calls = [
            lambda **steps: predict_segments(model, recording, **steps),
            lambda **steps: transform_segments(model[:-1], recording, **steps),
            lambda **steps: predict_stream(model, [SOUND[0]], RATE, **steps),
        ]
        for call in calls:
            with pytest.warns(UserWarning, match=r"step=2 s is longer than window=1.5 s") as caught:
                call(window=1.5, step=2)
            assert caught[0].filename == __file__

    def test_with_the_default_window(self, model):
        with pytest.warns(UserWarning, match="at most 1.5"):
            predict_segments(model, clips_of(5)[0], step=2)

    @pytest.mark.parametrize("step", [0.5, 1.5, None])
    def test_are_not_there(self, model, step):
        predict_segments(model, clips_of(5)[0], window=1.5, step=step)


@pytest.mark.filterwarnings("ignore:No window contains")
class TestMilliseconds:
    TABLE = segment_table((0, 300, "a"), (300, 590, "b"))

    @pytest.mark.parametrize("name", ["smooth", "min_duration", "drop_shorter_than"])
    def test_merging(self, name):
        with pytest.warns(UserWarning, match=rf"{name}=1500 s is longer .*\(590 s\)") as caught:
            merge_segments(self.TABLE, **{name: 1500})
        assert caught[0].filename == __file__
        windows = self.TABLE.assign(a=[0.9, 0.1], b=[0.1, 0.9], end=[300, 590])
        with pytest.warns(UserWarning, match=f"{name}=1500 s is longer") as caught:
            tune_thresholds(self.TABLE, windows, **{name: 1500})
        assert caught[0].filename == __file__
        merge_segments(segment_table((0, 1, "a")), **{name: 30})

    @pytest.mark.parametrize("name", ["collar", "tolerance"])
    def test_report(self, name):
        with pytest.warns(UserWarning, match=f"{name}=1000 s is longer") as caught:
            segment_report(self.TABLE, self.TABLE, **{name: 1000})
        assert caught[0].filename == __file__

    def test_duration(self):
        with pytest.warns(UserWarning, match="duration=600000 s, but .* ends at 590 s") as caught:
            segment_report(self.TABLE, self.TABLE, background="c", duration=600_000)
        assert caught[0].filename == __file__
        segment_report(self.TABLE, self.TABLE, background="c", duration=86_400)
