"""Annotations of a recording: those with a duration and a label, within the recording."""

import warnings

# In seconds. Annotations may end a little after the last sample: times are rounded, and programs
# differ by a frame in the length of compressed files.
_MAX_ROUNDING = 0.1


def read_annotations(path, label_column):
    """Return annotations with a duration and a label, and all labels in the file."""
    from skdaf import read_segments

    table = read_segments(path, label_column=label_column)
    is_span, has_label = table.start < table.end, table.label != ""
    for n_left_out, problem in (
        ((~is_span).sum(), "without a duration"),
        ((is_span & ~has_label).sum(), "without a label"),
    ):
        if n_left_out:
            segments = "segment" if n_left_out == 1 else "segments"
            warnings.warn(f"Left out {n_left_out} {segments} {problem} in {path!r}.", stacklevel=3)
    return table[is_span & has_label], {*table.label} - {""}


def within_file(table, path, recording):
    """Return the part of annotations that is in a recording, and the duration of the recording.

    Raise ValueError if there are annotations after its end: they belong to another recording.
    """
    from skdaf import Clip
    from skdaf._audio.reading import read_info

    info = read_info(Clip(recording))
    duration = info.n_frames / info.sampling_rate
    if (table.start >= duration).any():
        raise ValueError(
            f"{path!r} has a segment that starts at {table.start.max():g} s, but {recording!r} "
            f"ends at {duration:g} s: is it the table of this recording? Times are in seconds."
        )
    return _cut(table, path, duration, f"{recording!r} ends"), duration


def within_stream(table, path, end):
    """Return the part of annotations in the first seconds, which came on standard input.

    Samples may end at any time, so later annotations are left out.
    """
    return _cut(table, path, end, "standard input ended")


def _cut(table, path, duration, when):
    """Return annotations that end with the recording; warn if some are longer."""
    is_late = table.end - duration > _MAX_ROUNDING
    if is_late.any():
        segments = "1 segment ends" if is_late.sum() == 1 else f"{is_late.sum()} segments end"
        warnings.warn(
            f"{path!r}: {segments} after {duration:g} s, when {when}, up to {table.end.max():g} s. "
            "The time after it is left out.",
            stacklevel=3,
        )
    table = table[table.start < duration]
    return table.assign(end=table.end.clip(upper=duration))
