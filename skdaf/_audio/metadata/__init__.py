"""Metadata tables: the recordings, labels, groups and folds in a CSV file or a DataFrame.

- `loading`: all of it together.
- `table`: read CSV and TSV files, and use them and DataFrames in the same way.
- `columns`: which columns to use, by name or by a pattern of several.
- `values`: labels, groups, folds and numbers as arrays.
- `indicators`: several labels per row.
- `spelling`: how errors write the parameters of `load_audio_table`.
- `files`: find the files that a table names.
- `clips`: the parts of recordings that a table names.
"""
