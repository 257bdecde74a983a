# Everything the project does from a fresh clone. Needs git, make and Python 3.11 or newer.
# Run `make` alone for the list of targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is recent enough and makes environments; name another with
# `make PYTHON=/path/to/python`. The system's comes first: it is built with optimisations, which others
# often are not, and then everything here takes half as long again.
ifndef PYTHON
PYTHONS := /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11
PYTHON := $(shell for modules in sys,ensurepip,venv sys; do for p in $(PYTHONS); do \
	"$$p" -c "import $$modules; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && { echo "$$p"; exit; }; done; done)
endif

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
UV := $(BIN)/uv
IN_VENV := VIRTUAL_ENV="$(CURDIR)/$(VENV)" UV_COMPILE_BYTECODE=1

LOCK_OPTIONS := --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

# More arguments for the program behind a target: make test ARGS="-k spool -x"
ARGS ?=

.PHONY: help env run test test-servers test-compose benchmark benchmark-reads benchmark-live benchmark-crowd benchmark-alerts benchmark-alerts-live benchmark-sustained benchmark-servers reliability base-image images lint format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

env: $(STAMP) ## Make or update the environment, .venv, from requirements.lock

# pip is used once, for uv; uv does the rest. The hash of every file is checked. A half-made
# environment has no stamp and is made again.
$(STAMP): requirements.lock deploy/image/build.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Passerelle needs Python 3.11 or newer, and found none: install it, or name one with 'make PYTHON=/path/to/python'." >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Passerelle needs Python 3.11 or newer; '$(PYTHON)' is not: $$("$(PYTHON)" --version 2>&1 | tail -1)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@if ! [ -x "$(UV)" ]; then \
		echo "Making the environment $(VENV)"; \
		rm -rf "$(VENV)" && "$(PYTHON)" -m venv "$(VENV)" && \
		"$(BIN)/python" -m pip install --quiet --disable-pip-version-check \
			--require-hashes --requirement deploy/image/build.lock; fi
	@$(IN_VENV) "$(UV)" pip sync --quiet --require-hashes requirements.lock
	@$(IN_VENV) "$(UV)" pip install --quiet --require-hashes --requirement deploy/image/build.lock
	@$(IN_VENV) "$(UV)" pip install --quiet --no-deps --no-build-isolation --editable .
	@touch "$@"

run: env ## Start the whole platform on this machine, with simulated devices; Ctrl-C stops it
	@$(BIN)/passerelle up $(ARGS)

test: env ## Run the whole test suite (ARGS="-k name" for a part)
	@$(BIN)/pytest $(ARGS)

test-servers: env ## Build InfluxDB 2.10 and 1.13, install an OpenID provider, for the tests, once; kept in ~/.cache/passerelle
	@deploy/test-servers/build

benchmark-servers: env ## Build Telegraf too, which `make benchmark` compares with
	@deploy/test-servers/build telegraf

benchmark: benchmark-servers ## Against Telegraf; formats, stores, latency, backlog (ARGS="telegraf" for one)
	@$(BIN)/python -m benchmarks.ingest $(ARGS)

benchmark-reads: env ## The API beside InfluxDB asked directly: a day raw, a month of hours, latest
	@$(BIN)/python -m benchmarks.reads $(ARGS)

benchmark-live: env ## From publish to a hundred readers of the live stream
	@$(BIN)/python -m benchmarks.live $(ARGS)

benchmark-crowd: env ## Ingest while two hundred people read, beside ingest alone
	@$(BIN)/python -m benchmarks.crowd $(ARGS)

benchmark-alerts: env ## Values a second that 5,000 alert rules judge on one core
	@$(BIN)/python -m benchmarks.alerts $(ARGS)

benchmark-alerts-live: env ## From publish to whoever is told, with 5,000 rules at work, as programs of their own
	@$(BIN)/python -m benchmarks.alerts_live $(ARGS)

benchmark-sustained: benchmark-servers ## Minutes at a steady rate, everything here, every message accounted for
	@$(BIN)/python -m benchmarks.sustained $(ARGS)

reliability: test-servers ## Every fault on a real broker and store; what became of each message (ARGS="--short")
	@$(BIN)/python -m tests.reliability $(ARGS)

base-image: ## Make debian:bookworm-slim from Debian's packages where it cannot be pulled
	@deploy/test-images/build base

images: test-servers ## Build every image of docker-compose.yml that cannot be pulled
	@deploy/test-images/build all

test-compose: env images ## Start docker-compose.yml for real with podman and count every message
	@$(BIN)/python -m tests.compose $(ARGS)

lint: env ## Check style, types and the layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: env ## Format the code and mend what ruff can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: env ## Resolve the dependencies again, within what pyproject.toml allows
	@$(UV) pip compile $(LOCK_OPTIONS) --group dev pyproject.toml -o requirements.lock
	@$(UV) pip compile $(LOCK_OPTIONS) --constraint requirements.lock pyproject.toml -o requirements-runtime.lock
	@$(UV) pip compile $(LOCK_OPTIONS) --constraint requirements.lock deploy/image/build.in -o deploy/image/build.lock
	@$(UV) pip compile $(LOCK_OPTIONS) deploy/test-servers/requirements.in -o deploy/test-servers/requirements.lock
	@$(UV) pip compile $(LOCK_OPTIONS) deploy/test-servers/node.in -o deploy/test-servers/node.lock

clean: ## Remove the environment, caches and local data of this clone
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
