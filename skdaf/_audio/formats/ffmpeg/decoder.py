"""Decode the samples of one file in order, and keep decoders for the next call."""

import atexit
import os
import threading
from collections import OrderedDict, deque

import numpy as np

from skdaf._audio.formats.ffmpeg.facts import DecodingError, state_of
from skdaf._audio.formats.ffmpeg.frames import decoded_blocks

# How many samples (over all channels) a decoder keeps: all those of a short file, and enough for
# overlapping windows.
_KEPT_SAMPLES = 2**21

# How many idle decoders are kept. A grid search needs one per thread.
_MAX_IDLE = 4


class Decoder:
    """Decodes one file in order. Keeps recent samples, and decodes earlier ones again.

    Attributes
    ----------
    rate, n_channels, subtype
        The same for all blocks; known after `begin`.
    first, end : int
        The frames that are kept.
    """

    def __init__(self, facts):
        self._facts = facts
        self.source = _Source(facts)
        self.rate = self.n_channels = self.subtype = None
        self._restart()

    def _restart(self):
        self.first = self.end = 0
        self._kept, self._blocks = deque(), None

    def begin(self):
        """Open the file, and decode the first block to get the rate, channels and subtype."""
        self.source.resume()
        if self.rate is None and not self.advance():
            raise DecodingError("the file contains no samples")

    def advance(self):
        """Decode the next block; return False if the file has ended."""
        if self._blocks is None:
            self._blocks = decoded_blocks(self._facts, self.source)
        block, rate, subtype = next(self._blocks, (None, None, None))
        if block is None:
            return False
        self.rate, self.n_channels, self.subtype = rate, block.shape[1], subtype
        self._kept.append(block)
        self.end += len(block)
        while (self.end - self.first - len(self._kept[0])) * self.n_channels > _KEPT_SAMPLES:
            self.first += len(self._kept.popleft())
        return True

    def read(self, start, n_frames):
        """Return up to `n_frames` frames, starting at `start`."""
        if start < self.first:
            self._close_blocks()
            self._restart()
        stop, parts, position = start + n_frames, [], self.first
        for block in self._kept:
            parts.append(block[max(0, start - position) : max(0, stop - position)])
            position += len(block)
        while position < stop and self.advance():
            block = self._kept[-1]
            parts.append(block[max(0, start - position) : stop - position])
            position += len(block)
        return np.concatenate(parts) if parts else np.empty((0, self.n_channels), np.float32)

    def _close_blocks(self):
        if self._blocks is not None:
            self._blocks.close()

    def close(self):
        self._close_blocks()
        self.source.pause()


class _Source:
    """The bytes of a file up to the end of its decodable part, as a file object for FFmpeg.

    Between calls, the file is closed.
    """

    def __init__(self, facts):
        self._facts, self._n_bytes = facts, facts.end
        self._position, self._file = 0, None

    def resume(self):
        """Open the file again; raise if it has changed."""
        self._file = open(self._facts.path, "rb", buffering=0)  # noqa: SIM115 - until `pause`
        if state_of(os.fstat(self._file.fileno())) != self._facts.state:
            raise DecodingError("has changed while it was read")

    def pause(self):
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, n_bytes):
        """Return the next bytes; fewer at the end."""
        self._file.seek(self._position)
        content = self._file.read(max(0, min(n_bytes, self._n_bytes - self._position)))
        self._position += len(content)
        return content

    def seek(self, offset, whence=os.SEEK_SET):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._n_bytes}
        self._position = bases[whence] + offset
        return self._position

    def tell(self):
        return self._position


class _IdleDecoders:
    """Decoders that are kept for the next call that reads the same file."""

    def __init__(self):
        self._decoders, self._lock = OrderedDict(), threading.Lock()

    def take(self, facts):
        """Remove and return the idle decoder of a file; None if there is none."""
        with self._lock:
            return self._decoders.pop(id(facts), None)

    def put(self, facts, decoder):
        """Keep a decoder for the next call, and close the oldest one if there are too many."""
        decoder.source.pause()
        with self._lock:
            # Keep one decoder per file, from the latest call.
            others = [self._decoders.pop(id(facts), None)]
            self._decoders[id(facts)] = decoder
            if len(self._decoders) > _MAX_IDLE:
                others.append(self._decoders.popitem(last=False)[1])
        for other in filter(None, others):
            other.close()

    def clear(self):
        with self._lock:
            decoders, self._decoders = self._decoders, OrderedDict()
        for decoder in decoders.values():
            decoder.close()

    def renew_lock(self):
        """Replace the lock in a forked child, where no thread would ever release it."""
        self._lock = threading.Lock()


idle_decoders = _IdleDecoders()
# FFmpeg's contexts must be freed before the interpreter ends.
atexit.register(idle_decoders.clear)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=idle_decoders.renew_lock)
