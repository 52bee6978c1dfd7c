# `make run` needs Python 3.11 or newer and make, nothing else. See `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The newest Python that starts; a name on PATH alone proves nothing (version managers leave shims behind).
PYTHON ?= $(shell for v in 3.14 3.13 3.12 3.11 3; do \
  if python$$v -c 'import sys, venv, ensurepip; sys.exit(not ((3, 11) <= sys.version_info < (3, 15)))' 2>/dev/null; then echo python$$v; exit; fi; done)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
COMPILE := $(BIN)/uv pip compile pyproject.toml - --generate-hashes --universal --python-version 3.11 \
  --no-emit-index-url --no-annotate --no-header --quiet
# What builds the editable install: locked with the rest, so that nothing is fetched unhashed.
BUILDS := setuptools>=80
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test test-python test-screen test-lane test-svm fuzz bench lock up clean system
.PHONY: lint lint-style lint-layers lint-types lint-schema

help:
	@echo 'make run    set up and serve the lab'
	@echo 'make test   set up and run every test this machine can'
	@echo 'make test-svm  all tests of real KVM on kvm_amd with nested paging, under emulation; make test has the short ones'
	@echo 'make fuzz   ten minutes of random guests and calls, on the simulator and on real KVM'
	@echo 'make lint   ruff, pyright, import-linter, alembic check'
	@echo 'make bench  print what it costs on this machine, and beside C where there is a compiler'
	@echo 'make lock   resolve the locked requirements anew'
	@echo 'make up     the lab with PostgreSQL, in containers'
	@echo 'make clean  remove what the others made, but for var/'

run: $(VENV)/.runtime
	@exec $(BIN)/ringfence serve $(ARGS)

test: system test-python test-screen test-lane

test-python: $(VENV)/.dev system
	$(BIN)/pytest $(ARGS)

test-screen: node_modules/.installed
	@bash tests/screen.sh

# Downloads a kernel and QEMU once; skipped, loudly, where they cannot be had (docs/lanes.md).
test-lane: $(VENV)/.dev
	$(BIN)/python -m tests.lanes.lane --short

# Not part of `test`: it takes minutes.
test-svm: $(VENV)/.dev
	$(BIN)/python -m tests.lanes.lane $(ARGS)

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.engine.hypervisor.differential.fuzz $(ARGS)

# Apart, so that `make -k lint` shows everything that is wrong.
lint: lint-style lint-layers lint-types lint-schema

lint-style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-layers: $(VENV)/.dev
	$(BIN)/lint-imports

lint-types: $(VENV)/.dev node_modules/.installed
	npx --no-install pyright

lint-schema: $(VENV)/.dev
	bash tests/migrations/check.sh $(BIN)/alembic

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

up:
	$(if $(wildcard /dev/kvm),KVM_GID=$$(stat -c %g /dev/kvm)) docker compose -f docker-compose.yml \
	  $(if $(wildcard /dev/kvm),-f docker-compose.kvm.yml) up --build

system:
	@bash tests/system.sh

lock: $(VENV)/.uv
	echo '$(BUILDS)' | $(COMPILE) --extra postgres -o requirements.lock
	echo '$(BUILDS)' | $(COMPILE) --extra dev -o requirements-dev.lock
	npm install --package-lock-only

clean:
	rm -rf $(VENV) node_modules build *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z '$(PYTHON)' ]; then echo 'ringfence needs Python 3.11 or newer with its venv module; found none on PATH.' \
	  'Set PYTHON=/path/to/python3.11 if it lies elsewhere.' >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.uv: $(VENV)/.made
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@touch $@

# Where there is no node this leaves nothing behind: the tests skip, `make lint` fails at pyright.
node_modules/.installed: package.json package-lock.json | system
	@if command -v npm >/dev/null; then npm ci --no-audit --no-fund && touch $@; fi
