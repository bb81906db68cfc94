"""Work in other processes, threads and a dask cluster; what remains after an interruption."""

import os
import re
import runpy
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import joblib
import pytest
import torch
from helpers import ROOT
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import FeatureUnion, Pipeline
from threadpoolctl import threadpool_info

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
)
from skdaf._core.parallel import is_worker_thread, map_chunks
from skdaf.datasets import make_audio_dataset

pytestmark = pytest.mark.oldest

TINY = {"channels": (4, 8), "max_epochs": 2, "batch_size": 32, "random_state": 0}


def tiny(**changes):
    classifier = CNNAudioClassifier(SpectrogramTransformer(n_mels=16), **TINY)
    return classifier.set_params(**changes)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """More files than fit in two chunks, in three classes."""
    folder = tmp_path_factory.mktemp("many")
    return make_audio_dataset(folder, n_clips_per_class=50, duration=(0.05, 0.15))


@pytest.fixture(scope="module")
def cluster():
    """A dask cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture(params=["loky", "threading", "dask"])
def backend(request):
    """Two workers of one backend."""
    if request.param == "dask":
        request.getfixturevalue("cluster")
    with joblib.parallel_config(backend=request.param, n_jobs=2):
        yield request.param


# --- the same bytes everywhere ---------------------------------------------------------------


def process(chunk):
    return os.getpid()


@pytest.mark.slow
def test_the_work_goes_to_the_workers(backend):
    processes = set(map_chunks(process, range(500), n_jobs=None))
    assert (os.getpid() in processes) == (backend == "threading")


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    "transformer", [SpectrogramTransformer(n_mels=16), PyAudioAnalysisTransformer()]
)
def test_transform_gives_the_same_bytes(many, backend, transformer, n_jobs):
    with joblib.parallel_config(backend="sequential"):
        expected = transformer.set_params(n_jobs=None).fit_transform(many.filenames)
    result = transformer.set_params(n_jobs=n_jobs).fit_transform(many.filenames)
    assert result.tobytes() == expected.tobytes()


def union():
    return FeatureUnion(
        [
            ("cnn", CNNFeatureExtractor(tiny())),
            ("embedding", ConvAutoencoderEmbedder(SpectrogramTransformer(n_mels=16), **TINY)),
            ("handcrafted", PyAudioAnalysisTransformer()),
        ]
    )


@pytest.mark.slow
def test_a_feature_union_gives_the_same_bytes(many, backend):
    with joblib.parallel_config(backend="sequential"):
        expected = union().fit_transform(many.filenames, many.target)
    result = union().set_params(n_jobs=2).fit(many.filenames, many.target)
    assert result.transform(many.filenames).tobytes() == expected.tobytes()


def search(**options):
    return GridSearchCV(
        tiny(),
        {"learning_rate": [1e-2, 1e-3], "frontend__n_mels": [8, 16]},
        scoring="neg_log_loss",
        cv=2,
        **options,
    )


@pytest.mark.slow
def test_a_grid_search_gives_the_same_bytes(many, backend, tmp_path):
    with joblib.parallel_config(backend="sequential"):
        expected = search().fit(many.filenames, many.target)
        probabilities = expected.predict_proba(many.filenames)
    found = search().set_params(estimator__frontend__cache=tmp_path / "cache", n_jobs=2)
    found.fit(many.filenames, many.target)
    for scores in ("split0_test_score", "split1_test_score"):
        assert found.cv_results_[scores].tobytes() == expected.cv_results_[scores].tobytes()
    assert found.predict_proba(many.filenames).tobytes() == probabilities.tobytes()


# --- a dask cluster: killed workers, and tasks in tasks ---------------------------------------


class KilledOnce:
    """A function that kills the worker that calls it first, and otherwise returns its argument."""

    def __init__(self, marker):
        self.marker, self.main = marker, os.getpid()

    def __call__(self, value, *_):
        try:
            assert os.getpid() != self.main or self.marker.exists(), "no worker called this"
            self.marker.touch(exist_ok=False)
        except FileExistsError:
            return value
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def both_workers(cluster):
    """Wait until a worker that was killed has been replaced: one alone gets no work."""
    cluster.wait_for_workers(2, timeout=30)


@pytest.mark.slow
def test_fits_of_a_killed_worker_are_not_lost(both_workers, many, tmp_path):
    """As in the recipe of the documentation: lists, which are sent with each task."""
    X, y = many.filenames, many.target.tolist()
    splits = StratifiedKFold(2).split(X, y)
    splits = [(train.tolist(), test.tolist()) for train, test in splits]

    def scores():
        found = GridSearchCV(
            tiny(augment=KilledOnce(tmp_path / "killed")),
            {"learning_rate": [1e-2, 1e-3]},
            scoring="neg_log_loss",
            cv=splits,
            refit=False,
        )
        return found.fit(X, y).cv_results_["mean_test_score"].tolist()

    with joblib.parallel_config(backend="dask"):
        after_a_kill = scores()
    assert (tmp_path / "killed").exists()
    with joblib.parallel_config(backend="sequential"):
        assert scores() == after_a_kill


def processes_of_chunks(_):
    """Return the processes that compute the chunks of a task, and the process of the task."""
    return set(map_chunks(process, range(500), n_jobs=None)), {os.getpid()}


@pytest.mark.slow
def test_a_task_does_not_distribute_its_own_chunks(both_workers):
    with joblib.parallel_config(backend="dask"):
        tasks = joblib.Parallel()(joblib.delayed(processes_of_chunks)(i) for i in range(4))
    assert all(processes == own for processes, own in tasks)
    assert os.getpid() not in set.union(*(own for _, own in tasks))


# --- threads inside workers ------------------------------------------------------------------


class Spy:
    """An augmentation that changes nothing, and records which other workers are running."""

    def __init__(self, path):
        self.path = path

    def __call__(self, batch, generator):
        blas = max(i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas")
        helpers = sum(t.name.startswith("skdaf-networks") for t in threading.enumerate())
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()} {helpers} {torch.get_num_threads()} {blas}\n")
        return batch

    def seen(self):
        """Return sets: processes, helping threads, threads of torch, threads of BLAS."""
        lines = Path(self.path).read_text().splitlines()
        return [set(map(int, column)) for column in zip(*map(str.split, lines), strict=True)]


def watched(spy):
    """Return a network with spectrograms that are large enough for several threads."""
    return tiny(augment=spy, frontend__n_frames=120)


def test_a_single_fit_uses_the_available_threads(many, tmp_path):
    spy = Spy(tmp_path / "seen")
    watched(spy).fit(many.filenames, many.target)
    _, helpers, torch_threads, _ = spy.seen()
    assert max(helpers) == min(2, torch.get_num_threads()) - 1
    assert torch_threads == {1}


@pytest.mark.slow
def test_workers_do_not_compete_for_cores(many, backend, tmp_path):
    spy = Spy(tmp_path / "seen")
    grid = {"learning_rate": [1e-2, 1e-3]}
    search = GridSearchCV(watched(spy), grid, cv=2, refit=False, n_jobs=2)
    search.fit(many.filenames, many.target)
    processes, helpers, torch_threads, blas_threads = spy.seen()
    assert helpers == {0}
    assert torch_threads == {1}
    if backend == "threading":
        assert processes == {os.getpid()}
    else:
        assert os.getpid() not in processes
        assert blas_threads == {1}


def test_only_threads_that_joblib_has_started_are_its_workers():
    assert not is_worker_thread()
    seen = []
    own = threading.Thread(target=lambda: seen.append(is_worker_thread()))
    own.start()
    own.join()
    assert seen == [False]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert not is_worker_thread()
        assert joblib.Parallel()(joblib.delayed(is_worker_thread)() for _ in range(4)) == [True] * 4
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(is_worker_thread)() for _ in range(2)) == [
        False,
        False,
    ]


# --- many threads on one estimator -----------------------------------------------------------


@pytest.fixture(scope="module")
def estimators(many):
    X, y = many.filenames, many.target
    extractor = CNNFeatureExtractor(tiny()).fit(X, y)
    embedder = ConvAutoencoderEmbedder(SpectrogramTransformer(n_mels=16), **TINY).fit(X)
    pipeline = Pipeline([("spec", SpectrogramTransformer(n_mels=16)), ("cnn", tiny())]).fit(X, y)
    return {
        "classifier": extractor.estimator_.predict_proba,
        "pipeline": pipeline.predict_proba,
        "extractor": extractor.transform,
        "embedder": embedder.transform,
        "reconstruct": embedder.reconstruct,
        "handcrafted": PyAudioAnalysisTransformer().fit(X).transform,
    }


@pytest.mark.parametrize("is_training", [False, True], ids=["alone", "beside a training"])
def test_many_threads_predict_at_once(many, estimators, is_training):
    X = many.filenames[::5]
    expected = {name: method(X).tobytes() for name, method in estimators.items()}
    n_threads, stop, wrong, fitted = torch.get_num_threads(), threading.Event(), [], []

    def fit():
        while not fitted or not stop.is_set():
            fitted.append(tiny().fit(many.filenames, many.target).predict_proba(X).tobytes())

    def predict(name, start):
        start.wait()
        for _ in range(3):
            if estimators[name](X).tobytes() != expected[name]:
                wrong.append(name)

    start = threading.Barrier(2 * len(estimators))
    threads = [threading.Thread(target=predict, args=(name, start)) for name in estimators]
    threads += [threading.Thread(target=predict, args=(name, start)) for name in estimators]
    trainer = threading.Thread(target=fit)
    if is_training:
        trainer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    if is_training:
        trainer.join()
        alone = tiny().fit(many.filenames, many.target).predict_proba(X).tobytes()
        assert set(fitted) == {alone}
    assert wrong == []
    assert torch.get_num_threads() == n_threads


# --- interruption ----------------------------------------------------------------------------

INTERRUPTED = """
    import os
    import signal
    import sys
    import joblib
    from skdaf import SpectrogramTransformer
    from skdaf.datasets import make_audio_dataset

    # Programs that a shell starts in the background ignore Ctrl-C, and so do their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, folder, backend = sys.argv[1:]
    joblib.parallel_config(backend=backend)
    sounds = make_audio_dataset(folder + "/sounds", n_clips_per_class=50, duration=(0.05, 0.1))

    def signal_working(*_):
        os.write(1, b"working\\n")  # at once, whatever other threads write

    front_end = SpectrogramTransformer(hop_length=0.001, n_jobs=2, cache=folder + "/cache")
    if what == "transform":
        front_end.fit_transform(sounds.filenames)
        signal_working()
        while True:
            front_end.set_params(fmin=front_end.fmin + 0.01).fit_transform(sounds.filenames)
    else:
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from skdaf import CNNAudioClassifier

        class Signal:
            def __call__(self, batch, generator):
                signal_working()
                return batch

        Signal.__module__ = "__main__"
        classifier = CNNAudioClassifier(
            SpectrogramTransformer(), max_epochs=10_000, early_stopping=False, augment=Signal()
        )
        grid = {"learning_rate": [1e-3, 1e-4, 1e-5, 1e-6]}
        GridSearchCV(classifier, grid, cv=2, n_jobs=2).fit(sounds.filenames, sounds.target)
    print("finished", flush=True)
