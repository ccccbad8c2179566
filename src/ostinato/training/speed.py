"""Speed: a rolling rate."""

from __future__ import annotations

from collections import deque
from time import perf_counter

SPAN = 64


class Speed:
    """Updates and steps a second over the last :data:`SPAN` updates."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=SPAN + 1)
        self._steps = 0
        self.restart()

    def restart(self) -> None:
        """Begins anew, after a pause that is not to count."""
        self._marks.clear()
        self._marks.append((perf_counter(), self._steps))

    def add(self, steps: int) -> None:
        """One more update, over so many steps of sequences."""
        self._steps += steps
        self._marks.append((perf_counter(), self._steps))

    def rates(self) -> tuple[float, float]:
        """Updates a second and steps a second; zeros before the first update."""
        (start, before), (stop, after) = self._marks[0], self._marks[-1]
        if stop <= start:
            return 0.0, 0.0
        return (len(self._marks) - 1) / (stop - start), (after - before) / (stop - start)
