"""Containers that libsndfile does not read: recognize them, and check that a file is complete.

A container is recognized by its first bytes, never by its name alone. FFmpeg continues after damage
and takes a file that has lost its end for a shorter one, both without an error. So the structure of
a file is checked here before FFmpeg decodes anything.

- `table`: the first bytes of each container. A new container is added here.
- `mp4`, `matroska`, `asf`, `avi`, `flv`, `tta`, `caf`, `ogg`, `wavpack`: the structure of each.
- `streams`: AAC, AC-3, DTS, AMR and MPEG streams: frames without a container.
- `frames`: check frames that follow each other.
- `container`: what is known about a container, and what a check returns.
- `content`: the bytes of a file.
"""
