"""Known results of one front end and one fit, which reveal unintended changes.

If you change results on purpose, replace the numbers here and increase the format number in
`skdaf._training.checkpoint`: a release must not continue fits of an older one in a different way.
"""

import numpy as np
import pytest

from skdaf import CNNAudioClassifier, SpectrogramTransformer

pytestmark = [pytest.mark.oldest, pytest.mark.usefixtures("small_batches_are_split")]

RATE = 8000


def make_sounds(n_clips):
    """Return tones that glide up or down, from a formula that is the same on every machine."""
    time = np.arange(1600) / RATE
    direction = np.where(np.arange(n_clips) % 2, 1, -1)[:, None]
    start = 1000 + 50 * (np.arange(n_clips) % 7)[:, None]
    tones = np.sin(2 * np.pi * (start + 1500 * direction * time) * time)
    buzz = 0.1 * np.sin(1e4 * np.sin(np.arange(n_clips * 1600).reshape(n_clips, 1600)))
    return (0.3 * tones + buzz).astype(np.float32), np.arange(n_clips) % 2


def front_end(**changes):
    return SpectrogramTransformer(n_mels=6, n_frames=4, sampling_rate=RATE, **changes)


def trained(**changes):
    classifier = CNNAudioClassifier(
        front_end(),
        channels=(4, 8),
        hidden_units=(8,),
        n_networks=2,
        max_epochs=3,
        batch_size=20,
        weight_decay=0.5,
        precision="float32",
        device="cpu",
        augment=("equalize", "mask", "mixup"),
        early_stopping=True,
        random_state=0,
    )
    return classifier.set_params(**changes).fit(*make_sounds(100))


# Decibels of six bands in four frames of a rising tone.
LEVELS = [
    [-20.4911, -17.9456, -0.8689, -6.2338, -19.2566, -19.7922],
    [-20.5558, -17.9035, -3.4125, -2.1889, -18.9977, -19.3999],
    [-20.6992, -17.8911, -13.6874, -0.3144, -14.5384, -19.4425],
    [-20.7334, -18.1971, -18.8859, -1.8285, -7.3474, -19.8091],
]
STANDARDIZED = [
    [-0.8165, -0.4836, 1.8309, 1.0233, -0.6925, -0.7272],
    [-0.8255, -0.4777, 1.4747, 1.5897, -0.6562, -0.6722],
    [-0.8456, -0.4759, 0.0360, 1.8522, -0.0318, -0.6782],
    [-0.8504, -0.5188, -0.6919, 1.6402, 0.9751, -0.7295],
]
# The first frame: coefficients, deltas, deltas of deltas.
CEPSTRUM = [
    *(-3.5217, 0.5820, -1.2549, -0.2222),
    *(0.4315, 0.3442, 0.3694, 0.4342),
    *(0.3389, 0.3834, 0.3921, 0.3669),
]


def test_front_end():
    sounds, _ = make_sounds(2)
    levels, standardized, cepstrum = (
        front_end(**changes).fit_transform(sounds)[1]
        for changes in (
            {"standardize": False},
            {},
            {"features": "mfcc", "n_mfcc": 4, "length": "pad"},
        )
    )
    np.testing.assert_allclose(levels, LEVELS, atol=2e-3)
    np.testing.assert_allclose(standardized, STANDARDIZED, atol=5e-4)
    np.testing.assert_allclose(cepstrum[0], CEPSTRUM, atol=5e-4)


# Training losses differ by less than 1e-7 between kinds of processors. Validation uses running
# statistics, which follow a bias of the convolutions that only rounding decides: it differs more.
TRAIN_LOSS, TRAIN_TOLERANCE = [0.7275521, 0.6747900, 0.6400458], 5e-6
VALID_LOSS, PROBABILITIES, TOLERANCE = [0.6927, 0.6654, 0.6527], [0.4830, 0.4149, 0.4721], 3e-3


def is_golden(classifier):
    losses = classifier.history_["train_loss"]
    return np.allclose(losses, TRAIN_LOSS, rtol=0, atol=TRAIN_TOLERANCE)


def test_training():
    classifier = trained()
    assert is_golden(classifier), classifier.history_
    np.testing.assert_allclose(classifier.history_["valid_loss"], VALID_LOSS, atol=TOLERANCE)
    probabilities = classifier.predict_proba(make_sounds(3)[0])[:, 0]
    np.testing.assert_allclose(probabilities, PROBABILITIES, atol=TOLERANCE)
    assert classifier.best_epoch_ == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"random_state": 1},
        {"label_smoothing": 0.11},
        {"weight_decay": 0.52},
        {"augment": ("mask", "equalize", "mixup")},
        {"learning_rate": 3.1e-3},
        {"dropout": 0.29},
        {"frontend__fmin": 10.0},
    ],
)
def test_a_small_change_is_detected(changes):
    assert not is_golden(trained(**changes))
