# Two commands need nothing but make and Python 3.11 or newer (with venv): `make run` and `make test`.
# Everything else is a habit with the same name here and in CI.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
PURELIB = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
PROTO  := protos/order_engine/v1/order_service.proto

.DEFAULT_GOAL := help
.PHONY: help setup run test unit contract integration e2e clients check lint types fmt protos protos-check docs docs-check lock bench faults faults-long fuzz

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

$(DONE): requirements.lock
	@echo "setting up $(VENV) from requirements.lock (under a minute, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes \
	  --only-binary :all: -r requirements.lock | awk '/^Collecting/ {n++; if (n % 15 == 0) print "  " n " packages"; fflush()}'
	@$(BIN)/python -c "import grpc, psycopg, solders"
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m order_engine "$$@"\n' "$(CURDIR)" "$(CURDIR)/$(BIN)/python" > $(BIN)/order-engine
	@chmod +x $(BIN)/order-engine
	@touch $(DONE)

setup: $(DONE) ## make the virtual environment from the hashed lock

run: $(DONE) ## start everything, execute one order on the paper network, keep serving
	@exec $(BIN)/python -m order_engine up --stop-with-parent

test: $(DONE) ## the whole test suite, on embedded servers or on DATABASE_URL and REDIS_URL
	@$(BIN)/python -m pytest

unit contract integration e2e: $(DONE)
	@$(BIN)/python -m pytest tests/$@

clients: $(DONE) ## every example and every line to paste, live (needs node, npm, chromium, curl)
	@$(BIN)/python -m pytest tests/clients

check: lint types protos-check docs-check ## what a change needs before it is handed in, beside the tests

lint: $(DONE) ## ruff and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(DONE) ## mypy --strict
	@$(BIN)/mypy

fmt: $(DONE) ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

protos: $(DONE) ## generate the gRPC stubs from the proto
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I. -I"$(PURELIB)" \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. \
	  --include_source_info --descriptor_set_out=$(PROTO:.proto=.binpb) $(PROTO)

protos-check: protos ## fail when the stubs are stale, or the proto breaks its lint
	@git diff --exit-code -- protos || (echo "stale stubs: run make protos" >&2; exit 1)
	@$(BIN)/python -m grpc_tools.protoc -Iprotos -I"$(PURELIB)" --include_imports --include_source_info -o $(VENV)/contract.binpb $(PROTO)
	@$(BIN)/buf lint $(VENV)/contract.binpb --path order_engine/v1/order_service.proto --config buf.yaml

docs: $(DONE) ## print docs/lifecycle.md and docs/configuration.md from the code
	@PYTHONPATH=. $(BIN)/python scripts/lifecycle_doc.py > docs/lifecycle.md
	@PYTHONPATH=. $(BIN)/python scripts/configuration_doc.py > docs/configuration.md

docs-check: docs ## fail when the printed docs are stale
	@git diff --exit-code -- docs/lifecycle.md docs/configuration.md || (echo "stale docs: run make docs" >&2; exit 1)

faults: $(DONE) ## hurt a running engine from a printed seed, then check every promise (5 minutes)
	@$(BIN)/python -m tests.model
	@$(BIN)/python -m tests.model oracle --seconds 20
	@$(BIN)/python -m pytest tests/faults
	@$(BIN)/python -m tests.faults --profile short

faults-long: $(DONE) ## the same for an hour, then the mutants
	@$(BIN)/python -m tests.model --profile full
	@$(BIN)/python -m tests.model oracle --seconds 600
	@$(BIN)/python -m tests.faults --profile long
	@$(BIN)/python scripts/mutants.py

fuzz: $(DONE) ## nonsense at every public door for two minutes; the seed is printed
	@$(BIN)/python -m tests.fuzz --seconds 120

bench: $(DONE) ## measure submit, end to end, events, processor time and memory, beside a bare echo
	@$(BIN)/python -m benchmarks

lock: ## resolve both lock files again (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra local --extra dev pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraints requirements.lock pyproject.toml -o requirements-server.lock
