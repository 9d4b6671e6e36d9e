# Two commands do everything, from a bare clone too: `make build` and `make test`.
# PYTHON=python3.12 chooses the interpreter that .venv is made with.

bin := .venv/bin

.PHONY: help build test check quick serve doctor clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

build:  ## Install what is missing, trace the lessons, render their clips, build site/
	@./setup.sh build
	@$(bin)/torchreel build

test:  ## Install what is missing, the browser included, then check (what CI runs)
	@./setup.sh test
	@$(MAKE) --no-print-directory check

check: quick  ## The gate: quick, mypy --strict, import directions, pytest
	$(bin)/mypy
	$(bin)/lint-imports --no-cache --no-logo
	$(bin)/pytest -n 2 --dist loadfile

quick: $(bin)/ruff  ## Format and lint: what pre-commit runs
	$(bin)/ruff format --check
	$(bin)/ruff check

serve:  ## Build, serve on localhost:8000 and build again what a saved file changes
	@./setup.sh build
	@$(bin)/torchreel serve

doctor: $(bin)/torchreel  ## Say what is missing on this machine and how to get it
	@$(bin)/torchreel doctor

clean:  ## Remove what was generated: build/, site/ and the tools' caches (.venv stays)
	find build site -mindepth 1 ! -name .gitignore -delete
	rm -rf .mypy_cache .pytest_cache .ruff_cache media

$(bin)/ruff:
	@echo "There is no $@ yet: make test brings it." >&2; exit 1
$(bin)/torchreel:
	@echo "There is no $@ yet: make build brings it." >&2; exit 1
