"""Random changes to training spectrograms: one function each, on a batch.

Every function takes a batch `(n_clips, n_frames, n_bins)` and a generator, and returns a new batch
of the same shape. To add one, write a function and add it to `AUGMENTATIONS`.

The batch can be on any device. Random numbers are drawn on the CPU, so that all devices change
clips in the same way.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

Augmentation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

# Both parameters of the beta distribution of mixup shares; 1 would be uniform.
_MIXUP_ALPHA = 0.3


def shift(batch: torch.Tensor, generator: torch.Generator, limit: float = 0.1) -> torch.Tensor:
    """Move each clip in time by up to `limit` times its length; the edge frame fills the gap."""
    n_frames = batch.shape[1]
    offset = _uniform(-limit, limit, (len(batch), 1), generator, batch.device) * n_frames
    return _resample(batch, _places(batch, 1) + offset.round(), dim=1)


def stretch(batch: torch.Tensor, generator: torch.Generator, limit: float = 0.15) -> torch.Tensor:
    """Speed each clip up or slow it down, around its middle."""
    factor = _uniform(1 - limit, 1 + limit, (len(batch), 1), generator, batch.device)
    middle = (batch.shape[1] - 1) / 2
    return _resample(batch, (_places(batch, 1) - middle) * factor + middle, dim=1)


def zoom(
    batch: torch.Tensor,
    generator: torch.Generator,
    min_scale: float = 0.75,
    max_scale: float = 1.5,
) -> torch.Tensor:
    """Show a part of each clip, or all of it with its edges repeated; scales are log-uniform.

    This imitates different amounts of silence around a sound, which change its tempo and its
    position when clips are resized to the same length.
    """
    shape, device = (len(batch), 1), batch.device
    scale = _uniform(math.log(min_scale), math.log(max_scale), shape, generator, device).exp()
    first = _uniform(0, 1, shape, generator, device) * (1 - scale) * batch.shape[1]
    return _resample(batch, first + _places(batch, 1) * scale, dim=1)


def warp(batch: torch.Tensor, generator: torch.Generator, limit: float = 0.15) -> torch.Tensor:
    """Stretch the frequency axis, as a longer or shorter vocal tract does."""
    factor = _uniform(1 - limit, 1 + limit, (len(batch), 1), generator, batch.device)
    return _resample(batch, _places(batch, 2) * factor, dim=2)


def mask(batch: torch.Tensor, generator: torch.Generator, limit: float = 0.2) -> torch.Tensor:
    """Replace a frequency band and a time span of each clip with its mean (SpecAugment)."""
    level = batch.mean(dim=(1, 2), keepdim=True)
    in_time, in_frequency = (_random_span(batch, dim, limit, generator) for dim in (1, 2))
    return torch.where(in_time.unsqueeze(2) | in_frequency.unsqueeze(1), level, batch)


def _random_span(batch, dim, limit, generator):
    """Return `(n_clips, size)`: whether each place along a dimension is in the span of the clip."""
    size = batch.shape[dim]
    width = _uniform(0, limit * size, (len(batch), 1), generator, batch.device)
    first = _uniform(0, 1, (len(batch), 1), generator, batch.device) * (size - width)
    place = _places(batch, dim)
    return (place >= first) & (place < first + width)


def noise(batch: torch.Tensor, generator: torch.Generator, limit: float = 0.3) -> torch.Tensor:
    """Add white noise to the levels, up to `limit` times the standard deviation of the batch."""
    shape, device = (len(batch), 1, 1), batch.device
    amount = _uniform(0, limit, shape, generator, device) * batch.std(correction=0)
    return batch + amount * torch.randn(batch.shape, generator=generator).to(device)


def equalize(
    batch: torch.Tensor, generator: torch.Generator, limit: float = 1.0, n_points: int = 4
) -> torch.Tensor:
    """Change the levels over frequency, as another microphone or room would (FilterAugment).

    The change is random at a few frequencies, up to `limit` times the standard deviation of the
    batch, and linear between them.
    """
    points = _uniform(-limit, limit, (len(batch), 1, n_points), generator, batch.device)
    points = points * batch.std(correction=0)
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

# The names that `augment` accepts. "mixup" is not in the table because it also changes the targets:
# `mix` implements it, and comes last.
AUGMENTATION_NAMES = [*AUGMENTATIONS, "mixup"]


def mix(
    inputs: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend each clip and its target with another one of the batch, in random shares.

    The shares follow a beta distribution under which most clips hardly change.
    """
    order = torch.randperm(len(inputs), generator=generator)
    rng = _numpy_generator(generator)
    share = torch.from_numpy(rng.beta(_MIXUP_ALPHA, _MIXUP_ALPHA, len(inputs))).float()
    return _blend(inputs, order, share), _blend(targets, order, share)


def compose(
    augment: str | Augmentation | Sequence[str | Augmentation] | None, *, has_cepstra: bool = False
) -> tuple[Augmentation | None, bool]:
    """Convert the parameter `augment` to a single function and a flag for mixup.

    Parameters
    ----------
    augment : str, callable, list of these, or None
    has_cepstra : bool, default=False
        Whether the spectrograms contain cepstral coefficients. If so, augmentations over frequency
        are left out.

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
    left_out = ["mixup", *(_OVER_FREQUENCY if has_cepstra else ())]
    functions = [
        _on_cpu(step) if callable(step) else _by_name(step)
        for step in steps
        if step not in left_out
    ]

    def apply(batch, generator):
        for function in functions:
            batch = function(batch, generator)
        return batch

    return apply if functions else None, "mixup" in steps


def _by_name(name):
    if name not in AUGMENTATIONS:
        raise ValueError(
            f"augment={name!r} is unknown: expected a callable or one of {AUGMENTATION_NAMES}."
        )
    return AUGMENTATIONS[name]


def _on_cpu(function):
    """Return the function of a user for batches on any device: it draws numbers on the CPU."""

    def apply(batch, generator):
        outputs = function(batch.cpu(), generator)
        return outputs.to(batch.device) if isinstance(outputs, torch.Tensor) else outputs

    return apply


def _uniform(low, high, shape, generator, device):
    return low + (high - low) * torch.rand(shape, generator=generator).to(device)


def _places(batch, dim):
    """Return the indices along one dimension, on the device of a batch."""
    return torch.arange(batch.shape[dim], device=batch.device)


def _resample(batch, positions, dim):
    """Interpolate a batch linearly at positions `(n_clips, n)` along one dimension."""
    size = batch.shape[dim]
    positions = positions.clamp(0, size - 1)
    low = positions.floor().long().clamp(max=max(size - 2, 0))
    high = (low + 1).clamp(max=size - 1)
    weight = (positions - low).to(batch.dtype).unsqueeze(3 - dim)
    take = _take_frames if dim == 1 else _take_bins
    return torch.lerp(take(batch, low), take(batch, high), weight)


def _take_frames(batch, index):
    # Copying whole rows takes a third of the time that `gather` takes for single values.
    n_clips, n_frames, _ = batch.shape
    first = torch.arange(n_clips, device=batch.device) * n_frames
    rows = batch.flatten(0, 1).index_select(0, (index + first.unsqueeze(1)).flatten())
    return rows.unflatten(0, index.shape)


def _take_bins(batch, index):
    return batch.gather(2, index.unsqueeze(1).expand(-1, batch.shape[1], -1))


def _numpy_generator(generator):
    """Return a NumPy generator, which has more distributions, seeded by a torch generator."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def _blend(values, order, share):
    share = share.view(-1, *[1] * (values.ndim - 1)).to(values.device)
    return torch.lerp(values[order.to(values.device)], values, share)
