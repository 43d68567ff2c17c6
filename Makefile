# opensirt: `make demo` shows the main job, `make test` proves it. Needs Python 3.11 or newer and make; no Node, no GPU.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CODE    = $(wildcard src tests benchmarks studies requirements)
PYTEST  = $(BIN)/python -m pytest -n auto --dist worksteal
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: help install demo test check studies bench docs serve locks clean
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "opensirt needs Python 3.11 or newer; '$(PYTHON)' is not that: $$($(PYTHON) --version 2>&1 | tail -1). Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv. Elsewhere: add the 'venv' module to $(PYTHON)."; exit 1; }

$(VENV)/.core: requirements/build.txt requirements/core.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing what opensirt needs into $(VENV): about a minute the first time."
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/build.txt -r requirements/core.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.core
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.core
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/docs.txt
	@touch $@

install: $(VENV)/.core ## install opensirt into .venv from the hashed locks

demo: $(VENV)/.core ## a virtual patient, planned: DICOM in, report out, in demo/
	$(BIN)/opensirt demo --out demo

test: $(VENV)/.dev ## every test (under 15 minutes)
	$(PYTEST)

check: $(VENV)/.dev ## style, types, layers and the quick tests (under 2 minutes)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow"

studies: $(VENV)/.dev ## long studies; each writes its table into docs/studies/
	@set -e; for script in $(filter-out studies/_%,$(wildcard studies/*.py)); do echo "== $$script"; $(BIN)/python $$script; done

bench: $(VENV)/.dev ## speed and memory, each against a peer in the same run
	@set -e; for script in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script; done

docs: $(VENV)/.docs ## the documentation as a web site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

serve: ## the server (comes with a later release)
	@echo "The server is not part of this release. Use the commands: make install, then $(BIN)/opensirt --help"; exit 2

locks: ## for maintainers: compile requirements/*.txt anew (needs uv)
	@set -e; for name in build core dev docs; do \
	  source=requirements/$$name.in; [ $$name = core ] && source=pyproject.toml; \
	  uv pip compile -q --no-config --default-index "https://pypi.org/simple" --generate-hashes --universal --no-header --no-emit-index-url \
	    --no-emit-find-links --python-version 3.11 $(if $(UPGRADE),--upgrade) $$source -o requirements/$$name.txt; done

clean: ## remove what was built
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
