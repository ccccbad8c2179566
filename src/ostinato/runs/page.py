"""page: what stands in a run's report: its numbers, pictures and samples, chosen by what the task answers."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator

import numpy as np
import polars as pl
import torch

from ostinato import plots
from ostinato.decoding import Sampling, continuation, samples
from ostinato.decoding.written import looked
from ostinato.evaluation.baselines import NAMES
from ostinato.evaluation.seeds import spread
from ostinato.evaluation.words import metric_name, rival_name
from ostinato.models import describe
from ostinato.models.describe import CELLS
from ostinato.runs.folder import RunFolder
from ostinato.runs.learn import Learned
from ostinato.runs.page_alarms import rung, strangest
from ostinato.runs.prepare import Prepared
from ostinato.runs.report import Picture, Report, Results, Sample, Sheet, report
from ostinato.runs.result import Result
from ostinato.tasks import Classify, Detect, Forecast, Language, Music, Signal, Tag
from ostinato.tasks.base import target_array
from ostinato.tasks.labels import best
from ostinato.version import __version__

SHOWN = 10
"""Examples of the worst answers."""
FANS = 3
"""Forecasts that are drawn."""
TUNES, GIVEN = 2, 64
"""Tunes whose continuation is drawn, and most steps of each that are given."""
STRETCH = 400
"""Steps of a signal that are drawn."""
LOOKS = 3
"""Answers whose attention is drawn."""
BEFORE = 4
"""Horizons of history before a forecast that is drawn."""


def page(prepared: Prepared, learned: Learned, result: Result, folder: RunFolder, seconds: float) -> str:
    """``report.html``: one file that needs no network."""
    recipe, task = prepared.recipe, prepared.task
    division = prepared.division
    parts = "train {}, valid {}, test {}".format(*prepared.sizes)
    over = spread(list(result.seeds.values()))
    return report(
        Report(
            title=f"{folder.path.name}: {task.name}",
            verdict=result.verdict.text,
            outcome=result.verdict.outcome,
            understood=(
                ("data", recipe.files.data),
                ("understood as", task.describe(division.train)),
                ("task", f"{task.name} ({prepared.reason})"),
                ("mapping", task.mapping),
                ("split", parts),
            ),
            notes=(*result.remarks, *prepared.notes),
            results=Results(
                model=result.metrics,
                baselines={NAMES.get(name, name): row for name, row in result.baseline_metrics.items()},
                watch=task.watch,
                name=CELLS[recipe.model.cell],
                sd={key: one.sd for key, one in over.items()} if len(result.seeds) > 1 else {},
                seeds=len(result.seeds),
            ),
            pictures=tuple(pictures(prepared, learned, result)),
            samples=tuple(written(prepared, learned)),
            sheets=tuple(worst(prepared, result)),
            model=describe(learned.model),
            recipe=folder.recipe.read_text(encoding="utf-8"),
            environment=(
                ("ostinato", __version__),
                ("torch", torch.__version__),
                ("python", platform.python_version()),
                ("machine", f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"),
                ("seed", str(learned.seed)),
                *((("measured by", task.measure),) if task.measure else ()),
                ("seconds", f"{seconds:.0f}"),
            ),
        )
    )


def pictures(prepared: Prepared, learned: Learned, result: Result) -> Iterator[Picture]:
    """Learning curves, what the task's answers look like, and the memory profile."""
    task = prepared.task
    yield _curves(prepared, learned)
    values = {rival_name(name): (row[task.watch], math.nan, math.nan) for name, row in result.baseline_metrics.items()}
    mine = {CELLS[prepared.recipe.model.cell]: (result.metrics[task.watch], math.nan, math.nan)}
    if any(math.isfinite(value) for value, _, _ in (*values.values(), *mine.values())):
        label = metric_name(task.watch)
        bars = plots.baselines(mine, values, label=label, higher_is_better=task.higher_is_better)
        yield Picture("Beside its baselines", bars)
    if isinstance(task, Classify | Tag):
        yield _confusion(prepared, result)
    if isinstance(task, Forecast):
        yield from _fans(prepared, result)
    if isinstance(task, Music):
        yield from _tunes(prepared, learned)
    if isinstance(task, Signal):
        yield from _waves(prepared, result)
    if isinstance(task, Detect):
        yield from rung(task, prepared.division.test, result.outputs)
    yield from _looks(prepared, learned)
    memory = result.memory
    svg = plots.memory(memory.lags.tolist(), memory.influence.tolist(), half=memory.half, reach=memory.reach)
    yield Picture("How far back it looks", svg, memory.text)


