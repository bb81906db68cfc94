"""One thread of torch for each thread that uses it."""

import threading

import torch

from skdaf._core.contexts import SharedContext


def use_one_torch_thread():
    """Let torch run what the calling thread asks of it on this thread alone."""
    # Its first question makes torch give a thread the number that was last set anywhere: were that
    # left to the first operation, it could undo what is set here.
    torch.get_num_threads()
    torch.set_num_threads(1)


class _SingleTorchThread(SharedContext):
    """Run torch on one thread, so that sums come out alike however many cores there are.

    Entering returns how many threads torch had before.
    """

    def __init__(self):
        super().__init__()
        self._before = None
        self._own = threading.local()

    def begin(self):
        self._before = torch.get_num_threads()

    def __enter__(self):
        super().__enter__()
        self._own.depth = getattr(self._own, "depth", 0) + 1
        # torch keeps the number for each thread of Python: every one that enters must say it.
        use_one_torch_thread()
        return self._before

    def __exit__(self, *exception):
        self._own.depth -= 1
        # Callbacks predict amid a training, which goes on with one thread.
        if self._own.depth == 0:
            torch.set_num_threads(self._before)
        super().__exit__(*exception)


single_torch_thread = _SingleTorchThread()
