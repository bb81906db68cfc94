"""Tables of check that another program saved."""

import pytest

from skdaf.cli._checked import refuse_unreadable
from skdaf.cli._spelling import OptionSpelling


@pytest.mark.parametrize("false", ["False", "FALSE", "FALSCH", "Faux", "FALSO", " onwaar"])
def test_false_in_the_languages_of_excel(tmp_path, false):
    path = tmp_path / "check.csv"
    path.write_text(f"path;ok;duplicate_of;problem\na.wav;WAHR;;\nb.wav;{false};;damaged\n")
    with pytest.raises(ValueError, match=r"\(ok=False\), such as 'b.wav': leave out such rows"):
        refuse_unreadable(str(path), OptionSpelling())
