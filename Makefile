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

demo: install ## the shipped model learns a hand and nine letters from 100 lines (about 3 minutes)
	rm -rf runs/demo
	$(BIN)/python -m htr_lightning extract runs/demo/lines +experiment=demo --limit 12
	@echo; echo "1. What the shipped model, zoo:latin, reads in lines of a language that it does not know:"; echo
	$(BIN)/python -m htr_lightning predict zoo:latin runs/demo/lines/test --picture runs/demo/before.png
	@echo; echo "2. It learns from 100 other lines of the same hand:"; echo
	$(BIN)/python -m htr_lightning +experiment=demo hydra.run.dir=runs/demo
	@echo; echo "3. What it reads in the same lines now:"; echo
	$(BIN)/python -m htr_lightning predict runs/demo runs/demo/lines/test --picture runs/demo/after.png
	@echo
	@echo "Look at runs/demo/before.png and runs/demo/after.png (the lines, and what was read in them),"
	@echo "runs/demo/result.json (scores of 100 lines), and the curves: $(BIN)/tensorboard --logdir runs"
	@echo "The same with lines of yours: $(BIN)/python -m htr_lightning +experiment=finetune_lines dataset.root=FOLDER"

test: install ## run all tests that need neither a GPU nor the network
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install ## check style, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install ## bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and caches; runs and data stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
