"""result: the test part once, beside its baselines, with a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.evaluation.compare import Verdict, compare
from ostinato.evaluation.memory import MemoryProfile, memory_profile
from ostinato.evaluation.remarks import remarks
from ostinato.models.describe import CELLS
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
        remarks: what should be said beside it.
    """

    outputs: Outputs
    metrics: dict[str, float]
    baselines: dict[str, Outputs]
    baseline_metrics: dict[str, dict[str, float]]
    seeds: dict[int, dict[str, float]]
    memory: MemoryProfile
    verdict: Verdict
    remarks: tuple[str, ...] = ()


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
        remarks=remarks(learned.task, learned.outputs[learned.seed], prepared.valid, test),
    )
