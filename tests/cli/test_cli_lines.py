"""Errors about starts and ends after the end of a file name the lines of the table."""

import pandas as pd
import pytest
from cli_commands import SMALL, invoke
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import PyAudioAnalysisTransformer, save_model

pytestmark = pytest.mark.usefixtures("inside_workspace")

FILE = "recordings/low_tone/low_tone_000.wav"
OTHER = "recordings/high_tone/high_tone_000.wav"


@pytest.fixture(name="table")
def write_table(tmp_path):
    """Return a table in which the times of lines 3 and 5 are wrong."""
    rows = [
        (FILE, "low_tone", 0, 0.1, 1.0),
        (FILE, "low_tone", 9, 10, 1.0),
        (OTHER, "high_tone", 0, 0.1, 2.0),
        (OTHER, "high_tone", None, 9, 2.0),
    ]
    path = tmp_path / "times.csv"
    pd.DataFrame(rows, columns=["path", "label", "start", "end", "age"]).to_csv(path, index=False)
    return path


def lines_in(error, table):
    """Return the lines of the table that an error names, with what is wrong in them."""
    start = f"  {str(table)!r}, line "
    found = [line.removeprefix(start) for line in error.splitlines() if line.startswith(start)]
    return [(line.partition(":")[0], "starts" in line.partition("the clip")[2]) for line in found]


EXPECTED = [("3", True), ("5", False)]


@pytest.mark.parametrize("command", [("predict", "model.skops"), ("report", "model.skops")])
def test_lines_of_a_table_of_recordings(table, command):
    error = invoke(*command, "--table", table, "--root", ".", status=2).stderr
    assert lines_in(error, table) == EXPECTED
    assert f"line 3: {FILE!r}: the clip starts at 9 s, but the file ends at" in error


def test_lines_in_the_training(table, tmp_path):
    out = ("-o", tmp_path / "new.skops", *SMALL)
    error = invoke("train", "--table", table, "--root", ".", *out, status=2).stderr
    assert lines_in(error, table) == EXPECTED


def test_lines_of_a_table_for_a_model_of_several_columns(table, tmp_path):
    columns = make_column_transformer(
        (PyAudioAnalysisTransformer(), ["path", "start", "end"]), (StandardScaler(), ["age"])
    )
    data = pd.DataFrame({"path": [FILE, OTHER], "start": 0.0, "end": 0.1, "age": [1.0, 2.0]})
    model = make_pipeline(columns, LogisticRegression()).fit(data, ["a", "b"])
    save_model(model, tmp_path / "model.skops")
    words = ("predict", tmp_path / "model.skops", "--table", table, "--root", ".")
    assert lines_in(invoke(*words, status=2).stderr, table) == EXPECTED


def test_other_errors_stay_as_they_are(table, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    table.write_text("path,start,end\nbroken.wav,0,1\n")
    error = invoke("predict", "model.skops", table, status=2).stderr
    assert error.startswith(f"Error: {str(tmp_path / 'broken.wav')!r}: ")
