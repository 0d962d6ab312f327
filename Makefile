# `make` lists the commands. The first two of README.md are `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PROFILE ?= cassandra
# Engines are joined once a run, by all tests.
ONE_LOOP := -o asyncio_default_fixture_loop_scope=session -o asyncio_default_test_loop_scope=session

# Where this is set, each run would compile all tests anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run check test profiles engines cluster faults bench docs format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## install what is needed and serve on http://localhost:3000 (ARGS="--data DIR" and the like)
	@exec $(BIN)/townsquare run $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, arrows, house rules, fast tests: under a minute
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal $(ARGS)

test: $(VENV)/.installed-dev ## install what is needed and run every test that this machine can
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)
ifeq ($(TOWNSQUARE_ENGINES)$(ARGS),all)
	@$(MAKE) --no-print-directory profiles
endif

profiles: $(VENV)/.installed-dev ## run the API suite over real servers, both profiles side by side
	@$(MAKE) --no-print-directory --output-sync=target -j 2 profile-cassandra profile-mongo

profile-%: $(VENV)/.installed-dev
	TOWNSQUARE_TEST_PROFILE=$* $(BIN)/pytest $(ONE_LOOP) tests/api $(ARGS)

engines: ## install the real servers behind the boxes into .engines (ARGS="redis kafka" for some of them)
	@$(PYTHON) -m tests.engines install $(ARGS)

cluster: $(VENV)/.installed-dev ## start it all on this machine, on real servers (PROFILE=cassandra or mongo), and print the address
	@$(BIN)/python -m tests.cluster.up --profile $(PROFILE) $(ARGS)

faults: $(VENV)/.installed-dev ## kill each server and process of a profile under load, and look for what was lost
	@$(BIN)/python -m tests.cluster.cluster_faults --profile $(PROFILE) $(ARGS)

bench: $(VENV)/.installed-dev ## measure speed on this machine and write bench/results
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.installed-dev ## write docs/api.md and docs/settings.md anew from the code
	$(BIN)/python -m tests.house.write_docs

format: $(VENV)/.installed-dev ## put all code into its form
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

clean: ## remove what was installed and measured, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Townsquare needs Python 3.11 or newer. On Debian type: sudo apt install python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian type: sudo apt install python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Townsquare into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Townsquare and its tests' tools into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,cluster]"
	@touch $@ $(VENV)/.installed
