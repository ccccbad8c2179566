"""result: the test part once, beside its baselines, with a verdict; everything a run leaves behind."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostinato.evaluation.compare import Verdict, compare
from ostinato.evaluation.memory import MemoryProfile, memory_profile
from ostinato.evaluation.seeds import spread
from ostinato.models import describe
from ostinato.models.describe import CELLS
from ostinato.runs import model_folder
from ostinato.runs.folder import RunFolder
from ostinato.runs.learn import Learned
from ostinato.runs.prepare import Prepared
from ostinato.runs.reporter import Reporter
from ostinato.runs.rivals import rivals
from ostinato.tasks import Outputs


@dataclass(frozen=True)
class Result:
    """What came of a run on its test part.

    Args:
        outputs: of the model that is deployed.
        metrics: of that model.
        baselines: outputs of each baseline.
        baseline_metrics: of each baseline.
        seeds: metrics of the model of every seed.
        memory: how far back the model looks.
        verdict: in words.
    """

    outputs: Outputs
    metrics: dict[str, float]
    baselines: dict[str, Outputs]
    baseline_metrics: dict[str, dict[str, float]]
    seeds: dict[int, dict[str, float]]
    memory: MemoryProfile
    verdict: Verdict


def assess(prepared: Prepared, learned: Learned, folder: RunFolder, reporter: Reporter) -> Result:
    """Metrics of the model and its baselines, the memory profile and the verdict."""
    task, test, recipe = prepared.task, prepared.test, prepared.recipe
    reporter.on_stage("test part")
    seeds = {seed: task.metrics(outputs, test) for seed, outputs in learned.outputs.items()}
    answers = rivals(prepared, folder, reporter)
    reporter.on_stage("memory profile and verdict")
    return Result(
        outputs=learned.outputs[learned.seed],
        metrics=seeds[learned.seed],
        baselines=answers,
        baseline_metrics={name: task.metrics(outputs, test) for name, outputs in answers.items()},
        seeds=seeds,
        memory=memory_profile(learned.model, task, test),
        verdict=compare(
            task,
            list(learned.outputs.values()),
            answers,
            test,
            name=f"the {CELLS[recipe.model.cell]}",
            seed=recipe.training.seed,
        ),
    )


def write(prepared: Prepared, learned: Learned, result: Result, folder: RunFolder, seconds: float) -> dict[str, Any]:
    """Writes the model, the predictions, the report and, last of all, ``metrics.json``, which it returns."""
    task, test = prepared.task, prepared.division.test
    model_folder.save(learned.model, task, prepared.recipe, prepared.table, folder.model)
    if folder.path.joinpath("seeds").is_dir():
        place = folder.seed(learned.seed, len(learned.outputs)) / "log.jsonl"
        folder.write(folder.log, place.read_bytes())
    buffer = io.BytesIO()
    task.frame(result.outputs, test).write_parquet(buffer)
    folder.write(folder.predictions, buffer.getvalue())
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
