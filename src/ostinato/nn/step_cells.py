"""RNNCell, LSTMCell, GRUCell: one step at a time, for streams."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ostinato.cells import GRUBefore, GRUState, Weights


@final
class RNNCell(torch.nn.RNNCell):
    """One step of an Elman network: ``torch.nn.RNNCell``, whose equation is :class:`ostinato.cells.Elman`."""


@final
class LSTMCell(torch.nn.LSTMCell):
    """One step of an LSTM: ``torch.nn.LSTMCell``, whose equation is :class:`ostinato.cells.LSTM`."""


@final
class GRUCell(torch.nn.GRUCell):
    """One step of a GRU: ``torch.nn.GRUCell``, and the form that resets before the product.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        bias: whether there are biases.
        device: of the parameters.
        dtype: of the parameters.
        reset_after: True: :class:`ostinato.cells.GRU`, as torch; False: :class:`ostinato.cells.GRUBefore`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.reset_after = reset_after

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """``input`` ``(B, I)`` or ``(I,)`` and ``hx`` ``(B, H)`` or ``(H,)``, None for zero; gives the state after."""
        if self.reset_after:
            return super().forward(input, hx)
        if input.dim() not in {1, 2}:
            raise ValueError(f"GRUCell: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if hx is not None and hx.dim() != input.dim():
            raise ValueError(f"GRUCell: Expected hidden to be {input.dim()}D as the input is, got {hx.dim()}D instead")
        cell = GRUBefore()
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        state = input.new_zeros(*input.shape[:-1], self.hidden_size) if hx is None else hx
        return cell.step(weights, cell.project(weights, input), GRUState(state))[0]
