"""Networks of users as ONNX operations, through torch's own exporter."""

import logging
import warnings
from contextlib import contextmanager

import torch

from skdaf._core.requirements import MissingPackageError, how_to_install
from skdaf._estimators.export.graph import import_onnx

# Clips in the batch that the exporter follows through the network; it takes 1 for a fixed size.
_N_CLIPS = 2


def add_with_torch(graph, network, x, input_shape):
    """Apply any network to a tensor; the parameters are those of `layers.add_network`.

    Raises
    ------
    ImportError
        If onnxscript, which the exporter needs, is not installed.
    ValueError
        If the exporter fails; the message contains its reason.
    """
    _check_onnxscript()
    try:
        with _quietly():
            model = _export(network, torch.zeros(_N_CLIPS, 1, *input_shape))
    except Exception as error:  # the exporter runs the code of a user
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            "The network cannot be exported, because torch.onnx.export fails for it "
            f"({type(error).__name__}: {reason}). Its layers must be ones that ONNX has, and its "
            "code must not depend on the number of clips or on their values."
        ) from error
    return graph.include(model, x)


def _check_onnxscript():
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            "export_onnx needs onnxscript to export networks with layers that are not from skdaf. "
            "Install it with: " + how_to_install("onnx onnxscript", "export")
        ) from error


def _export(network, batch):
    """Return the network as an ONNX model without functions of its own."""
    _check_clips_are_independent(network, batch)
    program = _follow(network, batch, strict=False) or _follow(network, batch, strict=True)
    if program is None:
        raise ValueError("its results are others for another number of clips")
    exported = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False)
    onnx = import_onnx()
    model = exported.model_proto
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _follow(network, batch, strict):
    """Return what a network computes as a program of torch; None if it fits only this batch.

    With `strict`, torch reads the code of the network instead of running it. It then understands
    ``len(x)``, which otherwise becomes a fixed number.
    """
    try:
        shapes = ({0: torch.export.Dim("n_clips")},)
        program = torch.export.export(network, (batch,), dynamic_shapes=shapes, strict=strict)
        others = torch.randn(_N_CLIPS + 1, *batch.shape[1:], generator=torch.Generator())
        with torch.no_grad():
            is_same = torch.allclose(program.module()(others), network(others), atol=1e-4)
    except Exception:
        if strict:
            raise
        return None
    return program if is_same else None


def _check_clips_are_independent(network, batch):
    """Raise ValueError if the results for a clip depend on the other clips of a batch."""
    clips = torch.randn(batch.shape, generator=torch.Generator())
    with torch.no_grad():
        alone = torch.cat([network(clip[None]) for clip in clips])
        if not torch.allclose(network(clips), alone, atol=1e-4):
            raise ValueError("its results for a clip depend on the other clips")


@contextmanager
def _quietly():
    """Hide what the exporter says about torch itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
