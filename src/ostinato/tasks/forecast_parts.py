"""Parts: which steps of each series train, validate and test. Time runs forward: no part helps an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, gcd

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.split import fold_of
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.tasks.forecast_series import Layout, Series, cut_to, series_of, to_table
from ostinato.tasks.settings import TaskSettings

VALID_WINDOWS = 2048
"""Most windows of a validation part, which is forecast after every epoch; of more, every n-th origin is taken."""


@dataclass(frozen=True)
class SeriesParts:
    """Tables for :class:`~ostinato.tasks.forecast.Forecast`; a row is a series up to the end of the part.

    A part says from which step it is forecast; what stands before is history, which its windows look back on and from
    which its scales are taken. ``notes`` say how the series were cut.
    """

    train: Table
    valid: Table
    test: Table
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cut:
    """A series, and the steps at which its validation and its test begin; both 0: training does not know it."""

    series: Series
    valid: int
    test: int


def cut(
    table: Table, data: DataSettings, task: TaskSettings, valid: Table | None = None, test: Table | None = None
) -> SeriesParts:
    """Cuts every series by time.

    - With a file for test (or validation) its series go on where those of the same id end; a series that the training
      file does not hold is forecast over its second half.
    - Else ``data.test`` and ``data.valid`` are shares of each series, or numbers of steps where they are above 1: never
      less than one horizon, and exactly one where a share is less than two. A series too short for three parts has no
      validation, one too short for two only trains.

    All windows within a part are used: of many short series the last horizon, of one long table thousands.

    ``task.gap`` steps at the end of training and of validation belong to no part, but can be looked back on. With
    ``data.fold="k/n"`` a series ends ``n - k`` test parts earlier: walking forward, each fold trains on more.

    Raises:
        DataError: a series shorter than ``horizon + 1``; none long enough for a part; a test file that does not go on
            from the training file.
        UsageError: a share or number of steps that makes no sense, or a split that is not by time.
    """
    _check(data, task)
    layout = Layout.of(table, data, task.known)
    series = [_ended(cut_to(s, data.rows or len(s), None)) for s in series_of(table, data, layout)]
    begins = {s.name: _begin(len(s), data.test, task) for s in series} if test is None else {}
    if data.fold:
        if test is not None:
            raise UsageError("data.fold chooses the test part, but a test file is given: leave one out")
        series = _folded(series, begins, data.fold, task, table)
    for one in series:
        if len(one) <= task.horizon:
            raise DataError(
                f"series '{one.name}' has {len(one):,} steps; a horizon of {task.horizon} needs at least "
                f"{task.horizon + 1}. Choose a smaller --horizon, or remove the series",
                path=table.path,
            )
    ends = {s.name: len(s) for s in series}
    if valid is not None:
        series = _going_on(series, [_ended(s) for s in series_of(valid, data, layout)], valid)
    before = {s.name: len(s) for s in series}
    if test is not None:
        series = _going_on(series, [_ended(s) for s in series_of(test, data, layout)], test)
    cuts = []
    for one in series:
        if one.name not in before:
            cuts.append(_Cut(one, 0, max(1, min(len(one) // 2, len(one) - task.horizon))))
            continue
        at_test = before[one.name] if test is not None else begins[one.name]
        at_valid = ends.get(one.name, 0) if valid is not None else _begin(at_test, data.valid, task, len(one))
        cuts.append(_Cut(one, min(at_valid, at_test), at_test))
    return _parts(cuts, layout, task, data, table)


def _check(data: DataSettings, task: TaskSettings) -> None:
    horizon = task.horizon
    if data.split in ("random", "group"):
        raise UsageError("a forecast is split by time: leave data.split out")
    if task.gap < 0:
        raise UsageError(f"task.gap is a number of steps from 0, not {task.gap}")
    for key in ("valid", "test"):
        value = getattr(data, key)
        if value < 0 or value == 1 or (value > 1 and value != int(value)):
            raise UsageError(f"data.{key} is a share from 0 to under 1 or a whole number of steps, not {value:g}")
        if 1 < value < horizon:
            raise UsageError(f"data.{key}={value:g} steps cannot hold a horizon of {horizon}")


def _ended(series: Series) -> Series:
    """Without the steps after the last observed one."""
    return cut_to(series, series.ends, None)


def _begin(length: int, part: float, task: TaskSettings, whole: int = 0) -> int:
    """Where the last part of ``length`` steps begins; ``length``: no room.

    Args:
        length: what is there, of which more than a horizon and a gap must stay.
        part: a share of the whole, or steps.
        task: horizon and gap.
        whole: steps of the whole of a part that a gap follows; 0: ``length``, and none does.
    """
    if part == 0:
        return length
    least = task.horizon + (task.gap if whole else 0)
    steps = int(part) if part > 1 else round(part * (whole or length))
    if part < 1 and steps < least + task.horizon:
        steps = least
    return length - steps if length - steps > task.horizon + task.gap else length


def _folded(series: list[Series], begins: dict[str, int], fold: str, task: TaskSettings, table: Table) -> list[Series]:
    """Each series without the test parts of later folds; those that had not begun by then are left out.

    ``begins`` says where the test part of each begins, and is told where it does in this fold.
    """
    number, count = fold_of(fold)
    kept = []
    for one in series:
        size = len(one) - begins[one.name] or task.horizon
        stop = len(one) - (count - number) * size
        if stop > task.horizon:
            kept.append(cut_to(one, stop, None))
            begins[one.name] = stop - size if stop - size > task.horizon + task.gap else stop
    if not kept:
        raise DataError(
            f"data.fold={fold} tests {count - number} test parts before the end, and no series goes back so far: "
            f"the longest has {max(map(len, series), default=0):,} steps; choose fewer folds, or a smaller data.test",
            path=table.path,
        )
    return kept


def _going_on(series: list[Series], later: Sequence[Series], table: Table) -> list[Series]:
    """Each series followed by the later one of the same name; later ones without one stand at the end, on their own."""
    if len(series) == len(later) == 1:
        later = [replace(later[0], name=series[0].name)]
    follows = {s.name: s for s in later}
    if len(follows) < len(later):
        raise DataError("two series have the same id", path=table.path)
    joined = [_joined(s, follows.pop(s.name), table) if s.name in follows else s for s in series]
    return joined + list(follows.values())


def _joined(first: Series, then: Series, table: Table) -> Series:
    times = None
    if first.times is not None and then.times is not None:
        if len(then) and then.times[0] <= first.times[len(first) - 1]:
            raise DataError(
                f"series '{first.name}' begins at {_when(then.times[0])}, but training goes on until "
                f"{_when(first.times[len(first) - 1])}; give only what follows",
                path=table.path,
            )
        times = np.concatenate([first.times, then.times])
    return replace(
        first,
        values=np.concatenate([first.values, then.values]),
        seen=np.concatenate([first.seen, then.seen]),
        known=np.concatenate([first.known, then.known]),
        times=times,
        lines=None,
    )


def _parts(cuts: Sequence[_Cut], layout: Layout, task: TaskSettings, data: DataSettings, table: Table) -> SeriesParts:
    horizon, gap = task.horizon, task.gap
    known = [c for c in cuts if c.valid]
    until = {c.series.name: max(1, c.valid - gap) if c.valid else 0 for c in cuts}
    checked = [cut_to(c.series, max(c.valid, c.test - gap), c.valid) for c in known]
    count = {
        "valid": sum(max(0, len(one) - c.valid - horizon + 1) for one, c in zip(checked, known, strict=True)),
        "test": sum(max(0, len(c.series) - c.test - horizon + 1) for c in cuts),
    }
    for part, windows in count.items():
        if not windows and getattr(data, part) != 0:
            longest = max(len(c.series) for c in cuts)
            raise DataError(
                f"no series is long enough for a {'validation' if part == 'valid' else 'test'} part: the longest has "
                f"{longest:,} steps, and a horizon of {horizon} needs {horizon} for each part and {horizon + 1} to "
                f"train on{f', and two gaps of {gap} steps' if gap else ''}. Choose a smaller --horizon, or set "
                f"data.{part}=0",
                path=table.path,
            )
    every = _stride(count["valid"] * len(layout.targets))
    learned = [cut_to(c.series, until[c.series.name], 0) for c in known if until[c.series.name] > horizon]
    checked = [replace(one, every=every, trained=until[one.name]) for one in checked]
    tested = [replace(cut_to(c.series, len(c.series), c.test), trained=until[c.series.name]) for c in cuts]
    shown = f"windows of {horizon} steps: {count['test']:,} test, {-(-count['valid'] // every):,} validate"
    train, valid, test = (to_table(part, layout, table) for part in (learned, checked, tested))
    return SeriesParts(train, valid, test, (shown, *_still(learned, layout)))


def _still(series: Sequence[Series], layout: Layout) -> tuple[str, ...]:
    """A note on what never changes in training: there is nothing to learn from it."""
    names = [
        f"'{name}' of series '{one.name}'"
        for one in series
        for place, name in enumerate(layout.targets)
        if len(set(one.values[np.isfinite(one.values[:, place]), place].tolist())) == 1
    ]
    if not names:
        return ()
    more = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
    verb = "never changes" if len(names) == 1 else "never change"
    return (f"{names[0]}{more} {verb} in training: forecast to stay, and left out of MASE",)


def _stride(windows: int) -> int:
    """Every so many-th origin, a number that shares no factor with the seasons people have."""
    every = max(1, ceil(windows / VALID_WINDOWS))
    while every > 1 and gcd(every, 210) > 1:
        every += 1
    return every


def _when(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="s"))
