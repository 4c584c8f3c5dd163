# Set-up, the main job, tests and checks. `make` alone lists the targets; CI runs the same ones.

VENV ?= .venv
PLAN ?= notebooks/plans/quickstart.yaml
RUNS ?= 200
AT_ONCE ?= 2
CASES ?= 1000000
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
MUTMUT := $(VENV)/.mutmut
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
BENCHMARKS := $(wildcard benchmarks/bench_*.py benchmarks/*/bench_*.py)
# What papermill and widgets leave in a notebook's metadata: paths of a machine, megabytes of state.
STRIP_KEYS := metadata.papermill cell.metadata.papermill metadata.widgets

.DEFAULT_GOAL := help
.PHONY: help setup run test lab lint types bench chaos fuzz mutants lock clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-7s %s\n", $$1, $$2 }'

setup: $(READY) ## make the virtual environment from the lock (every other target does it when needed)

# make itself ends with 2 whenever a recipe fails; it prints the recipe's own code ("Error 20").
run: $(READY) ## validate the quickstart plan on the local staging (PLAN=… for another one)
	$(BIN)/runbook run $(PLAN)

# Three workers for two cores: the tests wait, on average, for 40 % of their time.
test: $(READY) ## run every test, browser and whole runs included
	@command -v chromium >/dev/null || { \
	  echo "make test drives a real browser and found no 'chromium': install Debian's package chromium" \
	    "(apt-get install chromium), then run it again" >&2; exit 1; }
	$(BIN)/pytest -n 3 --dist loadgroup

lab: $(READY) ## open the front page in JupyterLab (PLAN=… for another plan)
	$(BIN)/runbook lab $(PLAN)

lint: $(READY) ## check style and format, and that the notebooks carry no outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(if $(NOTEBOOKS),$(BIN)/nbstripout --verify --keep-id --extra-keys "$(STRIP_KEYS)" $(NOTEBOOKS))

types: $(READY) ## check the types of the package, strictly
	$(BIN)/mypy

bench: $(READY) ## measure the figures of the README's performance table
	$(if $(BENCHMARKS),,$(error there is no benchmarks/bench_*.py to run))
	@set -e; for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python "$$each"; done
	@echo "== all that was measured"; $(BIN)/python benchmarks/results.py

chaos: $(READY) ## kill and resume whole runs at random (RUNS=200 of them, AT_ONCE=2)
	$(BIN)/python benchmarks/chaos/chaos.py --runs $(RUNS) --at-once $(AT_ONCE)

fuzz: $(READY) ## read a million pieces of bad input (CASES=1000000)
	$(BIN)/python tests/fuzz/fuzz.py --cases $(CASES)

# mutmut keeps what it has tried in mutants/: a second run goes on where the first one ended.
mutants: $(READY) $(MUTMUT) ## change the judge in thousands of small ways; 9 in 10 must fail its tests (an hour)
	PYTHONPATH=$(MUTMUT) nice -n 19 $(BIN)/python -m mutmut run --max-children 2
	$(BIN)/python benchmarks/judge/mutants.py

lock: $(READY) ## resolve pyproject.toml again and rewrite requirements.lock
	echo '# Made by `make lock` from pyproject.toml with all extras. Do not edit.' > requirements.lock.new
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --generate-hashes \
	  --no-header --no-annotate pyproject.toml >> requirements.lock.new
	mv requirements.lock.new requirements.lock

clean: ## remove the virtual environment and every cache; outputs/ stays
	rm -rf $(VENV) mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis requirements.lock.new
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Always from nothing: an interrupted set-up leaves no $(LOCKED), so the next one clears what it left.
# The locked pip comes first: it installs in half the time of the one that Python 3.11 brings along.
$(LOCKED): requirements.lock
	@set -e; for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Setting up $(VENV) with $$python: about a minute, once"; \
	    exec $$python -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "set-up found no Python 3.11 or newer with its venv module (Debian: python3 and python3-venv):" \
	  "install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1
	sed -n '/^pip==/,/[^\\]$$/p' requirements.lock > $(VENV)/pip.lock
	$(BIN)/python -m pip install -qq --require-hashes --no-deps -r $(VENV)/pip.lock
	$(BIN)/python -m pip install -qq --require-hashes --no-deps --no-compile -r requirements.lock
	@touch $@

# Imports without bytecode take three to four times as long; a package may ship a template that is no Python.
$(READY): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --no-compile --editable .
	-@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib runbook_lib
	@touch $@

# Apart from the rest, for one target alone uses it.
$(MUTMUT): tests/judge/mutmut.lock $(READY)
	rm -rf $@
	$(BIN)/python -m pip install -qq --require-hashes --no-deps --target $@ -r $<
	@touch $@
