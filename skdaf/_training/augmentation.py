"""Random changes to training spectrograms: one function each, on a batch.

Every function takes a batch `(n_clips, n_frames, n_bins)` and a generator, and returns a batch of
the same shape. None changes its input.
"""

import math

import numpy as np
import torch
from torch.nn import functional

# Both parameters of the beta distribution that clips are mixed by; 1 is uniform.
_MIX = 0.3


def _uniform(low, high, shape, generator):
    return low + (high - low) * torch.rand(shape, generator=generator)


def _resample(batch, positions, dim):
    """Read a batch at fractional positions `(n_clips, n)` along one dimension (linear)."""
    size = batch.shape[dim]
    positions = positions.clamp(0, size - 1)
    low = positions.floor().long().clamp(max=max(size - 2, 0))
    weight = (positions - low).to(batch.dtype)
    shape = (len(batch), -1, 1) if dim == 1 else (len(batch), 1, -1)
    low, weight = low.view(shape).expand_as(batch), weight.view(shape)
    high = (low + 1).clamp(max=size - 1)
    return torch.lerp(batch.gather(dim, low), batch.gather(dim, high), weight)


def shift(batch, generator, most=0.1):
    """Move each clip in time by up to a tenth of its length; its edge frames fill the gap."""
    n_frames = batch.shape[1]
    offset = _uniform(-most, most, (len(batch), 1), generator) * n_frames
    return _resample(batch, torch.arange(n_frames) + offset.round(), dim=1)


def stretch(batch, generator, most=0.15):
    """Play each clip faster or slower, around its middle."""
    n_frames = batch.shape[1]
    factor = _uniform(1 - most, 1 + most, (len(batch), 1), generator)
    middle = (n_frames - 1) / 2
    return _resample(batch, (torch.arange(n_frames) - middle) * factor + middle, dim=1)


def zoom(batch, generator, closest=0.75, widest=1.5):
    """Show a part of each clip, or the whole with its edges drawn out; scales are even by octave.

    Clips are cut out of recordings with more silence around them here than there. What the resize
    to one length makes of that is another tempo in another place, which this imitates.
    """
    n_frames = batch.shape[1]
    shape = (len(batch), 1)
    scale = _uniform(math.log(closest), math.log(widest), shape, generator).exp()
    first = _uniform(0, 1, shape, generator) * (1 - scale) * n_frames
    return _resample(batch, first + torch.arange(n_frames) * scale, dim=1)


def warp(batch, generator, most=0.15):
    """Stretch the frequency axis, as a longer or shorter vocal tract does."""
    factor = _uniform(1 - most, 1 + most, (len(batch), 1), generator)
    return _resample(batch, torch.arange(batch.shape[2]) * factor, dim=2)


def mask(batch, generator, most=0.2):
    """Blank one band of frequencies and one span of time of each clip (SpecAugment)."""
    batch = batch.clone()
    level = batch.mean(dim=(1, 2), keepdim=True)
    for dim in (1, 2):
        size = batch.shape[dim]
        width = _uniform(0, most * size, (len(batch), 1), generator)
        first = _uniform(0, 1, (len(batch), 1), generator) * (size - width)
        place = torch.arange(size)
        hidden = (place >= first) & (place < first + width)
        hidden = hidden.unsqueeze(2 if dim == 1 else 1)
        batch = torch.where(hidden, level, batch)
    return batch


def noise(batch, generator, most=0.3):
    """Add white noise to the levels, up to `most` times the spread of the batch."""
    amount = _uniform(0, most, (len(batch), 1, 1), generator) * batch.std(correction=0)
    return batch + amount * torch.randn(batch.shape, generator=generator)


def equalize(batch, generator, most=1.0, n_points=4):
    """Bend the levels over frequency, as another microphone or room does (FilterAugment).

    The bend is random at a few frequencies, up to `most` times the spread of the batch, and
    straight between them.
    """
    points = _uniform(-most, most, (len(batch), 1, n_points), generator) * batch.std(correction=0)
    return batch + functional.interpolate(
        points, size=batch.shape[2], mode="linear", align_corners=True
    )


AUGMENTATIONS = {
    "shift": shift,
    "stretch": stretch,
    "zoom": zoom,
    "warp": warp,
    "mask": mask,
    "noise": noise,
    "equalize": equalize,
}


# What takes neighbouring bins for neighbouring frequencies, which cepstral coefficients are not.
_OVER_FREQUENCY = ["warp", "equalize"]

# What `augment` may name. "mixup" changes targets too: it is `mix`, which comes last.
CHOICES = [*AUGMENTATIONS, "mixup"]


def mix(inputs, targets, generator):
    """Blend each clip with another of its batch, by random shares, and their targets alike.

    The shares follow a beta distribution: most clips stay mostly what they are.
    """
    order = torch.randperm(len(inputs), generator=generator)
    share = torch.from_numpy(_numpy(generator).beta(_MIX, _MIX, len(inputs))).float()
    return _blend(inputs, order, share), _blend(targets, order, share)


def _numpy(generator):
    """Return a generator of NumPy, which has more distributions, that follows from torch's."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def _blend(values, order, share):
    share = share.view(-1, *[1] * (values.ndim - 1)).to(values.device)
    return torch.lerp(values[order.to(values.device)], values, share)


def _named(name):
    if name not in AUGMENTATIONS:
        raise ValueError(f"augment={name!r} is unknown: expected a callable or one of {CHOICES}.")
    return AUGMENTATIONS[name]


def compose(augment, *, of_cepstra=False):
    """Turn None, a name, a callable, or a list of them into a function, and whether to mix.

    The function takes a batch and a generator; it is None where no batch is to be changed. Named
    changes that mean nothing to cepstral coefficients are left out for them.
    """
    if augment is None:
        return None, False
    steps = augment if isinstance(augment, (list, tuple)) else [augment]
    left_out = ["mixup", *(_OVER_FREQUENCY if of_cepstra else ())]
    functions = [step if callable(step) else _named(step) for step in steps if step not in left_out]

    def apply(batch, generator):
        for function in functions:
            batch = function(batch, generator)
        return batch

    return apply if functions else None, "mixup" in steps
