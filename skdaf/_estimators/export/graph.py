"""Build an ONNX graph one operation at a time."""

from typing import Any

import numpy as np

from skdaf._core.requirements import MissingPackageError, how_to_install

# Set 18 is the first with everything that the graphs need; onnxruntime reads it since 1.14.
_OPSET = 18
# The version of the file format that belongs to it.
_IR_VERSION = 8

# The numbers of types in `onnx.TensorProto`.
FLOAT, INT64, DOUBLE = 1, 7, 11

# Files of more bytes than this cannot be written in one piece.
MAX_BYTES = 2**31 - 1


def import_onnx() -> Any:
    """Return the package onnx.

    Raises
    ------
    ImportError
        If it is not installed; the message contains the command that installs it.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingPackageError(
            "export_onnx needs onnx. Install it with: " + how_to_install("onnx", "export")
        ) from error
    return onnx


class OnnxGraph:
    """A graph that grows by one operation at a time; tensors are referred to by name."""

    def __init__(self):
        self._onnx = import_onnx()
        self._nodes, self._weights, self._constants = [], [], {}
        self._opset, self._ir_version = _OPSET, _IR_VERSION

    def op(self, kind, *inputs, **attributes):
        """Add an operation and return the name of its output.

        Parameters
        ----------
        kind : str
            The name of the operator.
        *inputs : str or ndarray
            Names of tensors, or arrays of constants.
        **attributes : int, float, str or list
        """
        name = f"{kind}_{len(self._nodes)}"
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        self._nodes.append(self._onnx.helper.make_node(kind, names, [name], name, **attributes))
        return name

    def constant(self, array):
        """Return the name of a constant; equal constants are stored once."""
        array = np.asarray(array, order="C")
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = self._constants[key] = f"constant_{len(self._constants)}"
            self._weights.append(self._onnx.numpy_helper.from_array(array, name))
        return self._constants[key]

    def rename(self, tensor, name):
        """Add another name for a tensor, such as that of an output."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [tensor], [name], name))

    def include(self, model, tensor):
        """Add all operations of a model with one input and one output; return its output."""
        graph = self._onnx.compose.add_prefix(model, "network/").graph
        self._nodes.append(self._onnx.helper.make_node("Identity", [tensor], [graph.input[0].name]))
        for node in graph.node:
            # They describe where the code that was exported is on this computer.
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
        self._nodes += graph.node
        self._weights += graph.initializer
        self._opset = max(self._opset, *(entry.version for entry in model.opset_import))
        self._ir_version = max(self._ir_version, model.ir_version)
        return graph.output[0].name

    def to_model(self, inputs, outputs, *, description, metadata, producer_version):
        """Return the graph as a model.

        Parameters
        ----------
        inputs, outputs : dict of str to list of int or str
            The shape of each float32 tensor; text stands for any size.
        description : str
        metadata : dict of str to str
        producer_version : str
        """
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes,
            "skdaf",
            *(
                [
                    helper.make_tensor_value_info(name, self._onnx.TensorProto.FLOAT, shape)
                    for name, shape in tensors.items()
                ]
                for tensors in (inputs, outputs)
            ),
            initializer=self._weights,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self._opset)],
            ir_version=self._ir_version,
            producer_name="skdaf",
            producer_version=producer_version,
            doc_string=description,
        )
        helper.set_model_props(model, metadata)
        return model


def integers(*values):
    """Return a vector of integers, as operators take sizes and axes."""
    return np.array(values, dtype=np.int64)
