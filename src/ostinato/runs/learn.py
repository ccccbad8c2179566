"""learn: one training a seed, each resumable at any moment; the best on the validation part is kept."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ostinato.models import build
from ostinato.runs.folder import RunFolder, telling
from ostinato.runs.prepare import Prepared
from ostinato.runs.reporter import Reporter
from ostinato.tasks import Outputs, Task
from ostinato.training import History, Log, Trainer, calibrated, predict, write_atomically


@dataclass(frozen=True)
class Learned:
    """What the trainings gave.

    Args:
        model: of the seed that did best on the validation part, with its best weights.
        task: calibrated to that model.
        seed: that one.
        history: of that one.
        outputs: of each seed on the test part.
        seconds: of all trainings together.
    """

    model: nn.Module
    task: Task
    seed: int
    history: History
    outputs: dict[int, Outputs]
    seconds: float


def learn(prepared: Prepared, folder: RunFolder, reporter: Reporter) -> Learned:
    """Trains from every seed of the recipe, or goes on where a training stands.

    All seeds share one split; they differ in the first weights, the order of examples and what else is random.

    Raises:
        TrainingError: a loss is not finite; the checkpoint before it is kept.
        ModelFolderError: a checkpoint cannot be written or read.
        KeyboardInterrupt: on Ctrl-C, after a checkpoint.
    """
    settings = prepared.recipe.training
    seeds = range(settings.seed, settings.seed + max(1, settings.seeds))
    best: Learned | None = None
    weights: dict[str, Tensor] = {}
    outputs: dict[int, Outputs] = {}
    seconds = 0.0
    for number, seed in enumerate(seeds, start=1):
        reporter.on_seed(seed, number, len(seeds))
        trainer, history = _train(prepared, folder.seed(seed, len(seeds)), seed, reporter)
        model = trainer.model
        task = calibrated(model, prepared.task, prepared.valid)
        outputs[seed] = predict(model, task, prepared.test)
        seconds += history.seconds
        if best is None or _better(history, best.history, trainer.higher_is_better):
            best = Learned(model, task, seed, history, outputs, seconds)
            weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    assert best is not None
    best.model.load_state_dict(weights)
    return replace(best, seconds=seconds)


def _train(prepared: Prepared, place: Path, seed: int, reporter: Reporter) -> tuple[Trainer, History]:
    with telling(place):
        place.mkdir(parents=True, exist_ok=True)
    recipe, log = prepared.recipe, place / "log.jsonl"
    trainer = Trainer(
        new_model(prepared, seed),
        prepared.task,
        prepared.train,
        prepared.valid,
        replace(recipe.training, seed=seed, seeds=1),
        recipe.optimizer,
        folder=place,
        callbacks=(Log(log), reporter),
    )
    assert trainer.checkpoints is not None
    history = trainer.resume() if trainer.checkpoints.numbers() else trainer.fit()
    with telling(log):  # whole, however often the training was interrupted
        write_atomically(log, b"".join(json.dumps(row).encode() + b"\n" for row in history.rows))
    return trainer, history


def _better(history: History, other: History, higher_is_better: bool) -> bool:
    """Whether a training ended with a better number on the validation part than another."""
    value, rival = (_watched(one) for one in (history, other))
    if math.isnan(value) or math.isnan(rival):
        return math.isnan(rival) and not math.isnan(value)
    return value > rival if higher_is_better else value < rival


def _watched(history: History) -> float:
    if not history.best_epoch:
        return math.nan
    value = history.rows[history.best_epoch - 1]["watched"]
    return math.nan if value is None else float(value)


def new_model(prepared: Prepared, seed: int) -> nn.Module:
    """The model with its first weights, which follow from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(prepared.task.spec, prepared.recipe.model, prepared.recipe.task)
