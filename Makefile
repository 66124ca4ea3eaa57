# Every target installs what it needs into .venv. PYTHON chooses the interpreter (3.11 or newer).
# On Windows, run make in Git Bash: the recipes need a POSIX shell.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
.DEFAULT_GOAL := help
.PHONY: help install demo test lint docs audit format clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

install: .venv/installed ## create the virtual environment .venv with all dependencies

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "htr_lightning needs Python 3.11 or newer; choose one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: install ## fine-tune the shipped model on 100 lines: a new font, twelve new characters (about 3 minutes)
	rm -rf runs/demo
	$(BIN)/python -m htr_lightning extract runs/demo/lines +experiment=demo --limit 12
	@echo; echo "1. Predictions of the shipped model, zoo:latin, for lines in a language that it was not trained on:"; echo
	$(BIN)/python -m htr_lightning predict zoo:latin runs/demo/lines/test --visualize runs/demo/before.png
	@echo; echo "2. Fine-tuning on 100 other lines in the same font:"; echo
	$(BIN)/python -m htr_lightning +experiment=demo hydra.run.dir=runs/demo
	@echo; echo "3. Predictions of the fine-tuned model for the same lines:"; echo
	$(BIN)/python -m htr_lightning predict runs/demo runs/demo/lines/test --visualize runs/demo/after.png
	@echo
	@echo "Look at runs/demo/before.png and runs/demo/after.png (lines with their predictions),"
	@echo "runs/demo/result.json (scores on 100 test lines), and the curves: $(BIN)/tensorboard --logdir runs"
	@echo "The same with your own lines: $(BIN)/python -m htr_lightning +experiment=finetune_lines dataset.root=FOLDER"

test: install ## run all tests that need neither a GPU nor the network
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install ## check style, types and imports between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/docs ## build the documentation into site/, and check its links; nothing is fetched when it is viewed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean
	$(BIN)/python docs/generate/check.py site

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

audit: install ## look up published vulnerabilities of the dependencies: those installed, and the oldest ones allowed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable
	$(BIN)/python .ci/lower_bounds.py > .venv/lower_bounds.txt
	$(BIN)/pip-audit --no-deps --disable-pip --requirement .venv/lower_bounds.txt

format: install ## fix style and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv, build outputs and caches; keep runs and data
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
