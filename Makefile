# Everything a person or CI does here. Each verb does its own set-up; only Python 3.11 to 3.14 with venv is needed.
# ARGS goes to the program: make run ARGS="--only gateway", make test ARGS="-k inbox".
.POSIX:
PY = .venv/bin/python
PYTEST = $(PY) -m pytest
JOBS = 2
KILLS = 100
ARGS =

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: venv-run ## start Lar: everything it needs is installed into .venv first
	@exec .venv/bin/lar run $(ARGS)

test: venv ## the fast tests (five minutes at most)
	$(PYTEST) -n $(JOBS) $(ARGS)

test-doors: venv ## bad luck at the doors of the real process, with its waits
	$(PYTEST) -m doors -n $(JOBS) $(ARGS)

test-browser: venv ## pages and attacks in a real Chromium
	$(PYTEST) -m browser -n $(JOBS) $(ARGS)

test-kill: venv ## SIGKILL the real process at every step, and under load
	$(PYTEST) -m kill $(ARGS)

test-kill-load: venv ## random SIGKILLs while twenty people talk (KILLS=100)
	LAR_TEST_KILLS=$(KILLS) $(PYTEST) -m kill tests/kill/test_under_load.py $(ARGS)

test-postgres: venv ## the suites that need a PostgreSQL server
	$(PYTEST) -m "postgres and not kill" $(ARGS)

test-sandboxes: venv ## attack every sandbox, as root; LAR_TEST_DOCKER for docker's (scripts/docker_for_tests.sh)
	$(PYTEST) -m sandboxes -n $(JOBS) $(ARGS)
	$(PY) tests/sandboxes/attack_table.py

check: venv-bench ## format, lint, types, import order, house rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports --config .importlinter
	$(PY) scripts/house_rules.py
	.venv/bin/basedpyright

format: venv ## bring the code into the house's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

coverage: venv ## branch coverage of each room against its floor
	$(PY) scripts/coverage_ratchet.py $(ARGS)

bench: venv-bench ## the table of speed and size beside two reference floors
	$(PY) benchmarks/bench.py $(ARGS)

bench-sandboxes: venv ## milliseconds to run a command in each sandbox, beside a bare process
	$(PY) benchmarks/sandboxes.py --docker "$$LAR_TEST_DOCKER" $(ARGS)

lock: venv ## write the locks again (UPGRADE=1: newest allowed versions)
	UPGRADE=$(UPGRADE) $(PY) scripts/lock.py

venv: ## the environment for working on Lar
	@scripts/python scripts/bootstrap.py dev

venv-run:
	@scripts/python scripts/bootstrap.py run

venv-bench:
	@scripts/python scripts/bootstrap.py bench

clean: ## remove the environment and all caches
	rm -rf .venv .cache .coverage* .hypothesis .import_linter_cache .pytest_cache .ruff_cache build dist htmlcov

.PHONY: help run test test-browser test-doors test-kill test-kill-load test-postgres test-sandboxes check format coverage bench bench-sandboxes lock venv venv-run venv-bench clean
