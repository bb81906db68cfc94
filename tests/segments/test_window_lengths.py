"""Warnings about windows that are probably too long or too short."""

import numpy as np
import pytest
from helpers import segment_table, small_frontend, small_pipeline
from sklearn.linear_model import LogisticRegression

from skdaf import (
    clips_from_segments,
    merge_segments,
    predict_segments,
    predict_stream,
    segment_report,
    transform_segments,
    tune_thresholds,
)
from skdaf._features.usual_length import usual_seconds

RATE = 8000
SOUND = np.random.default_rng(0).standard_normal(40 * RATE), RATE


def clips_of(*seconds):
    return [(SOUND[0][: round(s * RATE)], RATE) for s in seconds]


@pytest.fixture(scope="module")
def model():
    classifier = LogisticRegression()
    return small_pipeline(classifier, n_frames=None).fit(clips_of(1, 1, 1, 1), [*"abab"])


class TestUsualSeconds:
    @pytest.mark.parametrize("parameters", [{}, {"length": "pad"}, {"length": "tile"}])
    @pytest.mark.parametrize("seconds", [0.5, 1.5, 6, 16])
    def test_contain_the_length_of_most_clips(self, seconds, parameters):
        frontend = small_frontend(n_frames=None, **parameters).fit(clips_of(seconds, seconds, 3))
        if parameters.get("length") == "pad":
            seconds = max(seconds, 3)
        low, high = usual_seconds(frontend)
        assert low - 0.05 < seconds < high + 0.05
        assert high <= 4.1 * low

    @pytest.mark.parametrize("length", ["resize", "pad"])
    def test_are_unknown_if_the_user_chose_the_frames(self, length):
        frontend = small_frontend(length=length).fit(clips_of(1, 1))
        assert usual_seconds(frontend) is None

    def test_are_unknown_for_others(self):
        assert usual_seconds(None) is usual_seconds(LogisticRegression()) is None


class TestWarning:
    @pytest.mark.parametrize("window", [0.2, 4.2])
    def test_far_from_the_clips_of_the_training(self, model, window):
        with pytest.warns(UserWarning, match=f"window={window} s is far") as caught:
            predict_segments(model, clips_of(5)[0], window=window)
        assert caught[0].filename == __file__
        with pytest.warns(UserWarning, match="is far") as caught:
            predict_stream(model, [SOUND[0]], RATE, window=window)
        assert caught[0].filename == __file__

    @pytest.mark.parametrize("window", [0.3, 3.8])
    def test_not_near_them(self, model, window):
        predict_segments(model, clips_of(5)[0], window=window)

    def test_longer_than_the_recording(self):
        frontend = small_frontend().fit(clips_of(1))
        with pytest.warns(UserWarning, match=r"window=1000 s is longer .*\(40 s\)"):
            transform_segments(frontend, SOUND, window=1000)
        transform_segments(frontend, clips_of(0.5)[0], window=1)
        with pytest.warns(UserWarning, match="window=500 s is longer") as caught:
            clips_from_segments(SOUND, segment_table((0, 1, "a")), window=500)
        assert caught[0].filename == __file__

    def test_shorter_than_a_frame(self, model):
        with pytest.raises(ValueError, match=r"window=0.001 s is shorter than a frame .*\(0.0"):
            predict_segments(model, clips_of(5)[0], window=0.001)
        with pytest.raises(ValueError, match="shorter than a frame"):
            predict_stream(model, [SOUND[0]], RATE, window=0.001)
        with pytest.warns(UserWarning, match=r"window=0.02 s is shorter than a frame") as caught:
            clips_from_segments(SOUND, segment_table((0, 1, "a")), window=0.02)
        assert caught[0].filename == __file__


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
