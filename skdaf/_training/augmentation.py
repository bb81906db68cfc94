"""Random changes to training spectrograms: one function each, on a batch.

Every function takes a batch `(n_clips, n_frames, n_bins)` and a generator, and returns a new batch
of the same shape. To add one, write a function and enter it in `AUGMENTATIONS`.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

Augmentation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

# Both parameters of the beta distribution from which mixup draws; 1 would be uniform.
_MIXUP_ALPHA = 0.3


def shift(batch: torch.Tensor, generator: torch.Generator, most: float = 0.1) -> torch.Tensor:
    """Move each clip in time by up to a tenth of its length; its edge frames fill the gap."""
    n_frames = batch.shape[1]
    offset = _uniform(-most, most, (len(batch), 1), generator) * n_frames
    return _resample(batch, torch.arange(n_frames) + offset.round(), dim=1)


def stretch(batch: torch.Tensor, generator: torch.Generator, most: float = 0.15) -> torch.Tensor:
    """Play each clip faster or slower, around its middle."""
    n_frames = batch.shape[1]
    factor = _uniform(1 - most, 1 + most, (len(batch), 1), generator)
    middle = (n_frames - 1) / 2
    return _resample(batch, (torch.arange(n_frames) - middle) * factor + middle, dim=1)


def zoom(
    batch: torch.Tensor,
    generator: torch.Generator,
    closest: float = 0.75,
    widest: float = 1.5,
) -> torch.Tensor:
    """Show a part of each clip, or all of it with its edges repeated; scales are log-uniform.

    Recordings differ in how much silence surrounds the sound. After resizing to one length, the
    sound then has another tempo and another position, which this imitates.
    """
    n_frames = batch.shape[1]
    shape = (len(batch), 1)
    scale = _uniform(math.log(closest), math.log(widest), shape, generator).exp()
    first = _uniform(0, 1, shape, generator) * (1 - scale) * n_frames
    return _resample(batch, first + torch.arange(n_frames) * scale, dim=1)


def warp(batch: torch.Tensor, generator: torch.Generator, most: float = 0.15) -> torch.Tensor:
    """Stretch the frequency axis, as a longer or shorter vocal tract does."""
    factor = _uniform(1 - most, 1 + most, (len(batch), 1), generator)
    return _resample(batch, torch.arange(batch.shape[2]) * factor, dim=2)


def mask(batch: torch.Tensor, generator: torch.Generator, most: float = 0.2) -> torch.Tensor:
    """Hide one frequency band and one time span of each clip behind its mean (SpecAugment)."""
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


def noise(batch: torch.Tensor, generator: torch.Generator, most: float = 0.3) -> torch.Tensor:
    """Add white noise to the levels, up to `most` times the standard deviation of the batch."""
    amount = _uniform(0, most, (len(batch), 1, 1), generator) * batch.std(correction=0)
    return batch + amount * torch.randn(batch.shape, generator=generator)


def equalize(
    batch: torch.Tensor, generator: torch.Generator, most: float = 1.0, n_points: int = 4
) -> torch.Tensor:
    """Change the levels over frequency, as another microphone or room does (FilterAugment).

    The change is random at a few frequencies, up to `most` times the standard deviation of the
    batch, and linear between them.
    """
    points = _uniform(-most, most, (len(batch), 1, n_points), generator) * batch.std(correction=0)
    return batch + functional.interpolate(
        points, size=batch.shape[2], mode="linear", align_corners=True
    )


AUGMENTATIONS: dict[str, Augmentation] = {
    "shift": shift,
    "stretch": stretch,
    "zoom": zoom,
    "warp": warp,
    "mask": mask,
    "noise": noise,
    "equalize": equalize,
}

# These treat neighboring bins as neighboring frequencies, which cepstral coefficients are not.
_OVER_FREQUENCY = ["warp", "equalize"]

# What `augment` may name. "mixup" is not in the table because it changes targets too: it is `mix`,
# which comes last.
CHOICES = [*AUGMENTATIONS, "mixup"]


def mix(
    inputs: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend each clip with another of its batch by a random share, and their targets likewise.

    The shares follow a beta distribution, by which most clips hardly change.
    """
    order = torch.randperm(len(inputs), generator=generator)
    rng = _numpy_generator(generator)
    share = torch.from_numpy(rng.beta(_MIXUP_ALPHA, _MIXUP_ALPHA, len(inputs))).float()
    return _blend(inputs, order, share), _blend(targets, order, share)


def compose(
    augment: str | Augmentation | Sequence[str | Augmentation] | None, *, of_cepstra: bool = False
) -> tuple[Augmentation | None, bool]:
    """Turn what `augment` may be into one function, and whether to mix.

    Parameters
    ----------
    augment : str, callable, list of these, or None
    of_cepstra : bool, default=False
        Whether the spectrograms hold cepstral coefficients. Augmentations over frequency are then
        left out.

    Returns
    -------
    function : callable or None
        Applies all augmentations in order; None if nothing is left to apply.
    mixup : bool
        Whether to call `mix` afterwards.
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


def _named(name):
    if name not in AUGMENTATIONS:
        raise ValueError(f"augment={name!r} is unknown: expected a callable or one of {CHOICES}.")
    return AUGMENTATIONS[name]


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


def _numpy_generator(generator):
    """Return a NumPy generator, which has more distributions, seeded by one of torch."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def _blend(values, order, share):
    share = share.view(-1, *[1] * (values.ndim - 1)).to(values.device)
    return torch.lerp(values[order.to(values.device)], values, share)
