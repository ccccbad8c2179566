"""RNN: torch.nn.RNN for sequences of any lengths."""

from __future__ import annotations

from typing import Literal, Unpack, final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.options import Options


@final
class RNN(Layer):
    """The simple recurrent network over time; the equation is :class:`ostinato.cells.Elman`.

    A drop-in for ``torch.nn.RNN``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``lengths=``, ``reset=`` and :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of
    its states (:meth:`Layer.trace`), and the options of :class:`Layer`, where all other arguments are told.

    Args:
        nonlinearity: ``tanh`` or ``relu``.

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
        **options: Unpack[Options],
    ) -> None:
        if nonlinearity not in {"tanh", "relu"}:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.cell_name = "rnn" if nonlinearity == "tanh" else "rnn_relu"
        shape = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(*shape, device=device, dtype=dtype, **options)
        self.nonlinearity = nonlinearity
