"""How errors about metadata tables write the parameters of `load_audio_table`."""


class Spelling:
    """Write parameters as in Python. The command writes its options instead."""

    #: Between parameters that belong together.
    separator = ", "

    #: Whether errors may show code for DataFrames.
    has_dataframes = True

    other_files = (
        "For other encodings and formats, read the table with pandas and pass the DataFrame, as in "
        "pandas.read_csv(path, encoding='cp1252') or pandas.read_excel(path)."
    )
    class_folders = "For class folders, use skdaf.datasets.load_audio_folders."
    numbers = (
        "To use the numbers in another way, pass label=None: the clips have the order of the rows."
    )

    def given(self, parameter, value):
        """Return how a value is passed to a parameter."""
        return f"{parameter}={value!r}"

    def named(self, parameter):
        """Return how a parameter is passed, without its value."""
        return f"{parameter}="

    def without(self, parameter):
        """Return the end of a sentence on how to do without an optional column."""
        return f", or pass {parameter}=None to load the recordings without {parameter}s"


PYTHON = Spelling()
