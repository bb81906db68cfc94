"""File formats: one reader for each, or for each library.

A reader is a function that opens a file and returns an `AudioFile`, or None if the file has another
format. An `AudioFile` has the rate, the channels and the number of frames, `go_to(frame)` and
`read_block(n_frames)`. `readers` chooses the reader by the content of the file.

To add a format:

- If it needs a new decoder, write a module with a subclass of `AudioFile` and a function
  that opens it, and call that function in `readers`, next to `open_mp3`.
- If libsndfile reads it but does not report incomplete files, add a function to `headers`, and the
  first bytes of the format to the table in `headers.table`.
- If FFmpeg reads it, add a check to `containers`, and the first bytes to the table in
  `containers.table`.
- In all cases, add its extensions to `skdaf._audio.folders`.

Contents:

- `readers`: choose the reader for a file.
- `audio_file`: `AudioFile`, the base class of all readers.
- `wav`: plain 16-bit WAV files, without libsndfile.
- `mp3`: MP3 files, read frame by frame.
- `libsndfile`: all formats that libsndfile reads.
- `alac`, `flac`: workarounds for errors of libsndfile in these formats.
- `ogg`: check the pages of Ogg files.
- `headers`: compare the sizes in headers with the size of the file.
- `ffmpeg`: decode other formats with PyAV, if it is installed.
- `containers`: recognize these formats, and check that a file is complete.
- `id3`: tags in front of the audio.
- `view`: present parts of a file as a file object.
- `mute`: suppress the output of C libraries.
- `errors`: the errors that readers raise.
"""
