# The same on a fresh machine and in CI. All that is needed beforehand: git, Python 3.11 or later, make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
PROCESSES ?= 4
# The tests start hundreds of processes: each would compile all our modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test unit lint fmt bench sim lock clean

run: $(VENV)/run.stamp ## environment, then the platform with its demo
	$(BIN)/millstream up --demo

test: lint ## environment, then everything that CI runs
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal --timeout 240 $(TESTS)

unit: $(VENV)/dev.stamp ## the inner loop: no server, no simulation
	$(BIN)/python -m pytest -q tests/unit tests/property tests/golden

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp ## side by side with the peers; see benchmarks/
	$(BIN)/python -m benchmarks $(ARGS)

sim: $(VENV)/dev.stamp ## one seed of the log's simulation again: make sim SEED=613
	SEED=$(SEED) $(BIN)/python -m pytest -q tests/simulation

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

lock: $(VENV)/dev.stamp ## pin requirements/*.in again
	$(BIN)/pip install --quiet uv
	for name in run dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header --no-annotate --output-file requirements/$$name.txt requirements/$$name.in; \
	done

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/conformance/js/node_modules
