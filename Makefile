# Everything a developer does here, each by one word; `make help` lists them. The only thing that must be there
# already is a python3 of the version that pyproject.toml asks for. Java 17 and Maven make the broker a real one.
# What is compiled needs a C compiler and Python's headers, `count` valgrind too, the benches Java and Maven.

PYTHON ?= python3
# A uv older than this cannot read the lock file; the pinned one, by hash of deploy/uv.txt, comes into build/ where
# there is none.
UV_OLDEST := 0.9.0
UV_PINNED := 0.13.9

# Trust what the machine trusts, as companies with a proxy of their own need it (the second is the older name).
export UV_SYSTEM_CERTS ?= true
export UV_NATIVE_TLS ?= true

BIN := .venv/bin
READY := .venv/.synced
TOOLS := build/tools
# The rules compiled to C, and the environments of the benches.
COMPILED := build/compiled
FROM_COMPILED := ../..
BENCH_ENV := build/bench/env
QUIX := tests/bench/field/quix
QUIX_ENV := build/bench/quix-env
# What a wheel is built with, by hash; what an installation of the worker brings along, and the list of that.
BUILD_LOCK := build/build-requirements.txt
SHIPPED_ENV := build/shipped/env
SBOM := build/sbom.cdx.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## Show the worker at work: broker, worker, claims, results (KEEP=1: stay up until Ctrl-C)
	@$(BIN)/mms-worker devkit demo $(if $(KEEP),--keep)

# Two processes: one test waits for Kafka where another decides. The one that is done first takes from the other.
.PHONY: test
test: $(READY) ## Run every test, on a real Kafka where there are Java and Maven (ARGS="-k word": some of them)
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

.PHONY: soak
soak: $(READY) ## Run the tests that take minutes: workers and brokers killed again and again, on a real Kafka
	$(BIN)/pytest -m soak $(ARGS)

.PHONY: fuzz
fuzz: $(READY) ## Fuzz everything that reads what others wrote (ARGS="--target decode --seconds 60")
	@$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: chaos
chaos: $(READY) ## Kill, freeze and cut off workers and brokers, and prove that nothing is lost (SEED= MINUTES= KILLS=)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
	    $(if $(KILLS),--kills $(KILLS))

.PHONY: check
check: lint types purity ## Run what looks at the code without running it: lint, types, purity

.PHONY: lint
lint: $(READY) ## Check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

.PHONY: types
types: $(READY) ## Check types
	$(BIN)/mypy

.PHONY: purity
purity: $(READY) ## Check that decisions are pure and imports go one way
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_purity.py

.PHONY: licences
licences: $(READY) $(SHIPPED_ENV)/.synced ## Check that the licence of all that comes with the worker is an allowed one
	@$(BIN)/pip-licenses --python $(SHIPPED_ENV)/bin/python

.PHONY: sbom
sbom: $(READY) ## Write what the worker consists of, with hashes, as CycloneDX: build/sbom.cdx.json
	@$(UV) export --frozen --quiet --no-dev --all-extras --format cyclonedx1.5 --preview-features sbom-export \
	    --output-file $(SBOM) >/dev/null
	@echo $(SBOM)

.PHONY: fmt
fmt: $(READY) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: bench
bench: compiled $(BENCH_ENV)/.synced $(QUIX_ENV)/.synced ## Measure the worker against what else there is: build/bench.json (15 minutes; ARGS="--rounds 1")
	@cd $(COMPILED) && $(FROM_COMPILED)/$(BENCH_ENV)/bin/python -m tests.bench.field $(ARGS)

.PHONY: bench-core
bench-core: compiled $(BENCH_ENV)/.synced ## Measure what a claim costs in the core, and what the worker adds to it, in processor time
	@cd $(COMPILED) && $(FROM_COMPILED)/$(BENCH_ENV)/bin/python -m tests.bench.core $(ARGS)

.PHONY: bench-core-python
bench-core-python: $(BENCH_ENV)/.synced ## The same of the rules as they are, in Python
	@$(BENCH_ENV)/bin/python -m tests.bench.core --uncompiled $(ARGS)

.PHONY: bench-scaling
bench-scaling: compiled $(BENCH_ENV)/.synced ## Measure how cost grows with claims, lines, partitions, members and workers, and draw it
	@cd $(COMPILED) && $(FROM_COMPILED)/$(BENCH_ENV)/bin/python -m tests.bench.scaling $(ARGS)

.PHONY: bench-commands
bench-commands: $(READY) ## Measure the commands: speed and memory of adjudicate, histories, restore and start-up
	$(BIN)/python -m tests.bench.adjudicate
	$(BIN)/python -m tests.bench.history
	$(BIN)/python -m tests.bench.restore
	$(BIN)/python -m tests.bench.startup

.PHONY: count
count: $(READY) compiled ## Count the core's instructions and allocations against the stored baseline (ARGS=--accept stores them)
	@$(BIN)/python -m tests.bench.count $(ARGS)

.PHONY: bench-rolling
bench-rolling: $(READY) ## Replace three workers under load, and measure what claims wait (2 minutes)
	$(BIN)/python -m tests.bench.rolling

.PHONY: bench-overload
bench-overload: $(READY) ## Offer ten times what a worker sustains for a minute, then let it catch up (a quarter of an hour)
	$(BIN)/python -m tests.bench.overload

