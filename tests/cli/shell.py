"""What a command did, for tests that type commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

TINY = ["--epochs", "1", "--hidden", "4"]


class Answer(NamedTuple):
    """Exit status, standard output and standard error."""

    code: int
    out: str
    err: str


Call = Callable[..., Answer]
