"""ending: every way in which a command can end badly, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ostinato.errors import OstinatoError, UsageError


@contextmanager
def ending(resume: Callable[[], str] | None = None) -> Iterator[None]:
    """Turns errors that are the user's to mend into one line on standard error and an exit status.

    Args:
        resume: the run folder that a stopped command can go on with, or an empty string.

    Raises:
        typer.Exit: 2 for wrong usage, 1 for wrong data, 130 after Ctrl-C.
    """
    folder = resume or str
    try:
        yield
    except UsageError as error:
        _leave(str(error), 2)
    except OstinatoError as error:
        _leave(str(error), 1)
    except KeyboardInterrupt:
        kept = f"; everything so far is kept. Go on with: ostinato resume {folder()}" if folder() else ""
        _leave(f"stopped{kept}", 130)
    except MemoryError:
        _leave("there is not enough memory: use a smaller training.batch_size or training.window", 1)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _leave(f"{place}{error.strerror or error}: free some space, or make it readable and writable", 1)


def _leave(message: str, code: int) -> NoReturn:
    typer.echo(f"ostinato: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)
