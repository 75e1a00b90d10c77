# Two commands: `make tune` and `make test`. Each sets up what it needs in .venv; a second run starts at once.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH ?= torch==2.14.1 torchvision==0.29.1
NAME ?= qwen2.5-vl
TUNE_ARGS ?= --time-budget 120s
PYTEST_ARGS ?= -n auto

BIN := .venv/bin
READY := .venv/.ready

.PHONY: tune test lint nightly clean

# Tune on photographs, then time the result against the untuned default and Hugging Face.
tune: $(READY)
	$(BIN)/autosched tune $(NAME) $(TUNE_ARGS)
	$(BIN)/autosched bench $(NAME)

test: $(READY)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

nightly: $(READY)
	$(BIN)/python -m pytest -m nightly $(PYTEST_ARGS)

# torch and torchvision are Hugging Face's side of the comparison; autosched itself never needs them.
$(READY): pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' $(TORCH)
	@touch $@

clean:
	rm -rf .venv build dist
