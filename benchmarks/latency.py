"""The time of one prediction, and the time of imports, both in fresh processes.

    python -m benchmarks.latency [--repeats 5] [--calls 50] [predict] [threads] [imports] [commands]

"predict" loads a saved model and predicts one file repeatedly. Models are fitted with default
parameters, but for one epoch and on few clips, because the time does not depend on what was
learned. "load" is the time from the start of imports (mostly torch) to the model. "onnxruntime"
runs the exported model with one thread, and reads and resamples the file with soundfile and soxr.
"threads" predicts one file in several threads at once. "imports" times several statements, each
from the start of an interpreter to its end; "commands" does the same for commands of `skdaf`.

Times are medians over processes; for warm calls, they are medians over the calls of each process
first.
"""

import argparse
import json
import resource
import shutil
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

# Commands, with the names of the model and the recordings in the folder in which they run.
COMMANDS = {
    "import torch": None,
    "skdaf --version": "--version",
    "skdaf --help": "--help",
    "skdaf info MODEL": "info speech.skops",
    "skdaf predict MODEL FILE": "predict speech.skops digit.wav",
    "skdaf predict MODEL (no such file)": "predict speech.skops missing.wav",
    "skdaf predict (not a model) FILE": "predict digit.wav digit.wav",
    "skdaf check FILE": "check digit.wav",
}

# The code that a process runs with threads; it prints the CPU and wall seconds of each call.
THREADS_CHILD = """
import json, sys, threading, time
from skdaf import load_model
model, file, n_threads, n_calls = load_model(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
for _ in range(50):
    model.predict_proba([file])
def work():
    for _ in range(n_calls // n_threads):
        model.predict_proba([file])
threads = [threading.Thread(target=work) for _ in range(n_threads)]
cpu, wall = time.process_time(), time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([1e3 * x / (n_calls // n_threads * n_threads) for x in seconds]))
"""

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
times, cpu_times = [], []
for _ in range(int(n_calls) + 1):
    begin = time.perf_counter()
    cpu = time.thread_time()
    model.predict([file])
    cpu_times.append(time.thread_time() - cpu)
    times.append(time.perf_counter() - begin)
print(json.dumps([loaded - start, times[0], times[1:], cpu_times[1:]]))
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
times, cpu_times = [], []
for _ in range(int(n_calls) + 1):
    begin = time.perf_counter()
    cpu = time.thread_time()
    samples, own_rate = soundfile.read(file, dtype="float32")
    if own_rate != rate:
        samples = soxr.resample(samples, own_rate, rate)
    session.run(["probabilities"], {"waveform": samples[None]})
    cpu_times.append(time.thread_time() - cpu)
    times.append(time.perf_counter() - begin)
print(json.dumps([loaded - start, times[0], times[1:], cpu_times[1:]]))
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
    print("| later calls (ms) | 95th percentile (ms) | CPU of later calls (ms) |")
    print("|---" * 8 + "|")
    for key, processes in times.items():
        loaded, first, calls, cpu = zip(*processes, strict=True)
        cells = [f"{statistics.median(loaded):.2f}", f"{1e3 * statistics.median(first):.1f}"]
        for share in (0.5, 0.95):
            later = statistics.median(float(np.quantile(times, share)) for times in calls)
            cells.append(f"{1e3 * later:.2f}")
        cells.append(f"{1e3 * statistics.median(map(statistics.median, cpu)):.2f}")
        print("|", " | ".join([*key, *cells]), "|", flush=True)


def measure_threads(repeats, n_calls):
    paths, digits, _, _ = _fsdd.load()
    with tempfile.TemporaryDirectory() as folder:
        model = save_all(list(paths[::30]), digits[::30], folder, "speech")["load_model"]
        times = {1: [], 2: [], 8: []}
        for _ in range(repeats):
            for n_threads, processes in times.items():
                arguments = model, paths[1500], n_threads, 8 * n_calls
                processes.append(json.loads(python(THREADS_CHILD, *arguments)))
    print("| threads | CPU time per call (ms) | time per call (ms) |")
    print("|---" * 3 + "|")
    for n_threads, processes in times.items():
        cells = [f"{statistics.median(values):.2f}" for values in zip(*processes, strict=True)]
        print("|", " | ".join([str(n_threads), *cells]), "|", flush=True)


def measure_commands(repeats):
    paths, digits, _, _ = _fsdd.load()
    with tempfile.TemporaryDirectory() as folder:
        save_all(list(paths[::30]), digits[::30], folder, "speech")
        shutil.copy(paths[1500], Path(folder, "digit.wav"))
        # The first round fills the page cache and does not count.
        rounds = [
            {name: cost_of_command(arguments, folder) for name, arguments in COMMANDS.items()}
            for _ in range(repeats + 1)
        ][1:]
    print("| command | time (s) | CPU time (s) | CPU time compared to `import torch` |")
    print("|---" * 4 + "|")
    for name in COMMANDS:
        wall, cpu = (statistics.median(costs[name][i] for costs in rounds) for i in (0, 1))
        ratio = statistics.median(costs[name][1] / costs["import torch"][1] for costs in rounds)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {ratio:.2f} |", flush=True)


def cost_of_command(arguments, folder):
    """Return the wall and the CPU seconds of a command; None as arguments imports torch."""
    command = ["-c", "import torch"] if arguments is None else ["-m", "skdaf", *arguments.split()]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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


SECTIONS = {
    "predict": lambda arguments: measure_predict(arguments.repeats, arguments.calls),
    "threads": lambda arguments: measure_threads(arguments.repeats, arguments.calls),
    "imports": lambda arguments: measure_imports(arguments.repeats),
    "commands": lambda arguments: measure_commands(arguments.repeats),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=list(SECTIONS))
    parser.add_argument("--repeats", type=int, default=5, help="fresh processes a row")
    parser.add_argument("--calls", type=int, default=50, help="later calls in each process")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {unknown.pop()!r}; choose from {', '.join(SECTIONS)}")
    for section, measure in SECTIONS.items():
        if section in arguments.sections:
            measure(arguments)
            print()


if __name__ == "__main__":
    main()
