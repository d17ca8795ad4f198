# make demo   the whole path on a simulated shop, from nothing but Python 3.11 or newer
# make test   everything needed, then the checks and the tests
# make lint   the checks alone

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install
TESTS ?= tests

# Threads that spin while they wait make a busy machine ten times slower.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint clean

demo: .venv/.demo
	@$(BIN)/horae demo

test: lint
	@$(BIN)/pytest -n 2 $(TESTS)

lint: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

clean:
	rm -rf .venv demo runs .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The environment is made once, and again when pyproject.toml changes. What .demo needs is a part of what .test needs.
.venv/.test: pyproject.toml
	@$(MAKE) --no-print-directory .venv/bin/python
	@echo "Installing Horae and what its tests need: about two minutes ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ .venv/.demo

.venv/.demo: pyproject.toml
	@$(MAKE) --no-print-directory .venv/bin/python
	@echo "Installing Horae: about a minute ..."
	@$(PIP) --editable '.[serve,classic]'
	@touch $@

.venv/bin/python:
	@for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "Making .venv with $$($$python --version) ..."; \
			$$python -m venv .venv && exit 0; \
			echo "$$python cannot make .venv here." >&2; exit 1; \
		fi; \
	done; \
	echo "Horae needs Python 3.11 or newer with its venv module; none was found." >&2; \
	echo "Install one: 'apt-get install python3 python3-venv', 'brew install python' or https://www.python.org" >&2; \
	exit 1
