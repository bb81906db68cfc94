import numpy as np
import pytest
from helpers import write_audio

from skdaf import CNNAudioClassifier, PyAudioAnalysisTransformer, SpectrogramTransformer, load_audio
from skdaf._core.limits import check_at_most

SOUNDS = np.random.default_rng(0).standard_normal((4, 2000))


def test_the_error_names_what_is_too_large():
    check_at_most(5, 5, "n_mels")
    for value in (6, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=rf"n_mels.* 5, got {value}"):
            check_at_most(value, 5, "n_mels")


@pytest.mark.parametrize(
    ("transformer", "reason"),
    [
        (SpectrogramTransformer(sampling_rate=10**12), r"sampling_rate \(in Hz\)"),
        (SpectrogramTransformer(n_mels=10**9), "n_mels"),
        (SpectrogramTransformer(n_frames=10**10), "n_frames=10000000000 times 40 bins"),
        (
            SpectrogramTransformer(sampling_rate=10**6, window_length=1.0, hop_length=1e-6),
            "window_length divided by hop_length",
        ),
        (
            SpectrogramTransformer(sampling_rate=3 * 10**6, window_length=1.0),
            r"window_length \(in samples\)",
        ),
        (PyAudioAnalysisTransformer(sampling_rate=10**12), "sampling_rate"),
        (PyAudioAnalysisTransformer(short_window=1e300), "short_window"),
        (PyAudioAnalysisTransformer(short_window=1.0, short_step=1e-9), "short_step"),
        (PyAudioAnalysisTransformer(mid_step=1e308), "mid_step"),
    ],
)
def test_front_ends_reject_excessive_sizes(transformer, reason):
    with pytest.raises(ValueError, match=reason):
        transformer.fit(SOUNDS).transform(SOUNDS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": (10**12,)}, "channels"),
        ({"channels": (4,) * 1000}, "channels .* 100, got 1000"),
        ({"channels": (60_000, 60_000)}, "weights .*network='cnn'"),
        ({"kernel_size": 10**7 + 1}, "kernel_size"),
        ({"hidden_units": (10**9,)}, "hidden_units"),
    ],
)
def test_networks_reject_excessive_sizes(changes, reason):
    front_end = SpectrogramTransformer(n_mels=8)
    with pytest.raises(ValueError, match=reason):
        CNNAudioClassifier(front_end, max_epochs=1, **changes).fit(SOUNDS, [0, 1, 0, 1])


def test_long_spectrograms_need_a_smaller_network():
    X = np.zeros((2, 2**17, 64), np.float32)
    with pytest.raises(ValueError, match=r"outputs .*network='cnn'"):
        CNNAudioClassifier(channels=(64,), max_epochs=1).fit(X, [0, 1])


def test_the_sizes_of_a_fitted_front_end_are_checked_too():
    for name in ("n_mels", "sampling_rate", "window_length", "hop_length"):
        transformer = SpectrogramTransformer().fit(SOUNDS)
        transformer._fitted_settings = {**transformer._fitted_settings, name: 10**10}
        with pytest.raises(ValueError, match=name):
            transformer.transform(SOUNDS)


def test_a_mid_term_window_may_be_longer_than_any_clip():
    PyAudioAnalysisTransformer(mid_window=900.0).fit(SOUNDS).transform(SOUNDS)


def test_resampling_is_limited(tmp_path):
    path = write_audio(tmp_path / "slow.wav", np.zeros(200_000), 1000)
    samples, _ = load_audio(path, sampling_rate=16_000)
    assert len(samples) == 3_200_000
    with pytest.raises(ValueError, match="1000000 Hz"):
        load_audio(path, sampling_rate=1_000_000)
