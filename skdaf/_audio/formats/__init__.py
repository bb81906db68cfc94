"""File formats: one reader for each, or for each library.

A reader is a function that opens a file and returns an `AudioFile`, or None if the file has another
format. An `AudioFile` has the rate, the channels and the number of frames, `go_to(frame)` and
`read_block(n_frames)`. `readers` chooses the reader by the content of the file.

Where to add a format:

- It needs a decoder of its own: write a module with a subclass of `AudioFile` and a function that
  opens it, and call that function in `readers`, next to `open_mp3`.
- libsndfile reads it, but not without errors in incomplete files: add a function to `headers`, and
  the first bytes of the format to the table in `headers.table`.
- FFmpeg reads it: add a check to `containers`, and the first bytes to the table in
  `containers.table`.
- In all cases, add its extensions to `skdaf._audio.folders`.

Contents:

- `readers`: choose the reader of a file.
- `audio_file`: `AudioFile`, the base class of all readers.
- `wav`: plain 16-bit WAV files, without libsndfile.
- `mp3`: MP3 files, by their frames.
- `libsndfile`: all formats that libsndfile reads.
- `alac`, `flac`: what libsndfile does not do right in these formats.
- `ogg`: the pages of Ogg files.
- `headers`: sizes that headers promise, compared with the bytes of the file.
- `ffmpeg`: decode other formats with PyAV, if it is installed.
- `containers`: which these are, and whether a file is complete.
- `id3`: tags in front of the audio.
- `view`: part of a file as a file object.
- `mute`: keep C libraries from printing.
- `errors`: errors of readers.
"""
