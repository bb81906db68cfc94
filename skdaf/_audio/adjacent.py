"""Read many clips; decode those that overlap or touch, such as windows of a recording, together.

Opening a recording and going to a position can take longer than decoding a window: an MP3 decoder
has to start several seconds earlier. Overlapping windows also contain most samples more than once.
So adjacent clips of one recording are cut out of samples that were decoded once. The results are
those of `read_clip`, because readers return the same samples wherever they start. The few that do
not read each clip by itself.
"""

from contextlib import suppress

from skdaf._audio.blocks import span_of
from skdaf._audio.clips import AudioReadError, Clip
from skdaf._audio.opening import on_disk, open_audio
from skdaf._audio.reading import read_mono
from skdaf._audio.resampling import resample

# Clips are decoded together up to this many samples, or up to this multiple of the length of the
# first one. Samples that are shared across such a limit are decoded twice.
_MAX_SAMPLES = 2**21
_MAX_CLIP_LENGTHS = 2


def read_clips(clips, read_alone, sampling_rate=None, channel=None):
    """Yield the samples of each clip, or its AudioReadError.

    The samples of adjacent clips may share memory, so they must not be changed.

    Parameters
    ----------
    clips : list of Clip
    read_alone : callable
        Returns the samples of a clip that is not adjacent to others, as `read_clip` does with the
        same `sampling_rate` and `channel`; it is also called for the message if an error occurs.
    sampling_rate, channel : int or None
        As in `read_clip`.
    """
    for run in _runs(clips):
        while run:
            parts, rate = _read_together(run, channel)
            for clip, samples in zip(run, parts, strict=False):
                yield _finished(clip, samples, rate, read_alone, sampling_rate)
            run = run[len(parts) :]


def _runs(clips):
    """Split a list of clips into lists of adjacent clips."""
    first = 0
    for i in range(1, len(clips) + 1):
        if i == len(clips) or not _is_adjacent(clips[i - 1], clips[i]):
            yield clips[first:i]
            first = i


def _is_adjacent(clip, other):
    """Return whether a clip of the same recording starts within another, or where it ends."""
    return (
        clip.end is not None and clip.start <= other.start <= clip.end and clip.path == other.path
    )


def _read_together(run, channel):
    """Return the samples of the first clips of a run at their own rate, and this rate.

    There is None in place of the samples of clips that have to be read alone: a single clip, and
    all clips if an error occurs, so that it is reported for the clips that it concerns.
    """
    if len(run) == 1:
        return [None], None
    try:
        # Opened only once, because the file may be replaced at any time.
        with on_disk(Clip(run[0].path)) as whole, open_audio(whole.path) as file:
            rate, spans = file.samplerate, _spans(run, file)
            if not spans:
                return [None] * len(run), None
            start, stop = spans[0][0], max(stop for _, stop in spans)
            samples = read_mono(Clip(whole.path, start / rate, stop / rate), file, channel)
    except AudioReadError:
        return [None] * len(run), None
    return [samples[first - start : stop - start] for first, stop in spans], rate


def _spans(run, file):
    """Return (first, stop) of the clips to decode together from an open file."""
    spans = []
    for clip in run if file.has_exact_seek else ():
        first, n_samples = span_of(clip, file)
        spans.append((first, first + n_samples))
        longest = max(_MAX_SAMPLES, _MAX_CLIP_LENGTHS * (spans[0][1] - spans[0][0]))
        if spans[-1][1] - spans[0][0] > longest:
            return spans[:-1]
    return spans


def _finished(clip, samples, rate, read_alone, sampling_rate):
    """Return the samples of a clip at a sampling rate, or an AudioReadError."""
    if samples is not None and sampling_rate in (None, rate):
        return samples
    try:
        if samples is not None:
            # After an error, the same one follows with the name of the file.
            with suppress(ValueError, MemoryError):
                return resample(samples, rate, sampling_rate)
        return read_alone(clip)
    except AudioReadError as error:
        return error
