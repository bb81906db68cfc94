# make demo: set everything up and run the main job on a data set made on the spot
# make test: set everything up and run all tests
# make lint: check style

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/python examples/quickstart.py

test: .venv/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 8

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Made anew when the requirements change; a failed installation leaves no mark.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
	    || { echo "skdaf needs Python 3.11 or newer: try 'make PYTHON=python3.12 ...'"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv
