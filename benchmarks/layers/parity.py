"""No benchmark behind a red parity suite: it is run first, once for each state of the sources."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITES = ("tests/engines", "tests/nn")
SOURCES = ("csrc", *SUITES, "tests/conftest.py", "CMakeLists.txt", "pyproject.toml")
PASSED = ROOT / "results" / "parity.json"


def package() -> list[Path]:
    """Where the package that is measured is loaded from: its sources, and what was built for it."""
    spec = find_spec("ostinato")
    assert spec is not None
    return [Path(place) for place in spec.submodule_search_locations or ()]


def fingerprint(root: Path = ROOT, places: Sequence[Path] | None = None) -> str:
    """Of all that the suite depends on: package, native sources, tests, torch."""
    digest = hashlib.sha256(f"{version('torch')} {sys.version}".encode())
    for path in [*(root / name for name in SOURCES), *(package() if places is None else places)]:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def require(passed: Path = PASSED, command: tuple[str, ...] | None = None) -> None:
    """Run the suite unless it passed on these very sources.

    Raises:
        SystemExit: it is red.
    """
    seal = fingerprint()
    if passed.exists() and json.loads(passed.read_text(encoding="utf-8"))["sources"] == seal:
        return
    run = command or (sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", *SUITES)
    print(f"parity first: {' '.join(run[1:])}", file=sys.stderr, flush=True)
    done = subprocess.run(run, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=sys.stderr, check=False)
    if done.returncode:
        raise SystemExit("the parity suite is red: nothing is measured")
    passed.parent.mkdir(exist_ok=True)
    passed.write_text(json.dumps({"sources": seal}) + "\n", encoding="utf-8")
