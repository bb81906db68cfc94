"""Damaged files, made by `benchmarks/_mutations.py`, end in samples or in a sentence.

`python -m benchmarks.fuzz` does the same with many more, in processes that may crash.
"""

import ctypes
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections import defaultdict

import numpy as np
import pytest

from skdaf import AudioReadError

if sys.platform != "linux":
    pytest.skip("the benchmark is for Linux", allow_module_level=True)

from benchmarks import _mutations, fuzz

SEED = 12
N_KINDS = len(_mutations.KINDS)
N = 26 * N_KINDS


def of_kind(kind, n=N):
    """Create the first files of a kind."""
    for number in range(_mutations.KINDS.index(kind), n, N_KINDS):
        yield _mutations.case(SEED, number)


@pytest.mark.parametrize("kind", _mutations.KINDS)
def test_every_damaged_file_ends_in_samples_or_in_a_sentence(tmp_path, capfd, kind):
    outcomes = defaultdict(list)
    for case in of_kind(kind):
        path = tmp_path / f"{case.number}{case.extension}"
        path.write_bytes(case.content)
        ctypes.CDLL(None).fflush(None)
        capfd.readouterr()
        outcome, defects = fuzz.examine(str(path))
        ctypes.CDLL(None).fflush(None)
        printed = capfd.readouterr()
        assert not defects, f"{case.number} ({', '.join(case.mutations)}): {defects}"
        assert printed == ("", "")
        outcomes[outcome].append(case.number)
    # Both must happen, or the test would prove nothing.
    assert fuzz.REFUSED in outcomes
    assert fuzz.READ in outcomes or kind == _mutations.NO_RECORDING


# Creating files.


def test_a_seed_makes_the_same_files_in_every_process():
    code = (
        "from benchmarks._mutations import case; import hashlib\n"
        f"for n in range(60): print(hashlib.md5(case({SEED}, n).content).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=os.path.dirname(os.path.dirname(fuzz.__file__)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    contents = [_mutations.case(SEED, number).content for number in range(60)]
    assert run.stdout.split() == [hashlib.md5(content).hexdigest() for content in contents]
    others = [_mutations.case(SEED + 1, number).content for number in range(60)]
    assert len({*contents, *others}) > 110


def test_all_kinds_of_damage_and_of_sound_are_there():
    seen = {name for number in range(2500) for name in _mutations.case(SEED, number).mutations}
    assert seen >= {*_mutations.MUTATIONS, *_mutations.SOUNDS, "wrong extension"}


@pytest.mark.parametrize("kind", _mutations.FORMATS)
def test_the_files_are_whole_before_they_are_damaged(tmp_path, kind):
    for format_, subtype in _mutations.FORMATS[kind]:
        extension = _mutations._EXTENSIONS.get(format_, format_.lower())
        path = tmp_path / f"whole.{extension}"
        path.write_bytes(_mutations._written(format_, subtype, "mono", 16_000))
        assert fuzz.examine(str(path)) == (fuzz.READ, [])


@pytest.mark.parametrize("kind", ["Ogg Vorbis", "Opus"])
def test_checksums_of_pages_are_those_of_the_library(kind):
    ((format_, subtype),) = _mutations.FORMATS[kind]
    content = _mutations._written(format_, subtype, "mono", 16_000)
    damaged = bytearray(content)
    damaged[22:26] = bytes(4)
    assert bytes(damaged) != content
    assert _mutations._with_checksums(damaged) == content


# Examining files: the checks must be able to fail.


def warn_twice(path):
    warnings.warn("one", stacklevel=1)
    warnings.warn("two", stacklevel=1)
    return np.ones(3)


def refuse(path):
    raise AudioReadError.of(path, "no")


def refuse_without_a_name(path):
    raise AudioReadError("no")


@pytest.mark.parametrize(
    ("ways", "defect"),
    [
        ({"a": lambda path: np.array([0.0, np.nan])}, "a: 2 values, not all finite"),
        ({"a": lambda path: np.array([np.inf])}, "not all finite"),
        ({"a": lambda path: np.zeros(0)}, "a: 0 values"),
        ({"a": lambda path: 1 / 0}, "a: ZeroDivisionError: division by zero"),
        ({"a": warn_twice}, r"a: 2 warnings: \['one', 'two'\]"),
        ({"a": refuse_without_a_name}, "does not name the file"),
        ({"a": refuse, "b": lambda path: np.ones(1)}, "ways disagree"),
    ],
)
def test_defects_are_seen(monkeypatch, ways, defect):
    monkeypatch.setattr(fuzz, "WAYS", {"load_audio": next(iter(ways.values())), **ways})
    outcome, defects = fuzz.examine("a.wav")
    assert outcome == fuzz.DEFECT
    assert re.search(defect, " ".join(defects))


def misbehave(path):
    """Crash, hang, print or allocate memory, depending on the number of the file."""
    number = int(os.path.basename(path).split(".")[0])
    if number == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 2:
        time.sleep(60)
    if number == 3:
        os.write(2, b"a note\n")
    if number == 4:
        np.ones(20_000_000)
    return fuzz.READ, []


@pytest.mark.slow
def test_crashes_and_hangs_are_reported_and_the_run_continues():
    # The limit is for one file; other files must not exceed it on a busy machine.
    results = fuzz.examine_all(range(6), seed=SEED, jobs=1, time_limit=4, examine=misbehave)
    assert [result.number for result in results] == list(range(6))
    assert [result.outcome for result in results] == [
        fuzz.READ, fuzz.DEFECT, fuzz.DEFECT, fuzz.DEFECT, fuzz.READ, fuzz.READ,
    ]  # fmt: skip
    assert results[1].defects == ["crashed (exit code -11)"]
    assert results[2].defects == ["not done in 4 s"]
    assert results[3].defects == ["printed 'a note\\n'"]
    assert results[4].memory > 100e6 > results[5].memory
    lines = fuzz.table(results, SEED).splitlines()
    assert lines[0].count("|") == lines[-3].count("|")
    assert lines[-3].startswith("| all | 6 | 3 | 0 | 3 |")
