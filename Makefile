# Intake. `make` alone lists what there is. Needs only python3 >= 3.11, pip or venv, make and git.
# Works with GNU make 3.81 (macOS) and later; recipes are plain sh.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test slow check lines demo demo-read demo-desk demo-recover demo-clean browser pictures peers \
	interop fuzz drill durability handbook host hostile leaks onion bench-quick bench-files bench-filler bench-store \
	scale nightly locks clean

VENV := .venv
RUN := $(VENV)/bin/python
PYTHON ?=
UV ?= uv
ARGS ?=
PIP := install -qq --no-input --disable-pip-version-check --require-hashes --only-binary :all:
PIP_INSTALL := -m pip --python $(RUN) $(PIP)
ONION := .peers/onionshare
NODE := tests/node/node_modules/.package-lock.json

# A venv whose Python was upgraded away is rebuilt.
STALE := $(shell test -x $(RUN) || echo stale)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: $(VENV)/.locked ## make .venv from the lock (only when the lock changed)

# Two at a time, of about the same length.
BOTH := sh deploy/both.sh
TEST = $(BOTH) '$(RUN) -m pytest tests/test_[a-j]*.py' '$(RUN) -m pytest --ignore-glob="tests/test_[a-j]*.py"'

test: setup ## every test that needs nothing more; ARGS="-k word" chooses
ifneq ($(ARGS),)
	$(RUN) -m pytest $(ARGS)
else
	@$(TEST)
endif

slow: setup ## tests that take minutes: every byte of a keyring, flipped, and the like
	$(RUN) -m pytest -m "slow and not durability" $(ARGS)

check: setup ## the gate: style, types, import contracts, line budgets, tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(RUN) deploy/lines.py
	@$(TEST)

lines: setup ## lines of each room and file, without blanks, comments and docstrings
	$(RUN) deploy/lines.py

demo: setup ## the whole path on this machine, then a site to try; PORT=8000, ONCE=1 to stop after it
	$(RUN) deploy/demo.py serve

demo-read: setup ## from another terminal: carry the stick and read what arrived
	$(RUN) deploy/demo.py read

demo-desk: setup ## the desk pages on what the demo read, in this machine's browser
	$(RUN) deploy/demo.py desk

demo-recover: setup ## read it all without Intake: docs/RECOVERY.md with stock age (make peers)
	$(RUN) deploy/demo.py recover

demo-clean: setup ## erase what the demo made
	$(RUN) deploy/demo.py clean

BROWSER_REST = $(filter-out $(BROWSER_FIRST),$(wildcard tests/browser/test_*.py))
BROWSER_FIRST = tests/browser/test_every_page.py tests/browser/test_figures.py tests/browser/test_way_back.py

BROWSER = $(RUN) -m pytest -m "browser and not slow"

