# `make run` runs the main job, `make test` the tests; see README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# All but the live tests and the soak; tests/test_packaging.py checks that nothing else is left out.
UNIT := $(filter-out tests/live/ tests/soak/ tests/fakes/ tests/__pycache__/,$(sort $(wildcard tests/*/))) \
	$(wildcard tests/test_*.py)

# The checkout is run as it is: an editable install would hide the plugin from twistd.
export PYTHONPATH := $(CURDIR)

.PHONY: run test unit lint format coverage soak bench docs matrix clean

run: $(VENV)/.run
	@exec $(BIN)/python -m tools.run

test: $(VENV)/.dev
	tools/install-openvswitch
	$(BIN)/python -m twisted.trial tests

unit: $(VENV)/.dev
	$(BIN)/python -m twisted.trial $(UNIT)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy twisted_ovsdb tests tools benchmarks docs examples noxfile.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/.dev
	tools/install-openvswitch
	$(BIN)/coverage run -m twisted.trial tests
	$(BIN)/coverage report

soak: $(VENV)/.dev
	tools/install-openvswitch
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.live.cluster --kills 10

bench: $(VENV)/.dev
	tools/install-openvswitch
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.neighbours

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

# Every Python from 3.10 that is here, the newest and the oldest Twisted: about ten minutes.
matrix: $(VENV)/.dev
	@$(BIN)/python -m tools.matrix

clean:
	rm -rf $(VENV) .nox _trial_temp* build dist *.egg-info .coverage htmlcov .hypothesis .mypy_cache .ruff_cache

$(VENV)/.run: requirements.txt
	@tools/make-venv $(PYTHON) $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt
	@tools/make-venv $(PYTHON) $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/.docs: requirements.txt requirements-docs.txt
	@tools/make-venv $(PYTHON) $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@ $(VENV)/.run
