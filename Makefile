# The commands of this project. Each sets up .venv first, if that is not done yet (tools/set_up.sh).
#
#   make lab PYTHON=python3.12        with a Python of your choice
#   make lab TORCH_INDEX=https://download.pytorch.org/whl/cpu
#                                     with the CPU build of torch: no CUDA, far smaller (Linux)
#   make test ARGS="-k detection"     more arguments for pytest

PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=
export PYTHON TORCH_INDEX

RUN := .venv/bin/python -m

.PHONY: help lab test check lint clean

help: ## show these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

lab: ## set up, then start JupyterLab on notebooks/00_start_here.ipynb
	@sh tools/set_up.sh lab
	@exec sh tools/open_lab.sh

test: ## set up, then run the whole test suite
	@sh tools/set_up.sh test
	$(RUN) pytest $(ARGS)

check: lint ## linting, types and the quick tests
	$(RUN) pytest -m "not slow and not real" $(ARGS)

lint: ## linting and types alone
	@sh tools/set_up.sh test
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

clean: ## delete .venv and what the tools left; projects stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