"""


def members(session):
    """Return the command lines of all processes of a session that are alive."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, number, *_ = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(number) == session and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("what", ["transform", "search"])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_an_interruption_leaves_neither_processes_nor_files(tmp_path, what, backend):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    main = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), what, str(tmp_path), backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary), "JOBLIB_TEMP_FOLDER": str(temporary)},
    )
    try:
        assert main.stdout.readline() == "working\n"
        assert wait_until(lambda: len(members(main.pid)) >= (3 if backend == "loky" else 1), 10)
        # Ctrl-C in a terminal reaches all processes of a group.
        os.killpg(main.pid, signal.SIGINT)
        output, errors = main.communicate(timeout=60)
        # Not with an abort, which is how threads inside libraries end an interpreter.
        assert main.returncode in (1, 130, -signal.SIGINT), errors
        assert "finished" not in output
        assert "KeyboardInterrupt" in errors
        assert wait_until(lambda: members(main.pid) == [], 10), members(main.pid)
    finally:
        if members(main.pid):
            os.killpg(main.pid, signal.SIGKILL)
    assert list(temporary.iterdir()) == []
    if Path("/dev/shm").exists():
        # Other numbers in these names may contain its digits.
        own = re.compile(rf"(?<![0-9a-z]){main.pid}(?![0-9a-z])")
        assert [path for path in Path("/dev/shm").iterdir() if own.search(path.name)] == []
    assert {path.name for path in tmp_path.iterdir()} <= {"sounds", "cache", "temporary"}
    assert all(path.suffix == ".cache" for path in tmp_path.glob("cache/*"))


