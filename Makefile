# Each target sets up .venv by itself; nothing else needs to be installed first but Python ≥ 3.10.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Ray's plugin is for Linux and macOS.
PORTABLE := $(filter-out plugins/mnistarena-ray/%,$(wildcard plugins/*/mnistarena_*))
# What takes long beside the tests of the core: all that examples/ has, and the plugins that are installed on demand.
EXAMPLES := $(addprefix tests/project/,test_notebooks.py test_examples.py test_docs_plugins.py test_ci.py) \
	$(addprefix plugins/mnistarena-,mlflow ray slurm tensorboard timm)
TESTED := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test examples check docs notebooks bench chaos dist version clean

help:
	@echo "make demo    install, run the quick spec on real MNIST, write the report"
	@echo "make test    the tests of the core and of the plugins that are installed with it"
	@echo "make examples    those of examples/, its notebooks, and of the plugins on demand"
	@echo "make check   ruff and mypy"
	@echo "make docs    what docs/ says of the code, written anew from it"
	@echo "make notebooks    examples/notebooks, executed anew"
	@echo "make bench   measured comparisons with other loops and tools, into benchmarks/RESULTS.md"
	@echo "make chaos   kill runs, drivers and nodes at random moments, resume, compare"
	@echo "make dist    every wheel and sdist, into dist/"
	@echo "make version VERSION=0.2.0    that version for the core and all its plugins"
	@echo "make clean   remove .venv and caches"

$(BIN)/arena: requirements.txt pyproject.toml plugins/*/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(BIN)/arena requirements-extra.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,examples]" -r requirements-extra.txt
	@touch $@

demo: $(BIN)/arena
	$(BIN)/arena run specs/quick.toml
	$(BIN)/arena report runs/quick --html --markdown

test: $(VENV)/.dev
	$(TESTED) $(addprefix --ignore=,$(EXAMPLES))

examples: $(VENV)/.dev
	$(TESTED) $(EXAMPLES)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mnistarena $(wildcard plugins/*/mnistarena_*)
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows mnistarena $(PORTABLE)

docs: $(VENV)/.dev
	$(BIN)/python -m cogapp -r -I docs docs/*.md

notebooks: $(VENV)/.dev
	$(BIN)/python docs/notebooks.py

chaos: $(VENV)/.dev
	ARENA_CHAOS_KILLS=20 $(BIN)/python -m pytest -s tests/execution/test_chaos.py
	ARENA_CHAOS_KILLS=10 $(BIN)/python -m pytest -s plugins/mnistarena-ray -k killed
	ARENA_REQUEUES=10 $(BIN)/python -m pytest -s plugins/mnistarena-slurm -k preempted

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $@

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.verdicts

dist: $(VENV)/.dev
	$(BIN)/python -m release.dist dist

version: $(VENV)/.dev
	$(BIN)/python -m release.version $(VERSION)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
