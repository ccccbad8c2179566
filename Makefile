# Each verb does all its own set-up in .venv. TORCH chooses another torch: make test TORCH=torch==2.14.0
PYTHON ?= python3
TORCH ?= $(shell grep '^torch==' constraints.txt)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench docs native-check native-fuzz

$(READY): pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable . --group dev
	@touch $@

demo: $(READY)
	$(BIN)/ostinato demo

test: $(READY)
	sh scripts/test

check: $(READY)
	sh scripts/check

bench: $(READY)
	OSTINATO_DATA="$${OSTINATO_DATA:-$(abspath ../shared/data)}" $(BIN)/python -m benchmarks

docs: $(READY)
	$(BIN)/python scripts/docs

native-check:
	sh scripts/native-check

MINUTES ?= 60
native-fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/native/fuzz_layer.py --minutes $(MINUTES)
