"""compare: a verdict in words on a model beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ostinato.data.examples import Examples
from ostinato.evaluation.interval import Follow, dependent_interval, paired_interval, widen
from ostinato.evaluation.seeds import spread_of
from ostinato.evaluation.words import RIVALS, amount, metric_name, said
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.dependence import Dependence

Outcome = Literal["beats", "cannot be told apart from", "does not beat"]
MEMORYLESS = "feed_forward"


@dataclass(frozen=True)
class Duel:
    """A model against one baseline on the same examples.

    Args:
        name: of the baseline.
        outcome: decided by the interval alone: it lies above 0, holds 0, or lies below 0.
        difference: how much better the model is, in the units of the metric; positive is better, whichever way the
            metric runs.
        interval: of ``difference``, 95 %; NaN where there are too few examples to tell.
        averaged: whether the difference is that of the metric itself; else the mean difference a test example.
    """

    name: str
    outcome: Outcome
    difference: float
    interval: tuple[float, float]
    averaged: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the evidence allows to say.

    Args:
        text: two or three sentences.
        outcome: of the duel with the best baseline.
        best: the best baseline by the watched metric; empty without baselines.
        difference: to it, positive is better.
        interval: of the difference, 95 %.
        duels: with every baseline, in their order.
    """

    text: str
    outcome: Outcome
    best: str
    difference: float
    interval: tuple[float, float]
    duels: tuple[Duel, ...] = ()

    @property
    def beaten(self) -> bool:
        """Whether the best baseline is beaten."""
        return self.outcome == "beats"


def compare(
    task: Task,
    outputs: Outputs | Sequence[Outputs],
    baselines: Mapping[str, Outputs],
    examples: Examples,
    *,
    name: str = "the model",
    seed: int = 0,
) -> Verdict:
    """The verdict on ``outputs``, of one seed or of several, against those of the baselines, all on ``examples``.

    An example's score is averaged over the seeds; the interval then holds the chance in the test examples and in the
    seeds. Scores that hang together in time (``task.dependence``) are not taken as so many proofs.

    Args:
        task: its ``scores`` are compared, its ``watch`` is told.
        outputs: of the model on the test part; a list: one for each seed.
        baselines: outputs by name, on the same test part.
        examples: the test part, with targets.
        name: how the model is called in the text: ``the LSTM``.
        seed: of the bootstrap.

    Raises:
        ValueError: no outputs, or scores of unequal numbers.
    """
    runs = [outputs] if isinstance(outputs, Mapping) else list(outputs)
    if not runs:
        raise ValueError("there is nothing to compare: no outputs")
    scores = [task.scores(run, examples) for run in runs]
    values = [task.metrics(run, examples)[task.watch] for run in runs]
    rivals = {key: task.metrics(value, examples)[task.watch] for key, value in baselines.items()}
    ways = task.dependence(examples)
    duels = tuple(
        _duel(key, task, scores, values, (task.scores(baselines[key], examples), rivals[key]), ways, seed)
        for key in rivals
    )
    nothing = ""
    if not duels:
        nothing = f"{said(name)}: {_result(task, values)}. There was no baseline to compare with."
    elif not np.isfinite([*values, *rivals.values()]).any():
        what = f"{metric_name(task.watch)} has no value on this test part, where it would divide by 0"
        nothing = f"Nothing can be compared: {what}."
    if nothing:
        return Verdict(nothing, "cannot be told apart from", "", float("nan"), (float("nan"), float("nan")), duels)
    sign = 1.0 if task.higher_is_better else -1.0
    best = max(duels, key=lambda duel: np.nan_to_num(sign * rivals[duel.name], nan=-np.inf))
    sentences = [_first(name, task, values, rivals, best), *_second(task, rivals, duels, best)]
    return Verdict(" ".join(sentences), best.outcome, best.name, best.difference, best.interval, duels)


