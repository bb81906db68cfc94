"""The device and the precision of networks, and the number of threads that torch may use."""

import threading
import warnings

import torch

from skdaf._core.contexts import SharedContext


def resolve_device(device: str | torch.device, *, fallback_to_cpu: bool = False) -> str:
    """Return a device of this machine; "auto" prefers CUDA, then MPS, then the CPU.

    Parameters
    ----------
    device : str or torch.device
    fallback_to_cpu : bool, default=False
        Whether to warn and use the CPU, instead of raising ValueError, if the machine does not have
        the device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(kind for kind, is_available in available.items() if is_available)
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is unknown: expected 'auto', 'cpu', 'cuda', 'mps' or another "
            "torch device."
        ) from error
    if available.get(kind, True):
        return str(device)
    problem = f"device={device!r} is not available on this machine"
    if not fallback_to_cpu:
        raise ValueError(f"{problem}.")
    warnings.warn(f"{problem}; using the CPU instead.", stacklevel=2)
    return "cpu"


def resolve_precision(precision: str, device: str) -> str:
    """Return the training precision; "auto" is bfloat16 if the processor supports it natively."""
    if precision != "auto":
        return precision
    # Without these instructions, bfloat16 is emulated and slower than float32.
    is_native = device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bfloat16" if is_native else "float32"


def use_one_torch_thread() -> None:
    """Limit torch to one thread for work that the calling thread starts."""
    # The first query makes torch assign the number last set in any thread to the calling thread.
    # If the first operation did this instead, it could override the number set here.
    torch.get_num_threads()
    torch.set_num_threads(1)


class _SingleTorchThread(SharedContext):
    """Run torch on one thread, so that sums have the same bytes with any number of cores.

    Entering the context returns the previous number of threads.
    """

    def __init__(self):
        super().__init__()
        self._before = None
        self._local = threading.local()

    def begin(self):
        self._before = torch.get_num_threads()

    def __enter__(self):
        super().__enter__()
        self._local.depth = getattr(self._local, "depth", 0) + 1
        # torch stores the number per Python thread, so each thread that enters must set it.
        use_one_torch_thread()
        return self._before

    def __exit__(self, *exception):
        self._local.depth -= 1
        # A callback may predict during training, which then continues with one thread.
        if self._local.depth == 0:
            torch.set_num_threads(self._before)
        super().__exit__(*exception)


single_torch_thread = _SingleTorchThread()
