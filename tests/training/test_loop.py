import subprocess
import sys

import numpy as np
import pytest
import torch

from skdaf._training.loop import AdamW, one_cycle


@pytest.mark.parametrize("fused", [False, True])
def test_steps_are_those_of_torch(fused):
    torch.manual_seed(0)
    ours = [torch.randn(5, 3, requires_grad=True), torch.randn(4, requires_grad=True)]
    theirs = [parameter.detach().clone().requires_grad_() for parameter in ours]
    optimizer = AdamW(ours, weight_decay=0.1, fused=fused)
    reference = torch.optim.AdamW(theirs, weight_decay=0.1, fused=fused)
    for step in range(5):
        for parameter, other in zip(ours, theirs, strict=True):
            # The second one is not used in every step.
            used = parameter.ndim == 2 or step % 2
            parameter.grad = torch.randn(parameter.shape) if used else None
            other.grad = parameter.grad
        rate = 0.01 * (step + 1)
        reference.param_groups[0]["lr"] = rate
        optimizer.step(rate)
        reference.step()
    for parameter, other in zip(ours, theirs, strict=True):
        assert torch.equal(parameter, other)


def test_nothing_to_learn_is_no_error():
    frozen = torch.ones(3)
    AdamW([frozen], weight_decay=0.1, fused=True).step(0.1)
    AdamW([], weight_decay=0.1, fused=True).step(0.1)
    assert torch.equal(frozen, torch.ones(3))


def test_training_does_not_load_the_compiler_of_torch():
    code = (
        "import sys, numpy as np\nfrom skdaf import CNNAudioClassifier\n"
        "X = np.random.default_rng(0).standard_normal((40, 10, 8)).astype('float32')\n"
        "CNNAudioClassifier(max_epochs=1).fit(X, np.arange(40) % 2)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_one_cycle_rises_then_falls_to_zero():
    rates = np.array([one_cycle(step, 100) for step in range(100)])
    assert 0 < rates[0] < 0.1
    assert np.argmax(rates) in (24, 25, 26)
    assert rates.max() <= 1
    assert (np.diff(rates[:25]) > 0).all()
    assert (np.diff(rates[26:]) < 0).all()
    assert rates[-1] < 0.01


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_one_cycle_of_few_steps_learns_in_each(n_steps):
    assert all(0 < one_cycle(step, n_steps) <= 1 for step in range(n_steps))
