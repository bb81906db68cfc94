"""MP3 (MPEG audio, layers I to III): find all frames of a file, and decode them with libsndfile.

libsndfile takes the length of an MP3 file from a tag in its first frame, or estimates it, and stops
reading there. A scan of all frame headers is cheap and exact. It also finds the position of each
frame. Decoding a part of a file can therefore start shortly before its first sample, and returns
the same samples as decoding the whole file.

- `header`: the header of a frame.
- `tags`: tags between frames, and the info tag that encoders write into a frame without audio.
- `blocks`: read the bytes of a file one block at a time.
- `scan`: the positions of all frames.
- `layout`: which bytes of a file are frames, and which decoded samples are audio.
- `decoding`: decode the frames.
"""
