"""How errors about tables write the options of a command."""

import shlex

from skdaf._audio.metadata.spelling import Spelling


class OptionSpelling(Spelling):
    """Errors about tables write the options of the command."""

    separator = " "
    has_dataframes = False
    other_files = 'Save a table as CSV in UTF-8 (in Excel: "CSV UTF-8").'
    class_folders = "Pass class folders without --table."
    numbers = "To learn or test numbers, name their column with --column target=NAME."

    def given(self, parameter, value):
        """Return the option for a value."""
        if parameter == "label_separator":
            return f"--label-separator {shlex.quote(value)}"
        if parameter == "group":
            return f"--group-column {shlex.quote(value)}"
        if parameter == "fold":
            return f"--fold-column {shlex.quote(value)}"
        if parameter == "root":
            return f"--root {shlex.quote(value)}"
        return f"--column {shlex.quote(f'{parameter}={value or str()}')}"

    def named(self, parameter):
        """Return the option without a value."""
        return f"--column {parameter}=NAME"

    def without(self, parameter):
        """Return nothing: commands need their columns."""
        return ""
