# Each verb does all its own set-up in .venv (bench, which needs the peers, in .venv-bench). TORCH chooses another
# torch: make test TORCH=torch==2.14.0
PYTHON ?= python3
TORCH ?= $(shell grep '^torch==' constraints.txt)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench

.PHONY: demo test check bench docs native-check native-fuzz

$(VENV)/.ready: GROUP := dev
$(BENCH)/.ready: GROUP := bench
$(VENV)/.ready $(BENCH)/.ready: %/.ready: pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	@test -x $*/bin/python || $(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable . --group $(GROUP)
	@touch $@

demo: $(READY)
	$(BIN)/ostinato demo

test: $(READY)
	sh scripts/test

check: $(READY)
	sh scripts/check

bench: $(BENCH)/.ready
	OSTINATO_DATA="$${OSTINATO_DATA:-$(abspath ../shared/data)}" $(BENCH)/bin/python -m benchmarks

docs: $(READY)
	$(BIN)/python scripts/docs

native-check:
	sh scripts/native-check

MINUTES ?= 60
native-fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/native/fuzz_layer.py --minutes $(MINUTES)
