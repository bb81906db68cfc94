"""Read the samples of a clip block by block; raise an error if some are missing."""

from skdaf._audio.clips import AudioReadError, error_of_times
from skdaf._audio.formats.errors import missing_frames
from skdaf._audio.formats.libsndfile import LibsndfileError, message_of
from skdaf._audio.samples import check_samples

# A clip may end after its file, as the last window of a table does, if at least this share of it,
# or all but so many seconds, is in the file. Otherwise, its times are not those of the file.
_MIN_SHARE, _MAX_MISSING = 1 / 4, 1.0


def span_of(clip, file):
    """Return the first frame and the number of frames of a clip in an open file."""
    # Limited before rounding, because any number of seconds is allowed, even infinity for the end.
    start = round(min(clip.start * file.samplerate, file.frames))
    if start and start >= file.frames:
        raise error_of_times(
            clip,
            f"the clip starts at {clip.start:g} s, but the file ends at "
            f"{file.frames / file.samplerate:g} s (start and end are seconds)",
        )
    stop = file.frames
    if clip.end is not None:
        if stop:
            _check_end(clip, file)
        stop = min(stop, max(round(min(clip.end * file.samplerate, stop)), start + 1))
    if stop <= start:
        raise AudioReadError.of(clip.path, "the file contains no samples")
    return start, stop - start


def is_mostly_after(start, end, seconds):
    """Return whether most of an interval, and more than a second, is after a file ends."""
    return seconds - start < _MIN_SHARE * (end - start) and end - seconds > _MAX_MISSING


def _check_end(clip, file):
    """Raise AudioReadError if most of a clip is after the end of its file."""
    seconds = file.frames / file.samplerate
    # Infinity means the end of the file, as None does.
    if clip.end != float("inf") and is_mostly_after(clip.start, clip.end, seconds):
        raise error_of_times(
            clip,
            f"the clip ends at {clip.end:g} s, but the file ends at {seconds:g} s (start and end "
            "are seconds; end=None is the end of the file)",
        )


def read_blocks(clip, file):
    """Yield the samples of a clip as float32 blocks of shape `(n_frames, n_channels)`.

    Raises an error if the open file has fewer samples than it should, or if a sample is not finite.
    """
    file.check_complete()
    start, n_frames = span_of(clip, file)
    # Samples that the file stores as integers are always finite.
    is_finite = file.subtype.startswith("PCM_")
    n_left, reason = n_frames, ""
    try:
        file.go_to(start)
        while n_left > 0:
            n_requested = min(n_left, file.frames_per_block)
            block = file.read_block(n_requested)
            if not is_finite:
                check_samples(block, start + n_frames - n_left, file.samplerate, clip.path)
            n_left -= len(block)
            file.check_block()
            if len(block):
                yield block
            if len(block) < n_requested:
                break
    except LibsndfileError as error:
        reason = f" ({message_of(error)})"
    if n_left:
        raise AudioReadError.of(clip.path, missing_frames(n_frames, n_frames - n_left) + reason)
