# Two commands for a newcomer: `make report` and `make test`.  Both make .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3
# One thread a factorisation: at these sizes the threads of OpenBLAS cost more than they give.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: report test lint pretrained install

report: install
	$(BIN)/diagnose report --subject historic --against corrected --out reports/historic-vs-corrected

test: install
	$(BIN)/python -m pytest tests/ diagnostics/

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Trains the two runs that ship with the package, from nothing; about half an hour on two cores.
pretrained: install
	$(BIN)/python -m attn.pretrained

install: $(VENV)/.installed

$(VENV)/.installed: setup.py pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@
