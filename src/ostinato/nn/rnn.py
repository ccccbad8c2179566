"""RNN: torch.nn.RNN for sequences of any lengths."""

from __future__ import annotations

from typing import Literal, final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.start import Start


@final
class RNN(Layer):
    """The simple recurrent network over time; the equation is :class:`ostinato.cells.Elman`.

    A drop-in for ``torch.nn.RNN``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``lengths=``, ``reset=`` and :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of
    its states (:meth:`Layer.trace`), and the choices of :class:`~ostinato.nn.start.Start`.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        num_layers: ``L``.
        nonlinearity: ``tanh`` or ``relu``.
        bias: whether there are biases.
        batch_first: whether tensors are ``(B, T, I)``; states never are.
        dropout: share of the outputs dropped between layers, in training.
        bidirectional: whether a second direction reads from the end.
        device: of the parameters.
        dtype: of the parameters.
        init: ``torch`` or ``orthogonal``.
        learned_state: whether the initial state is learned.

    Raises:
        ValueError: ``nonlinearity`` is neither.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        init: Literal["torch", "orthogonal"] = "torch",
        learned_state: bool = False,
    ) -> None:
        if nonlinearity not in {"tanh", "relu"}:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            "rnn" if nonlinearity == "tanh" else "rnn_relu",
            f"RNN_{nonlinearity.upper()}",
            Start(init, None, None, learned_state),
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity
