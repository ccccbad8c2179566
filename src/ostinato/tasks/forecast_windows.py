"""Windows: a look-back and what followed it, for every channel of every series, cut on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.errors import DataError
from ostinato.sequences import Ragged
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.forecast_series import Series, fill_forward


@dataclass(frozen=True)
class WindowBatch(Batch):
    """A batch of windows, scaled: ``z = (x - level) / scale``.

    ``inputs`` ``(N, 1 [+ 1 missing] [+ P seen])``; ``targets`` ``(B, horizon)``, NaN where there is nothing to learn;
    ``known`` ``(B, look_back + horizon, K)``, zeros before a series begins.

    Args:
        level: ``(B,)`` float64, the last value before the forecast.
        scale: ``(B,)`` float64, see :func:`spread`; 0 for a constant series, whose forecast is its level.
    """

    level: Tensor | None = None
    scale: Tensor | None = None


@dataclass(frozen=True)
class WindowExamples:
    """Windows of a panel of series; each forecasts one channel.

    Args:
        panel: the series.
        series: ``(W,)`` which series.
        channel: ``(W,)`` which of its channels.
        origin: ``(W,)`` first step that is forecast.
        look_back: most steps before it that are seen.
        horizon: steps forecast.
        mask: whether a channel says which values were filled.
    """

    panel: Panel
    series: np.ndarray
    channel: np.ndarray
    origin: np.ndarray
    look_back: int
    horizon: int
    mask: bool = False

    @property
    def lengths(self) -> Tensor:
        """Steps each window sees."""
        return torch.from_numpy(np.minimum(self.origin, self.look_back))

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, index: Tensor) -> WindowBatch:
        """The windows ``index`` ``(B,)``.

        Raises:
            DataError: a step to forecast lacks a value that must be known ahead.
        """
        rows = index.numpy()
        series, channel, origin = self.series[rows], self.channel[rows], self.origin[rows]
        panel = self.panel
        steps = origin[:, None] + np.arange(-self.look_back, 0)
        there = steps >= 0
        places = panel.places(series, np.maximum(steps, 0))
        level, scale = self.level(rows), panel.scale[series, channel]
        shrink = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        z = (panel.filled[places, channel[:, None]] - level[:, None]) * shrink[:, None]
        features = [z[..., None]]
        if self.mask:
            features.append(panel.missing[places, channel[:, None]][..., None])
        if panel.seen.shape[1]:
            last = panel.seen[panel.places(series, origin - 1)][:, None]
            features.append((panel.seen[places] - last) * panel.seen_shrink[series][:, None])
        inputs = np.concatenate(features, axis=-1, dtype=np.float32, casting="same_kind")[there]
        truth = (self.truth(rows) - level[:, None]) * shrink[:, None]
        return WindowBatch(
            inputs=Ragged(torch.from_numpy(inputs), torch.from_numpy(there.sum(axis=1))),
            index=index,
            static=self._static(series, channel),
            targets=torch.from_numpy(truth.astype(np.float32)) if np.isfinite(truth).any() else None,
            known=self._known(series, origin),
            level=torch.from_numpy(level),
            scale=torch.from_numpy(scale),
        )

    def level(self, rows: np.ndarray | None = None) -> np.ndarray:
        """``(B,)``: the last value before each forecast, in the series' own units."""
        rows = np.arange(len(self)) if rows is None else rows
        places = self.panel.places(self.series[rows], self.origin[rows] - 1)
        level: np.ndarray = self.panel.filled[places, self.channel[rows]]
        return level

    def truth(self, rows: np.ndarray | None = None) -> np.ndarray:
        """``(B, horizon)``: what happened, NaN where nobody knows."""
        rows = np.arange(len(self)) if rows is None else rows
        steps = self.origin[rows][:, None] + np.arange(self.horizon)
        inside = steps < self.panel.lengths[self.series[rows]][:, None]
        places = self.panel.places(self.series[rows], np.where(inside, steps, 0))
        return np.where(inside, self.panel.values[places, self.channel[rows][:, None]], np.nan)

    def history(self, row: int) -> np.ndarray:
        """Everything before the forecast of window ``row``, filled forward, not only the look-back."""
        first = int(self.panel.offsets[self.series[row]])
        history: np.ndarray = self.panel.filled[first : first + int(self.origin[row]), self.channel[row]]
        return history

    def select(self, rows: np.ndarray) -> WindowExamples:
        """The windows ``rows`` in that order."""
        return replace(self, series=self.series[rows], channel=self.channel[rows], origin=self.origin[rows])

    def _static(self, series: np.ndarray, channel: np.ndarray) -> Tensor | None:
        """Which channel it is, and what its series is throughout."""
        count, whole = self.panel.statics, self.panel.whole
        named = [torch.from_numpy(np.eye(count, dtype=np.float32)[channel])] if count else []
        described = [] if whole is None else [whole[torch.from_numpy(series)]]
        return torch.cat([*named, *described], dim=1) if named or described else None

    def _known(self, series: np.ndarray, origin: np.ndarray) -> Tensor | None:
        known = self.panel.known
        if not known.shape[1]:
            return None
        steps = origin[:, None] + np.arange(-self.look_back, self.horizon)
        places = self.panel.known_offsets[series][:, None] + np.maximum(steps, 0)
        taken = np.where((steps >= 0)[..., None], known[places], np.float32(0))
        lacking: np.ndarray = np.isnan(taken).any(axis=2).sum(axis=1)
        if lacking.any():
            row = int(lacking.argmax())
            name = self.panel.names[series[row]]
            raise DataError(
                f"series '{name}': {lacking[row]} of the {self.horizon} steps to forecast lack what the model must "
                "know ahead (task.known); add rows with these values and no target"
            )
        return torch.from_numpy(taken)


