"""Stream: a model run over long sequences window by window, its state carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from ostinato.data.batching import Window, windows
from ostinato.data.examples import Batch

State = tuple[Tensor, ...]
"""What a model carries from step to step: tensors ``(L * D, B, H)``."""

Forward = Callable[[Batch, State | None], tuple[Tensor, State]]


class Stream:
    """Iterates over ``(window, output)`` of a batch; no gradient crosses from one window to the one before.

    Args:
        forward: the model.
        batch: ``B`` sequences.
        window: steps of a window.
        state: after window ``first - 1``, as :attr:`state` gave it; None: the model's initial state.
        first: the window to begin with; the ones before it are skipped.

    :attr:`state` is the state after the window that was given out last, of the sequences of that window, longest first.
    """

    def __init__(
        self, forward: Forward, batch: Batch, window: int, *, state: State | None = None, first: int = 0
    ) -> None:
        self.forward, self.batch, self.window = forward, batch, window
        self.state, self.first = state, first

    def __iter__(self) -> Iterator[tuple[Window, Tensor]]:
        for number, window in enumerate(windows(self.batch, self.window)):
            if number < self.first:
                continue
            alive = len(window.rows)
            carried = None if self.state is None else tuple(part[:, :alive] for part in self.state)
            output, state = self.forward(window.batch, carried)
            self.state = tuple(part.detach() for part in state)
            yield window, output
            del output, state  # or the graph of this window would live on beside that of the next
