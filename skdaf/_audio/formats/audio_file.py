"""What every reader of a file format returns: an open recording."""

# Samples (over all channels) read at once. A header may promise any number of frames, so memory is
# only used for samples that were really read.
BLOCK_SAMPLES = 2**20


class AudioFile:
    """An open recording, read from front to back after `go_to`. It is a context manager.

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
    """

    has_exact_length = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Close the file."""

    def go_to(self, frame):
        """Make `frame` the next one that `read_block` returns."""
        raise NotImplementedError

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        raise NotImplementedError

    def check_complete(self):
        """Raise DamagedFileError if the file has lost a part and reading would not notice."""

    def check_block(self):
        """Raise DamagedFileError if the last block that was read is not what the file holds."""

    @property
    def frames_per_block(self):
        """The number of frames to read at once."""
        return max(1, BLOCK_SAMPLES // self.channels)

    def skip(self, n_frames):
        """Read frames and drop them; return how many there were."""
        n_read = 0
        while n_read < n_frames:
            n_asked = min(n_frames - n_read, self.frames_per_block)
            n_block = len(self.read_block(n_asked))
            n_read += n_block
            if n_block < n_asked:
                break
        return n_read
