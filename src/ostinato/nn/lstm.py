"""LSTM: torch.nn.LSTM for sequences of any lengths."""

from __future__ import annotations

from typing import final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.start import Init, Start


@final
class LSTM(Layer):
    """Long short-term memory over time; the equation is :class:`ostinato.cells.LSTM`, gate order i, f, g, o.

    A drop-in for ``torch.nn.LSTM``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``lengths=``, ``reset=`` and :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of
    its gates (:meth:`Layer.trace`), and the choices of :class:`~ostinato.nn.start.Start`.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        num_layers: ``L``.
        bias: whether there are biases.
        batch_first: whether tensors are ``(B, T, I)``; states never are.
        dropout: share of the outputs dropped between layers, in training.
        bidirectional: whether a second direction reads from the end.
        proj_size: size of the projected output, 0 for none.
        device: of the parameters.
        dtype: of the parameters.
        init: ``torch``, ``orthogonal`` or ``chrono``.
        forget_bias: where the forget gate's bias begins.
        max_lag: with ``chrono``, the longest lag in steps.
        learned_state: whether the initial state is learned.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        init: Init = "torch",
        forget_bias: float | None = None,
        max_lag: int | None = None,
        learned_state: bool = False,
    ) -> None:
        super().__init__(
            "lstm",
            "LSTM",
            Start(init, forget_bias, max_lag, learned_state),
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            proj_size=proj_size,
            device=device,
            dtype=dtype,
        )