def _duel(
    key: str,
    task: Task,
    scores: Sequence[np.ndarray],
    values: Sequence[float],
    rival: tuple[np.ndarray, float],
    ways: Sequence[Dependence],
    seed: int,
) -> Duel:
    theirs, value = rival
    if any(len(score) != len(theirs) for score in scores):
        raise ValueError(f"the model and '{key}' were not scored on the same examples")
    mine = np.mean(scores, axis=0)
    usable = np.isfinite(mine) & np.isfinite(theirs)
    follow = _follows(scores[0], values[0], theirs, value) if usable.all() else None
    link: Follow = follow or np.asarray
    if ways:
        found = [dependent_interval(mine[usable], theirs[usable], way.take(usable), follow=link) for way in ways]
        difference, low, high = max(found, key=lambda one: np.nan_to_num(one[2] - one[1], nan=-1.0))
    else:
        difference, low, high = paired_interval(mine[usable], theirs[usable], follow=link, seed=seed)
    if follow is not None and len(scores) > 1:
        # The metric of the mean score is not the mean of the metrics where a root is taken.
        shift = float(np.mean(values)) - value - difference
        difference, low, high = difference + shift, low + shift, high + shift
    spread = spread_of([float(link(score[usable].mean())) for score in scores])
    low, high = widen(low, high, difference, spread.sd, spread.count)
    if not task.higher_is_better:
        difference, low, high = -difference, -high, -low
    outcome: Outcome = "beats" if low > 0 else "does not beat" if high < 0 else "cannot be told apart from"
    return Duel(key, outcome, difference, (low, high), averaged=follow is None)


def _follows(mine: np.ndarray, value: float, theirs: np.ndarray, rival: float) -> Follow | None:
    """How the watched metric follows from the mean score: directly, by a root, or in a way that is not known."""
    means, watched = np.array([mine.mean(), theirs.mean()]), np.array([value, rival])
    for follow in (np.asarray, _root):
        if np.allclose(follow(means), watched, rtol=1e-4, atol=1e-9):
            return follow
    return None


def _root(means: np.ndarray) -> np.ndarray:
    roots: np.ndarray = np.sqrt(np.maximum(means, 0.0))
    return roots


def _result(task: Task, values: Sequence[float]) -> str:
    """``accuracy 83.1 %``, or ``accuracy 83.1 ± 0.4 % over 5 seeds``."""
    spread = spread_of(values)
    if spread.count < 2:
        return f"{metric_name(task.watch)} {amount(task.watch, spread.mean)}"
    return f"{metric_name(task.watch)} {amount(task.watch, spread.mean, spread.sd)} over {spread.count} seeds"


def _first(name: str, task: Task, values: Sequence[float], rivals: Mapping[str, float], best: Duel) -> str:
    called = RIVALS.get(best.name, best.name)
    result, theirs = _result(task, values), amount(task.watch, rivals[best.name])
    if best.outcome == "beats":
        whom = called if len(rivals) == 1 else f"every baseline, the best of them being {called}"
        return f"{said(name)} beats {whom}: {result} against {theirs} ({_margin(task, best)})."
    if best.outcome == "does not beat":
        return (
            f"{said(name)} does not beat {called}: {result} against {theirs} ({_margin(task, best)}). "
            f"Use {called} instead: it is better here and simpler."
        )
    return (
        f"{said(name)} cannot be told apart from {called}: {result} against {theirs} ({_margin(task, best)}). "
        f"Unless more test data show otherwise, use {called}, which is simpler."
    )


def _margin(task: Task, duel: Duel) -> str:
    """``4.1 points better, 95 % interval 2.0 to 6.2``."""
    low, high = duel.interval
    what = "a difference" if duel.difference == 0 else "better" if duel.difference > 0 else "worse"
    size = amount(task.watch, abs(duel.difference), points=True)
    text = f"{size} {what}" if duel.difference else "no difference"
    text += " in the mean over test examples" if duel.averaged else ""
    if not np.isfinite(low + high):
        return f"{text}; too few test examples for an interval"
    if duel.difference < 0:
        low, high = -high, -low
    return f"{text}, 95 % interval {amount(task.watch, low, bare=True)} to {amount(task.watch, high, bare=True)}"


def _second(task: Task, rivals: Mapping[str, float], duels: Sequence[Duel], best: Duel) -> list[str]:
    """Whether the memory is worth anything: the duel with the network that has none."""
    duel = next((duel for duel in duels if duel.name == MEMORYLESS), None)
    if duel is None:
        return []
    theirs = amount(task.watch, rivals[MEMORYLESS])
    margin = "" if duel is best else f" ({theirs}; {_margin(task, duel)})"
    if duel.outcome == "beats":
        better = f"it is better than a network that sees the last steps but remembers nothing{margin}"
        if best.outcome == "beats":
            return [f"Its memory helps: {better}."]
        called = RIVALS.get(best.name, best.name)
        return [f"{said(better)}; but where {called} does as well or better, that is no proof of a memory."]
    if duel.outcome == "does not beat":
        return [f"Its memory does not help: a network that remembers nothing is better{margin}."]
    return [f"No use of its memory can be shown: a network that remembers nothing does as well{margin}."]
