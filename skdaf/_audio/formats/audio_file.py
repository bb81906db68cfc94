"""An open recording, the base class of what all readers return."""

# How many samples (over all channels) to read at a time. Headers can claim any number of frames, so
# memory is only allocated for samples that were actually read.
BLOCK_SAMPLES = 2**20


class AudioFile:
    """An open recording. After `go_to`, it is read in order. Use it as a context manager.

    Attributes
    ----------
    samplerate : int
        In Hz.
    channels : int
    frames : int
        Samples per channel.
    format, subtype : str
        The names that soundfile uses, such as "WAV" and "PCM_16".
    has_exact_length : bool
        True if the frames were counted by decoding the file. Other lengths come from headers.
    has_exact_seek : bool
        True if samples do not depend on where reading starts, not even by rounding.
    """

    has_exact_length = False
    has_exact_seek = True

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Close the file."""

    def go_to(self, frame):
        """Make `frame` the next frame that `read_block` returns."""
        raise NotImplementedError

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        raise NotImplementedError

    def check_complete(self):
        """Raise DamagedFileError if a part is missing and reading would not detect it."""

    def check_block(self):
        """Raise DamagedFileError if the last block differs from the content of the file."""

    @property
    def frames_per_block(self):
        """The number of frames to read at a time."""
        return max(1, BLOCK_SAMPLES // self.channels)

    def skip(self, n_frames):
        """Read and discard frames; return how many there were."""
        n_read = 0
        while n_read < n_frames:
            n_requested = min(n_frames - n_read, self.frames_per_block)
            n_block = len(self.read_block(n_requested))
            n_read += n_block
            if n_block < n_requested:
                break
        return n_read
