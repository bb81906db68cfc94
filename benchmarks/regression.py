"""Predict the signal-to-noise ratio of spoken digits: `CNNAudioRegressor` against an SVR on MFCC.

    python -m benchmarks.regression [--seeds 2]

Colored noise is added to ten takes of each digit of FSDD, at a random ratio between -5 and 25 dB.
Fits on four speakers, and predicts the ratio (dB) for two others. The peer is an `SVR` on the mean
and the standard deviation of 40 MFCC, scaled, with the best of three values of C. Requires librosa.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy import signal
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from benchmarks import _fsdd, _peers
from skdaf import CNNAudioRegressor, load_audio

NEW_SPEAKERS = ("theo", "yweweler")


def write_noisy(paths, folder):
    """Write each clip with noise; return the new paths and the ratios in dB."""
    ratios = np.random.default_rng(0).uniform(-5, 25, len(paths))
    noisy = []
    for number, (path, ratio) in enumerate(zip(paths, ratios, strict=True)):
        samples, rate = load_audio(path)
        rng = np.random.default_rng(number + 1)
        noise = signal.lfilter(
            [1.0], [1.0, -rng.uniform(0, 0.95)], rng.standard_normal(len(samples))
        )
        noise *= samples.std() / noise.std() * 10 ** (-ratio / 20)
        mixed = samples + noise
        noisy.append(str(Path(folder, f"{number}.wav")))
        sf.write(noisy[-1], 0.5 * mixed / np.abs(mixed).max(), rate)
    return np.array(noisy), ratios


def peer():
    svr = make_pipeline(_peers.MFCCStatistics(), StandardScaler(), SVR())
    return GridSearchCV(svr, {"svr__C": [1, 10, 100]}, cv=4)


def report(name, seed, model, train, test):
    start = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - start
    predicted = model.predict(test[0])
    r2, error = r2_score(test[1], predicted), mean_absolute_error(test[1], predicted)
    print(f"| {name} | {seed} | {r2:.3f} | {error:.2f} | {seconds:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    n_seeds = parser.parse_args().seeds
    paths, _, speakers, takes = map(np.asarray, _fsdd.load())
    paths, speakers = paths[takes < 10], speakers[takes < 10]
    is_new = np.isin(speakers, NEW_SPEAKERS)
    print("| method | seed | R2 | mean absolute error (dB) | fit (s) |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        noisy, ratios = write_noisy(paths, folder)
        train, test = (noisy[~is_new], ratios[~is_new]), (noisy[is_new], ratios[is_new])
        report("SVR on MFCC", "", peer(), train, test)
        for seed in range(n_seeds):
            report("CNNAudioRegressor", seed, CNNAudioRegressor(random_state=seed), train, test)


if __name__ == "__main__":
    main()
