"""Export estimators to ONNX and run the files, for the tests of `export_onnx`."""

import numpy as np
from helpers import import_or_skip, noise, tone

from skdaf import SpectrogramTransformer, export_onnx


def one_thread():
    """Return options of a session that uses one thread."""
    runtime = import_or_skip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def session_of(source):
    """Return a session that runs an ONNX file or the bytes of one."""
    runtime = import_or_skip("onnxruntime")
    return runtime.InferenceSession(source, one_thread())


def exported(estimator, folder):
    """Export an estimator to a file in a folder, and return a session that runs it."""
    import_or_skip("onnx")
    path = folder / "model.onnx"
    export_onnx(estimator, path)
    return session_of(path)


def run(session, clips):
    """Return the rows of several clips of any lengths, one call per clip."""
    outputs = [session.run(None, {"waveform": clip[None]}) for clip in clips]
    return np.concatenate([rows for (rows,) in outputs])


def metadata(session):
    return session.get_modelmeta().custom_metadata_map


def difficult_clips(rate=16_000):
    """Return clips of many lengths: silent, loud, quiet, constant, a click, tones and noise."""
    lengths = [1, 2, 159, 160, 161, 319, 320, 480, 1000, 1599, 3200, 5000, rate]
    samples = noise(1, 6000)
    ramp = samples * np.linspace(0.01, 1, len(samples))
    click = np.zeros(4000)
    click[1234] = 1.0
    clips = [*(noise(n, n) for n in lengths), ramp, 500 * ramp, 1e-5 * ramp, click]
    clips += [np.zeros(1), np.zeros(3000), np.ones(2000), tone(440), tone(3000, 0.21) + 0.1]
    return [np.asarray(clip, dtype=np.float32) for clip in clips]


def fitted_on_noise(frontend, estimator, y):
    """Return an estimator with a front end, fitted on eight clips of noise of several lengths."""
    frontend = SpectrogramTransformer(**frontend) if isinstance(frontend, dict) else frontend
    clips = [
        noise(seed, 2000 + 700 * seed) * np.linspace(seed % 2, 1, 2000 + 700 * seed)
        for seed in range(8)
    ]
    return estimator.set_params(frontend=frontend).fit(clips, y)