.PHONY: bench-hostile
bench-hostile: compiled ## Measure what members cost who keep the contract and mean harm (ARGS="--events 1000")
	@cd $(COMPILED) && $(FROM_COMPILED)/$(BIN)/python -m tests.bench.hostile $(ARGS)

.PHONY: bench-replay
bench-replay: $(READY) ## Replay a million events with one process and with two, beside the live worker (ARGS="--events 100000")
	$(BIN)/python -m tests.bench.replay $(ARGS)

# A checkout whose rules are compiled to C, as the image has them; what starts in it uses them. The build leaves
# what it compiles beside its sources, hence not in the checkout itself: there it would hide them.
.PHONY: compiled
compiled: $(COMPILED)/.built ## Compile the rules to C, in a tree of their own: build/compiled (needs a C compiler)

$(COMPILED)/.built: $(READY) $(BUILD_LOCK) pyproject.toml $(shell find worker -not -name '*.pyc' -not -name __pycache__)
	@rm -rf $(COMPILED) && mkdir -p $(COMPILED)
	@cp -r worker pyproject.toml README.md LICENSE $(COMPILED)
	@cd $(COMPILED) && HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(UV) build --quiet --wheel --python $(PYTHON) \
	    --build-constraints $(CURDIR)/$(BUILD_LOCK) --require-hashes
	@for part in build deploy grafana schemas tests; do ln -s ../../$$part $(COMPILED)/; done
	@touch $@

$(BUILD_LOCK): $(READY) pyproject.toml uv.lock
	@$(UV) export --frozen --quiet --no-dev --extra crypto --group build --no-emit-project --output-file $@ >/dev/null

$(SHIPPED_ENV)/.synced: $(READY) pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=$(SHIPPED_ENV) $(UV) sync --frozen --quiet --no-dev --all-extras --no-install-project \
	    --python $(PYTHON)
	@touch $@

# What is measured beside the worker has environments of its own: `make test` needs none of it.
$(BENCH_ENV)/.synced: pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=$(BENCH_ENV) $(UV) sync --frozen --quiet --python $(PYTHON) --group bench
	@touch $@

# Quix Streams bounds packages below what the worker has, so it has a lock of its own.
$(QUIX_ENV)/.synced: $(QUIX)/pyproject.toml $(QUIX)/uv.lock
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/$(QUIX_ENV) $(UV) sync --project $(QUIX) --frozen --quiet --python $(PYTHON)
	@touch $@

# On C, in a process that imports it. Left out by name: a test that puts its own function in place of one that
# compiled callers do not look up.
.PHONY: test-compiled
test-compiled: compiled ## Run on the compiled rules the tests that say what is decided, and that it is exactly once
	@cd $(COMPILED) && $(FROM_COMPILED)/$(BIN)/pytest -p no:cacheprovider -q -n 2 --dist worksteal \
	    tests/adjudication tests/contract tests/test_cases.py tests/test_stories.py \
	    tests/stream/test_stream_deciding.py tests/stream/test_stream_parts.py tests/stream/test_stream_exactly_once.py \
	    tests/stream/test_stream_membership.py tests/stream/test_stream_redrive.py tests/stream/test_stream_transaction.py \
	    --deselect tests/adjudication/test_history_limits.py::test_days_that_hang_together_are_decided_only_as_far_as_something_changes \
	    $(ARGS)

.PHONY: goldens
goldens: $(READY) ## Write anew the expected results beside the schemas' examples; read the difference
	$(BIN)/python -m tests.contract.write_goldens

.PHONY: manifests
manifests: $(READY) ## List the package's own code sets and policies anew by their digests; read the difference
	@$(BIN)/mms-worker codes manifest
	@$(BIN)/mms-worker policy manifest

.PHONY: dashboards
dashboards: $(READY) ## Write dashboards and runbooks.html anew from their sources
	$(BIN)/python -m grafana.source

.PHONY: rules
rules: $(READY) ## Write grafana/rules anew into the cluster's PrometheusRule; read the difference
	$(BIN)/python -m tests.deploy.write_prometheus_rule

.PHONY: kafka-jars
kafka-jars: $(READY) ## Fetch Apache Kafka's jars, once
	@$(BIN)/mms-worker devkit jars

.PHONY: env
env: $(READY) ## Make .venv as the lock file says

.PHONY: clean
clean: ## Remove what was built, fetched or cached
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find worker tests -name __pycache__ -prune -exec rm -rf {} +

# The uv of the PATH if it is new enough, else a pinned one in an environment of its own.
UV := uv
ifneq ($(UV_OLDEST),$(shell printf '%s\n' $(UV_OLDEST) "$$(uv --version 2>/dev/null | cut -d ' ' -f 2)" | sort -V | head -n 1))
UV := $(CURDIR)/$(TOOLS)/uv-$(UV_PINNED)/bin/uv
$(READY) $(BENCH_ENV)/.synced $(QUIX_ENV)/.synced: $(UV)
endif

$(CURDIR)/$(TOOLS)/uv-$(UV_PINNED)/bin/uv:
	@echo "no uv of $(UV_OLDEST) or newer on the PATH: getting $(UV_PINNED) into $(TOOLS)"
	@$(PYTHON) -m venv $(TOOLS)/uv-$(UV_PINNED)
	@$(TOOLS)/uv-$(UV_PINNED)/bin/pip install --quiet --disable-pip-version-check --no-deps \
	    --require-hashes --only-binary :all: --requirement deploy/uv.txt

$(READY): pyproject.toml uv.lock
	@$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@
