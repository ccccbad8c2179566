"""Split: which rows train, which choose (valid) and which test; groups and equal inputs are never torn apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ostinato.data.duplicates import duplicates, input_keys
from ostinato.data.settings import DataSettings
from ostinato.data.table import Kind, Table
from ostinato.errors import DataError, UsageError


@dataclass(frozen=True)
class Parts:
    """Row numbers of each part, ascending, and what a user should know of them."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Division:
    """The parts as tables; ``duplicates`` counts the test rows whose inputs also stand in train."""

    train: Table
    valid: Table
    test: Table
    notes: tuple[str, ...] = ()
    duplicates: int = 0


def divide(
    table: Table, settings: DataSettings, seed: int, *, valid: Table | None = None, test: Table | None = None
) -> Division:
    """Divides a table; ``valid`` and ``test`` are used as they are, and only what is not given is taken from ``table``.

    Raises:
        DataError: as :func:`split`.
        UsageError: as :func:`split`; a fold is asked for beside a given test part.
    """
    if settings.fold and test is not None:
        raise UsageError("data.fold chooses the test part, but a test file is given: leave one out")
    if test is not None:
        settings = replace(settings, test=0.0)
    if valid is not None:
        settings = replace(settings, valid=0.0)
    parts = split(table, settings, seed)
    tables = [
        table.take(parts.train),
        table.take(parts.valid) if valid is None else valid,
        table.take(parts.test) if test is None else test,
    ]
    count = duplicates(tables[0], tables[2], settings)
    notes = parts.notes
    if count:
        notes += (f"{count:,} of {len(tables[2]):,} test rows have inputs that also stand in the training part",)
    return Division(tables[0], tables[1], tables[2], notes, count)


def split(table: Table, settings: DataSettings, seed: int) -> Parts:
    """Divides the rows of a table by ``settings.split``; the same for the same seed.

    ``random`` keeps rows with equal inputs together, ``group`` also those of one group of the id column. Both keep the
    shares of the labels where the target is a category; a label that only one group of rows has stays in train.
    ``time`` takes the last rows for the test and those before them for validation; ``blocks`` does so within each label
    by the order of the file, for rows that share steps with their neighbours (windows of one recording): the validation
    part then lies between those to learn from and those of the test. With ``fold="k/n"`` the test part is the k-th of n
    folds and the validation part is taken from the others.

    Raises:
        DataError: too few rows for the parts asked for.
        UsageError: shares or fold make no sense; ``group`` without an id column.
    """
    _check(settings)
    if settings.split == "time":
        return _by_time(table, settings)
    if settings.split == "blocks":
        return _by_blocks(table, settings)
    groups = _groups(table, settings)
    labels, label_names = _labels(table, settings)
    pinned = {label for label in _pinned(groups, labels) if label_names[label]}  # a missing label is none
    notes = tuple(_pin_note(label_names[label], int((labels == label).sum())) for label in sorted(pinned))
    random = np.random.default_rng([seed, 2])
    free = ~np.isin(labels, list(pinned))
    part = np.zeros(len(table), dtype=np.int64)
    if settings.fold:
        number, count = fold_of(settings.fold)
        folds = _share(groups, labels, free, [1.0 / count] * count, random)
        part[free & (folds == number - 1)] = 2
        rest = free & (folds != number - 1)
        kept = 1.0 - settings.valid / (1.0 - 1.0 / count)
        part[rest] = _share(groups, labels, rest, [kept, 1.0 - kept], np.random.default_rng([seed, 3]))[rest]
        wanted = [True, settings.valid > 0, True]
    else:
        shares = [1.0 - settings.valid - settings.test, settings.valid, settings.test]
        part[free] = _share(groups, labels, free, shares, random)[free]
        wanted = [share > 0 for share in shares]
    parts = [np.flatnonzero(part == number) for number in range(3)]
    for name, rows, share in zip(("training", "validation", "test"), parts, wanted, strict=True):
        if share and not len(rows):
            raise DataError(
                f"too few rows for a {name} part: {len(table):,}, of which {len(set(groups.tolist())):,} can be told "
                "apart (equal inputs and groups stay together); give more, or set data.valid, data.test",
                path=table.path,
            )
    return Parts(parts[0], parts[1], parts[2], notes)


