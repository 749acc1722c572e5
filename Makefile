# Everything here makes for itself what it needs: a .venv of Python 3.11 or newer, with the
# pinned tools in it. Once that stands, nothing needs a network. PYTHON=python3.12 chooses
# another interpreter for it.

PYTHON = python3
BIN = .venv/bin
READY = .venv/.ready
CLIENTS = .venv/py-dactyl

.DEFAULT_GOAL = help
.PHONY: help test lint check format demo bench clients pins clean

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /make \1  	/p' Makefile

test: $(READY) ## run the tests
	@$(BIN)/python -m pytest --numprocesses logical

lint: $(READY) ## format, style, types and the walls between the rooms, without changing anything
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test ## all of it: what must be green before a commit

format: $(READY) ## put the code into the one shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

demo: $(READY) ## a crash and its answer, played against a fake server
	@$(BIN)/automate demo

bench: $(READY) ## how fast it is here
	@for file in tests/benchmarks/*.py; do \
		if [ -e "$$file" ]; then $(BIN)/python "$$file" || exit 1; fi; \
	done

clients: $(CLIENTS)/.ready ## set up somebody else's client, so that the tests try it as well

# pip-tools is no part of the pins: it pins pip itself. --no-header, and no addresses: what is
# pinned is what a package is, not where somebody got it.
COMPILE = $(BIN)/python -m piptools compile --quiet --upgrade --generate-hashes --strip-extras \
	--no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

pins: $(READY) ## pin the newest releases of all we need
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(COMPILE) --output-file requirements.txt pyproject.toml
	@$(COMPILE) --output-file requirements-dev.txt --extra dev pyproject.toml
	@$(COMPILE) --output-file tests/clients/requirements-py-dactyl.txt \
		tests/clients/requirements-py-dactyl.in

clean: ## throw away all that was made
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

# The project itself is installed as a link to this folder, so that it follows every change.
$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "automate needs Python 3.11 or newer; here, $(PYTHON) is" \
			"$$($(PYTHON) --version 2>/dev/null || echo not there)." \
			"Try: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $(READY)

# Of its own, for what it needs is nothing of ours; without it the tests of it are skipped.
$(CLIENTS)/.ready: tests/clients/requirements-py-dactyl.txt | $(READY)
	@echo "Setting up $(CLIENTS) (once) ..."
	@$(BIN)/python -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement tests/clients/requirements-py-dactyl.txt
	@touch $@
