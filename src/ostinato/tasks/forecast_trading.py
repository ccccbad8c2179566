"""Trading: what acting on forecasts of prices would have earned, beside holding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.tasks.forecast_windows import WindowExamples


@dataclass(frozen=True)
class Trades:
    """One position a period of a horizon, of every channel of every series; periods follow each other without overlap.

    Args:
        track: ``(n,)`` which series and channel.
        period: ``(n,)`` the place of the period on it, from 0.
        held: ``(n,)`` 1 where the price was held, 0 where not.
        returns: ``(n,)`` of the price over the period, as logarithms; of days without a price the last one counts.
        cost: of a purchase or a sale, as a logarithm (negative).
    """

    track: np.ndarray
    period: np.ndarray
    held: np.ndarray
    returns: np.ndarray
    cost: float

    @property
    def holding(self) -> Trades:
        """The same periods, always held."""
        return Trades(self.track, self.period, np.ones_like(self.held), self.returns, self.cost)

    def earned(self) -> np.ndarray:
        """``(n,)`` logarithm of what a period multiplied the money by: its return if held, less the costs.

        A purchase is paid in the period that it opens, the last sale in the last period.
        """
        before = np.where(self.period > 0, np.roll(self.held, 1), 0.0)
        last = np.append(self.track[1:] != self.track[:-1], True)
        changes = np.abs(self.held - before) + np.where(last, self.held, 0.0)
        earned: np.ndarray = self.held * self.returns + self.cost * changes
        return earned

    def profit(self) -> float:
        """What equal sums in all tracks had earned at the end, as a share: 0.1 is 10 %; NaN without trades."""
        if not len(self.track):
            return float("nan")
        tracks, place = np.unique(self.track, return_inverse=True)
        return float(np.exp(np.bincount(place, self.earned(), len(tracks))).mean() - 1)


def trades(forecast: np.ndarray, examples: WindowExamples, costs: float) -> Trades:
    """Held over a horizon where the forecast of its last step lies above the last price, else not (long or flat).

    Args:
        forecast: ``(W, horizon)`` of logarithms of prices.
        examples: the windows.
        costs: of each purchase and each sale, in basis points of its size.
    """
    width = examples.panel.scale.shape[1]
    track = examples.series * width + examples.channel
    rows: list[int] = []
    periods: list[int] = []
    stop, now = 0, -1
    for row, (here, origin) in enumerate(zip(track.tolist(), examples.origin.tolist(), strict=True)):
        if here != now or origin >= stop:
            periods.append(0 if here != now else periods[-1] + 1)
            rows.append(row)
            now, stop = here, origin + examples.horizon
    chosen = np.array(rows, dtype=np.int64)
    level, panel = examples.level(chosen), examples.panel
    ends = panel.places(examples.series[chosen], examples.origin[chosen] + examples.horizon - 1)
    return Trades(
        track=track[chosen],
        period=np.array(periods, dtype=np.int64),
        held=(forecast[chosen, -1] > level).astype(np.float64),
        returns=panel.filled[ends, examples.channel[chosen]] - level,
        cost=float(np.log1p(-costs / 1e4)),
    )


def called(forecast: np.ndarray, examples: WindowExamples) -> np.ndarray:
    """``(W,)``: 1 where the price went the way that was said by the end of the horizon, 0 where the other way.

    NaN where it did not move, nobody knows, or the forecast says that it stays.
    """
    said = np.sign(forecast[:, -1] - examples.level())
    went = np.sign(examples.truth()[:, -1] - examples.level())
    right: np.ndarray = np.where((said != 0) & (went != 0) & np.isfinite(went), said == went, np.nan)
    return right


def trading_metrics(forecast: np.ndarray, examples: WindowExamples, costs: float) -> dict[str, float]:
    """``direction``, the share of moves called right; ``profit`` of trading on it after costs; ``hold``, of holding."""
    right = called(forecast, examples)
    traded = trades(forecast, examples, costs)
    share = float(np.nanmean(right)) if np.isfinite(right).any() else float("nan")
    return {"direction": share, "profit": traded.profit(), "hold": traded.holding.profit()}
