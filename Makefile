# `make run` runs the main job, `make fleet` shows several monitors, `make test` the tests; see README.md.

PYTHON ?= python3
# How many processes run the tests side by side: most tests wait for real switches.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin

# The checkout is run as it is: an editable install would hide the plugin from twistd.
export PYTHONPATH := $(CURDIR)

.PHONY: run fleet test unit lint format coverage mutants soak bench docs matrix clean

run: $(VENV)/.run
	@exec $(BIN)/python -m tools.run

fleet: $(VENV)/.run
	@exec $(BIN)/python -m tools.fleet

test: $(VENV)/.dev
	tools/install-openvswitch
	tools/install-browser
	tools/install-broker
	$(BIN)/python -m twisted.trial --jobs $(JOBS) tests

unit: $(VENV)/.dev
	files=$$($(BIN)/python -m tools.unittests) && $(BIN)/python -m twisted.trial $$files

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
	tools/install-browser
	tools/install-broker
	$(BIN)/coverage run -m twisted.trial tests
	$(BIN)/coverage report

# Do tests notice a change of the code? A sample, about twenty minutes on two cores.
mutants: $(VENV)/.dev
	$(BIN)/python -m tools.mutants

soak: $(VENV)/.dev
	tools/install-openvswitch
	tools/install-broker
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.live.cluster --kills 10

bench: $(VENV)/.dev
	tools/install-openvswitch
	tools/install-broker
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.neighbours
	$(BIN)/python -m benchmarks.state
	$(BIN)/python -m benchmarks.web
	$(BIN)/python -m benchmarks.fleet

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

# Each Python from 3.10 that is on this machine, the newest and the oldest Twisted: about ten minutes.
matrix: $(VENV)/.dev
	@$(BIN)/python -m tools.matrix

clean:
	rm -rf $(VENV) .nox _trial_temp* build dist *.egg-info .coverage htmlcov \
		.hypothesis .import_linter_cache .mypy_cache .ruff_cache

# Each installs what pyproject.toml names: the dependencies, and a dependency group.
$(VENV)/.run: pyproject.toml tools/make-venv
	@tools/make-venv $(PYTHON) $(VENV)
	@touch $@

$(VENV)/.dev: pyproject.toml tools/make-venv
	@tools/make-venv $(PYTHON) $(VENV) dev
	@touch $@ $(VENV)/.run

$(VENV)/.docs: pyproject.toml tools/make-venv
	@tools/make-venv $(PYTHON) $(VENV) docs
	@touch $@ $(VENV)/.run
