# The whole project in a few words: `make run` serves, `make test` proves.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
NODE    := tests/contract/node
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install
SOURCES := pyproject.toml setup.py $(shell find src docs -type f ! -name '*.pyc' ! -path '*.egg-info/*')
# Tests and tools import from src/; `make run` serves the built and installed package. Bytecode is
# cached even if the environment disables that, so that processes start faster.
SRC     := PYTHONPATH=$(CURDIR)/src PYTHONDONTWRITEBYTECODE=

# Number of test processes; files are not split. The longest files sort first by name, so that none
# is left over at the end.
WORKERS ?= 2
PYTEST  := $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# The right build of torch depends on the machine, so it is not locked by hash.
TORCH   ?= torch==2.13.0

# The starter set `full` needs engines that the default install does not have.
ifeq ($(OXLO_STARTER),full)
ENGINES := $(VENV)/.full
endif

.DEFAULT_GOAL := help
.PHONY: help run test test-built test-all torch check format bench suites lock clean

help:  ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.built $(ENGINES)  ## Set up and serve the platform (Ctrl-C stops it)
	@exec $(BIN)/oxlo serve

test: $(VENV)/.dev $(NODE)/node_modules/.stamp  ## Set up and run the tests
	$(SRC) $(PYTEST) -m "not slow"

test-built: $(VENV)/.dev $(VENV)/.built  ## The tests of the hot path, on the package as `make run` has it
	$(PYTEST) -o pythonpath= -m "not slow" tests/gateway tests/unit/gateway tests/unit/ledger \
	  tests/unit/wire tests/unit/engines/dialects tests/unit/test_queue.py \
	  tests/contract/test_chat.py tests/contract/test_embeddings.py tests/contract/test_other.py \
	  tests/contract/test_tools.py \
	  tests/scenario/test_serve.py tests/scenario/test_journal_killed.py

test-all: $(VENV)/.dev $(NODE)/node_modules/.stamp  ## Run the slow tests too
	$(SRC) $(PYTEST) -o faulthandler_timeout=1500

torch: $(VENV)/.torch  ## Set up torch too: for models that make images, and their tests

check: $(VENV)/.dev  ## Lint, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(SRC) $(BIN)/pytest tests/unit/test_layout.py

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.built  ## Measure the gateway beside its peers (sets the peers up)
	$(BIN)/python -m bench overhead

suites: | $(BIN)/python  ## Run suites of others against OXLO_BASE_URL with OXLO_API_KEY
	@$(BIN)/python -m scripts.suites $(SUITES)

lock: $(VENV)/.dev  ## Lock the newest versions that are a week old
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock

clean:  ## Remove everything that was set up here; data under OXLO_HOME stays
	rm -rf $(VENV) $(NODE)/node_modules build bench/.cache bench/results
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  f"Oxlo needs Python 3.11 or newer; this is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	@echo "Setting up Python in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run $(VENV)/.dev: $(VENV)/.%: requirements/%.txt | $(BIN)/python
	@echo "Installing $< ..."
	@$(INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/.torch: | $(BIN)/python
	@$(BIN)/python -c 'import torch' 2>/dev/null || { \
	  echo "Installing $(TORCH), which computes images: 200 MB if the package index that pip uses"; \
	  echo "has builds for CPUs, else some gigabytes of CUDA on Linux. make TORCH=... takes another."; \
	  $(INSTALL) $(TORCH); }
	@touch $@

$(VENV)/.full: requirements/full.txt $(VENV)/.run $(VENV)/.torch
	@echo "Installing $< (400 MB): images, speech, transcription and detection, too."
	@echo "phonemizer and espeak-ng, which pronounce texts for kokoro, are under the GPL, version 3."
	@$(INSTALL) --require-hashes -r $<
	@touch $@

# Compiled if there is a C compiler, otherwise plain Python.
$(VENV)/.built: $(SOURCES) $(VENV)/.run
	@echo "Building Oxlo (a minute where it is compiled) ..."
	@rm -rf build
	@$(INSTALL) --no-deps --no-build-isolation --force-reinstall .
	@touch $@

$(NODE)/node_modules/.stamp: $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then cd $(NODE) && npm ci --silent --no-audit --no-fund; \
	  else echo "npm not found: the Node SDK's tests are skipped"; mkdir -p $(NODE)/node_modules; fi
	@touch $@
