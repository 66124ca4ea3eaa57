# Every target sets up what it needs. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install demo test lint format clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

install: .venv/installed ## make the virtual environment .venv with everything in it

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "htr_lightning needs Python 3.11 or newer; choose one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: install ## train on synthetic handwriting, test, read new lines (about 5 minutes)
	rm -rf runs/demo
	$(BIN)/python -m htr_lightning +experiment=demo hydra.run.dir=runs/demo
	$(BIN)/python -m htr_lightning extract runs/demo/lines +experiment=demo --limit 12
	$(BIN)/python -m htr_lightning predict runs/demo/model.safetensors runs/demo/lines/test --picture runs/demo/read.png
	@echo
	@echo "Look at runs/demo/read.png (lines and what the model read in them), runs/demo/result.json (scores)"
	@echo "and the curves: $(BIN)/tensorboard --logdir runs"

test: install ## run all tests that need neither a GPU nor the network
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and caches; runs and data stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