browser: setup $(VENV)/.locked-browser $(NODE) ## real chromium and firefox, and axe; TOUR=folder keeps pictures of every page
	$(RUN) -m mypy tests/browser/*.py
ifneq ($(ARGS),)
	$(RUN) -m pytest -m browser tests/browser $(ARGS)
else
	@$(BOTH) '$(BROWSER) $(BROWSER_FIRST)' '$(BROWSER) $(BROWSER_REST)'
endif

pictures: setup $(VENV)/.locked-browser ## refresh the README's pictures with a real chromium
	PICTURES=docs/pictures $(RUN) -m pytest -m browser tests/browser -k 'typed or whole_desk or way_back_in'

peers: setup $(NODE) ## other people's age, into .venv and .peers
	@sh deploy/stock_age.sh

interop: peers $(ONION)/.locked ## public vectors, both directions with stock age, typage and pyrage; OnionShare
	$(RUN) -m mypy tests/interop/*.py deploy/bench_sealing.py
	$(RUN) -m pytest -m interop tests/interop $(ARGS)

FUZZ_REST = $(filter-out $(FUZZ_FIRST),$(wildcard tests/fuzz/test_*.py))
FUZZ_FIRST = tests/fuzz/test_age.py tests/fuzz/test_bundle.py tests/fuzz/test_casebook.py \
	tests/fuzz/test_envelope.py
FUZZ_RUN = $(RUN) tests/fuzz/guided.py $(ARGS)

fuzz: setup $(VENV)/.locked-fuzz ## a million inputs for all that reads from strangers, led by what they reach (atheris); FUZZ=10000 for a tenth
	@$(BOTH) '$(FUZZ_RUN) $(FUZZ_FIRST)' '$(FUZZ_RUN) $(FUZZ_REST)'

hostile: setup ## every request we know that was made to break a site, on the real socket; stalled clients, floods
	$(RUN) -m pytest -m hostile tests/hostile $(ARGS)

# The breakages, each of which must turn the drill red, run beside it.
drill: setup ## steal every kind of key, say who reads and forges what, cure it, say it again
	@$(BOTH) '$(RUN) deploy/drill.py $(ARGS)' '$(RUN) -m pytest -m drill tests/test_drill.py'

DURABILITY = $(RUN) -m pytest -m "durability and not slow"
DURABILITY_REST = $(filter-out $(DURABILITY_FIRST),$(wildcard tests/durability/test_*.py))
DURABILITY_FIRST = tests/durability/test_commands.py tests/durability/test_failing.py

durability: setup ## power cuts at every sync, killed processes, disks that fail; a table of what held; root, strace
ifneq ($(ARGS),)
	$(DURABILITY) tests/durability $(ARGS)
else
	@$(BOTH) '$(DURABILITY) $(DURABILITY_FIRST)' '$(DURABILITY) $(DURABILITY_REST)'
endif

handbook: setup ## follow both handbooks to their end; who types how much until keyring 2
	$(RUN) -m pytest -m handbook tests/test_handbook.py $(ARGS)

SUITES ?= bookworm

host: setup ## as root: install on a bare Debian 12, run its units; SUITES="bookworm trixie" for 13 too
	SUITES="$(SUITES)" $(RUN) -m pytest -m host tests/host $(ARGS)

leaks: setup ## nothing but equal sealed envelopes: the site's calls, files, logs and lies, traced; a row a property
	$(RUN) -m pytest -m leaks tests/leaks $(ARGS)

onion: setup $(VENV)/.locked-browser ## a host behind a real .onion, on a Tor network of its own: a testimony's life, floods, restarts; needs root
	$(RUN) -m mypy tests/onion/*.py
	$(RUN) -m pytest -m onion tests/onion $(ARGS)

scale: setup ## import and open 15,000 made-up testimonies, measured; ARGS="--count 100000"
	$(RUN) deploy/scale.py $(ARGS)

bench-quick: peers $(ONION)/.locked ## what sealing costs beside other people's, and the chain; ARGS="--posts 1000"
	$(RUN) deploy/bench_sealing.py
	$(RUN) deploy/bench_chain.py $(ARGS)

bench-files: setup $(ONION)/.locked ## a 50 MB upload, beside OnionShare's receive mode; ARGS="--rounds 9"
	$(RUN) deploy/bench_files.py $(ARGS)

bench-store: setup ## 100,000 envelopes: insert, export, a night, and posts beside them; ARGS="--rows 10000"
	$(RUN) deploy/bench_store.py $(ARGS)

bench-filler: setup ## what the hidden filler hides of how much was written, and what it costs
	$(RUN) deploy/bench_filler.py $(ARGS)

nightly: ## what is too slow for .ci/run: an hour and a half on two cores
	@.ci/run nightly

clean: ## remove .venv, the peers and what the tools cached
	rm -rf $(VENV) .host .onion .peers tests/node/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

locks: ## maintainer, needs uv: make the locks anew, from releases at least a week old
	@command -v $(UV) >/dev/null || { echo 'make locks needs uv: pipx install uv'; exit 1; }
	@# An index set for pip is used by uv too, through the environment, and written nowhere.
	@if [ -z "$${UV_DEFAULT_INDEX:-}" ] && index=$$(python3 -m pip config get global.index-url \
		2>/dev/null) && [ -n "$$index" ]; then UV_DEFAULT_INDEX=$$index; export UV_DEFAULT_INDEX; \
	fi; \
	cd requirements && for lock in dev server desk browser peers onionshare fuzz; do \
		constraint='--constraint dev.txt'; \
		if [ $$lock = dev ]; then constraint=; fi; \
		echo "requirements/$$lock.txt"; \
		$(UV) pip compile $$lock.in $$constraint --output-file $$lock.txt --quiet --upgrade \
			--universal --generate-hashes --python-version 3.11 --exclude-newer '1 week' \
			--no-emit-index-url --no-emit-find-links \
			--custom-compile-command 'make locks' || exit 1; \
	done

# (1) find a Python that is new enough; (2) an empty venv, which needs no ensurepip; (3) fill it with
# the pip of that Python, or, where there is none, with the one that ensurepip carries.
$(VENV)/.locked: requirements/dev.txt $(STALE)
	@set -eu; \
	python=; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if $$candidate -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' \
			>/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Intake needs Python 3.11 or later, with its venv module. Install it, then run this again:'; \
		$(INSTALL_LINES); exit 1; \
	fi; \
	rm -rf $(VENV); \
	if $$python -m pip --python "$$(command -v $$python)" --version >/dev/null 2>&1; then \
		$$python -m venv --without-pip $(VENV); \
	elif $$python -m ensurepip --version >/dev/null 2>&1; then \
		$$python -m venv $(VENV); python=$(RUN); \
	else \
		echo "$$python has neither pip nor ensurepip. Install one, then run this again:"; \
		$(INSTALL_LINES); exit 1; \
	fi; \
	echo "Installing into $(VENV) with $$($$python --version), each file checked against its hash."; \
	$$python $(PIP_INSTALL) -r requirements/dev.txt; \
	touch $@

$(VENV)/.locked-%: requirements/%.txt $(VENV)/.locked
	@$(FIND_PIP); \
	$$python $(PIP_INSTALL) -r requirements/$*.txt; \
	touch $@

# A venv of its own. Its stem comes as source only, which the setuptools of the same lock builds.
$(ONION)/.locked: requirements/onionshare.txt $(VENV)/.locked
	@$(FIND_PIP); \
	rm -rf $(ONION); \
	$(RUN) -m venv --without-pip $(ONION); \
	sed '/^stem==/,/# via/d' $< >$(ONION)/wheels.txt; \
	pip="$$python -m pip --python $(ONION)/bin/python $(PIP)"; \
	$$pip --no-deps -r $(ONION)/wheels.txt; \
	$$pip --no-binary stem --no-build-isolation -r $<; \
	touch $@

$(NODE): tests/node/package-lock.json $(VENV)/.locked-peers
	$(VENV)/bin/npm --prefix tests/node ci --silent
	@touch $@

FIND_PIP = set -eu; \
	python=$$(sed -n 's/^executable = //p' $(VENV)/pyvenv.cfg); \
	if [ -x $(VENV)/bin/pip ]; then python=$(RUN); fi

INSTALL_LINES = \
	echo '  Debian, Ubuntu:  sudo apt install python3 python3-venv python3-pip make git'; \
	echo '  macOS:           brew install python make git'

.PHONY: stale
