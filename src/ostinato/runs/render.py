"""render: what a model makes of a sound, as a file, and how much faster than it plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from ostinato.data.media.sound import read_sound, write_sound
from ostinato.decoding.live import Live
from ostinato.errors import UsageError

BLOCK = 1 << 16
"""Samples at once."""


@dataclass(frozen=True)
class Rendered:
    """A file that was made.

    Args:
        path: of the file.
        duration: seconds that it plays.
        seconds: that the model took, without reading and writing.
        clipped: samples beyond full scale, which were cut to it.
    """

    path: Path
    duration: float
    seconds: float
    clipped: int

    @property
    def factor(self) -> float:
        """How many times faster than real time."""
        return self.duration / self.seconds if self.seconds else float("inf")


def render(live: Live, source: str | Path, out: str | Path, tell: Callable[[float], None] | None = None) -> Rendered:
    """Reads a sound at the model's rate, runs the model over it block by block and writes what comes out.

    Args:
        live: one input channel and one target, of sound.
        source: the file.
        out: the new file; its suffix says what kind.
        tell: is told what share is done, after each block.

    Raises:
        UsageError: the model did not learn from sound.
        DataError: the sound cannot be read, or ``out`` not written.
    """
    task = live.task
    if not task.rate or len(task.inputs) != 1 or len(task.targets) != 1:
        raise UsageError("this model makes no sound of a sound: leave --out out, or name a .csv file")
    samples = read_sound(source, task.rate).samples
    live.reset()
    answers, start = np.empty_like(samples), perf_counter()
    for place in range(0, len(samples), BLOCK):
        answers[place : place + BLOCK] = live.block(samples[place : place + BLOCK])
        if tell is not None:
            tell(min(1.0, (place + BLOCK) / len(samples)))
    seconds = perf_counter() - start
    write_sound(out, answers, task.rate)
    return Rendered(Path(out), len(samples) / task.rate, seconds, int((np.abs(answers) > 1.0).sum()))
