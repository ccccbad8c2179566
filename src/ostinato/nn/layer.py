"""Layer: what RNN, LSTM and GRU share. torch.nn's arguments and parameters, any form of sequences, any engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato.cells import CELLS, Cell, Weights
from ostinato.engines.stack import Stack, run_stack
from ostinato.nn.forms import Form, PackedForm, PaddedForm, RaggedForm, ordered
from ostinato.sequences import Ragged


class Layer(torch.nn.RNNBase):
    """Base of the layers; see :class:`ostinato.nn.LSTM`."""

    cell_name: str

    @property
    def cell(self) -> Cell:
        """The equation."""
        return CELLS[self.cell_name]

    def forward(
        self,
        input: Any,
        hx: Any = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Any = None,
    ) -> tuple[Any, Any]:
        """Run over time."""
        form = self.form(input, lengths)
        state = self.initial(form, hx)
        flags = None if reset is None else form.flags(reset)
        stack = Stack(
            self.cell,
            self.weights(),
            form.rows,
            ordered(state, form.rows.order),
            flags,
            self.bidirectional,
            self.dropout if self.training else 0.0,
        )
        result = run_stack(stack)
        final = ordered(result.state, form.rows.slots)
        if form.unbatched:
            final = type(final)(*(part.squeeze(1) for part in final))
        return form.restore(result.output), tuple(final) if len(final) > 1 else final[0]

    def form(self, input: Any, lengths: Any) -> Form:
        """The input as packed rows."""
        if isinstance(input, Ragged):
            return RaggedForm(input)
        if isinstance(input, PackedSequence):
            return PackedForm(input)
        return PaddedForm(input, lengths, batch_first=self.batch_first)

    def initial(self, form: Form, hx: Any) -> Any:
        """The initial state as ``cell.State`` of ``(L * D, B, ·)``."""
        count, batch = self.num_layers * (2 if self.bidirectional else 1), len(form.rows)
        if hx is None:
            widths = [self.proj_size or self.hidden_size, self.hidden_size][: len(self.cell.State._fields)]
            data = form.rows.data
            return self.cell.State(*(data.new_zeros(count, batch, width) for width in widths))
        parts = hx if isinstance(hx, tuple) else (hx,)
        return self.cell.State(*(part.unsqueeze(1) if form.unbatched else part for part in parts))

    def weights(self) -> list[Weights]:
        """The weights of every layer and direction."""
        found = []
        for layer in range(self.num_layers):
            for suffix in ("", "_reverse")[: 2 if self.bidirectional else 1]:
                at = f"l{layer}{suffix}"
                names = ["weight_ih_", "weight_hh_", "bias_ih_", "bias_hh_", "weight_hr_"]
                found.append(Weights(*(getattr(self, name + at, None) for name in names)))
        return found


class LSTM(Layer):
    """LSTM."""

    cell_name = "lstm"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(Layer):
    """GRU."""

    def __init__(self, *args: Any, reset_after: bool = True, **kwargs: Any) -> None:
        self.cell_name = "gru" if reset_after else "gru_before"
        super().__init__("GRU", *args, **kwargs)


class RNN(Layer):
    """Elman."""

    def __init__(self, *args: Any, nonlinearity: str = "tanh", **kwargs: Any) -> None:
        self.cell_name = {"tanh": "rnn", "relu": "rnn_relu"}[nonlinearity]
        super().__init__("RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU", *args, **kwargs)
