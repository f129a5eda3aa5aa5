PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: fit test test-slow lint docs benchmark clean

# The environment is made once, and again when what it should hold changes.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

fit: $(READY)
	$(BIN)/paramfit fit --config configs/thermometer/sgd.yaml

# A module goes to one worker, so that what its tests share is made once.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow"

# What takes more than a few seconds each: coverage by simulation, signals, fuzzed command lines.
test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages as a site under build/docs; what builds them is installed when they are first asked for.
$(VENV)/.docs: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

benchmark: $(READY)
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/least_squares.py
	$(BIN)/python benchmarks/small_fits.py
	$(BIN)/python benchmarks/likelihood.py
	$(BIN)/python benchmarks/nist.py

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
