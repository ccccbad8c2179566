"""The errors a user can meet. Each says what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OstinatoError(Exception):
    """Base of every error that is the user's to mend; the command line prints it in one line, without a traceback."""


class DataError(OstinatoError, ValueError):
    """Something in a data file or table is wrong.

    Args:
        message: what is wrong and how to mend it.
        path: the file, if there is one.
        row: the row as a person counts it in the file: the first line is 1, a header line counts.
        column: the column's name.
    """

    def __init__(
        self, message: str, *, path: str | Path | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.path, self.row, self.column = path, row, column
        place = [str(path)] if path is not None else []
        if row is not None:
            place.append(f"row {row:,}")
        if column is not None:
            place.append(f"column '{column}'")
        super().__init__(f"{', '.join(place)}: {message}" if place else message)


class UsageError(OstinatoError, ValueError):
    """A command, an argument or a recipe key is wrong (exit status 2)."""


class ModelFolderError(OstinatoError):
    """A model folder is missing, truncated, altered, of a newer format, or holds what is never loaded (a pickle)."""


@contextmanager
def intact(told: str) -> Iterator[None]:
    """What is read from a stored config within must fit, else a ``ModelFolderError`` says ``told`` and what is wrong.

    Raises:
        ModelFolderError: a key is absent, or a value is of another type or none that can be.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{told}: {error}") from error


class TrainingError(OstinatoError):
    """Training cannot go on: the loss is not a number or exploded. The last good weights are kept."""


def nearest(name: str, known: list[str]) -> str:
    """A hint for a misspelt name: `` Did you mean 'target'?`` or the list of what exists; starts with a space."""
    from difflib import get_close_matches

    match = get_close_matches(name, known, n=1, cutoff=0.6) or get_close_matches(
        name.lower(), [word.lower() for word in known], n=1, cutoff=0.6
    )
    if match:
        return f" Did you mean '{next(word for word in known if word.lower() == match[0].lower())}'?"
    shown = ", ".join(f"'{word}'" for word in known[:12])
    return f" Known: {shown}{', …' if len(known) > 12 else ''}."