def _check(settings: DataSettings) -> None:
    if settings.valid < 0 or settings.test < 0 or settings.valid + settings.test >= 1:
        raise UsageError(f"data.valid={settings.valid} and data.test={settings.test} must leave rows to train on")
    if settings.fold:
        _, count = fold_of(settings.fold)
        if settings.split in {"time", "blocks"}:
            told = f"data.fold cannot be combined with data.split={settings.split}"
            raise UsageError(f"{told}: rows after those of the test would train")
        if settings.valid + 1 / count >= 1:
            raise UsageError(f"data.valid={settings.valid} and {count} folds leave no rows to train on")
    if (settings.split == "group" or settings.group) and not settings.id:
        raise UsageError("groups need the column that names them: --id COLUMN")


def fold_of(fold: str) -> tuple[int, int]:
    """``3/10`` as numbers; raises ``UsageError`` for what is no fold."""
    match = re.fullmatch(r"(\d+)/(\d+)", fold.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:
        raise UsageError(f"data.fold={fold!r} is no fold: '3/10' tests on the third of ten")
    return int(match[1]), int(match[2])


def _by_time(table: Table, settings: DataSettings) -> Parts:
    order = np.arange(len(table))
    if settings.time:
        column = table[settings.time]
        if column.kind == Kind.TIME:
            keys: Any = [value[0] if len(value) else np.datetime64("NaT") for value in column.values]
        else:
            keys = column.values
        order = np.argsort(np.asarray(keys), kind="stable")
    test, valid = (round(len(table) * share) for share in (settings.test, settings.valid))
    wanted = [True, settings.valid > 0, settings.test > 0]
    cuts = np.split(order, [len(table) - test - valid, len(table) - test])
    if any(share and not len(rows) for share, rows in zip(wanted, cuts, strict=True)):
        raise DataError(f"{len(table):,} rows are too few to divide; set data.valid, data.test", path=table.path)
    train_rows, valid_rows, test_rows = (np.sort(rows) for rows in cuts)
    return Parts(train_rows, valid_rows, test_rows)


def _by_blocks(table: Table, settings: DataSettings) -> Parts:
    labels, names = _labels(table, settings)
    parts: list[list[int]] = [[], [], []]
    for label in np.unique(labels).tolist():
        rows = np.flatnonzero(labels == label)
        test, valid = (round(len(rows) * share) for share in (settings.test, settings.valid))
        cuts = np.split(rows, [len(rows) - test - valid, len(rows) - test])
        for share, cut in zip((1.0, settings.valid, settings.test), cuts, strict=True):
            if share and not len(cut):
                of = f"of label '{names[label]}' " if names[label] else ""
                told = f"{len(rows):,} rows {of}are too few to cut into blocks"
                raise DataError(f"{told}; give more, or set data.valid, data.test", path=table.path)
        for part, cut in zip(parts, cuts, strict=True):
            part.extend(cut.tolist())
    train, valid_rows, test_rows = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
    return Parts(train, valid_rows, test_rows)


def _groups(table: Table, settings: DataSettings) -> np.ndarray:
    """A group number a row: rows with equal inputs, and rows of one id group, hang together."""
    keys: list[list[Any]] = [input_keys(table, settings)]
    if settings.id and settings.split in {"auto", "group"}:
        keys.append(group_names(table, settings))
    leader = list(range(len(table)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = row = leader[leader[row]]
        return row

    for column in keys:
        first: dict[Any, int] = {}
        for row, key in enumerate(column):
            leader[find(row)] = find(first.setdefault(key, row))
    return np.array([find(row) for row in range(len(table))], dtype=np.int64)


def group_names(table: Table, settings: DataSettings) -> list[str]:
    """The group of every row: the first match of ``settings.group`` in its id, or the whole id.

    Raises:
        DataError: an id in which the expression matches nothing.
        UsageError: the expression is none.
    """
    names = [str(value) for value in table[settings.id].values]
    if not settings.group:
        return names
    try:
        pattern = re.compile(settings.group)
    except re.error as error:
        raise UsageError(f"data.group={settings.group!r} is no regular expression: {error}") from error
    found = []
    for row, name in enumerate(names):
        match = pattern.search(name)
        if not match:
            raise DataError(
                f"data.group={settings.group!r} matches nothing in '{name}'",
                path=table.path,
                row=table.row(row),
                column=settings.id,
            )
        found.append(match[1] if pattern.groups else match[0])
    return found


def _labels(table: Table, settings: DataSettings) -> tuple[np.ndarray, list[str]]:
    """A label number a row (all 0 where the target is no category) and the labels' names."""
    if not settings.target or settings.target not in table.columns or table[settings.target].kind != Kind.CATEGORY:
        return np.zeros(len(table), dtype=np.int64), [""]
    names, numbers = np.unique(np.asarray(table[settings.target].values, dtype=str), return_inverse=True)
    return numbers.astype(np.int64), names.tolist()


def _pinned(groups: np.ndarray, labels: np.ndarray) -> set[int]:
    """Labels, of several, that only one group of rows has: they cannot be both learned and tested."""
    of_label: dict[int, set[int]] = defaultdict(set)
    for group, label in zip(groups.tolist(), labels.tolist(), strict=True):
        of_label[label].add(group)
    return {label for label, found in of_label.items() if len(found) == 1} if len(of_label) > 1 else set()


def _pin_note(label: str, count: int) -> str:
    what = "one example" if count == 1 else f"{count:,} examples, all of one group"
    return f"label '{label}' has {what}: training keeps it, and no test can show whether it was learned"


def _share(
    groups: np.ndarray, labels: np.ndarray, rows: np.ndarray, shares: list[float], random: np.random.Generator
) -> np.ndarray:
    """A part number a row: whole groups, each part as near its share of every label as the groups allow.

    Groups are placed from the largest to the smallest, in random order among equals; see :class:`_Room`.
    """
    order = random.permutation(np.flatnonzero(rows))
    _, group, sizes = np.unique(groups[order], return_inverse=True, return_counts=True)
    alone = sizes[group] == 1
    together: dict[int, list[int]] = defaultdict(list)
    for row in order[~alone].tolist():
        together[int(groups[row])].append(row)
    room = _Room(labels[order].tolist(), shares)
    result = np.zeros(len(labels), dtype=np.int64)
    for members in sorted(together.values(), key=len, reverse=True):
        result[members] = room.place(labels[members].tolist())
    for label in np.unique(labels[order[alone]]).tolist():
        members_alone = order[alone & (labels[order] == label)]
        result[members_alone] = room.place_each(label, len(members_alone))
    return result


class _Room:
    """How many rows of each label each part still lacks.

    A group goes to the part that lacks most of its most frequent label, relative to its share, of those in which the
    whole group has room; where it has room in none, to the part with the fewest rows for its share, of those that lack
    this label.
    """

    def __init__(self, labels: list[int], shares: list[float]) -> None:
        self.shares = shares
        self.usable = [part for part, share in enumerate(shares) if share > 0]
        self.wanted = {label: [count * share for share in shares] for label, count in Counter(labels).items()}
        self.left = {label: list(counts) for label, counts in self.wanted.items()}
        self.filled = [0] * len(shares)

    def place(self, labels: list[int]) -> int:
        """The part of a group of rows with these labels."""
        counts = Counter(labels)
        label, size = counts.most_common(1)[0]
        left, wanted = self.left[label], self.wanted[label]
        fitting = [part for part in self.usable if left[part] >= size - _ROUNDING]
        if fitting:
            chosen = max(fitting, key=lambda part: left[part] / wanted[part])
        else:
            lacking = [part for part in self.usable if left[part] > 0]
            chosen = min(lacking, key=lambda part: self.filled[part] / self.shares[part])
        self.filled[chosen] += len(labels)
        for one, count in counts.items():
            self.left[one][chosen] -= count
        return chosen

    def place_each(self, label: int, count: int) -> list[int]:
        """The parts of ``count`` groups of one row each, all with this label."""
        parts: list[int] = []
        for part in self.usable:
            fitting = min(max(int(self.left[label][part] + _ROUNDING), 0), count - len(parts))
            parts += [part] * fitting
            self.left[label][part] -= fitting
            self.filled[part] += fitting
        while len(parts) < count:
            parts.append(self.place([label]))
        return parts


_ROUNDING = 1e-6
"""A tenth of 70 rows is 7 rows, whatever ``70 * 0.1`` rounds to."""
