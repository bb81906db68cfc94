"""Three ways to compute the power in mel bands in ONNX, timed in onnxruntime with one thread.

    python -m benchmarks.onnx_fourier [--calls 100]

"DFT" uses the operator of this name, "one matrix" a product with all sines and cosines, and "small
matrices" what `export_onnx` writes. Times are the shortest of all calls, from samples to bands, and
errors are relative to the largest value. The weights are those of the transform.
"""

import argparse
import time

import numpy as np

from benchmarks.onnx_export import session_of
from skdaf._estimators.export.fourier import add_frames, add_power
from skdaf._estimators.export.graph import OnnxGraph, integers
from skdaf._features.filter_banks import mel_filter_bank
from skdaf._features.spectrogram import SpectrogramSettings, analysis_window

CASES = [(8_000, 0.4), (44_100, 0.5), (44_100, 5.0)]


def windowed(graph, frames, settings):
    flat = graph.op("Reshape", frames, integers(0, -1, settings.n_fft))
    return graph.op("Mul", flat, analysis_window(settings))


def with_dft(graph, frames, settings, bank):
    signal = graph.op("Unsqueeze", windowed(graph, frames, settings), integers(3))
    spectrum = graph.op("DFT", signal, axis=2, onesided=1)
    squares = graph.op("Mul", spectrum, spectrum)
    power = graph.op("ReduceSum", squares, integers(3), keepdims=0)
    return graph.op("MatMul", power, bank.astype(np.float32))


def with_one_matrix(graph, frames, settings, bank):
    n_fft = settings.n_fft
    turns = np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) / n_fft
    waves = np.exp(-2j * np.pi * turns)
    matrix = np.concatenate([waves.real, waves.imag], axis=1).astype(np.float32)
    spectrum = graph.op("MatMul", windowed(graph, frames, settings), matrix)
    squares = graph.op("Mul", spectrum, spectrum)
    return graph.op("MatMul", squares, np.concatenate([bank, bank]).astype(np.float32))


WAYS = {"DFT": with_dft, "one matrix": with_one_matrix, "small matrices": add_power}


def make_model(way, settings, bank):
    graph = OnnxGraph()
    frames = add_frames(graph, "waveform", settings)
    graph.rename(way(graph, frames.samples, settings, bank), "power")
    shapes = {"waveform": ["n", "samples"]}, {"power": ["n", "frames", "bands"]}
    model = graph.to_model(*shapes, description="", metadata={}, producer_version="")
    return model.SerializeToString()


def reference(samples, settings, bank):
    """Return the power in each band, computed in float64."""
    padded = np.pad(samples.astype(float), settings.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)
    spectra = np.fft.rfft(frames[:: settings.hop_length] * analysis_window(settings))
    return np.abs(spectra) ** 2 @ bank


def shortest(function, n_calls):
    times = []
    for _ in range(n_calls):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100, help="calls per row")
    n_calls = parser.parse_args().calls
    print("| clip | way | time (ms) | largest error | file (MB) |")
    print("|---|---|---|---|---|")
    for rate, duration in CASES:
        settings = SpectrogramSettings.from_seconds(rate)
        bank = mel_filter_bank(settings)
        samples = np.random.default_rng(0).standard_normal(round(rate * duration))
        samples = samples.astype(np.float32)
        expected = reference(samples, settings, bank)
        for name, way in WAYS.items():
            content = make_model(way, settings, bank)
            session = session_of(content)
            feed = {"waveform": samples[None]}
            seconds, (power,) = shortest(lambda s=session, f=feed: s.run(None, f), n_calls)
            error = np.abs(power[0] - expected).max() / expected.max()
            cells = f"{1e3 * seconds:.2f} | {error:.0e} | {len(content) / 1e6:.2f}"
            print(f"| {duration} s, {rate} Hz | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
