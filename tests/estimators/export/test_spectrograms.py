"""The front end in an ONNX file gives the spectrograms of `SpectrogramTransformer`."""

import warnings

import numpy as np
import pytest
from exporting import difficult_clips, exported, metadata, run, session_of
from helpers import any_length, import_or_skip, noise, silence
from hypothesis import given, settings
from hypothesis import strategies as st

from skdaf import CNNAudioClassifier, SpectrogramTransformer
from skdaf._estimators.export.graph import OnnxGraph
from skdaf._estimators.export.spectrograms import add_spectrogram
from skdaf._estimators.export.standardization import add_finish

pytestmark = [any_length, silence]

CASES = [
    {},
    {"features": "mfcc"},
    {"features": "mel+chroma"},
    {"features": "mfcc", "length": "pad", "n_mfcc": 5},
    {"features": "mel+chroma", "length": "pad", "n_mels": 10},
    {"length": "pad", "n_frames": 20, "mean_subtraction": 0.0},
    {"length": "pad", "standardize": False},
    {"length": "tile"},
    {"length": "tile", "n_frames": 11, "hop_length": 0.005},
    {"standardize": False, "top_db": None},
    {"standardize": False, "top_db": 30.0, "n_frames": 1},
    {"n_frames": 7, "mean_subtraction": 1.0},
    {"window_length": 0.0601, "hop_length": 0.0123, "fmin": 100.0, "fmax": 5000.0},
    {"window_length": 0.001, "hop_length": 0.01, "n_mels": 3},
    {"n_mels": 1, "hop_length": 0.02},
]


def fitted(params):
    clips = [noise(seed, 1000 + 900 * seed) for seed in range(5)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bands that are narrower than the window can resolve
        return SpectrogramTransformer(**params).fit(clips)


def frontend_session(transformer):
    """Return a session that runs only a front end."""
    import_or_skip("onnx")
    graph, extraction = OnnxGraph(), transformer._extraction_at_one_rate()
    frames = add_spectrogram(graph, "waveform", extraction.settings)
    graph.rename(add_finish(graph, frames, extraction), "spectrogram")
    shapes = {"waveform": ["n", "samples"]}, {"spectrogram": ["n", "frames", "bins"]}
    model = graph.to_model(*shapes, description="", metadata={}, producer_version="")
    return session_of(model.SerializeToString())


@pytest.mark.parametrize("params", CASES, ids=str)
def test_spectrograms_are_those_of_the_transformer(params):
    transformer = fitted(params)
    clips = difficult_clips()
    found = run(frontend_session(transformer), clips)
    expected = transformer.transform(clips)
    # Without top_db, the levels between the harmonics of a pure tone are rounding errors.
    tolerance = 0.3 if transformer.top_db is None else 3e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=tolerance)
    usual = [row for row, clip in enumerate(clips) if len(clip) > 1 and 0.01 < clip.std() < 1]
    np.testing.assert_allclose(found[usual][:8], expected[usual][:8], rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=8)
@given(
    st.fixed_dictionaries(
        {
            "features": st.sampled_from(["mel", "mfcc", "mel+chroma"]),
            "sampling_rate": st.sampled_from([1000, 8000, 22050, 44100]),
            "window_length": st.floats(0.01, 0.08),
            "hop_length": st.floats(0.004, 0.05),
            "n_mels": st.integers(13, 40),
            "top_db": st.sampled_from([None, 20.0, 80.0]),
            "standardize": st.booleans(),
            "mean_subtraction": st.floats(0, 1),
            "length": st.sampled_from(["auto", "resize", "tile", "pad"]),
            "n_frames": st.none() | st.integers(1, 60),
        }
    ),
    st.integers(1, 30_000),
)
def test_any_settings_and_any_length(params, n_samples):
    transformer = fitted(params)
    clips = [noise(seed, n_samples) for seed in range(2)]
    (found,) = frontend_session(transformer).run(None, {"waveform": np.stack(clips)})
    np.testing.assert_allclose(found, transformer.transform(clips), rtol=1e-3, atol=3e-3)


@pytest.mark.parametrize("params", [{}, {"features": "mfcc", "length": "pad"}], ids=str)
def test_minutes_of_sound(params):
    transformer = fitted({**params, "sampling_rate": 44_100})
    clip = noise(0, 60 * 44_100)
    found = run(frontend_session(transformer), [clip])
    np.testing.assert_allclose(found, transformer.transform([clip]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("params", "window"),
    [
        ({"length": "pad", "n_frames": 101}, 1.0),
        ({"length": "tile", "n_frames": 51}, 0.5),
        ({"length": "pad", "n_frames": 1}, 0.01),
        ({"length": "resize"}, None),
    ],
)
def test_the_window_is_the_duration_that_neither_pads_nor_cuts(params, window, tmp_path):
    clips = [noise(seed, 8000) for seed in range(4)]
    classifier = CNNAudioClassifier(channels=(2,), hidden_units=(2,), max_epochs=1, random_state=0)
    classifier.set_params(frontend=SpectrogramTransformer(**params)).fit(clips, [0, 1, 0, 1])
    found = metadata(exported(classifier, tmp_path)).get("window")
    assert (None if found is None else float(found)) == window
    if window is not None and params["n_frames"] > 1:
        settings = classifier.frontend_._extraction_at_one_rate().settings
        assert settings.n_frames(round(window * 16_000)) == classifier.frontend_.n_frames_
