"""The Fourier transforms that the user has chosen with `scipy.fft.set_backend`.

All transforms of spectrograms and features go through `scipy.fft`, so another library can compute
them. SciPy's choice is that of the calling thread. `chosen_backends` takes it along to workers,
whether they are threads or processes.
"""

import io
import pickle
import re
import sys
from contextlib import nullcontext
from types import ModuleType

try:
    from cloudpickle import CloudPickler
except ImportError:  # older releases of joblib contain a copy of it
    from joblib.externals.cloudpickle import CloudPickler

# The attribute of a backend in which `uarray` stores the contexts of `set_backend`.
_CONTEXTS = "__ua_cache__"

_ADDRESS = re.compile(" at 0x[0-9A-Fa-f]+")


class Backends:
    """The backends of a thread, which can be pickled.

    Parameters
    ----------
    parts : tuple
        The state of `uarray`, with which SciPy finds the backend: the global backends, those of the
        thread, and a flag.
    """

    def __init__(self, parts):
        self._parts = parts

    def __reduce__(self):
        # joblib can lose an error of pickling, or replace it with one that does not name its cause.
        # The task raises it instead.
        content = io.BytesIO()
        try:
            _Pickler(content).dump(self._parts)
        except Exception as error:  # objects that cannot be pickled raise all kinds of errors
            return _Unsent, (repr(error),)
        return _Sent, (content.getvalue(),)

    @property
    def names(self):
        """The names of all backends but SciPy's own, in the order in which SciPy tries them."""
        by_domain, of_thread, _ = self._parts
        found, skipped = [], []
        for skipped_here, chosen in of_thread.values():
            skipped += skipped_here
            found += (backend for backend, *_ in reversed(chosen))
        for (default, *_), registered, _ in by_domain.values():
            found += [default, *registered]
        names = [_name(backend) for backend in found if backend not in skipped]
        return tuple(dict.fromkeys(name for name in names if not _is_of_scipy(name)))

    def use(self):
        """Return a context in which this thread uses these backends."""
        uarray = _uarray()
        return uarray.set_state(type(uarray.get_state())._unpickle(*self._parts))


class _Sent:
    """Backends that another process has pickled; the task that uses them unpickles them."""

    def __init__(self, content):
        self._content = content

    def use(self):
        return Backends(_Unpickler(io.BytesIO(self._content)).load()).use()


class _Unsent:
    """Backends that cannot be pickled."""

    def __init__(self, reason):
        self._reason = reason

    def use(self):
        raise RuntimeError(
            f"The backend of scipy.fft cannot be sent to other processes: {self._reason}. Use "
            "n_jobs=1, or threads: joblib.parallel_config(backend='threading')."
        )


class _Pickler(CloudPickler):
    """Pickle backends, which are often modules or classes of scripts, as cloudpickle does.

    `uarray` stores the contexts of `set_backend` in the backend itself. They belong to the threads
    of this process, and cannot be pickled.
    """

    def persistent_id(self, value):
        if type(value) is dict and any(type(v).__module__ == "uarray" for v in value.values()):
            return "contexts"
        return None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name):
        return {}


def chosen_backends():
    """Return the Backends of this thread; None if SciPy's own does all transforms."""
    if "scipy.fft" not in sys.modules:
        return None
    try:
        parts = _uarray().get_state()._pickle()
    except (ImportError, AttributeError):
        # A later SciPy may have moved this. Workers then use SciPy's own transforms.
        return None
    backends = Backends(parts)
    return backends if backends.names else None


def use_backends(backends):
    """Return a context in which this thread uses the Backends; None leaves them unchanged."""
    return nullcontext() if backends is None else backends.use()


def _uarray():
    # SciPy has no public function for this; the module is the same in all supported versions.
    from scipy._lib import uarray

    return uarray


def _is_of_scipy(name):
    return name.startswith("scipy.fft.")


def _name(backend):
    """Return a name that is the same in all processes, with the parameters of the backend."""
    if isinstance(backend, ModuleType):
        return backend.__name__
    if isinstance(backend, type):
        return f"{backend.__module__}.{backend.__name__}"
    name, attributes = _name(type(backend)), dict(getattr(backend, "__dict__", {}))
    attributes.pop(_CONTEXTS, None)
    return f"{name} {_ADDRESS.sub('', repr(attributes))}" if attributes else name
