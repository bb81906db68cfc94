"""pyAudioAnalysis's features: PyAudioAnalysisTransformer compared with the library.

    python -m benchmarks.handcrafted [number of files]

Both read the same files from disk and return the same 136 numbers per file, on one thread. The
values are compared first. Times are processor times, medians of several alternating runs. `fit`
also reads all headers, to find the sampling rate. Requires pyAudioAnalysis, with matplotlib and
tqdm.
"""

import importlib
import statistics
import sys
import tempfile
import time
import warnings
from unittest.mock import MagicMock

import numpy as np
from scipy.io import wavfile
from threadpoolctl import threadpool_limits

from benchmarks import _fsdd
from benchmarks._chords import write_chords
from skdaf import PyAudioAnalysisTransformer

N_RUNS = 7
RTOL, ATOL = 1e-6, 1e-11


def import_library():
    """Import the mid-term features; the packages for other file formats may be missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = list(sys.path)
        for name in ("aifc", "eyed3", "pydub"):
            sys.modules[name] = MagicMock()
        library = importlib.import_module("pyAudioAnalysis.MidTermFeatures")
        for name in ("aifc", "eyed3", "pydub"):
            del sys.modules[name]
        sys.path[:] = path
    return library


def with_library(library, paths):
    rows = []
    for path in paths:
        rate, samples = wavfile.read(path)
        frame, second = round(rate * 0.05), round(rate * 1.0)
        features, _, _ = library.mid_feature_extraction(samples, rate, second, second, frame, frame)
        rows.append(features.T.mean(axis=0))
    return np.array(rows)


def seconds(function, *arguments):
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def compare(library, paths):
    """Return the row of the table for one set of files."""
    transformer = PyAudioAnalysisTransformer()
    expected, features = with_library(library, paths), transformer.fit_transform(paths)
    np.testing.assert_allclose(features, expected, rtol=RTOL, atol=ATOL)
    times = [
        (
            seconds(with_library, library, paths),
            seconds(transformer.transform, paths),
            seconds(transformer.fit_transform, paths),
        )
        for _ in range(N_RUNS)
    ]
    milliseconds = [
        1e3 * statistics.median(column) / len(paths) for column in zip(*times, strict=True)
    ]
    ratios = [statistics.median(run[0] / run[i] for run in times) for i in (1, 2)]
    return milliseconds, ratios, np.abs(features - expected).max()


def main():
    library = import_library()
    n_files = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    speech = _fsdd.load()[0]
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        sets = {
            "spoken digits, 8 kHz, 0.4 s": list(speech[:: max(1, len(speech) // n_files)]),
            "chords, 16 kHz, 1 s": write_chords(folder, 60, 16000, 1.0),
            "chords, 22.05 kHz, 5 s": write_chords(folder, 10, 22050),
            "chords, 44.1 kHz, 5 s": write_chords(folder, 10),
        }
        print("| files | pyAudioAnalysis (ms per file) | transform | fit_transform | ", end="")
        print("ratio | ratio with fit | largest difference |")
        print("|---" * 7 + "|")
        for name, paths in sets.items():
            times, ratios, difference = compare(library, paths)
            shown = [f"{x:.3g}" for x in (*times, *ratios)]
            print("|", " | ".join([name, *shown, f"{difference:.0e}"]), "|", flush=True)


if __name__ == "__main__":
    main()
