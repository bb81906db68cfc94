"""The backend of scipy.fft that a thread has chosen, taken along to workers."""

import pickle
import subprocess
import sys
from threading import Thread
from types import SimpleNamespace

import fourier_backend
import joblib
import pytest
import scipy.fft

from skdaf._core.fourier_backends import chosen_backends, use_backends
from skdaf._core.parallel import map_chunks

NAMES = ("fourier_backend",)


def names_here(chunk=None):
    backends = chosen_backends()
    return () if backends is None else backends.names


@pytest.fixture
def global_backend():
    scipy.fft.set_global_backend(fourier_backend)
    yield
    scipy.fft.set_global_backend("scipy", try_last=True)


def test_scipy_alone_needs_no_state():
    assert chosen_backends() is None
    with scipy.fft.set_backend("scipy"):
        assert chosen_backends() is None
    with scipy.fft.set_backend(fourier_backend), scipy.fft.skip_backend(fourier_backend):
        assert chosen_backends() is None
    with use_backends(None):
        assert chosen_backends() is None


def test_without_scipy_fft_there_is_no_backend():
    program = (
        "import sys; from skdaf._core.fourier_backends import chosen_backends; "
        "assert chosen_backends() is None and 'scipy.fft' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_scipy_without_this_private_module_still_computes(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy._lib.uarray", None)
    monkeypatch.delattr("scipy._lib.uarray", raising=False)
    with scipy.fft.set_backend(fourier_backend):
        assert chosen_backends() is None
        assert set(map_chunks(names_here, range(200), n_jobs=2)) == {()}


def test_a_backend_is_restored_in_another_thread_and_only_there():
    with scipy.fft.set_backend(fourier_backend):
        backends = chosen_backends()
    copy, seen = pickle.loads(pickle.dumps(backends)), []

    def work():
        seen.append(names_here())
        for state in (backends, copy):
            with use_backends(state):
                seen.append(names_here())
        seen.append(names_here())

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(), NAMES, NAMES, ()]
    assert names_here() == ()


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky", "multiprocessing"])
def test_chunks_use_the_backend_of_the_caller(backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        with scipy.fft.set_backend(fourier_backend):
            assert set(map_chunks(names_here, range(200), n_jobs=None)) == {NAMES}
        assert set(map_chunks(names_here, range(200), n_jobs=None)) == {()}


def test_a_global_backend_counts_too(global_backend):
    assert set(map_chunks(names_here, range(200), n_jobs=2)) == {NAMES}
    with scipy.fft.set_backend("scipy"):
        # SciPy's is tried first, but others do what it cannot.
        assert names_here() == NAMES


class Instance:
    """A backend with a parameter. SciPy stores the contexts of threads in its attributes."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self, n_bits):
        self.n_bits = n_bits

    def __ua_function__(self, method, args, kwargs):
        return NotImplemented


def test_instances_are_named_by_their_parameters():
    name = f"{__name__}.Instance {{'n_bits': "
    for n_bits in (1, 2):
        with scipy.fft.set_backend(Instance(n_bits)):
            assert names_here() == (name + f"{n_bits}}}",)
    first, second = Instance(1), Instance(1)
    with scipy.fft.set_backend(first), scipy.fft.skip_backend(second):
        assert names_here() == (name + "1}",)
    with scipy.fft.set_backend(first), scipy.fft.skip_backend(first):
        assert names_here() == ()
    with scipy.fft.set_backend(SimpleNamespace(__ua_domain__="numpy.scipy.fft", f=names_here)):
        assert names_here()[0].endswith("'f': <function names_here>}")


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_instances_and_classes_are_sent_to_workers(backend):
    class Local(Instance):  # which only cloudpickle can pickle
        pass

    with joblib.parallel_config(backend=backend, n_jobs=2):
        for chosen in (Instance(3), Local(3), Local):
            with scipy.fft.set_backend(chosen), scipy.fft.set_backend(chosen, coerce=True):
                names = names_here()
                assert len(names) == 1
                assert set(map_chunks(names_here, range(200), n_jobs=None)) == {names}


class Broken:
    """A backend that cannot be sent to other processes."""

    __ua_domain__ = "numpy.scipy.fft"

    def __reduce__(self):
        raise ValueError("this backend is not for other processes")

    def __ua_function__(self, method, args, kwargs):
        return NotImplemented


# Not with the backend "multiprocessing": when the error ends its pool, Python can wait forever.
@pytest.mark.parametrize("backend", ["loky"])
def test_a_backend_that_cannot_be_sent_raises_its_own_error(backend):
    with scipy.fft.set_backend(Broken()):
        assert len(list(map_chunks(names_here, range(200), n_jobs=None))) == 4
        with (
            joblib.parallel_config(backend=backend),
            pytest.raises(RuntimeError, match=r"fft cannot be sent .*'this backend is not for"),
        ):
            list(map_chunks(names_here, range(200), n_jobs=2))


class OnlyHere:
    """A backend that can be pickled, but not unpickled."""

    __ua_domain__ = "numpy.scipy.fft"

    def __reduce__(self):
        return int, ("not a number",)


def test_a_backend_that_cannot_be_restored_raises_its_own_error():
    with (
        scipy.fft.set_backend(OnlyHere()),
        pytest.raises(ValueError, match="not a number"),
    ):
        list(map_chunks(names_here, range(200), n_jobs=2))
