"""The front end, from files on disk to an array: SpectrogramTransformer compared with alternatives.

    python -m benchmarks.frontend [--repeats N] [--clips N]

"librosa" loads each file, then calls `melspectrogram` and `power_to_db`; "torch" does what
torchaudio does: `torch.stft`, a product with the mel filter bank, decibels. "torch, batches" pads
several clips to the same length and transforms them together. "audioflux" is a library in C; its
object is created once and used for all clips. All use the default window, step and bands of
SpectrogramTransformer and leave every spectrogram at its own length; the transformer also
standardizes and resizes it. The windows of audioflux are powers of two: both the next lower and the
next higher one are measured. "reading only" is `soundfile.read` to float32. All run on one thread
and take turns; times are medians, and ratios are medians of the ratios within a turn, of wall time
and of processor time.

The files are the Free Spoken Digit Dataset, and synthetic music of 5 s at 44.1 kHz. The first turn
does not count; after it, the files are in the system's page cache. Requires librosa. audioflux is
left out if it is not installed.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

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
TORCH_BATCHES, AUDIOFLUX = "torch, batches", "audioflux"

# Samples of a batch for torch, with padding: more are slower.
SAMPLES_PER_BATCH = 2**18


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


def make_torch_ways(settings):
    """Return a function for one clip after the other, and one for batches."""
    window = torch.hann_window(settings.window_length)
    bank = torch.from_numpy(mel_filter_bank(settings).astype(np.float32)).T

    def decibels(samples):
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
        return 10.0 * torch.log10(power.clamp(min=1e-10))

    def limited(levels):
        return (levels - levels.max()).clamp(min=-settings.top_db).numpy().T

    def one_by_one(paths):
        return [limited(decibels(torch.from_numpy(only_read([path])[0]))) for path in paths]

    def in_batches(paths):
        spectrograms = []
        for batch in batches(only_read(paths)):
            clips = [torch.from_numpy(samples) for samples in batch]
            levels = decibels(torch.nn.utils.rnn.pad_sequence(clips, batch_first=True))
            for own, samples in zip(levels, batch, strict=True):
                spectrograms.append(limited(own[:, : settings.n_frames(len(samples))]))
        return spectrograms

    return one_by_one, in_batches


def batches(waveforms):
    """Yield lists of waveforms that have at most SAMPLES_PER_BATCH samples when they are padded."""
    batch, longest = [], 0
    for samples in waveforms:
        longest = max(longest, len(samples))
        if batch and longest * (len(batch) + 1) > SAMPLES_PER_BATCH:
            yield batch
            batch, longest = [], len(samples)
        batch.append(samples)
    yield batch


def make_audioflux_ways(settings):
    """Return {name: function}; empty if audioflux is not installed."""
    try:
        import audioflux
    except ImportError:
        return {}
    lower = 2 ** (settings.n_fft.bit_length() - 1)
    lengths = {lower} if lower == settings.n_fft else {lower, 2 * lower}
    return {
        f"{AUDIOFLUX}, windows of {n}": _make_audioflux_way(audioflux, settings, n)
        for n in sorted(lengths)
    }


def _make_audioflux_way(audioflux, settings, n_fft):
    kinds = audioflux.type
    spectrogram = audioflux.BFT(
        num=settings.n_mels,
        radix2_exp=n_fft.bit_length() - 1,
        samplate=settings.sampling_rate,
        low_fre=settings.fmin,
        high_fre=settings.fmax,
        slide_length=settings.hop_length,
        scale_type=kinds.SpectralFilterBankScaleType.MEL,
        style_type=kinds.SpectralFilterBankStyleType.SLANEY,
        data_type=kinds.SpectralDataType.POWER,
    )

    def with_audioflux(paths):
        return [
            audioflux.utils.power_to_db(
                spectrogram.bft(samples, result_type=1), min_db=-settings.top_db
            ).T
            for samples in only_read(paths)
        ]

    return with_audioflux


def only_read(paths):
    return [sf.read(path, dtype="float32")[0] for path in paths]


def contenders(paths, settings):
    transformer = SpectrogramTransformer().fit(paths)
    one_by_one, in_batches = make_torch_ways(settings)
    ways = {
        SKDAF: lambda: transformer.transform(paths),
        LIBROSA: lambda: with_librosa(paths, settings),
        TORCH: lambda: one_by_one(paths),
        TORCH_BATCHES: lambda: in_batches(paths),
        READING: lambda: only_read(paths),
    }
    for name, function in make_audioflux_ways(settings).items():
        ways[name] = lambda function=function: function(paths)
    return ways


# --- times -----------------------------------------------------------------------------------


class Seconds(NamedTuple):
    wall: float
    processor: float


def seconds(function):
    start = time.perf_counter(), time.process_time()
    function()
    return Seconds(time.perf_counter() - start[0], time.process_time() - start[1])


def take_turns(functions, n_repeats):
    """Return {name: Seconds of each turn}; the first turn is a warm-up."""
    turns = [{name: seconds(f) for name, f in functions.items()} for _ in range(n_repeats + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in functions}


def median(turns, kind="wall"):
    return statistics.median(getattr(turn, kind) for turn in turns)


def ratio(slower, faster, kind="wall"):
    pairs = zip(slower, faster, strict=True)
    return statistics.median(getattr(a, kind) / getattr(b, kind) for a, b in pairs)


def show(*columns):
    print("|", " | ".join(columns), "|", flush=True)


def head(title, *columns):
    print(f"\n{title}\n")
    show(*columns)
    show(*["---"] * len(columns))


# --- the tables ------------------------------------------------------------------------------


def compare_ways(sets, n_repeats):
    head(
        "One thread:",
        "files", "method", "files/s", "time / time of skdaf", "the same, processor time",
    )  # fmt: skip
    for name, (paths, rate) in sets.items():
        times = take_turns(contenders(paths, SpectrogramSettings.from_seconds(rate)), n_repeats)
        for way, turns in times.items():
            per_second = len(paths) / median(turns)
            ratios = [f"{ratio(turns, times[SKDAF], kind):.2f}" for kind in Seconds._fields]
            show(name, way, f"{per_second:.0f}", *ratios)
    if not any(way.startswith(AUDIOFLUX) for way in times):
        print("\naudioflux is not installed: left out.")


def compare_levels(sets):
    head(
        "Values, not standardized, at their own lengths:",
        "files", "method", "largest difference from skdaf (dB)", "median",
    )  # fmt: skip
    for name, (paths, rate) in sets.items():
        settings = SpectrogramSettings.from_seconds(rate)
        expected = with_librosa(paths, settings)
        # Padding does not change the frames of a clip.
        transformer = SpectrogramTransformer(
            standardize=False,
            length="pad",
            n_frames=max(map(len, expected)),
        )
        X = transformer.fit_transform(paths)
        one_by_one, in_batches = make_torch_ways(settings)
        ways = {
            LIBROSA: expected,
            TORCH: one_by_one(paths),
            TORCH_BATCHES: in_batches(paths),
        }
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
        per_second = len(paths) / median(turns)
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
        per_clip = 1e6 * median(turns) / len(paths)
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
