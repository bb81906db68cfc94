"""Containers that libsndfile does not read: recognize them, and check that a file is complete.

A container is recognized by its first bytes, never by its name alone. FFmpeg reports no error if a
file is damaged or truncated. Therefore the structure of a file is checked here before FFmpeg
decodes anything.

- `table`: the first bytes of each container. Add new containers here.
- `mp4`, `matroska`, `asf`, `avi`, `flv`, `tta`, `caf`, `ogg`, `wavpack`: the structure of each.
- `streams`: AAC, AC-3, DTS, AMR and MPEG streams, which are frames without a container.
- `frames`: check a sequence of frames.
- `container`: what is known about a container, and what a check returns.
- `content`: the bytes of a file.
"""
