"""Adapter for ONNX files, run by onnxruntime.

A network in such a file cannot say how many samples it needs, and too few may end the process
instead of raising an error. Therefore every window that it gets has the length that its input, its
metadata or the user names.
"""

import os
from functools import partial

import numpy as np

from skdaf._core.requirements import how_to_install
from skdaf._estimators.pretrained.backbone import Backbone, MissingParameterError
from skdaf._estimators.pretrained.batching import map_batches
from skdaf._estimators.pretrained.names import PACKAGES
from skdaf._estimators.pretrained.onnx_metadata import read_metadata
from skdaf._estimators.pretrained.packages import import_package

# A folder that cannot exist. The bytes of a network could otherwise name files in the current
# folder, from which onnxruntime would read weights.
_NO_FOLDER = os.path.join(os.devnull, "none")

_INSTALL = PACKAGES["onnx"]["onnxruntime"]

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
}


def read_onnx(path):
    """Return the bytes of an ONNX file as an array, with the weights that it keeps in other files.

    Raises
    ------
    ImportError
        If there may be such weights, and the package onnx is not installed.
    ValueError
        If the weights cannot be read.
    """
    content = np.fromfile(path, np.uint8)
    if b"location" not in content.tobytes():
        return content
    onnx = import_package("onnx", how_to_install("onnx", "export"))
    try:
        whole = onnx.load(path).SerializeToString()
    except Exception as error:  # of protobuf, of onnx, of the system
        raise ValueError(f"model={path!r} cannot be read as ONNX: {str(error)[:300]}") from error
    return np.frombuffer(whole, np.uint8)


def load_onnx(content, *, sampling_rate, window, output, device, batch_size):
    """Return the Backbone of an ONNX network.

    Parameters
    ----------
    content : ndarray of uint8
        The bytes of the file.
    sampling_rate : int or None
        In Hz; None if the metadata have it.
    window : float or None
        In seconds; None if the input has a fixed length, or the metadata have it.
    output : str, int or None
        Name or position of the output; None if there is only one.
    device : str
        "auto", "cpu" or "cuda".
    batch_size : int

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    ValueError
        If the content is no ONNX network of waveforms, or a parameter is missing or does not fit.
    """
    session = _open(content, device)
    try:
        metadata = read_metadata(session.get_modelmeta().custom_metadata_map)
    except ValueError as error:
        raise ValueError(f"The ONNX file cannot be used: {error}") from None
    network = _Network(session, _find_output(session.get_outputs(), output))
    rate = _choose_rate(sampling_rate, metadata.sampling_rate)
    window = _choose_window(window, network, metadata, rate)
    return Backbone(
        name="feature",
        sampling_rate=rate,
        n_features=None,
        apply=partial(map_batches, network, batch_size=1 if network.is_single else batch_size),
        sha256=None,
        window=window,
        feature_names=metadata.classes,
    )


def _open(content, device):
    onnxruntime = import_package("onnxruntime", _INSTALL)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised too
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", _NO_FOLDER
    )
    try:
        return onnxruntime.InferenceSession(
            content.tobytes(), options, providers=_providers(onnxruntime, device)
        )
    except Exception as error:  # onnxruntime has types of its own for each kind of failure
        raise ValueError(
            "The model is not an ONNX network that this version of onnxruntime can run. "
            f"onnxruntime says: {str(error)[:300]}"
        ) from error


def _providers(onnxruntime, device):
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if has_cuda else "cpu"
    if device.startswith("cuda"):
        if not has_cuda:
            raise ValueError(
                f"device={device!r} needs onnxruntime-gpu; this onnxruntime has no CUDA."
            )
        number = device.partition(":")[2] or "0"
        return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
    if device != "cpu":
        raise ValueError(f"device={device!r}: ONNX files run on 'cpu' or 'cuda'.")
    return ["CPUExecutionProvider"]


def _find_output(outputs, chosen):
    names = [output.name for output in outputs]
    if chosen is None and len(names) == 1:
        return names[0]
    if isinstance(chosen, str) and chosen in names:
        return chosen
    if isinstance(chosen, int) and -len(names) <= chosen < len(names):
        return names[chosen]
    raise ValueError(
        f"output={chosen!r} must be the name or the position of an output of the network, which "
        f"has {names}."
    )


def _choose_rate(given, known):
    if given is None and known is None:
        raise MissingParameterError(
            "sampling_rate is required: the rate (Hz) of the sounds that the network was trained "
            "on. The metadata of this ONNX file do not have it."
        )
    if None not in (given, known) and given != known:
        raise ValueError(
            f"sampling_rate={given}, but the metadata of the ONNX file say {known} Hz: omit it, "
            "and files are resampled."
        )
    return given or known


def _choose_window(given, network, metadata, rate):
    """Return the length in seconds of all windows; None for networks that take any length."""
    if network.n_samples is not None:
        fixed = network.n_samples / rate
        if given is not None and round(given * rate) != network.n_samples:
            raise ValueError(
                f"window={given} (seconds), but the network takes {network.n_samples} samples, "
                f"{fixed:g} s at {rate} Hz: omit it."
            )
        return fixed
    if metadata.takes_any_length:
        return None
    window = given or metadata.window
    if window is None:
        raise MissingParameterError(
            "window is required: the length (seconds) of the windows that the network was made "
            "for. Shorter clips are padded. The metadata of this ONNX file do not have it."
        )
    return window


class _Network:
    """Call a session with a batch of waveforms."""

    def __init__(self, session, output):
        self._session, self._output = session, output
        inputs = session.get_inputs()
        shape = inputs[0].shape if inputs else ()
        if len(inputs) != 1 or inputs[0].type not in _TYPES or not 1 <= len(shape) <= 3:
            found = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
            raise ValueError(
                "The network must have one input, waveforms of shape (n, n_samples), (n, 1, "
                f"n_samples) or (n_samples,), and numbers of a floating-point type, got {found}."
            )
        self._input, self._n_axes = inputs[0].name, len(shape)
        self._type = _TYPES[inputs[0].type]
        self.n_samples = shape[-1] if isinstance(shape[-1], int) and shape[-1] > 0 else None
        self.is_single = self._n_axes == 1 or shape[0] == 1
        if (isinstance(shape[0], int) and shape[0] > 1 and self._n_axes > 1) or (
            self._n_axes == 3 and shape[1] not in (1, None) and isinstance(shape[1], int)
        ):
            raise ValueError(
                f"The network takes an input of shape {shape}: expected one channel, and any "
                "number of waveforms or one."
            )

    def __call__(self, batch):
        batch = batch.astype(self._type, copy=False)
        if self._n_axes == 1:
            (outputs,) = self._session.run([self._output], {self._input: batch[0]})
            return np.asarray(outputs)[None] if np.ndim(outputs) < 3 else outputs
        inputs = batch if self._n_axes == 2 else batch[:, None]
        return self._session.run([self._output], {self._input: inputs})[0]
