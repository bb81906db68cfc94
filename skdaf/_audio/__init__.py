"""Audio: the forms of X, and reading recordings.

Forms of X:

- `clips`: `Clip`, a part of a recording, and `AudioReadError`.
- `inputs`: validate X: files, waveforms or spectrograms.
- `recordings`: convert lists, arrays and tables of recordings to lists of clips.
- `columns`: the columns of tables from pandas, polars, PyArrow and others.
- `unused_columns`: warn of numbers in tables of recordings.
- `swapped_arguments`: labels in place of sounds.
- `sources`: samples in memory, encoded bytes and open files, used in place of paths.
- `times`: convert times and durations to seconds.
- `folders`: find the recordings below folders.
- `label_tables`: warn of folders that are no classes, and find tables beside them.
- `metadata`: find the recordings, labels, groups and folds in metadata tables.
- `synthesis`, `speech`: synthetic sounds and speech.
- `generated`: check the arguments of generators, and write their clips.

Reading:

- `opening`: open a recording, and turn every error into an `AudioReadError`.
- `blocks`: read a clip block by block.
- `reading`: read the samples or the header of a clip; `load_audio`.
- `samples`: check blocks of samples, and mix channels.
- `stream`: check and keep samples that arrive in blocks.
- `resampling`: change the sampling rate.
- `lengths`: read the sampling rates and lengths of many clips from headers.
- `unusual_clips`: warnings of clips that are silent, too short or too long.
- `statistics`: peaks and digests of a clip.
- `check`: `check_audio`.
- `worker_paths`: work on clips in worker processes, with absolute paths.
- `formats`: one reader per file format.
"""
