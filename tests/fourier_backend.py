"""A backend for `scipy.fft.set_backend` whose results are easy to recognize.

Like mkl_fft's, it is a module, which plain pickle cannot send to workers. Its spectra contain only
the lower half of the frequencies. It computes in double precision and knows no other transforms.
"""

import numpy as np

__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method, args, kwargs):  # noqa: N807
    return rfft(*args, **kwargs) if method.__name__ == "rfft" else NotImplemented


def rfft(x, n=None, axis=-1, **options):
    spectra = np.fft.rfft(np.asarray(x, np.float64), n, axis)
    spectra[..., spectra.shape[-1] // 2 :] = 0
    return spectra
