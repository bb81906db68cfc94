"""The front end, from files on disk to an array: SpectrogramTransformer compared with alternatives.

    python -m benchmarks.frontend [--repeats N] [--clips N]

"librosa" loads each file, then calls `melspectrogram` and `power_to_db`; "torch" does what
torchaudio does: `torch.stft`, a product with the mel filter bank, decibels. Both use the default
window, step and bands of SpectrogramTransformer and leave every spectrogram at its own length; the
transformer also standardizes and resizes it. "reading only" is `soundfile.read` to float32. All run
on one thread and take turns; times are medians, and ratios are medians of the ratios within a turn.

The files are the Free Spoken Digit Dataset, and synthetic music of 5 s at 44.1 kHz. The first turn
does not count; after it, the files are in the system's page cache. Requires librosa.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import soundfile as sf
import torch
from threadpoolctl import threadpool_limits

from benchmarks import _fsdd
from benchmarks._chords import write_chords
from skdaf import SpectrogramTransformer
from skdaf._features.filter_banks import mel_filter_bank
from skdaf._features.spectrogram import SpectrogramSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import librosa

RATE, SECONDS = 44100, 5.0
SKDAF, LIBROSA, TORCH, READING = "skdaf", "librosa", "torch", "reading only"


# --- the contenders --------------------------------------------------------------------------


def with_librosa(paths, settings):
    spectrograms = []
    for path in paths:
        samples, rate = librosa.load(path, sr=None)
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=rate,
            n_fft=settings.n_fft,
            win_length=settings.window_length,
            hop_length=settings.hop_length,
            n_mels=settings.n_mels,
            pad_mode="constant",
        )
        spectrograms.append(librosa.power_to_db(power, ref=np.max).T)
    return spectrograms


def make_torch_way(settings):
    window = torch.hann_window(settings.window_length)
    bank = torch.from_numpy(mel_filter_bank(settings).astype(np.float32)).T

    def with_torch(paths):
        spectrograms = []
        for path in paths:
            samples = torch.from_numpy(sf.read(path, dtype="float32")[0])
            spectrum = torch.stft(
                samples,
                n_fft=settings.n_fft,
                hop_length=settings.hop_length,
                win_length=settings.window_length,
                window=window,
                pad_mode="constant",
                return_complex=True,
            )
            power = bank @ spectrum.abs().square()
            levels = 10.0 * torch.log10(power.clamp(min=1e-10))
            levels = levels - levels.max()
            spectrograms.append(levels.clamp(min=-settings.top_db).numpy().T)
        return spectrograms

    return with_torch


def only_read(paths):
    return [sf.read(path, dtype="float32")[0] for path in paths]


def usual_settings(rate):
    return SpectrogramSettings(
        "mel", rate, round(0.032 * rate), round(0.010 * rate), 64, 13, 0.0, rate / 2, 80.0
    )


def contenders(paths, settings):
    transformer = SpectrogramTransformer().fit(paths)
    with_torch = make_torch_way(settings)
    return {
        SKDAF: lambda: transformer.transform(paths),
        LIBROSA: lambda: with_librosa(paths, settings),
        TORCH: lambda: with_torch(paths),
        READING: lambda: only_read(paths),
    }


# --- times -----------------------------------------------------------------------------------


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def take_turns(functions, n_repeats):
    """Return {name: seconds of each turn}; the first turn is a warm-up."""
    turns = [{name: seconds(f) for name, f in functions.items()} for _ in range(n_repeats + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in functions}


def ratio(slower, faster):
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def show(*columns):
    print("|", " | ".join(columns), "|", flush=True)


def head(title, *columns):
    print(f"\n{title}\n")
    show(*columns)
    show(*["---"] * len(columns))


# --- the tables ------------------------------------------------------------------------------


def compare_ways(sets, n_repeats):
    head("One thread:", "files", "method", "files/s", "time / time of skdaf")
    for name, (paths, rate) in sets.items():
        times = take_turns(contenders(paths, usual_settings(rate)), n_repeats)
        for way, turns in times.items():
            per_second = len(paths) / statistics.median(turns)
            show(name, way, f"{per_second:.0f}", f"{ratio(turns, times[SKDAF]):.2f}")


def compare_levels(sets):
    head(
        "Values, not standardized, at their own lengths:",
        "files", "method", "largest difference from skdaf (dB)", "median",
    )  # fmt: skip
    for name, (paths, rate) in sets.items():
        settings = usual_settings(rate)
        expected = with_librosa(paths, settings)
        # Padding does not change the frames of a clip.
        transformer = SpectrogramTransformer(
            standardize=False, length="pad", n_frames=max(map(len, expected))
        )
        X = transformer.fit_transform(paths)
        ways = {LIBROSA: expected, TORCH: make_torch_way(settings)(paths)}
        for way, others in ways.items():
            differences = np.concatenate(
                [np.abs(x[: len(y)] - y).ravel() for x, y in zip(X, others, strict=True)]
            )
            show(name, way, f"{differences.max():.1e}", f"{np.median(differences):.1e}")


def compare_workers(name, paths, n_repeats):
    def transform_with(backend):
        def transform():
            with joblib.parallel_config(backend=backend, n_jobs=2):
                transformer.transform(paths)

        return transform

    transformer = SpectrogramTransformer().fit(paths)
    functions = {
        "one": lambda: transformer.transform(paths),
        "two processes (loky)": transform_with("loky"),
        "two threads (threading)": transform_with("threading"),
    }
    times = take_turns(functions, n_repeats)
    head("Workers:", "files", "workers", "files/s", "time of one worker / time")
    for workers, turns in times.items():
        per_second = len(paths) / statistics.median(turns)
        show(name, workers, f"{per_second:.0f}", f"{ratio(times['one'], turns):.2f}")


def compare_cached(name, paths, folder, n_repeats):
    n_frames = SpectrogramTransformer().fit(paths).n_frames_
    plain = {"length": "pad", "standardize": False}
    ways = {
        "no cache": {},
        "every clip cached": {"cache": folder},
        "every clip cached, copied only": {"cache": folder, **plain},
    }
    functions = {}
    for way, parameters in ways.items():
        transformer = SpectrogramTransformer(n_frames=n_frames, **parameters).fit(paths)
        functions[way] = lambda transformer=transformer: transformer.transform(paths)
    times = take_turns(functions, n_repeats)
    head(
        "Cache (copied only: neither resized nor standardized):",
        "files", "method", "µs per clip", "time without a cache / time",
    )  # fmt: skip
    for way, turns in times.items():
        per_clip = 1e6 * statistics.median(turns) / len(paths)
        show(name, way, f"{per_clip:.1f}", f"{ratio(times['no cache'], turns):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="turns that count (default: 7)")
    parser.add_argument("--clips", type=int, default=240, help="long clips (default: 240)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        digits = "spoken digits, 8 kHz, 0.4 s"
        music = "chords, 44.1 kHz, 5 s"
        sets = {
            digits: (list(_fsdd.load()[0]), 8000),
            music: (write_chords(folder, arguments.clips, RATE, SECONDS), RATE),
        }
        compare_ways(sets, arguments.repeats)
        compare_levels(sets)
        compare_workers(music, sets[music][0], arguments.repeats)
        compare_cached(digits, sets[digits][0], Path(folder, "cache"), arguments.repeats)


if __name__ == "__main__":
    main()
