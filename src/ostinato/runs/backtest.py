"""backtest: the recipe of a forecaster trained anew at several points in time, each tested on what came next."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import polars as pl

from ostinato.errors import UsageError
from ostinato.evaluation.words import amount, metric_name, rival_name
from ostinato.runs.folder import RunFolder
from ostinato.runs.pipeline import flat, resume, train
from ostinato.runs.recipe import Recipe
from ostinato.runs.reporter import Reporter
from ostinato.tasks import Forecast

MOST = 100
"""Trainings at most."""


@dataclass(frozen=True)
class Fold:
    """One training and its test.

    Args:
        run: the run folder of this training.
        first: time (or step) of the first value of the test part.
        last: of its last value.
        model: the watched metric of the model.
        rival: the best baseline.
        theirs: its metric.
        outcome: of the verdict.
    """

    run: str
    first: str
    last: str
    model: float
    rival: str
    theirs: float
    outcome: str


@dataclass(frozen=True)
class Backtest:
    """All folds, oldest first, and what they say together in a sentence."""

    metric: str
    folds: tuple[Fold, ...]
    text: str


def backtest(run: str | Path, folds: int = 5, *, reporter: Reporter | None = None) -> Backtest:
    """Walks forward: fold ``k`` of ``n`` is trained on what came before its test part, and knows nothing later.

    Each fold is a run of its own in ``RUN/backtest``; one that is there is not trained again, one that was stopped goes
    on. Besides, ``RUN/backtest/folds-n.json`` is written. Nothing is chosen by the folds, so none is looked at twice.

    Args:
        run: a run of a forecaster, whose recipe is used.
        folds: ``n``; their test parts follow each other up to the end of the data.
        reporter: is told what happens.

    Raises:
        UsageError: the run is no forecaster's, or has a test file, or the number makes no sense.
        DataError: the series do not go back so far.
    """
    folder = RunFolder.open(run)
    recipe = Recipe.load(folder.recipe)
    if recipe.task.name != Forecast.name:
        raise UsageError(f"a backtest is for forecasts; set data.fold=1/{folds} to cross-validate '{recipe.task.name}'")
    if recipe.files.test or recipe.files.valid:
        raise UsageError("a backtest chooses the test parts itself: train the run without --test and --valid first")
    if not 2 <= folds <= MOST:
        raise UsageError(f"a backtest has 2 to {MOST} folds, not {folds}")
    found = []
    for number in range(1, folds + 1):
        place = RunFolder(folder.path / "backtest" / f"{number}-of-{folds}")
        if place.recipe.is_file():
            resume(place.path, reporter=reporter)
        else:
            place.path.parent.mkdir(exist_ok=True)
            chosen = flat(recipe) | {"data.fold": f"{number}/{folds}"}
            train(recipe.files.data, chosen, place.path, reporter=reporter)
        found.append(_fold(place))
    result = Backtest(Forecast.watch, tuple(found), _told(found))
    folder.write_json(folder.path / "backtest" / f"folds-{folds}.json", asdict(result))
    return result


def _fold(place: RunFolder) -> Fold:
    metrics, key = place.read_json(place.metrics), Forecast.watch
    rivals = {name: _number(row.get(key)) for name, row in metrics["test"]["baselines"].items()}
    best = min(rivals, key=lambda name: rivals[name])
    rows = pl.read_parquet(place.predictions)
    clock = rows["time" if "time" in rows.columns else "step"]
    ordered = clock.sort()
    spoken = ordered.dt.strftime("%Y-%m-%d") if clock.dtype.is_temporal() else ordered.cast(pl.String)
    first, last = spoken[0], spoken[-1]
    value = _number(metrics["test"]["model"].get(key))
    return Fold(str(place.path), first, last, value, best, rivals[best], str(metrics["outcome"]))


def _number(value: float | None) -> float:
    return float("inf") if value is None else float(value)


def _told(folds: list[Fold]) -> str:
    """How the folds went, in words."""
    key, count = Forecast.watch, len(folds)
    better = sum(one.model < one.theirs for one in folds)
    sure = sum(one.outcome == "beats" for one in folds)
    usual = max({one.rival for one in folds}, key=[one.rival for one in folds].count)
    text = (
        f"{metric_name(key)} {amount(key, mean(one.model for one in folds))} on average of {count} folds, the best "
        f"baseline of each {amount(key, mean(one.theirs for one in folds))} (most often {rival_name(usual)}). Better "
        f"than it in {better} of {count}, beyond chance in {sure}."
    )
    return text if sure else f"{text} Nothing here says that the model is worth more than {rival_name(usual)}."
