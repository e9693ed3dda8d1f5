# make run    serve on 127.0.0.1:6379 with data in ./data; sets everything up first
# make test   all tests; sets everything up first
# make test-applications   real applications over the server (packages from PyPI and npm)
# make soak   the random tests from fresh seeds; SOAK=20 runs twenty times as many
# make bench  compare with redis-server and write docs/benchmarks.md
# make docs   write docs/commands.md from the command table

PYTHON ?= python3
WORKERS ?= 2
SOAK ?= 1
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-applications quick soak lint types bench docs setup oracle clean

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(READY)

# Debian's redis-server is the oracle of the differential tests; without the right to install it they are skipped.
oracle:
	@sh tools/install_oracle.sh

run: setup
	$(BIN)/durable-redis-server --dir ./data $(ARGS)

# Tests wait for disks and processes, so two at a time take two thirds of the time even on two cores.
test: setup oracle lint types
	$(BIN)/pytest -n $(WORKERS) $(ARGS)

# Real applications, unchanged, over the server: queues, locks, caches, rate limits.
test-applications: setup
	$(BIN)/pip install --quiet --editable '.[applications]'
	npm install --silent --no-audit --no-fund --prefix tests/applications/node || echo "without npm: BullMQ is skipped"
	$(BIN)/pytest tests/applications $(ARGS)

quick: setup
	$(BIN)/pytest -m 'not slow and not durability and not differential and not integration' $(ARGS)

soak: setup oracle
	DURABLE_REDIS_SOAK=$(SOAK) $(BIN)/pytest -m 'differential or durability' $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy durable_redis storage tools

bench: setup oracle
	$(BIN)/python -m tools.bench $(ARGS)

docs: setup
	$(BIN)/python -m tools.docs $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
