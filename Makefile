# The whole project in a few words: `make run` serves, `make test` proves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
NODE   := tests/contract/node
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test test-all check format bench lock clean

help:  ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP)-run  ## Set up and serve the platform (Ctrl-C stops it)
	@exec $(BIN)/oxlo serve

test: $(STAMP)-dev $(NODE)/node_modules/.stamp  ## Set up and run the tests
	$(BIN)/pytest -m "not slow"

test-all: $(STAMP)-dev $(NODE)/node_modules/.stamp  ## Run the slow tests too
	$(BIN)/pytest

check: $(STAMP)-dev  ## Lint, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/unit/test_layout.py

format: $(STAMP)-dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)-dev  ## Measure the gateway beside its peers (sets the peers up)
	$(BIN)/python -m bench overhead

lock: $(STAMP)-dev  ## Lock the newest versions that are a week old
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock

clean:  ## Remove everything that was set up here; data under OXLO_HOME stays
	rm -rf $(VENV) $(NODE)/node_modules bench/.cache bench/results
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  f"Oxlo needs Python 3.11 or newer; this is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	@echo "Setting up Python in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# A set of packages is installed again only when its lock or the package's own metadata changed.
$(STAMP)-%: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "Installing $< ..."
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(NODE)/node_modules/.stamp: $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then cd $(NODE) && npm ci --silent --no-audit --no-fund; \
	  else echo "npm not found: the Node SDK's tests are skipped"; mkdir -p $(NODE)/node_modules; fi
	@touch $@
