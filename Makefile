# `make` lists every habit. Each one sets up what it needs first.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt bench bench-shared soak rasa-check lock clean

help: ## list the habits
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from requirements.lock, with earful in it

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Earful needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) -V 2>&1`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make environments. On Debian or Ubuntu: apt-get install -y python3-venv"; exit 1; }
	@echo "Making .venv (once, about a minute) ..."
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## serve on http://localhost:8080 with demo content
	@$(BIN)/earful serve --demo

test: check ## everything that must hold: lint, types, imports, all tests
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(READY) ## ruff, mypy --strict, the import rule
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports --verbose | tail -n 12

fmt: $(READY) ## format and sort imports
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(READY) ## speed, as ratios to a floor measured in the same run
	@$(BIN)/python -m bench

bench-shared: $(READY) ## the same on PostgreSQL and Redis, a gateway and one and two workers
	@PYTHONPATH=tests $(BIN)/python -m bench.shared

soak: $(READY) ## a quarter of an hour of faults under load; memory and open files stay flat
	@PYTHONPATH=tests $(BIN)/python -m bench.soak

rasa-check: $(READY) ## the assistant under a real Rasa 3.6, beside our engine (2.7 GB, minutes)
	@$(BIN)/python -m bench.rasa

lock: $(READY) ## resolve requirements.lock and requirements-run.lock again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --extra encoders --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --upgrade --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra encoders --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --constraint requirements.lock --quiet --output-file requirements-run.lock

clean: ## remove what the other habits made (not ./data)
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info
