"""Tables that the command check wrote, which also name recordings that cannot be read."""

# A table with these columns is one of them.
_COLUMNS = {"path", "ok", "duplicate_of", "problem"}

# Excel writes FALSE, or the word in the language of the system: German, French, Italian and
# Spanish, Dutch.
_FALSE = {"false", "falsch", "faux", "falso", "onwaar"}


def is_from_check(metadata):
    """Return whether a table is one of `skdaf check`."""
    return _COLUMNS.issubset(metadata.columns)


def refuse_unreadable(path, spelling, advice=""):
    """Raise ValueError if a table of `skdaf check` contains recordings that cannot be read.

    Parameters
    ----------
    path : str
        A CSV or TSV file.
    spelling : Spelling
        How errors about the table write options.
    advice : str
        What else the user can do, at the end of the error.
    """
    from skdaf._audio.metadata.table import as_metadata

    with open(path, "rb") as file:
        if b"duplicate_of" not in file.readline():
            return
    table = as_metadata(path, spelling)
    if not is_from_check(table):
        return
    bad = [
        name
        for name, ok in zip(table.values("path"), table.values("ok"), strict=True)
        if (ok or "").strip().lower() in _FALSE
    ]
    if bad:
        what = "a recording" if len(bad) == 1 else f"{len(bad)} recordings"
        raise ValueError(
            f"{path!r} is from skdaf check and contains {what} that cannot be read (ok=False), "
            f"such as {bad[0]!r}: leave out such rows, in pandas with table[table.ok]{advice}."
        )
