"""Several labels per row of a table: lists in a cell, and a column for each label."""

import numpy as np
import pandas as pd
import pytest
from helpers import touch

from skdaf.datasets import load_audio_table

LABELS = ["rain;dog", "", "dog", " wind ; rain ;"]
INDICATOR = [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1]]  # dog, rain, wind


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a table of four clips, as a frame or as a file."""
    paths = [tmp_path / f"{n}.wav" for n in range(4)]
    touch(*paths)

    def load(form="frame", /, options=None, **columns):
        table = pd.DataFrame({"path": [path.name for path in paths], **columns})
        if form == "file":
            table.to_csv(tmp_path / "meta.csv", index=False)
            table = tmp_path / "meta.csv"
        return load_audio_table(table, root=tmp_path, **(options or {}))

    return load


@pytest.mark.parametrize("form", ["frame", "file"])
def test_lists_in_a_cell(load, form):
    bunch = load(form, {"label_separator": ";"}, label=LABELS)
    assert bunch.target_names == ["dog", "rain", "wind"]
    assert bunch.target.dtype == np.int64
    assert bunch.target.tolist() == INDICATOR
    table = load(form, {"label": "tags", "label_separator": ", "}, tags=["a, b", "b", "", "a"])
    assert table.target.tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]


@pytest.mark.parametrize("form", ["frame", "file"])
@pytest.mark.parametrize(
    "words", [(0, 1), (False, True), ("no", "yes"), ("FALSE", "True "), (0.0, 1.0)], ids=str
)
def test_a_column_for_each_label(load, form, words):
    columns = pd.DataFrame(INDICATOR, columns=["dog", "rain", "wind"])
    columns = columns.map(lambda value: words[value]).to_dict("list")
    bunch = load(form, {"label": ("wind", "dog")}, **columns)
    assert bunch.target_names == ["wind", "dog"]
    assert bunch.target.tolist() == [[row[2], row[0]] for row in INDICATOR]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": ["dog", "rian"]}, "no column 'rian'"),
        ({"label": ["dog", "dog"]}, r"must be different, got \['dog', 'dog'\]"),
        ({"label": ["dog"]}, r"at least two, got \['dog'\]"),
        ({"label": ["dog", "rain"], "label_separator": ";"}, "label_separator=';' has no effect"),
        (
            {"label": ["dog", "path"]},
            "expected 1 or 0 .* the column .path. of a label, got 0.wav",
        ),
        ({"label": ["dog", "empty"]}, "in the column 'empty' of a label, got nothing"),
        (
            {"label": None, "label_separator": ";"},
            "label_separator=.;.*needs a column",
        ),
        ({"label_separator": ""}, "label_separator='' must be the text between"),
        ({"label_separator": "|"}, r"column 'label' with the separator '\|' contains the labels"),
    ],
)
def test_other_tables_are_refused(load, options, message):
    columns = {"dog": [0, 1, 0, 1], "rain": 1, "empty": [1, 0, None, 1], "label": "dog"}
    with pytest.raises(ValueError, match=message):
        load(options=options, **columns)


def test_names_of_columns_are_text(load):
    with pytest.raises(TypeError, match=r"must be names \(str\), got \['dog', None\]"):
        load(options={"label": ["dog", None]}, dog=[0, 1, 0, 1])


@pytest.mark.parametrize("form", [list, tuple, np.array])
@pytest.mark.parametrize("options", [{}, {"label_separator": ";"}], ids=str)
def test_lists_that_are_not_text_are_refused(load, options, form):
    labels = ["dog", form(["dog", "rain"]), "rain", "rain"]
    with pytest.raises(ValueError, match=r"row 1: expected a single value in the column 'label'"):
        load(options=options, label=labels)


@pytest.mark.parametrize("form", ["frame", "file"])
def test_another_separator_is_noticed(load, form):
    with pytest.warns(UserWarning, match=r"no cell .*'label' contains the separator '\|'"):
        bunch = load(form, {"label_separator": "|"}, label=LABELS)
    assert bunch.target.shape == (4, 3)
