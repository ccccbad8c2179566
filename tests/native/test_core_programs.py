"""The C++ core's own tests, as far as built in seconds, and the kept cases; ``make native-check`` runs the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import fuzz_layer
import pytest

ROOT = Path(__file__).parents[2]
KEPT = [json.loads(line) for line in fuzz_layer.CORPUS.read_text(encoding="utf-8").splitlines()]


def test_core() -> None:
    """exp, tanh and logistic within their bounds on every instruction set; the team of threads."""
    missing = [tool for tool in ("cmake", "c++", "make") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    folder = ROOT / "build" / "native" / "plain"

    def call(*command: str | Path) -> None:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr

    call("cmake", "-S", ROOT, "-B", folder, "-DOSTINATO_BINDING=OFF", "-DOSTINATO_TESTS=ON")
    call("cmake", "--build", folder, "--target", "math", "team")
    for program in ("math", "team"):
        call(folder / "csrc" / "tests" / program, "quick")


@pytest.mark.parametrize("case", KEPT, ids=lambda case: str(case["seed"]))
def test_kept_cases(case: dict[str, Any]) -> None:
    """What once failed, and a few of each sort."""
    fuzz_layer.run(case)


def test_drawn_cases() -> None:
    """Some more; another part of them with every day's seed in ``FUZZ_SEED``."""
    first = int(os.environ.get("FUZZ_SEED", "1000000"))
    for seed in range(first, first + 60):
        case = fuzz_layer.draw(seed)
        try:
            fuzz_layer.run(case)
        except Exception as error:
            raise AssertionError(json.dumps(case)) from error
