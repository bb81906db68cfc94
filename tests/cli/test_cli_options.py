"""Options of the form NAME=VALUE."""

import click
import pytest
from cli_commands import COMMANDS

from skdaf.cli._recordings import Recordings

REPEATED = [
    (" ".join(words), parameter)
    for words, command in COMMANDS.items()
    for parameter in command.params
    if parameter.multiple and "=" in (parameter.metavar or "")
]


def parse(parameter, *words):
    return parameter.process_value(click.Context(click.Command("x")), words)


@pytest.mark.parametrize(
    "parameter", [option for _, option in REPEATED], ids=[name for name, _ in REPEATED]
)
def test_a_name_has_one_value(parameter):
    name = "path" if "--column" in parameter.opts else "size"
    with pytest.raises(click.BadParameter, match=f"{name} has two values, 0.5 and 0.6"):
        parse(parameter, f"{name}=0.5", f"{name}=0.6")
    assert len(parse(parameter, f"{name}=0.5", f"{name}=0.5")) == 2
    if "--threshold" in parameter.opts:
        assert parse(parameter, "0.5", "0.6") == ((None, 0.5), (None, 0.6))


def test_several_columns_of_labels_and_targets():
    parameter = next(option for _, option in REPEATED if "label" in str(option.help))
    words = ("label=a", "label=b", "target=c", "target=d")
    assert len(parse(parameter, *words)) == 4


@pytest.mark.parametrize(
    ("columns", "separator", "option"),
    [((), ";", "--label-separator"), ([("label", "x")], None, "--column label=NAME")],
)
def test_options_of_labels_where_none_are_used(columns, separator, option):
    recordings = Recordings((), "any.csv", columns, separator, None, None)
    with pytest.raises(click.UsageError, match=f"{option} has no effect here"):
        recordings.unlabeled()


def test_a_check_without_labels_has_no_separator():
    recordings = Recordings((), "any.csv", [("label", None)], ";", None, None)
    with pytest.raises(click.UsageError, match="--label-separator has no effect"):
        recordings.with_folder_names()
