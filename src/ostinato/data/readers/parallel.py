"""Parallel files: texts of one language in one file, their translations in the other, line by line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ostinato.data.cells import plural
from ostinato.data.frames import SEQUENCE
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, UsageError

_BRACES = re.compile(r"(.*)\{([^{}]*),([^{}]*)\}(.*)", re.DOTALL)


def together(paths: Sequence[str | Path]) -> str:
    """Two files as one name: ``train.{de,en}``; a single one as it is.

    Raises:
        UsageError: there are more than two.
    """
    names = [str(path) for path in paths]
    if len(names) == 1:
        return names[0]
    if len(names) != 2:
        raise UsageError(f"one file, or two parallel ones: {len(names)} are named")
    common = os.path.commonprefix(names)  # noqa: RUF071 (letters are meant, not folders)
    return f"{common}{{{names[0][len(common) :]},{names[1][len(common) :]}}}"


def apart(name: str | Path) -> list[Path]:
    """The files of a name as :func:`together` makes it."""
    match = _BRACES.fullmatch(str(name))
    if match is None or Path(name).exists():
        return [Path(name)]
    before, one, other, after = match.groups()
    return [Path(f"{before}{part}{after}") for part in (one, other)]


def read_lines(path: Path, settings: DataSettings) -> Table:
    """A text a line; blank lines count, for each line belongs to one of another file."""
    texts = _lines(path, settings)
    rows = np.arange(1, len(texts) + 1, dtype=np.int64)
    note = f"layout pairs: {plural(len(texts), 'line')} of text"
    return Table({SEQUENCE: Column(SEQUENCE, Kind.TEXT, texts)}, path, rows, (note,))


def read_parallel(paths: Sequence[Path], settings: DataSettings) -> Table:
    """Two files as a table of two columns of text, the second being what is written.

    The columns are named by the suffixes (``train.de``, ``train.en``), or by the names where the suffixes are the same.

    Raises:
        DataError: the files differ in their number of lines; the first line that stands alone is named.
    """
    first, second = (_lines(path, settings) for path in paths)
    if len(first) != len(second):
        short, other = sorted(range(2), key=lambda number: len((first, second)[number]))
        counts = len(first), len(second)
        raise DataError(
            f"has no line {counts[short] + 1:,}: it ends after {plural(counts[short], 'line')}, and {paths[other]} has "
            f"{counts[other]:,}. Parallel files hold a line for each line of the other",
            path=paths[short],
            row=counts[short] + 1,
        )
    names = [Source(path).suffix.removeprefix(".") for path in paths]
    if len(set(names)) < 2:
        names = [Source(path).stem for path in paths]
    if len(set(names)) < 2:
        names = ["source", "target"]
    columns = {name: Column(name, Kind.TEXT, texts) for name, texts in zip(names, (first, second), strict=True)}
    rows = np.arange(1, len(first) + 1, dtype=np.int64)
    note = f"layout pairs: {plural(len(first), 'line')} of {names[0]} and of {names[1]}, the latter to be written"
    return Table(columns, Path(together(paths)), rows, (note,))


def _lines(path: Path, settings: DataSettings) -> list[str]:
    return [line.strip() for line in Source(path, latin=settings.unit == "byte").lines()]