# --- the page about workers ------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_on_scaling_out_is_what_runs(cluster, both_workers, tmp_path, monkeypatch, capsys):
    page = ROOT / "docs" / "scaling_out.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    make_audio_dataset(
        tmp_path / "recordings",
        classes=["low_tone", "high_tone"],
        n_clips_per_class=12,
        duration=(0.1, 0.2),
    )
    # Its cluster is the one that runs already, and its workers are in another folder.
    start = "LocalCluster(n_workers=2, threads_per_worker=1)"
    assert start in code
    code = code.replace(start, "nullcontext(LocalCluster)").replace(
        "random_state=0", "random_state=0, max_epochs=2"
    )
    for name in ("recordings", "spectrograms"):
        code = code.replace(f'"{name}"', repr(str(tmp_path / name)))
    code = code.replace("import joblib\n", "from contextlib import nullcontext\nimport joblib\n")
    (tmp_path / "search.py").write_text(code)
    monkeypatch.setattr("dask.distributed.LocalCluster", cluster.cluster)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("search.py", run_name="__main__")
    assert "learning_rate" in capsys.readouterr().out
    assert joblib.load(tmp_path / "model.joblib").classes_.tolist() == sorted(
        path.name for path in (tmp_path / "recordings").iterdir()
    )
    assert any((tmp_path / "spectrograms").iterdir())
