"""Recordings: what X may be, and reading it.

- `clips`: `Clip`, a part of a recording, and `AudioReadError`.
- `inputs`: validate X: files, waveforms or spectrograms.
- `recordings`: lists, arrays and tables of recordings as lists of clips.
- `columns`: the columns of tables of pandas, polars, PyArrow and others.
- `times`: durations in seconds.
- `sources`: samples in memory, encoded bytes and open files in place of paths.
- `reading`: open a recording, read and resample its samples. `load_audio`.
- `lengths`: sampling rates and lengths of clips, from headers.
- `check`: `check_audio`.
- `formats`: one reader per file format.
"""
