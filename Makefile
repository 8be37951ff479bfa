# Two commands for a newcomer: `make report` and `make test`.  Both make .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3
# One thread a factorisation: at these sizes the threads of OpenBLAS cost more than they give.
export OPENBLAS_NUM_THREADS ?= 1
# Python keeps what it compiles: tests and commands start many processes, and each would compile all anew.
unexport PYTHONDONTWRITEBYTECODE
# A compiled step is run a few times in a test: what LLVM and the newer emitters would make of it costs more than
# it gives.  (TensorFlow 2.21 knows these flags; a version that does not says so at once.)
COMPILE_QUICKLY := XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false \
  --xla_cpu_parallel_codegen_split_count=1"

.PHONY: report test test-slow notebooks notebooks-short lint selftest bench bench-once mutants pretrained install
.PHONY: reference wheel-test reliability reliability-once audit

report: install
	$(BIN)/diagnose report --subject historic --against corrected --out reports/historic-vs-corrected

test: install
	$(COMPILE_QUICKLY) $(BIN)/python -m pytest tests/ diagnostics/ -n 2 --dist loadfile

# What takes longer than about ten seconds each, but for the wheel, which needs a network.
test-slow: install
	$(BIN)/python -m pytest tests/ diagnostics/ -m slow -n 2 --dist loadfile --ignore tests/test_wheel.py

# The long form: some minutes; what it shows is kept in the notebooks, and committed.
notebooks: install
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level WARN \
	  --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

# The short form, as tests: nothing is kept.
notebooks-short: install
	$(COMPILE_QUICKLY) ATTN_NOTEBOOK_SHORT=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 -p no:cacheprovider \
	  -n 2 notebooks

# Every fault of the catalogue against every check, and 30 healthy variants; fails below its targets.
selftest: install
	$(BIN)/diagnose selftest --quick --out reports/selftest-quick

# Ratios measured side by side, beside their targets; nothing else should run meanwhile.
bench: install
	$(BIN)/python -m pytest tests/benchmarks -p no:cacheprovider --bench-report reports/bench

# Each benchmark once, at its smallest size, so that none can rot.
bench-once: install
	$(COMPILE_QUICKLY) $(BIN)/python -m pytest tests/benchmarks --benchmark-disable -n 2 --dist loadfile

# Kills, full disks, damaged files, hostile input, subjects that misbehave: what is promised, and how often it was kept.
reliability: install
	$(BIN)/python -m pytest tests/reliability -n 2 --dist loadfile -p no:cacheprovider \
	  --reliability-report reports/reliability

# The same with as few cases as show that it works.
reliability-once: install
	$(COMPILE_QUICKLY) $(BIN)/python -m pytest tests/reliability -n 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Renews the tables of every command in the README.
reference: install
	$(BIN)/python -m tests.command_reference

# Known vulnerabilities of what is installed, where their database can be asked; needs a network.
audit: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9,<3"
	$(BIN)/python tests/audit.py

# Builds the wheel, installs it in a clean environment, and uses it from an empty directory; needs a network.
wheel-test: install
	$(BIN)/python -m pytest tests/test_wheel.py -m "slow or not slow"

# Mutates the checks, and what they judge and measure by, and counts the mutants that no test notices.  What was
# interrupted goes on; where a source changed, all begins anew.
MUTANTS := reports/mutants/session.sqlite
mutants: $(MUTANTS)
	$(BIN)/python tests/mutants/execute.py $(MUTANTS)

$(MUTANTS): $(wildcard diagnostics/checks/*.py) diagnostics/measures.py diagnostics/judge.py | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,mutation]"
	mkdir -p $(@D)
	$(BIN)/cosmic-ray init --force pyproject.toml $@
	$(BIN)/cr-filter-operators $@ pyproject.toml

# Trains the runs that ship with the package, from nothing, into runs/.
pretrained: runs/historic runs/corrected runs/corrected-rbf runs/corrected-periodic

runs/historic: install
	$(BIN)/attn train --run historic --model historic --kernel rbf_const_2D --num-points 50 --label rank \
	  --regime shuffle --context 13 --epochs 12 --steps-per-epoch 500 --batch-size 64 \
	  --optimizer adam --learning-rate 0.001 --warmup-steps 100

SMOOTHER := --model pair_smoother --num-points 50 --regime mixed --context 13 \
  --epochs 12 --steps-per-epoch 500 --batch-size 32 --optimizer muon

runs/corrected: install
	$(BIN)/attn train --run corrected --kernel rbf_const_2D $(SMOOTHER)

# Series of which one has a course of its own differ in kind: the model must know which is which.
runs/corrected-rbf: install
	$(BIN)/attn train --run corrected-rbf --kernel rbf_rbf_2D --knows-labels $(SMOOTHER)

runs/corrected-periodic: install
	$(BIN)/attn train --run corrected-periodic --kernel periodic_const_2D --waves 4 $(SMOOTHER)

install: $(VENV)/.installed

$(VENV)/.installed: setup.py pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@
