"""MP3 (MPEG audio, layers I to III): find every frame of a file, let libsndfile decode them.

libsndfile takes the length of an MP3 file from a tag in its first frame, or estimates it, and stops
there. A scan of all frame headers is cheap and exact. It also finds the position of each frame, so
that a part is decoded from shortly before its first sample, and equals that part of the whole.

- `header`: the header of a frame.
- `tags`: tags between frames, and what encoders write into a frame without sound.
- `blocks`: the bytes of a file, read a block at a time.
- `scan`: the positions of all frames.
- `layout`: which bytes and which decoded samples of a file are sound.
- `decoding`: decode them.
"""
