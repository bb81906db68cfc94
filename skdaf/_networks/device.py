"""The device and the precision of networks, and the number of threads that torch may use."""

import threading
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.backends import cudnn

from skdaf._core.contexts import SharedContext
from skdaf._core.user_warnings import warn_user


def resolve_device(device: str | torch.device, *, fallback_to_cpu: bool = False) -> str:
    """Return a device of this machine; "auto" prefers CUDA, then MPS, then the CPU.

    Parameters
    ----------
    device : str or torch.device
    fallback_to_cpu : bool, default=False
        Whether to warn and use the CPU, instead of raising ValueError, if the machine does not have
        the device.
    """
    if device == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if _is_available(torch.device(kind)))
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={str(device)!r} is unknown: expected 'auto', 'cpu', 'cuda', 'mps' or another "
            "torch device."
        ) from error
    if _is_available(wanted):
        return str(device)
    problem = f"device={str(device)!r} is not available on this machine"
    if not fallback_to_cpu:
        raise ValueError(f"{problem}.")
    warn_user(f"{problem}; using the CPU instead.")
    return "cpu"


def _is_available(device):
    """Return whether this machine has a torch.device that can store numbers."""
    if device.type == "cuda":
        has_index = device.index is None or device.index < torch.cuda.device_count()
        return torch.cuda.is_available() and has_index
    if device.type in ("cpu", "mps"):
        return device.type == "cpu" or torch.backends.mps.is_available()
    try:
        torch.zeros(1, device=device).cpu()
    except Exception:  # each kind of device has errors of its own
        return False
    return True


def is_cuda(device: str) -> bool:
    """Return whether a device is a GPU of CUDA (or ROCm, which torch calls CUDA)."""
    return torch.device(device).type == "cuda"


def resolve_precision(precision: str, device: str) -> str:
    """Return the training precision; "auto" is bfloat16 if the device supports it natively."""
    if precision != "auto":
        return precision
    return "bfloat16" if _has_native_bfloat16(device) else "float32"


def _has_native_bfloat16(device):
    """Return whether bfloat16 is not emulated, which would be slower than float32."""
    if is_cuda(device):
        # Unlike `is_bf16_supported`, this looks at the device itself, not at the current one.
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()


class _ReproducibleCudnn(SharedContext):
    """Let convolutions on CUDA use all bits of float32, and give the same bytes every time.

    By default, cuDNN rounds the inputs of convolutions to 10 bits (TF32), so that predictions would
    depend on the size of a batch by more than rounding. The settings apply to the whole process.
    """

    def begin(self):
        settings = [(cudnn, "benchmark", False), (cudnn, "deterministic", True), _without_tf32()]
        self._before = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
        _apply_settings(settings)

    def end(self):
        _apply_settings(self._before)


def _without_tf32():
    # Reading the older of the two settings fails if a program has used the newer one.
    is_old = not hasattr(cudnn, "conv")
    return (cudnn, "allow_tf32", False) if is_old else (cudnn.conv, "fp32_precision", "ieee")


def _apply_settings(settings):
    for owner, name, value in settings:
        setattr(owner, name, value)


_reproducible_cudnn = _ReproducibleCudnn()


def reproducible(device: str) -> AbstractContextManager:
    """Return a context in which a device gives the same bytes for the same work."""
    return _reproducible_cudnn if is_cuda(device) else nullcontext()


def without_autocast(device: str) -> AbstractContextManager:
    """Return a context in which a user's `torch.autocast`, which applies to one thread, is off."""
    kind = torch.device(device).type
    is_enabled = torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if is_enabled else nullcontext()


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
