"""The forms of X that `other_libraries` tries, and an estimator for each of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import CNNAudioClassifier, CNNAudioRegressor, SpectrogramTransformer, load_audio

# In the order in which they are tried: the form that takes the least work first.
FORMS = ("list", "array", "table", "row numbers", "waveforms", "polars table")


@dataclass(frozen=True)
class Clips:
    """Clips in one form of X, divided into training and test clips, and their labels.

    `files` are the paths of all clips, to which row numbers refer.
    """

    form: str
    files: np.ndarray
    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray
    sampling_rate: int
    max_epochs: int

    def classifier(self, **parameters):
        """Return a small classifier for this form."""
        return self._for_form(CNNAudioClassifier(**self.small(**parameters)))

    def regressor(self, **parameters):
        """Return a small regressor for this form."""
        return self._for_form(CNNAudioRegressor(**self.small(**parameters)))

    def small(self, **parameters):
        """Return the parameters of a small network."""
        rate = self.sampling_rate if self.form == "waveforms" else None
        frontend = SpectrogramTransformer(n_mels=24, n_frames=24, sampling_rate=rate)
        small = {"channels": (8, 16), "max_epochs": self.max_epochs, "learning_rate": 1e-2}
        return {"frontend": frontend, **small, "random_state": 0, **parameters}

    def parameter(self, name):
        """Return the name of a parameter of the network, as in searches."""
        return f"cnnaudioclassifier__{name}" if self.form == "row numbers" else name

    def _for_form(self, network):
        if self.form != "row numbers":
            return network
        return make_pipeline(FunctionTransformer(self.files.take), network)

    def codes(self):
        """Return the numbers of the labels of the training and of the test clips."""
        classes = np.unique(self.y_train)
        return np.searchsorted(classes, self.y_train), np.searchsorted(classes, self.y_test)

    def indicators(self):
        """Return three labels per clip, which are 0 or 1, of the training and the test clips."""
        sets = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
        return tuple(sets[codes % 3] for codes in self.codes())

    def has_first_label(self):
        """Return whether a clip has the first label, of the training and of the test clips."""
        return tuple((codes == 0).astype(int) for codes in self.codes())


def in_form(form, files, labels, is_test, *, max_epochs):
    """Return `Clips` in a form.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    files, labels : ndarray of shape (n_clips,)
    is_test : ndarray of bool of shape (n_clips,)
    max_epochs : int
    """
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    X, rate = _everything(form, files)
    return Clips(
        form,
        files,
        _rows_of(X, train),
        labels[train],
        _rows_of(X, test),
        labels[test],
        rate,
        max_epochs,
    )


def _everything(form, files):
    """Return all clips in a form, and their sampling rate if they are waveforms."""
    if form == "list":
        return [str(path) for path in files], None
    if form == "array":
        return files, None
    if form == "table":
        return pd.DataFrame({"path": files}), None
    if form == "polars table":
        import polars

        return polars.DataFrame({"path": files}), None
    if form == "row numbers":
        return np.arange(len(files))[:, None], None
    return _waveforms(files)


def _waveforms(files):
    """Return an array of shape (n_clips, n_samples), with zeros after short clips, and the rate."""
    clips, rates = zip(*map(load_audio, files), strict=True)
    waveforms = np.zeros((len(clips), max(map(len, clips))), np.float32)
    for waveform, samples in zip(waveforms, clips, strict=True):
        waveform[: len(samples)] = samples
    return waveforms, rates[0]


def _rows_of(X, rows):
    if isinstance(X, list):
        return [X[row] for row in rows]
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
