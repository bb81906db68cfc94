"""Configuration files of the combined classifier, for the tests."""

import copy
import json

# The file that comes with deep_audio_features, for two networks and hand-crafted features.
EXAMPLE = """
which_classifier:
  type: svm
  parameters: { 'kernel': 'rbf',
                'metric': 'f1_macro'
  }

extract_basic_features: True
basic_features_params:
  mid_window: 1
  mid_step: 1
  short_window: 0.05
  short_step: 0.01

extract_nn_features: True
model_paths: ['one.skops',
              'old.pt']
download_models: True
google_drive_ids: ['GOOGLE_DRIVE_ID_OF_MODEL_1',
                   'GOOGLE_DRIVE_ID_OF_MODEL_2']
n_components: 100
segment_step: 5
"""

VALUES = {
    "which_classifier": {"type": "svm", "parameters": {"kernel": "rbf", "metric": "f1_macro"}},
    "extract_basic_features": True,
    "basic_features_params": {
        "mid_window": 1,
        "mid_step": 1,
        "short_window": 0.05,
        "short_step": 0.01,
    },
    "extract_nn_features": True,
    "model_paths": ["one.skops", "old.pt"],
    "download_models": True,
    "google_drive_ids": ["GOOGLE_DRIVE_ID_OF_MODEL_1", "GOOGLE_DRIVE_ID_OF_MODEL_2"],
    "n_components": 100,
    "segment_step": 5,
}

ABSENT = object()


def changed(changes):
    """Return the values with some of them changed; names of nested keys are joined by dots."""
    values = copy.deepcopy(VALUES)
    for name, value in changes.items():
        *outer, key = name.split(".")
        section = values
        for part in outer:
            section = section[part]
        if value is ABSENT:
            del section[key]
        else:
            section[key] = value
    return values


def write_config(path, **changes):
    """Write a file with the values, some of them changed, and return its path as a str.

    JSON is YAML too. In names of nested keys, two underscores stand for the dot.
    """
    values = changed({name.replace("__", "."): value for name, value in changes.items()})
    path.write_text(json.dumps(values))
    return str(path)