def _curves(prepared: Prepared, learned: Learned) -> Picture:
    rows = learned.history.rows
    valid = [_number(row["metrics"].get("loss")) for row in rows if row["metrics"]]
    watched = [_number(row["watched"]) for row in rows]
    task = prepared.task
    svg = plots.learning_curves(
        [_number(row["loss"]) for row in rows],
        valid,
        best=learned.history.best_epoch,
        metric=watched if valid else (),
        metric_label=metric_name(prepared.recipe.training.watch or task.watch),
    )
    told = {
        "epochs": "all epochs were done",
        "minutes": "the minutes were spent",
        "patience": "patience was at its end",
    }
    return Picture("Learning", svg, f"Training ended because {told[learned.history.stopped]}.")


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _confusion(prepared: Prepared, result: Result) -> Picture:
    task = prepared.task
    assert isinstance(task, Classify | Tag)
    names = task.labels.names
    truth, answer = target_array(prepared.test), best(result.outputs)
    known = truth >= 0
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (truth[known], answer[known]), 1)
    return Picture("What is taken for what", plots.confusion(counts, names), "Rows are the truth, columns the answers.")


def _fans(prepared: Prepared, result: Result) -> Iterator[Picture]:
    """The last window of the first few series and channels."""
    task, test = prepared.task, prepared.test
    assert isinstance(task, Forecast)
    seen: set[tuple[int, int]] = set()
    for row in reversed(range(len(test))):
        track = int(test.series[row]), int(test.channel[row])  # type: ignore[attr-defined]
        if track in seen:
            continue
        seen.add(track)
        name = f"{test.panel.names[track[0]]} {test.panel.channels[track[1]]}"  # type: ignore[attr-defined]
        told = task.transform.told
        rivals = {NAMES.get(key, key): told(value["forecast"][row]).tolist() for key, value in result.baselines.items()}
        history = told(test.history(row)[-BEFORE * task.horizon :]).tolist()  # type: ignore[attr-defined]
        truth = told(test.truth(np.array([row]))[0]).tolist()  # type: ignore[attr-defined]
        quantiles = told(result.outputs["quantiles"][row])
        svg = plots.forecast_fan(history, quantiles, task.quantiles, truth, name=name, rivals=rivals)
        yield Picture(f"Forecast of {name}", svg)
        if len(seen) == FANS:
            return


