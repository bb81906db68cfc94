"""Front ends with other Fourier transforms: backends of `scipy.fft.set_backend`.

    python -m benchmarks.fourier_backends [module ...]

Without arguments, the module is mkl_fft.interfaces.scipy_fft (package mkl-fft). Modules that are
not installed are skipped. Each turn transforms the same files with SciPy and with each backend, on
one thread; a figure is a median over all turns, of processor times or of their ratios. The last
column compares clips computed alone with the same clips computed together.
"""

import importlib
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext

import numpy as np
import scipy.fft
from threadpoolctl import threadpool_limits

from benchmarks import _fsdd
from benchmarks._chords import write_chords
from skdaf import PyAudioAnalysisTransformer, SpectrogramTransformer

DEFAULT = ["mkl_fft.interfaces.scipy_fft"]
N_TURNS = 15
COLUMNS = ("backend", "files", "transformer", "SciPy (ms)", "backend (ms)", "ratio")


def installed(names):
    """Yield the modules that can be imported."""
    for name in names:
        try:
            yield importlib.import_module(name)
        except ImportError as error:
            print(f"Skipping {name}: {error}.", file=sys.stderr)


def seconds(transformer, paths, backend):
    context = nullcontext() if backend is None else scipy.fft.set_backend(backend)
    with context:
        start = time.process_time()
        transformer.transform(paths)
        return time.process_time() - start


def compare(transformer, paths, backend):
    """Return milliseconds per file with SciPy and with the backend, and the ratio."""
    for warm_up in (None, backend):
        seconds(transformer, paths, warm_up)
    turns = [[seconds(transformer, paths, b) for b in (None, backend)] for _ in range(N_TURNS)]
    milliseconds = [
        1e3 * statistics.median(times) / len(paths) for times in zip(*turns, strict=True)
    ]
    return *milliseconds, statistics.median(own / other for own, other in turns)


def differences(transformer, paths, backend):
    """Return how far results are from SciPy's, and whether they depend on other clips."""
    own = transformer.transform(paths)
    with scipy.fft.set_backend(backend):
        together = transformer.transform(paths)
        alone = np.concatenate([transformer.transform([path]) for path in paths])
    same = "same bytes" if alone.tobytes() == together.tobytes() else "rounding"
    return np.abs(own - together).max(), same


def main():
    backends = list(installed(sys.argv[1:] or DEFAULT))
    speech = _fsdd.load()[0]
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        sets = {
            "spoken digits, 8 kHz, 0.4 s": list(speech[:: max(1, len(speech) // 300)]),
            "chords, 44.1 kHz, 5 s": write_chords(folder, 10),
        }
        print("|", " | ".join((*COLUMNS, "largest difference", "clips alone")), "|")
        print("|---" * (len(COLUMNS) + 2) + "|")
        for backend in backends:
            for name, paths in sets.items():
                for transformer in (SpectrogramTransformer(), PyAudioAnalysisTransformer()):
                    transformer.fit(paths)
                    times = [f"{x:.3g}" for x in compare(transformer, paths, backend)]
                    difference, same = differences(transformer, paths, backend)
                    kind = type(transformer).__name__
                    cells = [backend.__name__, name, kind, *times, f"{difference:.0e}", same]
                    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
