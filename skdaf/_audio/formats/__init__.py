"""File formats: how each is opened, and whether a file is complete.

`skdaf._audio.reading` picks one of these by a file's first bytes and gives everything else to
libsndfile.

- `wav`: plain 16-bit WAV files, without libsndfile.
- `mp3`: frames of MP3 files, and their true length.
- `ogg`: pages of Ogg files.
- `headers`: lengths that headers announce, compared with the bytes that are there.
- `containers`: containers that libsndfile does not know (MP4, Matroska, ASF, ADTS ...).
- `ffmpeg`: decode those with PyAV, where it is installed.
- `view`: part of a file as a file object.
- `mute`: keep C libraries from printing.
"""
