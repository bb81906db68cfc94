"""Groups of clips, such as speakers: whole groups are held out (--group-column, --annotations)."""

import os
from typing import Any, NamedTuple

import click

# A note names at most this many groups.
_MAX_NAMES = 10

group_option = click.option(
    "--group-column",
    metavar="NAME",
    help="Column of the table with the group of each recording, such as its speaker or site. No "
    "group is both in training and in what is held out, by --test-fraction (which is then the "
    "fraction of the groups), by --cv, or to choose the best epoch. Reports contain the scores of "
    "each group.",
)


class Groups(NamedTuple):
    """The group of each clip, and what a group is: "recording", or the name of a column."""

    values: Any
    what: str

    def of(self, rows):
        """Return the groups of some clips."""
        return Groups(self.values[rows], self.what)

    @property
    def count(self):
        """The number of different groups."""
        return len(set(self.values))

    def listed(self):
        """Return the groups as text, such as "speaker anna, ben"."""
        names = [*dict.fromkeys(map(str, self.values))]
        if self.what == "recording":
            names = [os.path.basename(name) for name in names]
        others = len(names) - _MAX_NAMES
        shown = ", ".join(names[:_MAX_NAMES]) + (f" and {others} more" if others > 0 else "")
        return shown if self.what == "recording" else f"{self.what} {shown}"


def groups_of_recordings(values):
    """Return the groups of clips from annotated recordings."""
    return Groups(values, "recording")


def checked_groups(groups):
    """Return the groups in a column of a table; raise ValueError if there is only one."""
    if groups.count < 2:
        column = groups.what
        raise ValueError(
            f"All rows have the same group, {column}={str(groups.values[0])!r}: --group-column "
            f"{column} needs at least two groups, so that one can be held out."
        )
    return groups
