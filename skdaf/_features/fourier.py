"""Fourier transforms of frames, by SciPy or by the backend that the user has chosen."""

import numpy as np
from scipy import fft


def transform_frames(frames):
    """Return the spectra of the rows of an array; the array may be overwritten.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_samples), float32 or float64

    Returns
    -------
    ndarray of shape (n_frames, n_samples // 2 + 1), complex, contiguous
        In the precision of the frames.

    Raises
    ------
    RuntimeError
        If the result of another backend (`scipy.fft.set_backend`) does not have this shape.
    """
    n_frames, n_samples = frames.shape
    dtype = np.result_type(frames.dtype, np.complex64)
    spectra = fft.rfft(frames, axis=1, overwrite_x=True)
    spectra = np.ascontiguousarray(spectra, dtype=dtype)
    expected = n_frames, n_samples // 2 + 1
    if spectra.shape != expected:
        raise RuntimeError(
            f"The backend of scipy.fft returned spectra of shape {spectra.shape} for {n_frames} "
            f"frames of {n_samples} samples: expected {expected}. Do not use this backend, or "
            "choose SciPy's with scipy.fft.set_backend('scipy')."
        )
    return spectra