def _tunes(prepared: Prepared, learned: Learned) -> Iterator[Picture]:
    """How the model goes on with the first test tunes after their first half, or first steps."""
    task = prepared.task
    assert isinstance(task, Music)
    tunes = task.tunes(prepared.division.test)
    rows = [row for row, length in enumerate(tunes.lengths.tolist()) if length > 1][:TUNES]
    for row in rows:
        whole = tunes.take(torch.tensor([row])).values
        given = whole[: min(GIVEN, (len(whole) + 1) // 2)]
        played = continuation(learned.model, task, given, length=GIVEN, sampling=Sampling(), seed=learned.seed)
        keys = np.concatenate([given.numpy() > 0, played])
        svg = plots.piano_roll(keys, task.keys, given=len(given), title=f"Test tune {row + 1} and its continuation")
        told = f"Blue is the beginning of test tune {row + 1}; after the line the model plays (temperature 1)."
        yield Picture(f"How it goes on with test tune {row + 1}", svg, told)


def _waves(prepared: Prepared, result: Result) -> Iterator[Picture]:
    """The stretch of the test part where most is going on, beside the best baseline."""
    task, name = prepared.task, prepared.recipe.model.cell
    truth = task.scale_out.decode(target_array(prepared.test))[:, 0]  # type: ignore[attr-defined]
    lengths = prepared.test.lengths.numpy()
    for row in np.flatnonzero(lengths)[:1].tolist():
        first = int(lengths[:row].sum())
        loud = np.nan_to_num(np.abs(truth[first : first + lengths[row]]))
        sums = np.convolve(loud, np.ones(min(STRETCH, len(loud))), "valid")
        place = int(sums.argmax())
        part = slice(first + place, first + place + min(STRETCH, len(loud)))
        best = result.verdict.best
        rivals = {NAMES.get(best, best): result.baselines[best]["value"][part, 0]} if best else {}
        answers = {CELLS[name]: result.outputs["value"][part, 0], **rivals}
        svg = plots.waves(truth[part], answers, start=place + 1, title="A stretch of a test signal")
        yield Picture(f"Test signal {row + 1}", svg, f"{STRETCH} steps at most, where the signal is loudest.")


def _looks(prepared: Prepared, learned: Learned) -> Iterator[Picture]:
    """What the first answers looked at, where a model looks back at what it read."""
    for row in range(min(LOOKS, len(prepared.test))):
        seen = looked(learned.model, prepared.task, prepared.test, row)
        if seen is not None and seen.source:
            svg = plots.attention(seen.shares, seen.source, seen.symbols)
            yield Picture(
                f"What answer {row + 1} looked at", svg, "Each row is a written symbol; its squares add up to 1."
            )


def written(prepared: Prepared, learned: Learned) -> Iterator[Sample]:
    """What a language model writes, of each of the first labels of its condition."""
    task = prepared.task
    if not isinstance(task, Language):
        return
    columns = task.condition.columns
    if not columns:
        sampling = Sampling(0.8)
        for text in samples(learned.model, task, length=400, sampling=sampling, seed=learned.seed, count=2):
            yield Sample("Temperature 0.8, no prompt", text)
        return
    if len(columns) > 1 or columns[0].scaler is not None:
        return
    for label in columns[0].labels[:SHOWN]:
        texts = samples(learned.model, task, length=60, condition={columns[0].name: label}, seed=learned.seed, count=8)
        yield Sample(f"{columns[0].name} {label}", ", ".join(texts))


def worst(prepared: Prepared, result: Result) -> Iterator[Sheet]:
    """The surest wrong answers of a classifier, the largest errors of a regression, the worst of written texts."""
    from ostinato.runs.reading import beside

    task, table = prepared.task, prepared.division.test
    if isinstance(task, Detect):
        yield strangest(task, table, result.outputs)
        return
    frame = beside(table, task.frame(result.outputs, table), prepared.recipe.data.target)
    if not {"truth", "prediction"} <= set(frame.columns):
        return
    if "probability" in frame.columns:
        wrong = frame.filter(pl.col("truth") != pl.col("prediction")).sort("probability", descending=True)
        title = "Surest wrong answers"
    elif frame["prediction"].dtype.is_numeric():
        wrong = frame.sort((pl.col("truth") - pl.col("prediction")).abs(), descending=True, nulls_last=True)
        title = "Largest errors"
    else:
        scored = frame.with_columns(pl.Series("score", task.scores(result.outputs, prepared.test)))
        ordered = scored.sort("score", descending=not task.higher_is_better, maintain_order=True).drop("score")
        wrong = ordered.filter(pl.col("truth") != pl.col("prediction"))
        title = "Furthest from the truth"
    columns = [name for name in wrong.columns if not name.startswith("p(")]
    if wrong.height:
        yield Sheet(title, columns, wrong.select(columns).head(SHOWN).rows())
