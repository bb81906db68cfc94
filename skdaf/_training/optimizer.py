"""Steps of learning: AdamW, and the learning rate over a training."""

import math

import torch
from torch.optim.adamw import adamw

# Share of the steps in which the learning rate rises.
_WARM_UP = 0.25


class AdamW:
    """AdamW with torch's own arithmetic, for parameters of which some may lack a gradient.

    `torch.optim.AdamW` is not used because making one imports torch's compiler: about a second and
    70 MB in every process that trains.
    """

    def __init__(self, parameters, weight_decay, fused):
        self.parameters = list(parameters)
        self.weight_decay, self.fused = weight_decay, fused
        self.state = [self._fresh(parameter) for parameter in self.parameters]

    def _fresh(self, parameter):
        """Return the running means of gradients and of their squares, and a count of steps."""
        step = torch.zeros((), device=parameter.device if self.fused else "cpu")
        return torch.zeros_like(parameter), torch.zeros_like(parameter), step

    def tensors(self):
        """Return all that it keeps, in one row."""
        return [tensor for state in self.state for tensor in state]

    @torch.no_grad()
    def step(self, learning_rate):
        """Change each parameter that has a gradient."""
        learned = [
            (parameter, parameter.grad, *state)
            for parameter, state in zip(self.parameters, self.state, strict=True)
            if parameter.grad is not None
        ]
        if not learned:
            return
        parameters, gradients, means, squares, steps = map(list, zip(*learned, strict=True))
        adamw(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=self.fused,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )


def one_cycle(step, n_steps):
    """Return the share of the learning rate at a step: a linear rise, then half a cosine."""
    rise = _WARM_UP * n_steps
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(n_steps - rise, 1)
    return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
