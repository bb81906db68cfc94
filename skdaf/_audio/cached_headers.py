"""Read the headers of clips through a cache: in some formats, this takes as long as decoding."""

from contextlib import suppress
from dataclasses import astuple

from skdaf._audio.clips import AudioInfo, AudioReadError
from skdaf._audio.file_state import clip_key, is_settled
from skdaf._audio.opening import stat_audio
from skdaf._audio.reading import read_info
from skdaf._core.cache import Cache

# Increase this if the same clip gives another AudioInfo, or an error.
_VERSION = 2


def read_infos_through(cache, clips, channel):
    """Yield the AudioInfo of each clip, or the AudioReadError.

    Parameters
    ----------
    cache : str, path-like or None
        The folder of the cache; None for none. If it cannot be used, the headers are read.
    clips : list of Clip
    channel : int or None
        The channel that the files must have.
    """
    cache = _open(cache)
    if cache is None:
        yield from (_read(clip, channel) for clip in clips)
        return
    prefix = f"header {_VERSION} {channel}"
    keys, new = [_key(prefix, clip) for clip in clips], {}
    stored = [key for key in keys if key is not None]
    known = dict(zip(stored, cache.get_many(stored), strict=True))
    for clip, key in zip(clips, keys, strict=True):
        value = known.get(key)
        found = _read(clip, channel) if value is None else _from_bytes(value)
        # The file may have changed since its key was computed.
        if key and value is None and isinstance(found, AudioInfo) and _key(prefix, clip) == key:
            new[key] = _to_bytes(found)
        yield found
    cache.put_many(new)


def _open(folder):
    """Return the Cache; None if there is none or it cannot be used.

    The main process reports a folder that it cannot use. Workers may run on a machine without it;
    they warn when they compute something from the samples.
    """
    with suppress(ValueError):
        return None if folder is None else Cache(folder)
    return None


def _read(clip, channel):
    try:
        return read_info(clip, channel)
    except AudioReadError as error:
        return error


def _key(prefix, clip):
    """Return the key of a clip; None if it is not cached."""
    if clip.is_in_memory:
        return None
    try:
        status = stat_audio(clip.path)
    except AudioReadError:
        return None
    return clip_key(prefix, clip, status) if is_settled(status) else None


def _to_bytes(info):
    return "\n".join(map(str, astuple(info))).encode()


def _from_bytes(value):
    rate, n_frames, channels, *names = value.decode().split("\n")
    return AudioInfo(int(rate), int(n_frames), int(channels), *names)
