# What a user types. Needs Python >= 3.10, git and make; no ARM compiler, no root.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help demo test lint bench firmware clean
help:
	@echo "make demo      test the virtual nRF52840 and show the report"
	@echo "make test      every test of the harness itself"
	@echo "make lint      ruff, mypy --strict, import-linter"
	@echo "make bench     speed and memory, as ratios"
	@echo "make firmware  rebuild the firmware (needs arm-none-eabi-gcc)"
	@echo "make clean     remove .venv, .hil and build folders"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is older than 3.10: run make PYTHON=python3.12 (or newer than 3.9) $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/pytest --board nrf52840 tests/hil

test: $(STAMP)
	$(BIN)/pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

firmware:
	$(MAKE) -C firmware BOARD=nrf52840

clean:
	rm -rf $(VENV) .hil .tox build dist firmware/build
