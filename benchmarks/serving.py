"""The server in examples/serve_fastapi.py: requests per second, latency, and memory.

    python -m benchmarks.serving [--requests 1000] [--repeats 3]

A real server (uvicorn, one process) on this machine gets clips of 1 s at 16 kHz from 1 and from 8
clients at a time, each with a connection that it keeps open. Next to that, the same clips are
predicted in this process without a server, by 1 and by 8 threads that share a model. The model is
a `CNNAudioClassifier` with default parameters, trained for one epoch: the time does not depend on
what was learned. All answers are compared with `predict_proba` on the file.

"CPU" is the processor time of the server, or of this process, per request. Unlike the other
columns, it depends little on other programs on the same cores, including the clients.

The second table starts the server with 1 and 2 worker processes and measures the memory of each
worker that it does not share with others. Both need Linux.

Rows are medians over the repeats. Requires fastapi, python-multipart and uvicorn. The clients run
on the same cores as the server, so a server with its own machine is faster.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skdaf import CNNAudioClassifier, load_model, save_model
from skdaf.datasets import make_audio_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"
N_CLIENTS = (1, 8)
BOUNDARY = "clip-of-the-benchmark"


def make_model(folder):
    """Train and save a classifier; return the paths of the model and of the clips."""
    sounds = make_audio_dataset(
        Path(folder, "sounds"), n_clips_per_class=12, duration=(1.0, 1.0), sampling_rate=16_000
    )
    classifier = CNNAudioClassifier(max_epochs=1, random_state=0)
    classifier.fit(sounds.filenames, sounds.target)
    save_model(classifier, Path(folder, "model.skops"))
    return Path(folder, "model.skops"), sounds.filenames


def form_of(path):
    """Return the body of a request that uploads a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="clip.wav"'
    return f"{head}\r\n\r\n".encode() + Path(path).read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(connection, method, path, body=None):
    """Send a request, and return the answer as plain values."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{path} answered {response.status}: {content!r}")
    return json.loads(content)


def wait_until_ready(port, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return request(http.client.HTTPConnection("127.0.0.1", port), "GET", "/health")
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


@contextmanager
def server(model, n_processes=1):
    """Run the example with uvicorn; return its process and its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "serve_fastapi:app"]
    command += ["--port", str(port), "--workers", str(n_processes), "--log-level", "warning"]
    process = subprocess.Popen(command, env={**os.environ, "SKDAF_MODEL": str(model)})
    try:
        wait_until_ready(port, process)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


def share(items, n):
    return [items[index::n] for index in range(n)]


def time_calls(call, items):
    """Return the seconds of each call, and the results."""
    seconds, results = [], []
    for item in items:
        start = time.perf_counter()
        results.append(call(item))
        seconds.append(time.perf_counter() - start)
    return seconds, results


def measure(open_client, items, n_clients):
    """Return calls per second, the seconds of each call, and the results by client."""
    clients = [open_client() for _ in range(n_clients)]
    with ThreadPoolExecutor(n_clients) as pool:
        for client in clients:  # warm up
            client(items[0])
        start = time.perf_counter()
        parts = list(pool.map(time_calls, clients, share(items, n_clients)))
        total = time.perf_counter() - start
    return len(items) / total, np.concatenate([seconds for seconds, _ in parts]), parts


def check(parts, expected, keys, n_clients):
    """Raise if an answer differs in any bit from the prediction for the file."""
    for (_, results), part in zip(parts, share(keys, n_clients), strict=True):
        for result, key in zip(results, part, strict=True):
            if result != expected[key]:
                raise SystemExit(f"The answer for clip {key} is {result}, not {expected[key]}.")


def cpu_seconds(pid):
    """Return the processor time of a process, in user code and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def row(name, n_clients, runs):
    speeds, seconds, cpu = zip(*runs, strict=True)
    cells = [f"{statistics.median(speeds):.0f}"]
    for quantile in (0.5, 0.95):
        cells.append(f"{1e3 * statistics.median(np.quantile(s, quantile) for s in seconds):.1f}")
    cells.append(f"{1e3 * statistics.median(cpu):.1f}")
    print("|", " | ".join([name, str(n_clients), *cells]), "|", flush=True)


def measure_speed(model_path, paths, n_requests, repeats):
    model = load_model(model_path)
    expected = [model.predict_proba([path])[0].tolist() for path in paths]
    keys = [index % len(paths) for index in range(n_requests)]
    forms = [form_of(path) for path in paths]

    def in_process():
        return lambda key: model.predict_proba([paths[key]])[0].tolist()

    print("| | clients | requests per second | median (ms) | 95th percentile (ms) | CPU (ms) |")
    print("|---" * 6 + "|")
    with server(model_path) as (process, port):

        def over_http():
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return lambda key: list(
                request(connection, "POST", "/predict", forms[key])["probabilities"].values()
            )

        for name, open_client, pid in (
            ("POST /predict", over_http, process.pid),
            ("predict_proba", in_process, os.getpid()),
        ):
            for n_clients in N_CLIENTS:
                runs = []
                for _ in range(repeats):
                    cpu = cpu_seconds(pid)
                    speed, seconds, parts = measure(open_client, keys, n_clients)
                    runs.append((speed, seconds, (cpu_seconds(pid) - cpu) / len(keys)))
                    check(parts, expected, keys, n_clients)
                row(name, n_clients, runs)


def own_and_shared_memory(pid):
    """Return the memory of a process that no other one shares, and all of it, in MB."""
    kilobytes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        kilobytes[name.rstrip(":")] = int(value)
    own = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return own / 1e3, kilobytes["Rss"] / 1e3


def children(pid):
    """Return the worker processes of a server; a server with one worker is the process itself."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for task in tasks for child in task.read_text().split()]
    names = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in found}
    return [child for child, name in names.items() if b"spawn_main" in name] or [pid]


def measure_processes(model_path, paths):
    print("| processes | requests per second, 8 clients | own memory of each (MB) | all (MB) |")
    print("|---" * 4 + "|")
    forms = [form_of(path) for path in paths] * 12
    for n_processes in (1, 2):
        with server(model_path, n_processes) as (process, port):

            def new_connection(port=port):
                # Each request has its own connection, so that all workers get some.
                return lambda form: request(
                    http.client.HTTPConnection("127.0.0.1", port), "POST", "/predict", form
                )

            measure(new_connection, forms, 8)
            speed, *_ = measure(new_connection, forms, 8)
            memory = [own_and_shared_memory(pid) for pid in children(process.pid)]
        own, every = (
            ", ".join(f"{value:.0f}" for value in one) for one in zip(*memory, strict=True)
        )
        print(f"| {n_processes} | {speed:.0f} | {own} | {every} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000, help="per measurement")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model_path, paths = make_model(folder)
        measure_speed(model_path, paths, arguments.requests, arguments.repeats)
        print()
        measure_processes(model_path, paths)


if __name__ == "__main__":
    main()
