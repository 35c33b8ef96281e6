# GatewayZ. `make help` lists what there is. Needs python3 >= 3.11 with pip; everything else it brings itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)

.DEFAULT_GOAL := help
.PHONY: help setup run demo check test prove bench lock docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.dev ## make .venv with everything a developer needs

run: $(VENV)/.run ## start the gateway and the whole stack; Ctrl-C ends both
	@$(BIN)/gatewayz up

demo: $(VENV)/.run ## drive mixed traffic for a minute through a running gateway
	@$(BIN)/gatewayz demo

check: $(VENV)/.dev ## lint, types, import contract, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@PYTHONPATH=service $(BIN)/lint-imports
	@$(BIN)/python -m tools.docs --check

test: $(VENV)/.dev ## everything that CI runs: unit, contract and stack tests, half of them beside the others
	@$(BIN)/python -m tests

# MINUTES: of the soak. FUZZ_BODIES, FUZZ_ANSWERS: more of them. GATEWAYZ_TEST_SEED: the seed of an earlier run, which shows it.
prove: $(VENV)/.dev ## the long campaigns that `make test` takes a tenth of: fuzzing, outages, then a soak
	@$(BIN)/pytest -m prove
	@$(BIN)/python -m benchmarks soak --minutes $(or $(MINUTES),10)

bench: $(VENV)/.dev ## measure CPU per request, latency and memory on this machine
	@$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## write the generated parts of docs/ anew
	@$(BIN)/python -m tools.docs

lock: | $(UV) ## resolve the dependencies anew into requirements/*.txt
	@$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build -o requirements/run.txt $(LOCK_FLAGS)
	@$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt pyproject.toml --group dev -o requirements/dev.txt $(LOCK_FLAGS)

clean: ## remove what was made here (not ./data, not the user cache)
	rm -rf $(VENV) .tools .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv from PATH, or in a private environment of its own.
.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "GatewayZ needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@echo "Setting up: uv in .tools (once)"
	@$(PYTHON) -m venv .tools >/dev/null 2>&1 && .tools/bin/python -m pip install -q --disable-pip-version-check 'uv>=0.9' \
	  || { rm -rf .tools; $(PYTHON) -m pip install -q --disable-pip-version-check --target .tools 'uv>=0.9'; } \
	  || { rm -rf .tools; echo "Could not install uv: is the Python package index reachable? (pip's message is above.)" >&2; exit 1; }

$(BIN)/python: | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "GatewayZ needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(UV) venv -q --python $(PYTHON) $(VENV)

define install
	@echo "Setting up: the packages of $(1) into $(VENV) (once)"
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r $(1) \
	  || { echo "Could not install the packages: is the Python package index reachable? (uv's message is above.)" >&2; exit 1; }
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(call install,requirements/run.txt)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(call install,requirements/dev.txt)
	@touch $(VENV)/.run
