"""What several test modules use."""

import os
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# Recordings and cases that do not belong to the project; tests skip where they are absent.
DATA = Path(os.environ.get("SKDAF_DATA", ROOT.parent / "shared" / "data"))
CASES = DATA.parent / "cases"
