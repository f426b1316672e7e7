# Everything needs Python 3.11 or newer with venv, and nothing else.
# make lab      sets up, and proves Module A on a real Kafka, in parallel and random order
# make test     the tool's own tests
# make lint     style, types, and the order of imports between modules
# make shipped  records the tests that Module A ships with, after you changed one
# make soak     runs tests 20 times in random order, and once with every core busy
# make mutants  makes the sentence of each fact false, and shows that its test fails then
# make verdicts judges each stub and each reference 20 times: the verdicts must be the same

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: lab test mutants soak verdicts lint shipped prepare clean

# Facts mostly wait, so more workers than cores make the run faster.
lab: prepare
	@$(BIN)/pytest tests_module_a -n 4; status=$$?; \
	  echo "To call kafkalab and pytest yourself: source $(BIN)/activate"; exit $$status

# The tests of wrong solutions run pytest themselves, some with workers: more than two at a time
# would be too slow.
# SKIP names test files to leave out.
SKIP ?=
test: prepare
	$(BIN)/pytest tests -n 4 -m "not slow" --ignore=tests/test_wrong_solutions.py \
	  $(addprefix --ignore=,$(SKIP))
	$(BIN)/pytest tests/test_wrong_solutions.py -n 2

mutants: prepare
	$(BIN)/pytest tests/apparatus -n 4

# It may take hours. For example: make soak RUNS=20 TESTS="tests_module_a -k task_1_4"
RUNS ?= 20
TESTS ?= tests_module_a
soak: prepare
	$(BIN)/python tools/soak.py --runs $(RUNS) $(TESTS)

# make verdicts RUNS=10 judges each stub and each reference 10 times.
verdicts: prepare
	$(BIN)/python tools/same_verdicts.py --runs $(RUNS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A test that differs from the recorded one runs, but does not count as proof.
shipped: $(INSTALLED)
	@$(BIN)/python tools/ship.py

prepare: $(INSTALLED)
	@$(BIN)/kafkalab prepare

$(INSTALLED): pyproject.toml requirements-dev.txt kafkalab/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kafkalab needs Python 3.11 or newer; name one: make lab PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV): Kafka's client, a Java runtime, pytest and friends, about 180 MB"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt --editable .
	@touch $(INSTALLED)

# It removes only what kafkalab made and can make again: not your journal, acts and records, nor
# other files.
clean:
	-@[ ! -x $(BIN)/python ] || $(BIN)/python tools/tidy.py
	@[ ! -e $(VENV) ] || [ -e $(INSTALLED) ] || { echo "$(VENV) was not made by make: it stays"; }
	[ ! -e $(INSTALLED) ] || rm -rf $(VENV)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
