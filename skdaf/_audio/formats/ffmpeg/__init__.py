"""Files that libsndfile does not read, decoded by FFmpeg through PyAV if it is installed.

A file is always decoded from its beginning, because many codecs return different samples after
seeking. This way, a part of a file has exactly the same samples as if the whole file were read.
Long recordings are still read efficiently window by window, because the decoder of a file is kept
for the next call, together with its latest samples. The file is closed between calls.

The length of a file is determined by decoding it once, because headers are not trusted.

- `files`: open a file; check whether PyAV is installed.
- `decoder`: decode one file in order, and keep decoders for the next call.
- `frames`: decode frames with PyAV.
- `facts`: what is known about a file.
"""
