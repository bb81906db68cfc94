"""Two resamplers: soxr, which skdaf uses, and scipy's resample_poly.

    python -m benchmarks.resampling

Compares the time on the same samples in one run, and the levels of tones near half the new rate:
tones below it should be preserved (0 dB), and tones above it should vanish.
"""

import statistics
import time
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from skdaf._audio.resampling import resample

N_RUNS = 21
CASES = [(44100, 16000, 5.0), (48000, 16000, 5.0), (44100, 22050, 5.0), (44100, 8000, 0.5)]
TONES = [1000, 6000, 7000, 7500, 8500, 9000, 12000]


def with_scipy(samples, source, target):
    divisor = gcd(source, target)
    return resample_poly(samples, target // divisor, source // divisor)


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def ratio_of_times(source, target, duration):
    samples = np.random.default_rng(0).standard_normal(int(source * duration)).astype(np.float32)
    pairs = []
    for _ in range(N_RUNS + 1):
        pairs.append([seconds(f, samples, source, target) for f in (with_scipy, resample)])
    scipy_time, soxr_time = map(statistics.median, zip(*pairs[1:], strict=True))
    return scipy_time * 1e3, soxr_time * 1e3


def level(function, frequency, source=44100, target=16000):
    samples = np.sin(2 * np.pi * frequency * np.arange(2 * source) / source).astype(np.float32)
    middle = function(samples, source, target)[target // 2 : -target // 2]
    return 10 * np.log10(2 * np.mean(middle.astype(float) ** 2) + 1e-20)


def main():
    print("| from (Hz) | to (Hz) | clip (s) | scipy (ms) | soxr (ms) | scipy / soxr |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        scipy_time, soxr_time = ratio_of_times(*case)
        print(
            f"| {case[0]} | {case[1]} | {case[2]} | {scipy_time:.2f} | {soxr_time:.2f} "
            f"| {scipy_time / soxr_time:.1f} |"
        )
    print("\n| tone (Hz), 44100 to 16000 Hz | scipy (dB) | soxr (dB) |")
    print("|---|---|---|")
    for tone in TONES:
        print(f"| {tone} | {level(with_scipy, tone):.1f} | {level(resample, tone):.1f} |")


if __name__ == "__main__":
    main()
