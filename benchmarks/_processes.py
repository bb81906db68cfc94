"""Run a task in a fresh process, and measure its memory and time from outside. Linux only."""

import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

# The process waits before and after its task, so that it can be measured from outside.
_CHILD = """
import importlib, sys
tasks = importlib.import_module(sys.argv[1]).TASKS
print("ready", flush=True)
sys.stdin.readline()
kept = tasks[sys.argv[2]](*sys.argv[3:])
print("done", flush=True)
sys.stdin.readline()
"""

# Seconds between two looks at the memory of the process.
_INTERVAL = 0.003


@dataclass(frozen=True)
class Measurement:
    """What a task needed, in bytes and seconds.

    `own` is the largest memory that the process had allocated at once (RssAnon, sampled every few
    milliseconds), `all` includes pages of files (VmHWM); both without what it used after its
    imports. `elapsed` is the time by the clock, `processor` that of the processor.
    """

    own: int
    all: int
    elapsed: float
    processor: float


def measure(module, task, *arguments):
    """Return the `Measurement` of `TASKS[task](*arguments)` of a module, in a new process."""
    command = [sys.executable, "-c", _CHILD, module, task, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        _expect(process, "ready")
        own_idle, all_idle = _memory_of(process, "RssAnon"), _memory_of(process, "VmRSS")
        own_most, start, before = 0, time.perf_counter(), _processor_time(process)
        _next_step(process)
        while not select.select([process.stdout], [], [], _INTERVAL)[0]:
            own_most = max(own_most, _memory_of(process, "RssAnon"))
        _expect(process, "done")
        elapsed, processor = time.perf_counter() - start, _processor_time(process) - before
        own_most = max(own_most, _memory_of(process, "RssAnon"))
        all_most = _memory_of(process, "VmHWM")
        _next_step(process)
    return Measurement(own_most - own_idle, all_most - all_idle, elapsed, processor)


def _memory_of(process, name):
    """Return an entry of a process's status, in bytes; 0 if the process has ended."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(rf"^{name}:\s*(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _processor_time(process):
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def _next_step(process):
    process.stdin.write("\n")
    process.stdin.flush()


def _expect(process, line):
    if process.stdout.readline() != f"{line}\n":
        raise SystemExit(f"The process ended before it was {line}.")
