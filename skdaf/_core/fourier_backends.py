"""The Fourier transforms that the user has chosen with `scipy.fft.set_backend`.

All transforms of spectrograms and features go through `scipy.fft`, so another library can compute
them. SciPy's choice is that of the calling thread. `chosen_backends` takes it along to workers,
whether they are threads or processes.
"""

import sys
from contextlib import nullcontext
from types import ModuleType

from joblib import wrap_non_picklable_objects


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
        # A backend is often a module, which only cloudpickle can pickle.
        return Backends, (wrap_non_picklable_objects(self._parts, keep_wrapper=False),)

    @property
    def names(self):
        """The names of all backends but SciPy's own, in the order in which SciPy tries them."""
        by_domain, of_thread, _ = self._parts
        found, skipped = [], []
        for skipped_here, chosen in of_thread.values():
            skipped += map(_name, skipped_here)
            found += (_name(backend) for backend, *_ in reversed(chosen))
        for (default, *_), registered, _ in by_domain.values():
            found += map(_name, [default, *registered])
        others = (name for name in found if name not in skipped and not _is_of_scipy(name))
        return tuple(dict.fromkeys(others))

    def use(self):
        """Return a context in which this thread uses these backends."""
        uarray = _uarray()
        return uarray.set_state(type(uarray.get_state())._unpickle(*self._parts))


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
    if isinstance(backend, ModuleType):
        return backend.__name__
    kind = backend if isinstance(backend, type) else type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"
