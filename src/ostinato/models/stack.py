"""Stack: recurrent layers on top of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, cat, nn

from ostinato.models.dropout import VariationalDropout
from ostinato.models.settings import FORGETTING, HEADED, ModelSettings
from ostinato.nn import (
    GRU,
    LSTM,
    MLSTM,
    RNN,
    SLSTM,
    CoupledLSTM,
    IndRNN,
    Layer,
    LayerNormGRU,
    LayerNormLSTM,
    PeepholeLSTM,
    Traced,
)
from ostinato.sequences import Ragged

State = tuple[Tensor, ...]
"""What is carried from step to step: one tensor ``(L * D, B, ·)`` for each part of the cell's state (LSTM: h, c)."""


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
            steps, final = layer(steps, self._given(state, number))
            finals.append(final if isinstance(final, tuple) else (final,))
        return steps, tuple(cat(parts) for parts in zip(*finals, strict=True))

    def trace(self, steps: Ragged, state: State | None = None) -> list[Traced[Ragged]]:
        """What each layer did at every step, from the first layer to the last, without dropout."""
        found: list[Traced[Ragged]] = []
        for number, layer in enumerate(self.layers):
            found.append(cast(Layer, layer).trace(steps, self._given(state, number)))
            steps = found[-1].output
        return found

    def _given(self, state: State | None, number: int) -> Any:
        """The state of layer ``number``, as the layers of ``torch.nn`` take it: a pair for the LSTM, else a tensor."""
        if state is None:
            return None
        begin = number * self.directions
        parts = tuple(part[begin : begin + self.directions] for part in state)
        return parts if len(parts) > 1 else parts[0]


LAYERS: dict[str, tuple[Callable[..., Layer], dict[str, Any]]] = {
    "rnn": (RNN, {}),
    "rnn_relu": (RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTM, {}),
    "gru": (GRU, {}),
    "gru_before": (GRU, {"reset_after": False}),
    "peephole": (PeepholeLSTM, {}),
    "coupled": (CoupledLSTM, {}),
    "lstm_norm": (LayerNormLSTM, {}),
    "gru_norm": (LayerNormGRU, {}),
    "indrnn": (IndRNN, {}),
    "indrnn_tanh": (IndRNN, {"nonlinearity": "tanh"}),
    "slstm": (SLSTM, {}),
    "mlstm": (MLSTM, {}),
}
"""The layer of every cell that a recipe can name, and what makes it that cell."""


def _layer(width: int, settings: ModelSettings) -> Layer:
    """One layer of the recipe's cell."""
    kind, options = LAYERS[settings.cell]
    chosen = {
        **options,
        "bidirectional": settings.bidirectional,
        "init": settings.init,
        "max_lag": settings.max_lag or None,
        "learned_state": settings.learned_state,
    }
    if settings.cell in FORGETTING and settings.init != "chrono":  # chrono draws the forget gate's bias itself
        chosen["forget_bias"] = settings.forget_bias
    if settings.cell in HEADED:
        chosen["num_heads"] = settings.heads
    return kind(width, settings.hidden, **chosen)
