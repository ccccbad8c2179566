"""Stepper: a language model, one symbol at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.models import State
from ostinato.sequences import Ragged

WINDOW = 1024
"""Steps of a prompt fed at once."""


class Stepper:
    """Feeds symbols to a model, without dropout and without gradient: what every decoder does.

    Args:
        model: a model with an answer a step that is not bidirectional; see :func:`ostinato.models.build`.
        static: ``(S,)``, what the sequence is conditioned on, or None.
    """

    def __init__(self, model: nn.Module, static: Tensor | None = None) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self.static = None if static is None else static.to(self.device)

    def begin(self, ids: Tensor) -> tuple[Tensor, State]:
        """Feeds the symbols ``ids`` ``(T,)``; gives the logits ``(1, V)`` after the last and the state.

        A long prompt is fed in windows, since the logits of all its steps at once may not fit into memory.

        Raises:
            ValueError: there is no symbol.
        """
        if not len(ids):
            raise ValueError("a model answers only after a symbol: give at least one")
        logits, state = self._window(ids[:WINDOW], None)
        for start in range(WINDOW, len(ids), WINDOW):
            logits, state = self._window(ids[start : start + WINDOW], state)
        return logits[-1:], state

    def _window(self, ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        return self._run(Ragged(ids, torch.tensor([len(ids)])), state)

    def advance(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Feeds one symbol to each of ``K`` sequences; ``ids`` ``(K,)``. Gives logits ``(K, V)`` and the state."""
        return self._run(Ragged(ids, torch.ones(len(ids), dtype=torch.int64)), state)

    def _run(self, inputs: Ragged, state: State | None) -> tuple[Tensor, State]:
        size = len(inputs)
        static = None if self.static is None else self.static.expand(size, -1)
        batch = Batch(inputs=inputs.to(self.device), index=torch.arange(size), static=static)
        training = self.model.training
        if training:
            self.model.eval()
        try:
            with torch.inference_mode():
                logits, after = self.model(batch, state)
        finally:
            if training:
                self.model.train()
        return logits, after


def select(state: State, rows: Tensor) -> State:
    """The state ``(L * D, B, H)`` of the sequences ``rows`` ``(K,)``, in that order."""
    return tuple(part.index_select(1, rows.to(part.device)) for part in state)
