"""The two peers of `real_sounds`, as short as people write them: MFCC and an SVC, a small CNN."""

from functools import cache

import librosa
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from skdaf import SpectrogramTransformer


class MFCCStatistics(TransformerMixin, BaseEstimator):
    """The mean and the standard deviation of 40 MFCC over each clip, as librosa computes them.

    With `is_rich`, the deltas of the MFCC, and the minimum and the maximum over each clip, too.
    """

    def __init__(self, is_rich=False):
        self.is_rich = is_rich

    def fit(self, X, y=None):
        # Files of one set may have different rates.
        self.sampling_rate_ = SpectrogramTransformer(n_mels=8).fit(X).sampling_rate_
        return self

    def transform(self, X):
        rate, is_rich = self.sampling_rate_, self.is_rich
        return np.array([mfcc_statistics(str(path), rate, is_rich) for path in X])


@cache
def mfcc_statistics(path, sampling_rate, is_rich):
    samples, _ = librosa.load(path, sr=sampling_rate)
    n_fft = min(2048, 2 ** int(np.log2(0.1 * sampling_rate)))
    mfcc = librosa.feature.mfcc(
        y=samples, sr=sampling_rate, n_mfcc=40, n_fft=n_fft, hop_length=n_fft // 4, n_mels=64
    )
    if not is_rich:
        return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])
    both = np.concatenate([mfcc, librosa.feature.delta(mfcc, mode="nearest")])
    return np.concatenate([f(axis=1) for f in (both.mean, both.std, both.min, both.max)])


def mfcc_svc():
    return make_pipeline(MFCCStatistics(), StandardScaler(), SVC())


def rich_mfcc_svc():
    return make_pipeline(MFCCStatistics(is_rich=True), StandardScaler(), SVC(C=10))


class PlainCNN(ClassifierMixin, BaseEstimator):
    """Four blocks of convolution, norm, ReLU and pooling, and a mean over time and frequency."""

    def __init__(self, cache=None, n_epochs=40, random_state=0):
        self.cache = cache
        self.n_epochs = n_epochs
        self.random_state = random_state

    def fit(self, X, y):
        torch.manual_seed(self.random_state)
        self.frontend_ = SpectrogramTransformer(cache=self.cache)
        inputs = torch.from_numpy(self.frontend_.fit_transform(X)).unsqueeze(1)
        self.classes_, targets = np.unique(y, return_inverse=True)
        targets = torch.from_numpy(targets)
        self.network_ = plain_network(len(self.classes_))
        n_steps = self.n_epochs * -(-len(inputs) // 32)
        optimizer = torch.optim.AdamW(self.network_.parameters(), weight_decay=1e-2, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, n_steps)
        for _ in range(self.n_epochs):
            for rows in torch.randperm(len(inputs)).split(32):
                optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16):
                    outputs = self.network_(to_channels_last(inputs[rows]))
                nn.functional.cross_entropy(outputs.float(), targets[rows]).backward()
                optimizer.step()
                schedule.step()
        return self

    @torch.inference_mode()
    def predict(self, X):
        inputs = torch.from_numpy(self.frontend_.transform(X)).unsqueeze(1)
        self.network_.eval()
        outputs = [self.network_(to_channels_last(batch)) for batch in inputs.split(32)]
        return self.classes_[torch.cat(outputs).argmax(dim=1)]


def plain_network(n_outputs):
    layers, n_in = [], 1
    for n_out in (16, 32, 64, 128):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
        n_in = n_out
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(n_in, n_outputs)]
    return nn.Sequential(*layers, *head).to(memory_format=torch.channels_last)


def to_channels_last(batch):
    return batch.contiguous(memory_format=torch.channels_last)
