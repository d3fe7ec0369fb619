# Everything that a newcomer types. Needs Python 3.10 or newer, make and a package index.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: demo study setup browser test check compat upgrade bench checkpoint mitigation sinks screenshots docs clean

demo: setup  ## open the page on http://127.0.0.1:7860
	$(BIN)/python app.py

study: setup  ## open the study that comes along, on the same address
	$(BIN)/python app.py --study assets/studies/shapes

setup: .venv/ready  ## make .venv with everything that tests and page need

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

browser: setup  ## find a Chromium for the browser tests, or install one
	$(BIN)/python tests/browser/install.py

test: setup browser  ## run every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: setup  ## lint, types, which way imports run, known holes in packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/oxlint --config .oxlintrc.json
	$(BIN)/hadolint Dockerfile
	$(BIN)/python scripts/audit.py

# The oldest Python that is supported, where there is one.
OLDEST_PYTHON ?= $(shell python3.10 --version >/dev/null 2>&1 && echo python3.10 || echo $(PYTHON))
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv

# What stands or falls with the packages; .venv has their newest versions too, and runs every test.
CORE := $(addprefix tests/,test_reference.py test_generator.py test_methods.py test_attach.py \
	test_trace.py test_loading.py app/test_start.py app/test_engine.py app/test_judging.py)

compat: setup  ## the tests on the lowest versions allowed, the core ones on the newest
	$(UV) venv --quiet --clear --python $(OLDEST_PYTHON) .compat/lowest
	$(UV) pip install --quiet --python .compat/lowest --constraint constraints.txt \
		--resolution lowest-direct --editable '.[demo,test]'
	$(UV) venv --quiet --clear --python $(PYTHON) .compat/newest
	$(UV) pip install --quiet --python .compat/newest --constraint constraints.txt --editable '.[demo,test]'
	.compat/lowest/bin/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/browser
	.compat/newest/bin/python -m pytest -n $(WORKERS) --dist loadfile $(CORE)

BOUNDS := constraints.txt requirements.txt README.md

upgrade: setup browser  ## try the newest of everything; if all tests pass, raise the bounds
	$(UV) venv --quiet --clear --python $(PYTHON) .compat/upgrade
	$(UV) pip install --quiet --python .compat/upgrade --editable '.[dev]'
	cp $(BOUNDS) .compat
	{ .compat/upgrade/bin/python scripts/bounds.py && \
		.compat/upgrade/bin/python -m pytest -n $(WORKERS) --dist loadfile; } || \
		{ for each in $(BOUNDS); do cp .compat/$$each $$each; done; \
		echo "The newest versions do not pass; the bounds stay as they were."; exit 1; }
	git --no-pager diff --stat $(BOUNDS)

bench: setup  ## measure speed and memory on this machine
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/memory.py

checkpoint: setup  ## train both bundled checkpoints further, and measure them
	$(BIN)/python -m training.train --start assets/shapes-vl \
		--steps 2500 --scenes 24 --learning-rate 1.5e-3 --sink-from 0
	$(BIN)/python -m training.anchor
	for each in plain anchored; do \
		for stage in report window passages passage-window words inside outside card; do \
			$(BIN)/python benchmarks/answers.py $$each $$stage || exit 1; \
		done; \
	done
	$(BIN)/python -m training.examples

mitigation: setup  ## measure every method and control on both bundled checkpoints
	$(BIN)/python benchmarks/mitigation.py

sinks: setup  ## train the siblings and draw where sinks come from
	$(BIN)/python -m training.sink_ablation
	$(BIN)/python benchmarks/figures.py

screenshots: setup browser  ## take the pictures of the README anew
	$(BIN)/python benchmarks/screenshots.py

docs: setup  ## write what the documents draw from the code
	$(BIN)/python scripts/describe_methods.py
	$(BIN)/python scripts/describe_models.py
	$(BIN)/python scripts/draw_architecture.py

clean:
	rm -rf .venv .compat build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
