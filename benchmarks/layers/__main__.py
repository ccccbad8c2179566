"""``python -m benchmarks.layers``: every layer beside every peer, and docs/performance.md from what came of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.layers import page, parity
from benchmarks.layers.arena import FULL, QUICK, Pace, compete, pin
from benchmarks.layers.cases import OURS, Case, chosen
from benchmarks.layers.measured import Measured

KEPT = Path(__file__).parents[1] / "results" / "layers"
"""A file for each machine."""
LIBRARIES = ("torch", "jax", "jaxlib", "onnxruntime", "onnx", "numpy")


def machine(cores: list[int]) -> dict[str, Any]:
    """What the times were taken on."""
    fields = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    levels = [
        flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni") if flag in named.get("flags", "").split()
    ]
    return {
        "processor": f"{named.get('model name', platform.machine())}, family {named.get('cpu family', '?')}",
        "instructions": levels,
        "cores": len(cores),
        "of": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := installed(name))},
    }


def installed(name: str) -> str:
    """The version of a library, empty where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """The state of the sources, marked where something of theirs is not committed."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=parity.ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", "src", "csrc", "benchmarks/layers")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def kept() -> list[dict[str, Any]]:
    """What was measured on each machine."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))]


def of_machine(where: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The file of a machine and the records in it; those of other versions of the libraries do not count."""
    path = KEPT / f"{re.sub('[^a-z0-9]+', '-', where['processor'].lower()).strip('-')}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return path, dict(found["cases"]) if found.get("machine") == where else {}


def keep(name: str, record: dict[str, Any], where: dict[str, Any]) -> None:
    """Put the record among those of the machine's other cases, whole or not at all."""
    path, cases = of_machine(where)
    cases[name] = record
    lines = [f"{json.dumps(one)}: {json.dumps(brief(cases[one]), ensure_ascii=False)}" for one in cases]
    text = f'{{"machine": {json.dumps(where)},\n"cases": {{\n' + ",\n".join(lines) + "\n}}\n"
    path.parent.mkdir(exist_ok=True, parents=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def brief(record: Any) -> Any:
    """The same with four digits of every float: more is noise."""
    if isinstance(record, float):
        return float(f"{record:.4g}")
    if isinstance(record, dict):
        return {name: brief(value) for name, value in record.items()}
    return [brief(value) for value in record] if isinstance(record, list | tuple) else record


def run(cases: list[Case], pace: Pace, threads: int, command: str) -> list[str]:
    """Measure; gives the cases in which we were wrong or had no answer."""
    parity.require()
    where, bad = machine(pin(threads)), []
    told = {"date": datetime.now(UTC).date().isoformat(), "command": command, "commit": commit()}
    with tempfile.TemporaryDirectory() as folder:
        for at, case in enumerate(cases):
            about = {"group": case.group, "problem": case.problem.facts(), "peers": list(case.peers)}
            record = compete(case, Path(folder), pace) | about | told
            measured = Measured.of(case.name, record)
            print(f"{at + 1}/{len(cases)} {page.line(measured)}", flush=True)
            if not measured.timed(OURS):
                bad.append(case.name)
            keep(case.name, record, where)
    return bad


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("--cases", default="", help="words of cases, such as 'lstm train,step'; none: all")
    parser.add_argument("--quick", action="store_true", help="up to 128 hidden units, three short rounds")
    parser.add_argument("--missing", action="store_true", help="only cases that have no result yet")
    parser.add_argument("--threads", type=int, default=2, help="cores, and threads of every library; 2")
    parser.add_argument("--list", action="store_true", help="only name the cases")
    parser.add_argument("--page", action="store_true", help="only write the page from what was kept")
    given = parser.parse_args(arguments)
    try:
        cases = chosen(given.cases, quick=given.quick)
    except ValueError as error:
        parser.error(str(error))
    if given.missing:
        found = of_machine(machine(list(range(given.threads))))[1]
        cases = [case for case in cases if case.name not in found]
    if given.list:
        print("\n".join(case.name for case in cases))
        return
    bad = []
    if not given.page:
        command = shlex.join(["python", "-m", "benchmarks.layers", *(sys.argv[1:] if arguments is None else arguments)])
        bad = run(cases, QUICK if given.quick else FULL, given.threads, command)
    if not kept():
        parser.error("nothing has been measured yet")
    page.write(kept())
    if bad:
        raise SystemExit(f"no right answer of ours in {', '.join(bad)}")


if __name__ == "__main__":
    main()
