"""export_onnx: write a fitted estimator as an ONNX file."""

import copy
import json

import numpy as np
from sklearn.base import BaseEstimator

from skdaf._core.files import write_whole
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._estimators.export.graph import MAX_BYTES, OnnxGraph, import_onnx, integers
from skdaf._estimators.export.parts import find_parts
from skdaf._estimators.export.spectrograms import add_spectrogram
from skdaf._estimators.export.standardization import add_finish
from skdaf._version import __version__

# What the output is called, and what it contains.
_OUTPUTS = {
    "classification": ("probabilities", "the probability of each class"),
    "multilabel": ("probabilities", "the probability of each label"),
    "regression": ("values", "the predicted numbers"),
    "embedding": ("embedding", "the outputs of an inner layer of a network"),
}


@public
def export_onnx(estimator: BaseEstimator | PathLike, path: PathLike) -> None:
    """Write a fitted estimator as an ONNX file, which runs without skdaf, torch or scikit-learn.

    The file contains everything from the samples of clips to the result: the front end, the
    network, and the calculation of probabilities. Programs in many languages can run it with ONNX
    Runtime. The same estimator always gives the same bytes.

    Parameters
    ----------
    estimator : estimator, str or os.PathLike
        A fitted `CNNAudioClassifier`, `CNNAudioRegressor`, `ConvAutoencoderEmbedder` or
        `CNNFeatureExtractor`, or a file with one of them that `save_model` has written. It can
        also be the ``best_estimator_`` of a search, in a ``FrozenEstimator``, or in a pipeline
        after a `SpectrogramTransformer`. Models that `load_deep_audio_features` returns are
        supported, too, if they have a sampling rate and no chroma.
    path : str or os.PathLike
        The file to write, usually named ``*.onnx``. An existing file is replaced only when the new
        one is complete.

    Raises
    ------
    ImportError
        If onnx is not installed, or onnxscript for a network of your own. The error contains the
        command that installs it.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If `estimator` is not an estimator.
    ValueError
        If the estimator cannot be exported. The error says why.
    OSError
        If the file cannot be written. In that case, no partial file is left behind.

    See Also
    --------
    save_model : Write a file that this package can load.

    Notes
    -----
    The input "waveform" has the shape (n_clips, n_samples), float32: clips of the same length, at
    least one sample, with one channel. The output has one row per clip: "probabilities" (n_clips,
    n_classes), "values" (n_clips, n_targets) in the units of `y`, or "embedding" (n_clips,
    n_features).

    The file does not resample. Its metadata contains the rate that the waveforms must have
    ("sampling_rate", in Hz), the "task" ("classification", "multilabel", "regression" or
    "embedding"), the "classes" of a classifier (a JSON array), the "window" in seconds if clips are
    padded or repeated to a common length, and "skdaf_version".

    Probabilities differ from those of `predict_proba` by at most 1e-4, usually by less than 1e-6.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, onnxruntime
    >>> from skdaf import CNNAudioClassifier, export_onnx
    >>> noise = np.random.default_rng(0).standard_normal((12, 4000)).astype(np.float32)
    >>> classifier = CNNAudioClassifier(channels=(4, 8), max_epochs=2, random_state=0)
    >>> classifier = classifier.fit(noise * np.linspace(0, 1, 4000), np.arange(12) % 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.onnx")
    ...     export_onnx(classifier, path)
    ...     session = onnxruntime.InferenceSession(path)
    >>> (probabilities,) = session.run(["probabilities"], {"waveform": noise})
    >>> bool(np.allclose(probabilities, classifier.predict_proba(noise), atol=1e-4))
    True
    >>> session.get_modelmeta().custom_metadata_map["sampling_rate"]
    '16000'
    """
    check_not_swapped(estimator, path, "export_onnx(estimator, path)")
    onnx = import_onnx()
    model = _make_model(find_parts(estimator))
    if model.ByteSize() > MAX_BYTES:
        raise ValueError(
            f"The model is too large to be exported: {model.ByteSize()} bytes, at most {MAX_BYTES}."
        )
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString(deterministic=True))


def _make_model(parts):
    """Return the ONNX model of a front end and a network."""
    from skdaf._estimators.export.layers import add_network  # not at the top, for torch

    extraction = parts.frontend._extraction_at_one_rate()
    graph = OnnxGraph()
    spectrogram = add_spectrogram(graph, "waveform", extraction.settings)
    spectrogram = add_finish(graph, spectrogram, extraction)
    network = copy.deepcopy(parts.network.network_[: parts.n_layers]).eval()
    channel = graph.op("Unsqueeze", spectrogram, integers(1))
    outputs = add_network(graph, network, channel, parts.network.input_shape_)
    name, content = _OUTPUTS[parts.task]
    graph.rename(_add_result(graph, outputs, parts), name)
    rate, n_outputs = extraction.settings.sampling_rate, parts.network.layer_size(parts.n_layers)
    return graph.to_model(
        {"waveform": ["n_clips", "n_samples"]},
        {name: ["n_clips", n_outputs]},
        description=f"From clips of one channel at {rate} Hz to {content}. Written by skdaf "
        f"{__version__}.",
        metadata=_metadata(parts, extraction),
        producer_version=__version__,
    )


def _add_result(graph, outputs, parts):
    """Return the result of the estimator from the outputs of its network."""
    if parts.task == "classification":
        return graph.op("Softmax", outputs, axis=1)
    if parts.task == "multilabel":
        return graph.op("Sigmoid", outputs)
    if parts.task == "regression":
        scale, mean = parts.network.target_scale_, parts.network.target_mean_
        scaled = graph.op("Mul", outputs, np.asarray(scale, dtype=np.float32))
        return graph.op("Add", scaled, np.asarray(mean, dtype=np.float32))
    return outputs


def _metadata(parts, extraction):
    """Return what a program must know to use the file, as text."""
    settings, length = extraction.settings, extraction.length
    metadata = {
        "skdaf_version": __version__,
        "sampling_rate": str(settings.sampling_rate),
        "task": parts.task,
    }
    if parts.task in ("classification", "multilabel"):
        # Labels that JSON cannot express, such as dates, become text.
        metadata["classes"] = json.dumps(parts.network.label_names_.tolist(), default=str)
    if length.method != "resize":
        # A clip of this duration has exactly the number of frames of the common length.
        n_hops = max(1, round(length.n_frames * length.squeeze) - 1)
        metadata["window"] = str(n_hops * settings.hop_length / settings.sampling_rate)
    return metadata
