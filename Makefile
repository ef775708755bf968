# Needs Python 3.11 or later, git and make; nothing else. PYTHON=... chooses the Python.
BIN := .venv/bin
export PYTHON

.PHONY: help setup demo test lint unit bench lock clean cluster cluster-test flagd flagd-test

help:
	@echo "make demo    set up, compare four strategies in the simulator, drill one on real staging"
	@echo "make test    set up, lint, and run the whole test suite"
	@echo "make lint    ruff, mypy, import contract"
	@echo "make bench   every benchmark; each prints JSON"
	@echo "make cluster build a Kubernetes control plane (once; minutes); make cluster-test runs what needs it"
	@echo "make flagd   build flagd, which then serves flags in drills (once; minutes); make flagd-test runs what needs it"
	@echo "make setup   only set up (.venv from the hashed lock, the Toxiproxy server, compiled kernels)"
	@echo "make lock    resolve requirements.lock anew (needs uv on PATH, or UV=...)"
	@echo "make clean   remove .venv and caches"

setup:
	@.ci/setup

demo: setup
	@$(BIN)/windtunnel demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Drills come last: beside simulations, which take all that there is, they would measure the tests' own load.
test: lint
	@$(BIN)/python -m chaos.contract.oasdiff >/dev/null
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not cluster and not flagd" --ignore tests/e2e
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not cluster and not flagd" tests/e2e

cluster: setup
	@$(BIN)/python -m chaos.cluster build

# Outside of `make test`: the build takes longer than the whole suite. Each worker has a control plane of its own.
cluster-test: cluster
	$(BIN)/python -m pytest -n 2 --dist loadfile -m cluster tests/cluster

flagd: setup
	@$(BIN)/python -m chaos.staging.flagd_build

# Likewise outside of `make test`.
flagd-test: flagd
	$(BIN)/python -m pytest -m flagd tests/unit tests/e2e

bench: setup
	@for script in $$(grep -l __main__ benchmarks/*.py); do \
	    echo "$$script" >&2; $(BIN)/python -m "benchmarks.$$(basename "$$script" .py)" || exit 1; \
	done

UV ?= uv
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" --quiet
lock:
	$(UV) pip compile pyproject.toml --extra dev $(LOCKED) --output-file requirements.lock
	@! grep -n '://' requirements.lock || { echo "requirements.lock names an address" >&2; exit 1; }

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
