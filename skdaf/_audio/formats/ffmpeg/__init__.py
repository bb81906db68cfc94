"""Files that libsndfile does not read, decoded by FFmpeg through PyAV if it is installed.

A file is always decoded from its beginning, so that a part of it is exactly that part of the whole:
many codecs give other samples after a jump. Long recordings are still read efficiently window by
window, because the decoder of a file waits at its position for the next call. It keeps its latest
samples, and no open file.

The length of a file is found by decoding it once. Headers are not trusted.

- `files`: open a file. Whether PyAV is installed.
- `decoder`: the samples of one file, and decoders that wait for the next call.
- `frames`: calls of PyAV.
- `facts`: what is known about a file.
"""
