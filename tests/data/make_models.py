"""Write small models as this release saves them, for tests of later releases.

python tests/data/make_models.py
"""

from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator

import skdaf
from skdaf import (
    CNNAudioClassifier,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    make_combined_classifier,
    save_model,
)

FOLDER = Path(__file__).parent
SMALL = {"channels": (4, 4), "max_epochs": 3, "random_state": 0}


def make_sounds(n_clips=24, n_samples=1600, rate=8000):
    """Return tones of two pitches in noise, and which is which."""
    rng = np.random.default_rng(0)
    y = np.arange(n_clips) % 2
    time = np.arange(n_samples) / rate
    pitch = np.where(y, 1200.0, 500.0)[:, None]
    tones = 0.3 * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6, (n_clips, 1)))
    return (tones + 0.1 * rng.standard_normal((n_clips, n_samples))).astype(np.float32), y


def write(name, model, method, X):
    stem = f"{name}-{skdaf.__version__}"
    save_model(model, FOLDER / f"{stem}.skops")
    answer = getattr(model, method)(X)
    np.savez_compressed(FOLDER / f"{stem}.npz", X=X, method=method, answer=answer)


def main():
    X, y = make_sounds()
    front_end = SpectrogramTransformer(sampling_rate=8000, n_mels=12)
    classifier = CNNAudioClassifier(front_end, hidden_units=(8,), **SMALL).fit(X, y)
    embedder = ConvAutoencoderEmbedder(front_end, **SMALL).fit(X)
    frozen = [FrozenEstimator(classifier), FrozenEstimator(embedder)]
    combined = make_combined_classifier(frozen, method="svc", n_components=4).fit(X, y)
    write("classifier", classifier, "predict_proba", X[:4])
    write("embedder", embedder, "transform", X[:4])
    write("combined", combined, "decision_function", X[:4])


if __name__ == "__main__":
    main()
