"""The time of one prediction, and the time of imports, both in fresh processes.

    python -m benchmarks.latency [--repeats 5] [--calls 50] [predict] [imports]

"predict" loads a saved model and predicts one file repeatedly. Models are fitted with default
parameters, but for one epoch and on few clips, because the time does not depend on what was
learned. "load" is the time from the start of imports (mostly torch) to the model. "onnxruntime"
runs the exported model with one thread, and reads and resamples the file with soundfile and soxr.
"imports" times several statements, each from the start of an interpreter to its end.

Times are medians over processes; for warm calls, they are medians over the calls of each process
first.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from benchmarks import _fsdd
from benchmarks._chords import write_chords
from skdaf import CNNAudioClassifier, export_onnx, save_model

HEAVY = ["torch", "matplotlib", "pyAudioAnalysis", "pandas", "scipy.signal", "skops"]

# Each statement is compared with the one next to it.
STATEMENTS = {
    "pass": None,
    "import sklearn": None,
    "import skdaf": "import sklearn",
    "from skdaf.cli import main": "import sklearn",
    "from skdaf import SpectrogramTransformer": "import sklearn",
    "import torch, sklearn.model_selection": None,
    "from skdaf import CNNAudioClassifier": "import torch, sklearn.model_selection",
    "from skdaf import load_model": "import sklearn",
}

# The code that a fresh process runs with a model; it prints seconds.
CHILD = """
import json, sys, time
model, file, loader, n_calls = sys.argv[1:]
start = time.perf_counter()
if loader == "load_model":
    from skdaf import load_model as load
else:
    from joblib import load
model = load(model)
loaded = time.perf_counter()
times = []
for _ in range(int(n_calls) + 1):
    begin = time.perf_counter()
    model.predict([file])
    times.append(time.perf_counter() - begin)
print(json.dumps([loaded - start, times[0], times[1:]]))
"""

# The same for an exported model, without skdaf and torch.
ONNX_CHILD = """
import json, sys, time
model, file, _, n_calls = sys.argv[1:]
start = time.perf_counter()
import onnxruntime, soundfile, soxr
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options)
rate = int(session.get_modelmeta().custom_metadata_map["sampling_rate"])
loaded = time.perf_counter()
times = []
for _ in range(int(n_calls) + 1):
    begin = time.perf_counter()
    samples, own_rate = soundfile.read(file, dtype="float32")
    if own_rate != rate:
        samples = soxr.resample(samples, own_rate, rate)
    session.run(["probabilities"], {"waveform": samples[None]})
    times.append(time.perf_counter() - begin)
print(json.dumps([loaded - start, times[0], times[1:]]))
"""


def python(code, *arguments):
    """Run code in a fresh interpreter, and return its output."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def save_all(paths, labels, folder, name):
    """Fit a classifier and save it in each format; return {loader: file}."""
    classifier = CNNAudioClassifier(max_epochs=1, random_state=0).fit(paths, labels)
    files = {
        "joblib.load": Path(folder, f"{name}.joblib"),
        "load_model": Path(folder, f"{name}.skops"),
        "onnxruntime": Path(folder, f"{name}.onnx"),
    }
    joblib.dump(classifier, files["joblib.load"])
    save_model(classifier, files["load_model"])
    export_onnx(classifier, files["onnxruntime"])
    return files


def measure_predict(repeats, n_calls):
    paths, digits, _, _ = _fsdd.load()
    speech = list(paths[::30])
    with tempfile.TemporaryDirectory() as folder:
        chords = write_chords(folder, 20)
        of_speech = save_all(speech, digits[::30], folder, "speech")
        of_chords = save_all(chords, np.arange(len(chords)) % 2, folder, "chords")
        cases = [
            ("spoken digit, 8 kHz, 0.4 s", "spoken digits", of_speech, speech[50]),
            ("chords, 44.1 kHz, 5 s", "spoken digits", of_speech, chords[0]),
            ("chords, 44.1 kHz, 5 s", "such chords", of_chords, chords[0]),
        ]
        runs = {
            (file, learned, loader): (models[loader], path, loader, n_calls)
            for file, learned, models, path in cases
            for loader in models
        }
        times = {key: [] for key in runs}
        for _ in range(repeats):
            for key, arguments in runs.items():
                code = ONNX_CHILD if key[-1] == "onnxruntime" else CHILD
                times[key].append(json.loads(python(code, *arguments)))
    print("| file | model trained on | loaded with | load (s) | first call (ms) ", end="")
    print("| later calls (ms) | 95th percentile (ms) |")
    print("|---" * 7 + "|")
    for key, processes in times.items():
        loaded, first, calls = zip(*processes, strict=True)
        cells = [f"{statistics.median(loaded):.2f}", f"{1e3 * statistics.median(first):.1f}"]
        for share in (0.5, 0.95):
            later = statistics.median(float(np.quantile(times, share)) for times in calls)
            cells.append(f"{1e3 * later:.2f}")
        print("|", " | ".join([*key, *cells]), "|", flush=True)


def seconds(statement):
    start = time.perf_counter()
    python(statement)
    return time.perf_counter() - start


def loaded_by(statement):
    code = f"{statement}\nimport sys\nprint(*(m for m in {HEAVY} if m in sys.modules), sep=', ')"
    return python(code).strip() or "none"


def measure_imports(repeats):
    # The first round fills the page cache and does not count.
    rounds = [{name: seconds(name) for name in STATEMENTS} for _ in range(repeats + 1)][1:]
    print(f"| statement | time (s) | compared to | ratio | loads, of {', '.join(HEAVY)} |")
    print("|---" * 5 + "|")
    for name, other in STATEMENTS.items():
        cells = [name, f"{statistics.median(times[name] for times in rounds):.3f}"]
        if other is None:
            cells += ["", ""]
        else:
            ratio = statistics.median(times[name] / times[other] for times in rounds)
            cells += [other, f"{ratio:.2f}"]
        print("|", " | ".join([*cells, loaded_by(name)]), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=["predict", "imports"])
    parser.add_argument("--repeats", type=int, default=5, help="fresh processes a row")
    parser.add_argument("--calls", type=int, default=50, help="later calls in each process")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - {"predict", "imports"}
    if unknown:
        parser.error(f"unknown section {unknown.pop()!r}; choose from predict, imports")
    if "predict" in arguments.sections:
        measure_predict(arguments.repeats, arguments.calls)
        print()
    if "imports" in arguments.sections:
        measure_imports(arguments.repeats)


if __name__ == "__main__":
    main()
