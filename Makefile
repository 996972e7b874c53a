# Set-up and checks. `make demo` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Whole processes that must not be hurried by many threads: one per Ray worker.
export OMP_NUM_THREADS ?= 1
export RAY_USAGE_STATS_ENABLED ?= 0

.PHONY: setup lock newest licences docs demo serve test test-fast format lint types imports tests explore hostile bench chaos tensorboard clean

setup: $(READY)

# Every file that is installed is checked by its hash. uv is much the faster; where it cannot reach the registry, pip.
LOCKED := --quiet --no-deps --require-hashes -r requirements.lock
UV     := uv==0.13.9
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(UV) \
	  && $(BIN)/uv pip install --python $(BIN)/python $(LOCKED) \
	  || $(BIN)/pip install --disable-pip-version-check $(LOCKED)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Write requirements.lock anew from pyproject.toml and the versions in constraints.txt
lock: setup
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  -c constraints.txt --all-extras pyproject.toml -o requirements.lock

# The tests with the newest releases that pyproject.toml allows, in an environment of their own (weekly)
newest:
	$(PYTHON) -m venv build/newest
	build/newest/bin/pip install --quiet --disable-pip-version-check --upgrade -e ".[dev]"
	$(MAKE) tests VENV=build/newest READY=

# What is installed, and under which licence
licences: setup
	$(BIN)/pip-licenses --order license --format markdown

# The pages that are made from the code: every key of the configuration, every module
docs: setup
	$(BIN)/python docs/make_configuration.py
	$(BIN)/python docs/make_modules.py

demo: setup
	$(BIN)/python -m ray_jobs.pipeline --config ray_jobs/configs/demo.yaml

# The page and the API of the demo on this machine: http://127.0.0.1:8000
PORT ?= 8000
serve: setup
	$(BIN)/python -m serve --port $(PORT)

test: format lint types imports tests

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

# One more worker than a small machine has cores: tests of jobs and servers wait for other processes a quarter of their time.
WORKERS ?= 3
tests: setup
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 40

# The loop of a developer (about a minute and a half): no jobs, no servers
test-fast: setup
	$(BIN)/pytest -n 2 --dist loadfile -q tests/readings tests/simulate tests/panel tests/features tests/models \
	  tests/decision tests/scoring tests/evaluation tests/report tests/deploy tests/test_config.py tests/test_cells.py hvac

# Twenty rounds of new examples for every property (in `make test` they are the same each time)
explore: setup
	for round in $$(seq 20); do \
	  HYPOTHESIS_PROFILE=explore $(BIN)/pytest -n 2 -q -m hypothesis || exit 1; \
	done

# What nobody should send to the service: requests, bundles, bodies that unfold, slow ones, every route with every key
hostile: setup
	$(BIN)/python -m tests.serve.hostile

bench: setup
	$(BIN)/python benchmarks/run.py

# Kill workers, nodes and drivers in every step, and compare with a run that nobody disturbed (about half an hour)
chaos: setup
	$(BIN)/python benchmarks/chaos.py

# Curves of every sweep trial of a workspace, on this machine only: http://127.0.0.1:6006
WORKSPACE ?= runs/demo
tensorboard: setup
	$(BIN)/tensorboard --host 127.0.0.1 --logdir $(WORKSPACE)/sweeps

clean:
	rm -rf $(VENV) runs build *.egg-info
