# Every target sets up what it needs. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
IN := .venv/bin/python
PORT ?= 8000
PATIENTS ?= 204800

.DEFAULT_GOAL := help
.PHONY: help book serve test quick bench scale-demo calibrate figures notebooks address clean

help: ## list the targets
	@echo "Why CAR-T Relapses"
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: env-book env-test env-bench
env-book:
	@$(PYTHON) tools/env.py book
env-test:
	@$(PYTHON) tools/env.py test
env-bench:
	@$(PYTHON) tools/env.py bench

book: env-book ## build the site into _build/html
	@$(IN) tools/build_book.py

serve: env-book ## serve the built site on this machine (PORT=8000)
	@$(IN) tools/serve.py $(PORT)

test: env-test ## run every check (STAGE=name runs one stage)
	@$(IN) tools/check.py $(STAGE)

quick: env-test ## run the linters and the unit tests
	@$(IN) tools/check.py lint unit

bench: env-bench ## measure speed beside other programs (ONLY="R1 R2", ROUNDS=5)
	@.venv-bench/bin/python -m benchmarks --rounds $(or $(ROUNDS),5) $(ONLY)

scale-demo: env-test ## simulate one cohort in a process, a pool and a cluster, and compare
	@$(IN) tools/scale_demo.py --patients $(PATIENTS)

calibrate: env-test ## fit the population to the published landmarks again
	@$(IN) tools/calibrate.py

figures: env-book ## redraw the figures in figures/
	@$(IN) tools/make_figures.py

notebooks: env-book ## run the notebooks and store their text outputs
	@$(IN) tools/notebooks.py

address: env-book ## write the repository's address (_config.yml) into the notebooks
	@$(IN) tools/address.py

clean: ## remove everything that was built, and the environments
	rm -rf _build .venv .venv-bench .venv-binder .venv-repo2docker .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
