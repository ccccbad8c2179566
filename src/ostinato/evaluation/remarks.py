"""remarks: what should be said beside the verdict: what trading would have earned, what bands can promise."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from scipy import stats

from ostinato.data.examples import Examples
from ostinato.evaluation.interval import dependent_interval
from ostinato.evaluation.words import amount
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_bands import apart, moments
from ostinato.tasks.forecast_trading import called, trades
from ostinato.tasks.forecast_windows import WindowExamples


def remarks(task: Task, outputs: Outputs, valid: Examples, test: Examples) -> tuple[str, ...]:
    """Sentences on the outputs of ``task`` on the test part; of most tasks none."""
    if not isinstance(task, Forecast) or not isinstance(test, WindowExamples):
        return ()
    found: list[str] = []
    if task.transform.kind == "returns":
        found += [_direction(task, outputs, test), _trading(task, outputs, test)]
    if task.shifts and isinstance(valid, WindowExamples):
        found.append(_bands(task, valid))
    return tuple(found)


def wilson(share: float, count: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of ``count`` trials (Wilson 1927).

    ``(p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)``, ``z`` being 1.96 for 95 %.

    Args:
        share: ``p``.
        count: ``n``, above 0.
        level: of the interval.
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def _direction(task: Forecast, outputs: Outputs, test: WindowExamples) -> str:
    right = called(outputs["forecast"], test)
    known = np.isfinite(right)
    if not known.any():
        return "Direction: no move was called, since every forecast is the last price."
    share = float(right[known].mean())
    count = moments(test.select(np.flatnonzero(known)))
    low, high = wilson(share, count)
    went = test.truth()[known, -1] > test.level()[known]
    usual = max(float(went.mean()), 1 - float(went.mean()))
    says = "up" if went.mean() >= 0.5 else "down"
    text = (
        f"Direction: {_share(share)} of the moves over {_steps(task.horizon)} were called right (95 % interval "
        f"{_share(low, bare=True)} to {_share(high)}, of {count:,} moves that share no step); "
        f"always saying {says} is right in {_share(usual)}"
    )
    return f"{text}." if low > usual else f"{text}, so no skill is shown."


def _trading(task: Forecast, outputs: Outputs, test: WindowExamples) -> str:
    """What the strategy earned, and whether that differs from holding by more than chance."""
    mine = trades(outputs["forecast"], test, task.costs)
    earned, held = mine.earned(), mine.holding.earned()
    places, place = np.unique(mine.period, return_inverse=True)
    size = np.bincount(place)
    mean_earned, mean_held = (np.bincount(place, values) / size for values in (earned, held))
    track = Dependence(np.zeros(len(places), dtype=np.int64), places)
    difference, low, high = dependent_interval(mean_earned, mean_held, track)
    text = (
        f"Trading: held over {_steps(task.horizon)} where a rise was forecast, else not, at {task.costs:g} basis "
        f"points a trade: {_signed(mine.profit())}; holding throughout: {_signed(mine.holding.profit())}"
    )
    if not np.isfinite(low):
        return f"{text}. There are too few periods to tell these apart."
    text += f" (a period {_signed(difference)}, 95 % interval {_signed(low, bare=True)} to {_signed(high)})"
    if low > 0:
        return f"{text}: more than holding by more than chance, in this test part."
    return f"{text}: {'less than holding' if high < 0 else 'this cannot be told apart from holding'}."


def _bands(task: Forecast, valid: WindowExamples) -> str:
    """How many windows stand behind the bands, and whether they are enough for their level."""
    count, times = apart(valid), moments(valid)
    top = max(*task.quantiles, 1 - min(task.quantiles))
    windows = "one window" if len(valid) == 1 else f"{len(valid):,} windows"
    text = f"Bands: moved by {windows} of the validation part, {count:,} of which share no step"
    text += f", at {times:,} times" if times < count else ""
    least = ceil(round(top / (1 - top), 9))
    if count < least:
        return f"{text}; to promise a quantile of {top:g} takes {least}, so they reach to the largest error seen."
    return f"{text}; what they promise holds while the series behave as in that part."


def _steps(horizon: int) -> str:
    return "one step" if horizon == 1 else f"{horizon} steps"


def _share(value: float, *, bare: bool = False) -> str:
    return amount("direction", value, bare=bare)


def _signed(value: float, *, bare: bool = False) -> str:
    return ("+" if value > 0 else "") + amount("profit", value, bare=bare)
