"""What each ingredient of the defaults contributes: change one, keep all others, and compare.

    python -m benchmarks.ingredients [CHANGE ...] [--sets fsdd-speakers esc10 ...] [--seeds 2]

One row per change, one column per set of `real_sounds`: the accuracy and the unweighted average
recall (UAR), averaged over folds and seeds, and the processor time of a fit in seconds.
"""

import argparse
import contextlib
import tempfile
import time
from functools import partial
from unittest.mock import patch

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import recall_score
from torch import nn

from benchmarks import _sets
from skdaf import CNNAudioClassifier, SpectrogramTransformer, load_audio
from skdaf._estimators import fitting
from skdaf._estimators.fitting import make_plan
from skdaf._features import resizing, standardizing
from skdaf._features.spectrogram import SpectrogramSettings, mel_levels
from skdaf._networks import architectures
from skdaf._networks.architectures import build_cnn
from skdaf._training import augmentation as _augmentation
from skdaf._training import loop as _loop


class _MeanOverTime(nn.Module):
    def forward(self, x):
        return x.mean(dim=2).flatten(1)


class _MeanOverBoth(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))


def _with_head(pool, input_shape, n_outputs, **options):
    """Build the default network with other layers between its conv blocks and dense layers."""
    convs = build_cnn(input_shape, n_outputs, **options)[:4]
    with torch.no_grad():
        n_values = pool(convs.eval()(torch.zeros(1, 1, *input_shape))).shape[1]
    dense = nn.Sequential(pool, nn.Dropout(0.3), nn.Linear(n_values, 128), nn.ReLU())
    output = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, n_outputs))
    return nn.Sequential(*convs, dense, output)


averaged_over_time = partial(_with_head, _MeanOverTime())
averaged_over_both = partial(_with_head, _MeanOverBoth())
flattened = partial(_with_head, nn.Flatten())


class LevelsOnOneScale(TransformerMixin, BaseEstimator):
    """Absolute levels, each mel band standardized over all training clips.

    This keeps how loud a clip is, and how microphones differ.
    """

    def fit(self, X, y=None):
        self.usual_ = SpectrogramTransformer().fit(X)
        levels = self._levels(X)
        self.mean_, self.scale_ = levels.mean(axis=(0, 1)), levels.std(axis=(0, 1)) + 1e-3
        return self

    def transform(self, X):
        return (self._levels(X) - self.mean_) / self.scale_

    def _levels(self, X):
        settings = SpectrogramSettings(**self.usual_._fitted_settings)
        rows = np.empty((len(X), self.usual_.n_frames_, settings.n_bins), np.float32)
        for row, path in zip(rows, X, strict=True):
            samples, _ = load_audio(path, sampling_rate=settings.sampling_rate)
            row[...] = resizing.resize(mel_levels(samples, settings), len(row))
        return rows


def crop(batch, generator, least=0.8):
    """Keep a random part (at least four fifths) of each clip, stretched to its old length."""
    n_frames = batch.shape[1]
    share = least + (1 - least) * torch.rand((len(batch), 1), generator=generator)
    first = torch.rand((len(batch), 1), generator=generator) * (1 - share) * n_frames
    return _augmentation._resample(batch, first + torch.arange(n_frames) * share, dim=1)


USUAL = CNNAudioClassifier().augment


def also(*names):
    return {"augment": [*names, *USUAL]}


def without(name):
    return {"augment": [step for step in USUAL if step != name] or None}


