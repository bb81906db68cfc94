"""Cells of tables as models expect them."""

import math

import pytest

from skdaf._audio.metadata.table import as_metadata
from skdaf._estimators.table_cells import Cells
from skdaf.cli._cells import read_cells

ANY = Cells()
NUMBERS = Cells(are_numbers=True)
TEXT = Cells(are_numbers=False)


def read(tmp_path, cells, expected=ANY, separator=","):
    """Return the cells of a table that contains them as they are."""
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"age{separator}x", *(f'"{cell}"{separator}1' for cell in cells)]))
    return read_cells(as_metadata(path), "age", expected)


def sites(*names, is_complete=True):
    return Cells(all(isinstance(name, float) for name in names), [*names], is_complete)


@pytest.mark.parametrize(
    ("cells", "expected", "found"),
    [
        (["1", " 2.5", "-.5e1"], ANY, [1.0, 2.5, -5.0]),
        (["1", "2"], NUMBERS, [1, 2]),
        (["1", "NA", ""], NUMBERS, [1.0, math.nan, math.nan]),
        (["", "n/a"], ANY, [math.nan, math.nan]),
        (["1", "x"], ANY, ["1", "x"]),
        (["x", "NA", ""], ANY, ["x", math.nan, math.nan]),
        (["True", "False"], ANY, [True, False]),
        (["1", "NA"], TEXT, ["1", math.nan]),
        (["True"], TEXT, ["True"]),
        (["x ", "NA", "y"], sites("x", "NA", is_complete=False), ["x", "NA", "y"]),
        (["1", "2"], sites("1", "2"), ["1", "2"]),
        (["1", "2.0"], sites(1.0, 2.0), [1.0, 2.0]),
        (["x", "null"], sites("x", math.nan), ["x", math.nan]),
        (["x", "null"], sites("x", None), ["x", None]),
        (["True", "False"], sites(True, False), [True, False]),
    ],
)
def test_cells_have_the_types_of_the_training(tmp_path, cells, expected, found):
    values = read(tmp_path, cells, expected)
    assert str(values) == str(found)
    assert [*map(type, values)] == [*map(type, found)]


def test_decimal_commas_of_tables_with_semicolons(tmp_path):
    assert read(tmp_path, ["23,5", "-,5"], NUMBERS, separator=";") == [23.5, -0.5]
    assert read(tmp_path, ["23,5", "1"], sites(23.5, 1.0), separator=";") == [23.5, 1.0]


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("23,5", " Write it with a decimal point: 23.5."),
        ("1,234.5", " Write it without separators of thousands: 1234.5."),
        ("1.234.567,5", " Write it without separators of thousands: 1234567.5."),
        ("23.5 °C", " Write only the number: 23.5."),
        ("1_000", ""),
        ("inf", ""),
        ("2024-05-01", ""),
    ],
)
def test_what_is_no_number_gets_advice(tmp_path, cell, advice):
    with pytest.raises(ValueError, match="line 3") as caught:
        read(tmp_path, ["1", cell, "2"], NUMBERS)
    start = f"'{tmp_path / 't.csv'}', line 3: expected a number in the column 'age', got {cell!r}."
    assert str(caught.value) == start + advice


def test_the_other_lines_are_listed(tmp_path):
    with pytest.raises(ValueError, match=r"got 'x'\. The same in lines 4 and 5\.$"):
        read(tmp_path, ["1", "x", "y", "x"], NUMBERS)
    known = sites("north", "south")
    with pytest.raises(ValueError, match="unknown value 'North' in the column 'age'") as caught:
        read(tmp_path, ["North", "east", "North", "", "north"], known)
    assert str(caught.value).endswith(
        "The model knows 'north', 'south'. Did you mean 'north'? The same in line 4. Other values "
        "that it does not know: 'east', ''."
    )
    with pytest.raises(ValueError, match="line 3: got no value in the column 'age'"):
        read(tmp_path, ["north", "NA"], known)


@pytest.mark.parametrize(("known", "cell"), [(("north",), "north"), ((1.0,), "1")])
def test_missing_categories_that_the_model_fills_in(tmp_path, known, cell):
    filled = sites(*known)._replace(is_filled=True)
    assert str(read(tmp_path, [cell, "NA", ""], filled)) == str([*known, math.nan, math.nan])
    with pytest.raises(ValueError, match="unknown value 'East'"):
        read(tmp_path, [cell, "NA", "East"], filled)


def test_many_categories_are_not_all_listed(tmp_path):
    with pytest.raises(ValueError, match="'9' and 5 more"):
        read(tmp_path, ["x"], sites(*map(str, range(15))))
