"""Raw samples on standard input, which another program writes while the command runs."""

import signal
import sys
from contextlib import contextmanager

import click

from skdaf.cli._options import WholeNumber

# The types of samples, by the names that ffmpeg uses.
_TYPES = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4", "u8": "u1"}

# How files of audio begin, which are not raw samples. The last one is WebM, as browsers record it.
# MP4 (at byte 4) and MP3 without tags are found by `_is_audio_file`.
_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3", b"caff", b".snd", b"\x1aE\xdf\xa3")

# Ctrl-C, and what other programs send to end this one.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_BYTES_PER_READ = 2**16

# The start of the input in which a file is recognized: two frames of an MP3 file fit in.
_HEAD_BYTES = 4096

# The recording that stands for standard input.
STANDARD_INPUT = "-"

_EXAMPLE = (
    "ffmpeg -loglevel error -i URL -f s16le -ac 1 -ar 16000 - | skdaf segments MODEL - --rate 16000"
)


def raw_audio_options(command):
    """Add the options that say what standard input contains."""
    for option in (
        click.option(
            "--sample-format",
            type=click.Choice(list(_TYPES)),
            help="Type of the samples on standard input.  [default: s16le]",
        ),
        click.option(
            "--channels",
            type=WholeNumber(1, 32),
            metavar="N",
            help="Number of channels on standard input.  [default: 1]",
        ),
        click.option(
            "--rate",
            type=WholeNumber(1),
            metavar="HZ",
            help="Sampling rate of the samples on standard input, if RECORDING is -.",
        ),
    ):
        command = option(command)
    return command


def check_raw_audio_options(recording, rate, channels, sample_format):
    """Raise UsageError if the options and the recording do not belong together."""
    given = {"--rate": rate, "--channels": channels, "--sample-format": sample_format}
    if recording != STANDARD_INPUT:
        for name, value in given.items():
            if value is not None:
                raise click.UsageError(
                    f"{name} is only for raw samples on standard input: files contain this "
                    "information. Omit it, or give - as the recording."
                )
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError(
            "The recording - is standard input, but no program writes to it. Pipe raw samples into "
            f"the command, for example: {_EXAMPLE}."
        )
    if rate is None:
        raise click.UsageError(
            "Raw samples on standard input need --rate, their sampling rate in Hz."
        )


class RawAudio:
    """The samples on standard input.

    Parameters
    ----------
    channels : int
    sample_format : str
        A key of `_TYPES`.

    Attributes
    ----------
    n_extra : int
        After the end, the number of bytes of an incomplete sample.
    ended_by : int or None
        The signal that ended the samples: Ctrl-C or SIGTERM.
    """

    def __init__(self, channels, sample_format):
        self._type, self._channels = _TYPES[sample_format], channels
        self.n_bytes = channels * int(self._type[-1])
        self.n_extra, self.ended_by, self._is_waiting = 0, None, False

    def blocks(self):
        """Yield arrays of shape (n_samples, n_channels) as soon as there are new bytes."""
        import numpy as np

        stream, rest, head = click.get_binary_stream("stdin"), b"", b""
        while data := self._read(stream):
            rest += data
            if len(head) < _HEAD_BYTES:
                # Samples do not wait for it: a live source may write a few at a time.
                head += data[:_HEAD_BYTES]
                _check_is_raw(head)
            n_whole = len(rest) - len(rest) % self.n_bytes
            yield np.frombuffer(rest[:n_whole], self._type).reshape(-1, self._channels)
            rest = rest[n_whole:]
        self.n_extra = len(rest)

    def _read(self, stream):
        """Return new bytes; none at the end, or after a signal."""
        try:
            # First, so that a signal between the two lines is not followed by waiting.
            self._is_waiting = True
            return b"" if self.ended_by else stream.read1(_BYTES_PER_READ)
        except KeyboardInterrupt:
            return b""
        finally:
            self._is_waiting = False

    @contextmanager
    def ended_by_signals(self):
        """Return a context in which a signal ends the samples; a second one stops at once."""

        def end(number, frame):
            self.ended_by = number
            restore()
            if self._is_waiting:
                raise KeyboardInterrupt

        def restore():
            for number, handler in previous.items():
                signal.signal(number, handler)

        try:
            previous = {number: signal.signal(number, end) for number in _SIGNALS}
        except ValueError:  # not in the main thread, which alone gets signals
            yield
            return
        try:
            yield
        finally:
            restore()


def _check_is_raw(data):
    if _is_audio_file(data):
        raise ValueError(
            "Standard input contains an audio file: expected raw samples without a header. Give "
            f"the file itself to the command, or convert it, for example: {_EXAMPLE}."
        )


def _is_audio_file(data):
    if data.startswith(_MAGIC) or data[4:8] == b"ftyp":
        return True
    from skdaf._audio.formats.mp3.header import header_at

    # Samples can look like one header by chance: the next frame must be where it says.
    first = header_at(data)
    second = first and header_at(data[first.n_bytes(0) :])
    return bool(second) and not first.has_free_format and second.stream == first.stream
