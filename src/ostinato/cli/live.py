"""live: a detector on values that come in, a line each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ostinato.errors import DataError

if TYPE_CHECKING:
    from ostinato.runs.watch import Watcher

HERE = "standard input"
LONGEST = 10_000
"""Characters a line may have: what is longer is no row of values."""


def live(watcher: Watcher, lines: Iterable[str]) -> Iterator[str]:
    """CSV, a header and then a line for each line, as soon as that has come.

    A line holds a value for each channel, apart by commas; an empty one is missing. A first line of names is passed
    over.

    Raises:
        DataError: a cell is no number, or there are too many or too few; the line is named.
    """
    channels = watcher.task.channels
    several = ("channel",) if len(channels) > 1 else ()
    expected = [f"expected {name}" for name in channels] if several else ["expected"]
    yield _row([*channels, *expected, "score", "chance", "alarm", *several])
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST:
            raise DataError(f"has more than {LONGEST:,} characters: give the values of a step", path=HERE, row=number)
        cells = [cell.strip() for cell in line.strip("\r\n").split(",")]
        if number == 1 and sorted(cells) == sorted(channels):
            if cells != list(channels):
                raise DataError(f"the channels must come in the order {', '.join(channels)}", path=HERE, row=1)
            continue
        wrong = next((cell for cell in cells if cell and not _is_number(cell)), None)
        if wrong is not None:
            raise DataError(f"'{wrong[:40]}' is no number; leave a missing value empty", path=HERE, row=number)
        try:
            seen = watcher.step([float(cell) if cell else float("nan") for cell in cells])
        except DataError as error:
            raise DataError(error.args[0], path=HERE, row=number) from error
        told = [f"{value:.6g}" for value in seen.expected]
        strangest = (seen.channel,) if several else ()
        yield _row([*cells, *told, f"{seen.score:.4f}", f"{seen.chance:.3g}", str(int(seen.alarm)), *strangest])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _row(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
