"""Stack: recurrent layers on top of each other."""

from __future__ import annotations

from typing import Any

from torch import Tensor, cat, nn

from ostinato.models.dropout import VariationalDropout
from ostinato.models.settings import ModelSettings
from ostinato.nn import GRU, LSTM, RNN
from ostinato.sequences import Ragged

State = tuple[Tensor, ...]
"""What is carried from step to step: one tensor ``(L * D, B, H)`` for each part of the cell's state (LSTM: h, c)."""


class Stack(nn.Module):
    """``L`` recurrent layers, each reading the outputs of the one below.

    The layers are separate modules because what one reads from the one below is dropped with one mask a sequence (see
    :class:`~ostinato.models.dropout.VariationalDropout`), while the dropout inside ``torch.nn``'s stacks draws a new
    mask at every step.

    Args:
        size: ``I``, size of the inputs.
        settings: of the model.
    """

    def __init__(self, size: int, settings: ModelSettings) -> None:
        super().__init__()
        self.directions = 2 if settings.bidirectional else 1
        self.hidden = settings.hidden
        self.size = self.directions * settings.hidden
        widths = [size] + [self.size] * (settings.layers - 1)
        self.layers = nn.ModuleList(_layer(width, settings) for width in widths)
        self.dropout = VariationalDropout(settings.dropout)

    def forward(self, steps: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        """``steps`` ``(N, I)`` and the state before them; gives ``(N, D * H)`` and the state after the last step."""
        finals: list[State] = []
        for number, layer in enumerate(self.layers):
            if number:
                steps = self.dropout(steps)
            begin = number * self.directions
            steps, final = layer(steps, _given(state, begin, begin + self.directions))
            finals.append(final if isinstance(final, tuple) else (final,))
        return steps, tuple(cat(parts) for parts in zip(*finals, strict=True))


def _layer(width: int, settings: ModelSettings) -> nn.Module:
    """One layer of the recipe's cell."""
    shared: dict[str, Any] = {
        "bidirectional": settings.bidirectional,
    }
    match settings.cell:
        case "lstm":
            return LSTM(width, settings.hidden, **shared)
        case "gru":
            return GRU(width, settings.hidden, **shared)
        case "gru_before":
            return GRU(width, settings.hidden, reset_after=False, **shared)
        case "rnn":
            return RNN(width, settings.hidden, nonlinearity="tanh", **shared)
        case "rnn_relu":
            return RNN(width, settings.hidden, nonlinearity="relu", **shared)


def _given(state: State | None, begin: int, end: int) -> State | Tensor | None:
    """The state of one layer, as the layers of ``torch.nn`` take it: a pair for the LSTM, a tensor for the others."""
    if state is None:
        return None
    parts = tuple(part[begin:end] for part in state)
    return parts if len(parts) > 1 else parts[0]