@dataclass(frozen=True)
class Panel:
    """Series of ``C`` channels laid end to end (``S`` steps of all), with what scales them.

    Args:
        names: of the series.
        values: ``(S, C)``, NaN where missing.
        filled: ``(S, C)``, missing values filled forward.
        missing: ``(S, C)`` 1 where a value is missing, 0 elsewhere.
        seen: ``(S, P)``, filled.
        known: ``(S', K)`` float32, scaled; each series has ``horizon`` rows beyond its end.
        offsets: ``(B + 1,)``, where each series begins.
        known_offsets: ``(B,)``, where each begins in ``known``.
        scale: ``(B, C)`` :func:`spread` of each channel over the steps before ``trained``.
        seen_shrink: ``(B, P)``, one over the scale of each seen channel, 0 where it is constant.
        start: ``(B,)`` first step that is forecast; of a training part and of a history, its end.
        trained: ``(B,)`` first step that is not for training; where there is none for training, ``start``.
        channels: names of the channels.
        statics: length of the one-hot vector that names the channel; 0: none.
        times: of each series, or None.
        whole: ``(B, S)``, what each series is throughout (see :class:`~ostinato.data.static.Static`), or None.
    """

    names: tuple[str, ...]
    values: np.ndarray
    filled: np.ndarray
    missing: np.ndarray
    seen: np.ndarray
    known: np.ndarray
    offsets: np.ndarray
    known_offsets: np.ndarray
    scale: np.ndarray
    seen_shrink: np.ndarray
    start: np.ndarray
    trained: np.ndarray
    channels: tuple[str, ...]
    statics: int
    times: tuple[np.ndarray | None, ...]
    whole: Tensor | None = None

    @classmethod
    def of(
        cls,
        series: Sequence[Series],
        known: Sequence[np.ndarray],
        channels: tuple[str, ...],
        statics: int,
        horizon: int,
        whole: Tensor | None = None,
    ) -> Panel:
        """From series, the scaled covariates known ahead of each ``(T + horizon, K)``, and what each is throughout."""
        trained = np.array([s.trained or s.start or s.ends for s in series], dtype=np.int64)
        values, seen = np.concatenate([s.values for s in series]), np.concatenate([s.seen for s in series])
        offsets = np.cumsum([0] + [len(s) for s in series])
        seen_scale = spread(seen, horizon, offsets, trained)
        seen_shrink = np.divide(1.0, seen_scale, out=np.zeros_like(seen_scale), where=seen_scale > 0)
        return cls(
            names=tuple(s.name for s in series),
            values=values,
            filled=fill_forward(values, offsets),
            missing=np.isnan(values).astype(np.float32),
            seen=fill_forward(seen, offsets),
            known=np.concatenate(known).astype(np.float32),
            offsets=offsets,
            known_offsets=np.cumsum([0] + [len(k) for k in known])[:-1],
            scale=spread(values, horizon, offsets, trained),
            seen_shrink=seen_shrink,
            start=np.array([s.start or s.ends for s in series], dtype=np.int64),
            trained=trained,
            channels=channels,
            statics=statics,
            whole=whole,
            times=tuple(s.times for s in series),
        )

    @property
    def lengths(self) -> np.ndarray:
        """``(B,)`` steps of each series."""
        return np.diff(self.offsets)

    def places(self, series: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Rows of ``values`` of the steps ``(B,)`` or ``(B, n)`` of the series ``(B,)``."""
        first = self.offsets[series]
        places: np.ndarray = (first if steps.ndim == 1 else first[:, None]) + steps
        return places

    def history(self, series: int, channel: int) -> np.ndarray:
        """The steps before the forecast starts, NaN where missing."""
        first = int(self.offsets[series])
        return self.values[first : first + int(self.start[series]), channel]

    def training(self, series: int, channel: int) -> np.ndarray:
        """The steps for training, NaN where missing."""
        return self.history(series, channel)[: int(self.trained[series])]


def spread(
    values: np.ndarray, horizon: int, offsets: np.ndarray | None = None, steps: np.ndarray | None = None
) -> np.ndarray:
    """How far each channel of each of ``B`` series moves within a horizon; ``(B, C)``, 0 for a constant channel.

    The root of the mean of ``(x[t + k] - x[t])²`` over all ``t`` and over ``k = 1, 2, 4, …`` up to the horizon. It
    grows with the changes that a forecast is about, not with the drift of decades as a standard deviation does, and is
    nearly the same for a short history of a series as for a long one.

    Args:
        values: ``(S, C)``, the series end to end.
        horizon: the longest ``k``.
        offsets: ``(B + 1,)``, where each begins; None: they are one.
        steps: ``(B,)``, the first steps of each that are looked at; None: all.
    """
    offsets = np.array([0, len(values)]) if offsets is None else offsets
    first, steps = offsets[:-1], np.diff(offsets) if steps is None else steps
    total, count = np.zeros((2, len(first), values.shape[1]))
    lag = 1
    while lag <= horizon and lag < len(values):
        change = values[lag:] - values[:-lag]
        there = np.isfinite(change)
        squares, known = (_sums(part, first, steps - lag) for part in (np.where(there, change, 0.0) ** 2, there))
        total += np.divide(squares, known, out=np.zeros_like(total), where=known > 0)
        count += known > 0
        lag *= 2
    spreads = np.sqrt(total / np.maximum(count, 1))
    size = _sums(np.where(np.isfinite(values), np.abs(values), 0.0), first, steps, np.maximum)
    return np.where(spreads > 1e-10 * size, spreads, 0.0)


def _sums(values: np.ndarray, first: np.ndarray, steps: np.ndarray, adds: np.ufunc = np.add) -> np.ndarray:
    """``(B, C)``: the sum (or what ``adds`` does) of ``steps`` rows of ``values`` from each ``first``; 0 of none."""
    found = np.zeros((len(first), values.shape[1]))
    some = steps > 0
    if some.any():
        cuts = np.stack([first[some], first[some] + steps[some]], axis=1).ravel()
        padded = np.concatenate([values, np.zeros((1, values.shape[1]))])
        found[some] = adds.reduceat(padded, cuts, axis=0)[::2]
    return found


def dependence_of(examples: WindowExamples) -> tuple[Dependence, ...]:
    """How windows hang together: within a series, and between series that share a clock.

    Windows of a series whose origins are less than a horizon apart forecast some of the same steps, and what is hard
    for one channel at a time is hard for the others. Where several series tell their times, so it is with all of them.
    """
    within = Dependence(examples.series, examples.origin, examples.horizon)
    times = examples.panel.times
    if len(times) < 2 or not len(examples) or any(one is None for one in times):
        return (within,)
    last = np.array([times[s][o - 1] for s, o in zip(examples.series, examples.origin, strict=True)])
    clock, place = np.unique(last, return_inverse=True)
    # Series that tick in turns, or one after the other, share a clock with more places than each has.
    own = np.unique(np.stack([examples.series, examples.origin]), axis=1)[0]
    ticks = -(-len(clock) // int(np.bincount(own).max()))
    return (within, Dependence(np.zeros(len(examples), dtype=np.int64), place, ticks * examples.horizon))


Windows = tuple[np.ndarray, np.ndarray, np.ndarray]


def windows_of(series: Sequence[Series], channels: int, horizon: int, least: int) -> Windows:
    """Series, channel and origin ``(W,)`` of every window, series by series, channel by channel, by time.

    A series that starts at ``k > 0`` gives all windows that lie wholly between ``k`` and its end; one that starts at 0
    (training) all that see at least ``least`` steps, or as many as it allows; one without a start gives the single
    window after its last observed step. Windows that see no value, or of which no target is known, are left out.
    """
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number, one in enumerate(series):
        there = np.isfinite(one.values)
        begins = np.where(there.any(axis=0), there.argmax(axis=0), len(one))
        known = np.concatenate([np.zeros((1, channels), dtype=np.int64), there.cumsum(axis=0)])
        if one.start is None:
            origins = np.array([one.ends])
        else:
            first = one.start or max(1, min(least, len(one) - horizon))
            origins = np.arange(first, len(one) - horizon + 1, one.every if one.start else 1)
        for channel in range(channels):
            kept = origins[origins > begins[channel]]
            if one.start is not None:
                kept = kept[known[kept + horizon, channel] > known[kept, channel]]
            found.append((np.full(len(kept), number), np.full(len(kept), channel), kept))
    numbers, places, origins = (np.concatenate(parts).astype(np.int64) for parts in zip(*found, strict=True))
    return numbers, places, origins
