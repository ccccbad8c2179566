"""record: everything a run leaves behind, ``metrics.json`` last of all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ostinato.evaluation.seeds import spread
from ostinato.models import describe
from ostinato.runs import model_folder
from ostinato.runs.folder import RunFolder
from ostinato.runs.learn import Learned
from ostinato.runs.prepare import Prepared
from ostinato.runs.reading import beside
from ostinato.runs.result import Result


def record(prepared: Prepared, learned: Learned, result: Result, folder: RunFolder, seconds: float) -> dict[str, Any]:
    """Writes the model, the predictions, the report and, last of all, ``metrics.json``, which it returns."""
    from ostinato.runs.page import page  # pictures are slow to load, and only a finished run needs them

    task, test = prepared.task, prepared.division.test
    model_folder.save(learned.model, learned.task, prepared.recipe, prepared.table, folder.model)
    if folder.path.joinpath("seeds").is_dir():
        place = folder.seed(learned.seed, len(learned.outputs)) / "log.jsonl"
        folder.write(folder.log, place.read_bytes())
    buffer = io.BytesIO()
    beside(test, task.frame(result.outputs, test), prepared.recipe.data.target).write_parquet(buffer)
    folder.write(folder.predictions, buffer.getvalue())
    folder.write(folder.report, page(prepared, learned, result, folder, seconds))
    metrics = document(prepared, learned, result, seconds)
    folder.write_json(folder.metrics, metrics)
    return metrics


def document(prepared: Prepared, learned: Learned, result: Result, seconds: float) -> dict[str, Any]:
    """``metrics.json``."""
    memory = result.memory
    found: dict[str, Any] = {
        "task": prepared.task.name,
        "mapping": prepared.task.mapping,
        "model": describe(learned.model),
        "test": {"model": result.metrics, "baselines": result.baseline_metrics},
        "memory": {
            "lags": [int(lag) for lag in memory.lags],
            "influence": [float(share) for share in memory.influence],
            "half": memory.half,
            "text": memory.text,
        },
        "verdict": result.verdict.text,
        "outcome": result.verdict.outcome,
        **({"remarks": list(result.remarks)} if result.remarks else {}),
        **({"measure": prepared.task.measure} if prepared.task.measure else {}),
        "seconds": round(seconds, 3),
    }
    if len(result.seeds) > 1:
        found["seeds"] = spread_of(result.seeds, learned.seed)
    return found


def spread_of(seeds: Mapping[int, Mapping[str, float]], deployed: int) -> dict[str, Any]:
    """The test metrics of every seed, their mean and sample standard deviation, and which seed is deployed."""
    over = spread(list(seeds.values()))
    return {
        "deployed": deployed,
        "metrics": {str(seed): dict(metrics) for seed, metrics in seeds.items()},
        "mean": {key: one.mean for key, one in over.items()},
        "sd": {key: one.sd for key, one in over.items()},
    }