CHANGES = {
    "defaults": {},
    "window 20 ms": {"frontend__window_length": 0.020},
    "window 64 ms": {"frontend__window_length": 0.064},
    "hop 5 ms": {"frontend__hop_length": 0.005},
    "hop 20 ms": {"frontend__hop_length": 0.020},
    "all frames": {"patch": (resizing, "_ENOUGH_FRAMES", 10**6)},
    "levels on one scale": {"frontend": LevelsOnOneScale()},
    "64 mel bands": {"frontend__n_mels": 64},
    "128 mel bands": {"frontend__n_mels": 128},
    "no standardization": {"frontend__standardize": False},
    "low levels not softened": {"patch": (standardizing, "SOFTENING_SLOPE", np.float32(1))},
    "no mean subtraction": {"frontend__mean_subtraction": 0.0},
    "whole mean subtracted": {"frontend__mean_subtraction": 1.0},
    "resize": {"frontend__length": "resize"},
    "tile": {"frontend__length": "tile"},
    "pad": {"frontend__length": "pad"},
    "half the width": {"channels": (8, 16, 32, 64)},
    "1.5 times the width": {"channels": (24, 48, 96, 192)},
    "three conv blocks": {"channels": (16, 32, 64)},
    "five conv blocks": {"channels": (16, 32, 64, 128, 128)},
    "strides instead of pooling": {
        "patch": (architectures, "_early_pooled_block", architectures._strided_block)
    },
    "only the mean over time": {"network": averaged_over_time},
    "only the mean over time and frequency": {"network": averaged_over_both},
    "flatten": {"network": flattened},
    "two networks": {"n_networks": 2},
    "network of deep_audio_features": {"network": "daf"},
    "no dropout": {"dropout": 0.0},
    "dropout 0.5": {"dropout": 0.5},
    "no label smoothing": {"label_smoothing": 0.0},
    "label smoothing 0.2": {"label_smoothing": 0.2},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 0.1": {"weight_decay": 0.1},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "learning rate 1e-2": {"learning_rate": 1e-2},
    "constant learning rate": {"patch": (_loop, "one_cycle", lambda step, n_steps: 1.0)},
    "batches of 32": {"batch_size": 32},
    "batches of 128": {"batch_size": 128},
    "half the epochs": {"epochs": 0.5},
    "twice the epochs": {"epochs": 2.0},
    "early stopping": {"early_stopping": True},
    "float32": {"precision": "float32"},
    "no augmentation": {"augment": None},
    "augmentation until the end": {"patch": (fitting, "_UNCHANGED_SHARE", 0.0)},
    "two fifths of the epochs unchanged": {"patch": (fitting, "_UNCHANGED_SHARE", 0.4)},
    **{f"without {name}": without(name) for name in USUAL},
    "with shift": also("shift"),
    "with stretch": also("stretch"),
    "with mixup": also("mixup"),
    "mixup instead of zoom": {"augment": ["mixup", *without("zoom")["augment"]]},
    "with warp": also("warp"),
    "with noise": also("noise"),
    "with crop": {"augment": [crop, *USUAL]},
}


def measure(change, sounds, split, seed, cache):
    """Return the accuracy, UAR and seconds of the defaults with one change."""
    X, y = sounds.paths[split.train], sounds.labels[split.train]
    change = dict(change)
    epochs = change.pop("epochs", None)
    patched = change.pop("patch", None)
    classifier = CNNAudioClassifier(SpectrogramTransformer(cache=cache), random_state=seed)
    classifier.set_params(**change)
    if epochs is not None:
        classifier.frontend_ = None
        plan = make_plan(classifier, len(X), has_validation=False)
        classifier.set_params(max_epochs=round(epochs * plan.max_epochs))
    with patch.object(*patched) if patched else contextlib.nullcontext():
        start = time.process_time()
        classifier.fit(X, y)
        seconds = time.process_time() - start
        predicted = classifier.predict(sounds.paths[split.test])
    truth = sounds.labels[split.test]
    is_right = predicted == truth
    return is_right.mean(), recall_score(truth, predicted, average="macro"), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", metavar="CHANGE", default=list(CHANGES))
    parser.add_argument("--seeds", type=int, default=2)
    sets = ["fsdd-speakers", "scenes"]
    parser.add_argument("--sets", nargs="+", choices=_sets.NAMES, default=sets)
    arguments = parser.parse_args()
    if unknown := set(arguments.changes) - set(CHANGES):
        parser.error(f"unknown changes {sorted(unknown)}: choose from {list(CHANGES)}")
    data = [_sets.load(name) for name in arguments.sets]
    print(f"\n| change | {' | '.join(sounds.name for sounds in data)} |")
    print("|---" * (1 + len(data)) + "|")
    with tempfile.TemporaryDirectory() as cache:
        for sounds in data:
            SpectrogramTransformer(cache=cache).fit_transform(sounds.paths)
        for name in arguments.changes:
            cells = [name]
            for sounds in data:
                runs = [
                    measure(CHANGES[name], sounds, split, seed, cache)
                    for split in sounds.splits
                    for seed in range(arguments.seeds)
                ]
                accuracy, uar, seconds = np.mean(runs, axis=0)
                cells.append(f"{accuracy:.3f} / {uar:.3f}, {seconds:.0f} s")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
