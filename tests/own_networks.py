"""Networks, losses and optimizers as users write them, in a module that workers can import."""

import torch
from torch import nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two convolutions, and a connection around them."""

    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResidualNetwork(nn.Module):
    """A small residual network, written as in torchvision."""

    def __init__(self, n_outputs, width=4, n_blocks=2, dropout=0.0):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        sizes = [width * 2**number for number in range(n_blocks + 1)]
        blocks = [ResidualBlock(n, 2 * n, stride=2) for n in sizes[:-1]]
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(sizes[-1], n_outputs)

    def features(self, x):
        return self.dropout(torch.flatten(self.avgpool(self.blocks(self.stem(x))), 1))

    def forward(self, x):
        return self.fc(self.features(x))


class Backbone(ResidualNetwork):
    """A residual network that returns features."""

    def __init__(self, width=4):
        super().__init__(1, width)
        del self.fc

    def forward(self, x):
        return self.features(x)


class LogProbabilities(ResidualNetwork):
    """A network whose outputs are not those of a linear layer."""

    def forward(self, x):
        return functional.log_softmax(super().forward(x), dim=1)


class Flattened(nn.Module):
    """A network that finds out the number of its inputs, and needs them in the usual order."""

    def __init__(self, input_shape, n_outputs):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.classifier = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(n_outputs))

    def forward(self, x):
        return self.classifier(self.conv(x).view(len(x), -1))


def half_log_loss(outputs, targets):
    """Return half of the cross-entropy, for class indices."""
    return 0.5 * functional.cross_entropy(outputs, targets)


class Momentum(torch.optim.Optimizer):
    """An optimizer with all kinds of states, whose steps depend on all gradients together."""

    def __init__(self, parameters, lr=0.1):
        super().__init__(parameters, {"lr": lr, "betas": (0.9, None), "n_steps": 0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            group["n_steps"] += 1
            pairs = [(p, self.state[p]) for p in group["params"] if p.grad is not None]
            norm = sum((p.grad**2).sum() for p, _ in pairs).sqrt() + 1.0
            for p, state in pairs:
                state.setdefault("mean", torch.zeros_like(p))
                state["norms"] = (state.get("norms", []) + [norm.item()])[-2:]
                state["mean"].mul_(group["betas"][0]).add_(p.grad / norm)
                p.add_(state["mean"], alpha=-group["lr"] / len(state["norms"]))


class CrossEntropy:
    """A loss whose text is always the same: some names of tests contain it."""

    def __call__(self, outputs, targets, weight=None, label_smoothing=0.0):
        return functional.cross_entropy(
            outputs, targets, weight=weight, label_smoothing=label_smoothing
        )

    def __repr__(self):
        return "CrossEntropy()"
