"""The results of docs/results.md: every command, run on the real data sets, three seeds each.

``python -m benchmarks.results`` runs all; names choose some, ``--folds`` some folds of them. ``OSTINATO_DATA`` names
the data; runs lie in ``results/``. A command that was stopped is resumed, one that ended is not run again. What came of
each is kept in ``benchmarks/results/<name>.json``, from which the page is written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import nab
from benchmarks.rows import RESULTS, Result
from ostinato.training.words import HIGHER, PERCENT

HERE = Path(__file__).parent
KEPT = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
WORK = Path("results")


def run(result: Result, data: Path, work: Path, folds: Sequence[int] = ()) -> dict[str, Any]:
    """Runs the command (once a fold) and keeps what its runs say; of some ``folds`` alone nothing is kept."""
    made = result.make(data, work) if result.make else Path()
    runs, before = [], _processor()
    for fold in (folds or range(1, result.folds + 1)) if result.folds else (0,):
        out = work / (f"{result.name}-{fold}" if fold else result.name)
        text = result.command.format(data=data, made=made, fold=fold)
        if not (out / "metrics.json").exists():
            arguments = ["resume", str(out)] if out.exists() else ["train", *text.split(), "--out", str(out)]
            subprocess.run([sys.executable, "-m", "ostinato", *arguments], check=True)
        runs.append(json.loads((out / "metrics.json").read_text(encoding="utf-8")))
    if folds and result.folds:
        print(result.name, *(f"{key} {_spread(key, _seeds(runs))}" for key in _seeds(runs)), f"folds {folds}", sep="  ")
        return {}
    kept = {
        "command": "ostinato train "
        + result.command.format(
            data="$OSTINATO_DATA", made=Path(made.name), fold=f"1…{result.folds}" if result.folds else ""
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} threads",
        "seconds": round(mean(one["seconds"] for one in runs), 1),
        "processor": round(_processor() - before, 1),
        "model": _seeds(runs),
        "baselines": {
            name: {key: mean(one["test"]["baselines"][name][key] for one in runs) for key in found}
            for name, found in runs[0]["test"]["baselines"].items()
        },
        "verdict": runs[0]["verdict"] if not result.folds else "",
        "memory": runs[0]["memory"]["text"],
        "what": runs[0]["model"],
    }
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{result.name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept


def _processor() -> float:
    """Seconds of processor that commands have taken, which other work beside them does not change."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seeds(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Each metric of each seed, the mean over the folds."""
    seeds = runs[0].get("seeds", {}).get("metrics", {"0": runs[0]["test"]["model"]})
    found = [[one.get("seeds", {}).get("metrics", {"0": one["test"]["model"]})[seed] for one in runs] for seed in seeds]
    return {key: [mean(fold[key] for fold in folds) for folds in found] for key in found[0][0]}


def page() -> str:
    """docs/results.md, from what was kept."""
    lines = [(HERE / "results.head.md").read_text(encoding="utf-8")]
    lines.append(
        "| data | measure | wanted | model, mean ± sd of 3 seeds | best baseline | published |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    kept = {one.name: KEPT / f"{one.name}.json" for one in RESULTS}
    found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in kept.items() if path.exists()}
    for one in RESULTS:
        if one.name in found:
            lines.append(_row(one, found[one.name]))
    text = "\n".join(lines) + "\n"
    if missing := [f"{one.title} ({one.wanted})" for one in RESULTS if one.name not in found]:
        text += f"\nDefined in `benchmarks/rows.py` and not run to their end yet: {'; '.join(missing)}.\n"
    for one in RESULTS:
        if one.name in found:
            text += _section(one, found[one.name])
    return text + nab.section()


def _row(result: Result, kept: dict[str, Any]) -> str:
    best = _best(result, kept["baselines"])
    rival = f"{best}: {_shown(result.measure, kept['baselines'][best][result.measure])}"
    return (
        f"| {result.title} | {result.measure} | {result.wanted} | {_spread(result.measure, kept['model'])} | {rival} | "
        f"{result.published} |"
    )


def _best(result: Result, baselines: dict[str, dict[str, float]]) -> str:
    return (max if result.measure in HIGHER else min)(baselines, key=lambda name: baselines[name][result.measure])


def _section(result: Result, kept: dict[str, Any]) -> str:
    metrics = [key for key in kept["model"] if key in next(iter(kept["baselines"].values()))]
    head = " | ".join(metrics)
    rows = [f"| model | {' | '.join(_spread(key, kept['model']) for key in metrics)} |"]
    for name, found in kept["baselines"].items():
        rows.append(f"| {name} | {' | '.join(_shown(key, found[key]) for key in metrics)} |")
    cost = f"{kept['seconds']} seconds a command, with all seeds and baselines"
    if kept.get("processor", 0) >= 1:  # else the command had been run before
        cost += f", {kept['processor']} seconds of processor"
    return (
        f"\n## {result.title}\n\n```\n{kept['command']}\n```\n\n{kept['what']}. {cost} "
        f"({kept['machine']}; {kept['date']}).\n\n"
        f"| | {head} |\n| --- |{' --- |' * len(metrics)}\n"
        + "\n".join(rows)
        + f"\n\n{kept['verdict']} {kept['memory']}\n"
    )


def _spread(key: str, model: dict[str, list[float]]) -> str:
    values = model[key]
    if len(values) < 2:
        return _shown(key, values[0])
    return f"{_shown(key, mean(values))} ± {_shown(key, stdev(values))}"


def _shown(key: str, value: float) -> str:
    if key in PERCENT:
        return f"{100 * value:.2f} %"
    return f"{value:.4g}" if value >= 0.001 else f"{value:.1e}"


def main() -> None:
    """Runs what is asked for and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(one.name for one in RESULTS)}; none: all")
    parser.add_argument("--folds", nargs="+", type=int, default=(), help="only these folds, of results that have some")
    parser.add_argument("--page", action="store_true", help="only write the page from what was kept")
    chosen = parser.parse_args()
    known = {one.name: one for one in RESULTS}
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"no result {unknown[0]}; there are {', '.join(known)}")
    if not chosen.page:
        if "OSTINATO_DATA" not in os.environ:
            parser.error("OSTINATO_DATA must name the folder of the real data sets")
        WORK.mkdir(exist_ok=True)
        for name in chosen.names or known:
            run(known[name], Path(os.environ["OSTINATO_DATA"]), WORK, chosen.folds)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
