# opensirt: `make demo` shows the main job, `make test` proves it. Needs Python 3.11 or newer, make, git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements/build.txt requirements/core.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONHASHSEED = 0

.PHONY: help install demo test check studies bench docs serve clean
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "opensirt needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1). Say which to use: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv. Elsewhere: install the 'venv' module of $(PYTHON)."; exit 1; }

$(VENV)/.core: $(LOCKS) pyproject.toml src/opensirt/_version.py | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install -q --require-hashes -r requirements/build.txt -r requirements/core.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.core
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.core
	$(BIN)/python -m pip install -q --require-hashes -r requirements/docs.txt
	@touch $@

install: $(VENV)/.core ## install opensirt into .venv from the hashed locks

demo: $(VENV)/.core ## a virtual patient, planned: DICOM in, report out, in demo/
	$(BIN)/opensirt demo --out demo

test: $(VENV)/.dev ## every test (under 15 minutes)
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/.dev ## style, types, layers and the quick tests (under 2 minutes)
	$(BIN)/ruff check src tests benchmarks studies
	$(BIN)/ruff format --check src tests benchmarks studies
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

studies: $(VENV)/.dev ## long studies; each writes its table into docs/studies/
	@for study in studies/*.py; do echo "== $$study"; $(BIN)/python $$study || exit 1; done

bench: $(VENV)/.dev ## speed and memory, each against a peer in the same run
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

docs: $(VENV)/.docs ## the documentation as a web site in site/
	$(BIN)/mkdocs build --strict

serve: $(VENV)/.core ## the server (comes with a later release)
	@echo "The server is not part of this release; use the commands: $(BIN)/opensirt --help"; exit 2

clean: ## remove what was built
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis
