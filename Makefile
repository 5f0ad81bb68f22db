# Two commands need nothing but make and Python 3.11 or newer (with venv): `make run` and `make test`.
# Everything else is a habit with the same name here and in CI.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
PROTO  := protos/order_engine/v1/order_service.proto
STUBS  := $(PROTO:.proto=_pb2.py)

.DEFAULT_GOAL := help
.PHONY: help setup run test protos

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

$(DONE): requirements.lock
	@echo "setting up $(VENV) from requirements.lock (about a minute, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r requirements.lock
	@touch $(DONE)

setup: $(DONE) ## make the virtual environment from the hashed lock

run: $(DONE) ## start everything, execute one order on the paper network, keep serving
	@exec $(BIN)/python -m order_engine up

test: $(DONE) ## the whole test suite on embedded servers (or on DATABASE_URL and REDIS_URL)
	@$(BIN)/python -m pytest

protos: $(DONE) ## generate the gRPC stubs from the proto
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -I. -I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. $(PROTO)
