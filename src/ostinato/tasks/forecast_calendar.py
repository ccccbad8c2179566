"""Calendar: what the clock tells about a step, before it comes: hour, weekday, day of the year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.tasks.forecast_season import steps_apart
from ostinato.tasks.forecast_series import Series

_DAY = np.timedelta64(1, "D").astype("timedelta64[ns]")
_CYCLES = {"hour": _DAY, "weekday": 7 * _DAY, "yearday": np.timedelta64(8766, "h").astype("timedelta64[ns]")}


def cycles_of(series: Sequence[Series], look_back: int = 0) -> tuple[str, ...]:
    """Which of ``hour`` (of the day), ``weekday`` and ``yearday`` say something that a model cannot see.

    A cycle must hold at least two steps; the series must go twice round, since a day of the year seen once is a date,
    not a season; and the look-back must not go round once, since then it shows what the clock says (on ETTh1, telling
    the hour and the weekday beside twelve days of history raised the error by 3 %).
    """
    step = steps_apart(series)
    if step is None:
        return ()
    span = max(s.times[len(s) - 1] - s.times[0] for s in series if s.times is not None and len(s))
    return tuple(name for name, cycle in _CYCLES.items() if max(2, look_back + 1) * step <= cycle and span >= 2 * cycle)


def calendar(times: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    """``(T, 2 * len(cycles))``: sine and cosine of the place in each cycle."""
    day = times.astype("datetime64[D]")
    hour = (times - day) / _DAY
    year = times.astype("datetime64[Y]")
    places = {
        "hour": hour,
        "weekday": ((day.astype(np.int64) + 3) % 7 + hour) / 7,  # 1 January 1970 was a Thursday
        "yearday": ((day - year.astype("datetime64[D]")).astype(np.float64) + hour) / 365.25,
    }
    angles = [2 * np.pi * places[name] for name in cycles]
    return np.stack([f(a) for a in angles for f in (np.sin, np.cos)], axis=1) if angles else np.empty((len(times), 0))


def go_on(times: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` times after ``(T,)``, in the same rhythm: steps of one size, whole months, or weekdays only."""
    if not count:
        return times[:0]
    last = times[-1] if len(times) else np.datetime64("1970-01-01", "ns")
    gaps = np.diff(times)
    step = np.timedelta64(int(np.median(gaps.astype(np.int64))), "ns") if len(gaps) else _DAY
    months = _months(times)
    if months:
        month = last.astype("datetime64[M]")
        ahead = month + months * np.arange(1, count + 1)
        length = (ahead + 1).astype("datetime64[D]") - ahead.astype("datetime64[D]")
        into = last - month.astype("datetime64[ns]")
        at_end = last.astype("datetime64[D]") + np.timedelta64(1, "D") == (month + 1).astype("datetime64[D]")
        days = length - np.timedelta64(1, "D") if at_end else np.minimum(into.astype("timedelta64[D]"), length - 1)
        clock = into - into.astype("timedelta64[D]")
        return np.asarray((ahead.astype("datetime64[D]") + days).astype("datetime64[ns]") + clock)
    if step == _DAY and len(times) > 10 and np.is_busday(times.astype("datetime64[D]")).all():
        day = last.astype("datetime64[D]")
        times_ahead = np.busday_offset(day, np.arange(1, count + 1)).astype("datetime64[ns]")
        return np.asarray(times_ahead + (last - day))
    return np.asarray(last + step * np.arange(1, count + 1))


def _months(times: np.ndarray) -> int:
    """How many whole months stand between steps; 0 where steps are no months."""
    gaps = np.diff(times.astype("datetime64[M]").astype(np.int64))
    if not len(gaps) or gaps.min() < 1 or gaps.min() != gaps.max():
        return 0
    days = times.astype("datetime64[D]")
    first = (days - times.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    ends = (days + 1).astype("datetime64[M]") > days.astype("datetime64[M]")
    return int(gaps[0]) if np.ptp(first) == 0 or ends.all() else 0
