"""Samples that arrive in blocks, such as those of a microphone: check and keep them.

Blocks become float32 samples in the same way as samples in memory that are read like a file, so a
stream and a file of the same samples cannot differ.
"""

import numpy as np

from skdaf._audio.levels import MAX_SCALED, loudest, warn_of_unscaled
from skdaf._audio.opening import check_rate
from skdaf._audio.samples import check_samples
from skdaf._audio.sources import MAX_CHANNELS, ArrayFile, ArraySource, whole_rate
from skdaf._core.arrays import as_array, is_scalar


class PartSource(ArraySource):
    """Consecutive samples of a recording whose times are those of the whole recording.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_channels), float32
        Even a single sample of many channels has this shape.
    first : int
        The position of the first of them in the recording.
    sampling_rate : int
    name : str
        The name for messages.
    """

    def __init__(self, samples, first, sampling_rate, name):
        self.name, self.sampling_rate = name, sampling_rate
        self.samples, self.first = samples, first

    def open(self):
        """Return the samples as an AudioFile that starts at `first`."""
        return _PartFile(self.samples, self.first, self.sampling_rate)


class _PartFile(ArrayFile):
    def __init__(self, samples, first, sampling_rate):
        super().__init__(samples, sampling_rate)
        self._first = first
        self.frames += first

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        super().go_to(frame - self._first)


def stream_rate(sampling_rate):
    """Return the sampling rate of a stream as an int; raise an error for an invalid one."""
    rate = whole_rate(sampling_rate, "the stream")
    check_rate(rate, "the stream")
    return rate


class BlockReader:
    """Converts blocks to float32 samples, and checks that they belong together.

    Parameters
    ----------
    sampling_rate : int
        In Hz.
    """

    def __init__(self, sampling_rate):
        self.sampling_rate = sampling_rate
        self.n_blocks = self.n_samples = 0
        self._kind = self._n_channels = self._last = None
        self._has_warned = False

    def read(self, block, n_samples):
        """Yield a block as float32 `(n_samples, n_channels)`, or as several if it is longer.

        Raises an error that names the block if it contains no samples of the same kind as earlier
        blocks, or if a sample is not finite. Warns once if samples are far above full scale.
        """
        name = f"blocks[{self.n_blocks}]"
        self.n_blocks += 1
        samples = _as_samples(block, name)
        if len(samples) == 0:
            return
        # Most blocks are like the one before; names of types take time.
        if (samples.dtype, samples.shape[1]) != self._last:
            self._check_kind(samples, name)
            self._last = samples.dtype, samples.shape[1]
        file = ArrayFile(samples, self.sampling_rate)
        for _ in range(0, len(samples), n_samples):
            part = file.read_block(n_samples)
            if not file.subtype.startswith("PCM_"):
                self._check_level(part, name)
            self.n_samples += len(part)
            yield part

    def _check_level(self, part, name):
        level = loudest(part)
        if level <= MAX_SCALED:  # false for NaN
            return
        check_samples(part, self.n_samples, self.sampling_rate, name)
        if not self._has_warned:
            self._has_warned = True
            warn_of_unscaled(level, name)

    def _check_kind(self, samples, name):
        """Raise ValueError if samples differ from earlier ones in type or number of channels."""
        dtype, n_channels = samples.dtype.newbyteorder("="), samples.shape[1]
        kind = "float" if dtype.kind == "f" else str(dtype)
        self._kind, self._n_channels = self._kind or kind, self._n_channels or n_channels
        if kind != self._kind:
            raise ValueError(
                f"{name} has samples of type {samples.dtype}, but earlier blocks have type "
                f"{self._kind}: expected the same type, because integers are divided by their full "
                "scale."
            )
        if n_channels != self._n_channels:
            raise ValueError(
                f"{name} has {n_channels} channel{'s' * (n_channels > 1)}, but earlier blocks have "
                f"{self._n_channels}: expected the same number."
            )


def _as_samples(block, name):
    """Return a block as an array (n_samples, n_channels) of real numbers."""
    if _is_raw(block):
        raise TypeError(
            f"{name} is a {type(block).__name__} of raw bytes: convert it to samples, for 16 bits "
            "with numpy.frombuffer(block, '<i2'), for floats with numpy.frombuffer(block, '<f4'). "
            "With several channels, add .reshape(-1, n_channels)."
        )
    try:
        samples = np.asarray(as_array(block))
    except ValueError:  # lists of different lengths
        samples = np.asarray(None)
    if samples.dtype.kind not in "fiu" or samples.ndim == 0:
        raise TypeError(
            f"{name} is {block!r:.100}: expected an array of samples, of shape (n_samples,) or "
            f"(n_samples, n_channels).{_advice(block)}"
        )
    samples = samples[:, None] if samples.ndim == 1 else samples
    if samples.ndim > 2 or (len(samples) and not 1 <= samples.shape[1] <= MAX_CHANNELS):
        raise ValueError(
            f"{name} has shape {samples.shape}: expected (n_samples,), or (n_samples, n_channels) "
            f"with at most {MAX_CHANNELS} channels. If channels come first, pass block.T."
        )
    return samples


def _advice(block):
    """Return a sentence for what is often passed in place of a block, or nothing."""
    if is_scalar(block):
        return " If blocks is a list of numbers, pass [samples] for one block."
    if isinstance(block, tuple):
        return " If a function returns samples and other values, yield only the samples."
    return ""


def _is_raw(block):
    """Return whether a block is a buffer of bytes, as raw audio streams return it."""
    if hasattr(block, "ndim") and not isinstance(block, memoryview):
        return False
    try:
        return memoryview(block).format in ("B", "b", "c")
    except TypeError:
        return False


class Buffer:
    """The samples of a stream that are still needed.

    Attributes
    ----------
    start, stop : int
        The first sample that is still needed, which may not have arrived yet, and the number of
        samples that have arrived.
    """

    def __init__(self):
        self.start = self.stop = 0
        self._parts = []

    def append(self, samples):
        """Add the next samples, of shape (n_samples, n_channels)."""
        n_unneeded = max(0, self.start - self.stop)
        self.stop += len(samples)
        if n_unneeded < len(samples):
            self._parts.append(samples[n_unneeded:])

    def get(self, start, stop):
        """Return a range of samples, which must have arrived and be needed."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0][start - self.start : stop - self.start]

    def drop_before(self, start):
        """Release the samples before a position."""
        # A copy, because a view would keep the samples that are dropped.
        rest = self.get(start, self.stop).copy() if start < self.stop else ()
        self._parts = [rest] if len(rest) else []
        self.start = start
