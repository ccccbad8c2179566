"""GRU: torch.nn.GRU for sequences of any lengths, in both published forms."""

from __future__ import annotations

from typing import final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.start import Init, Start


@final
class GRU(Layer):
    """Gated recurrent units over time; gate order r, z, n.

    A drop-in for ``torch.nn.GRU``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``reset_after=False`` for the form of Cho et al. version 3, ``lengths=``, ``reset=`` and
    :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of its gates
    (:meth:`Layer.trace`), and the choices of :class:`~ostinato.nn.start.Start`.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        num_layers: ``L``.
        bias: whether there are biases.
        batch_first: whether tensors are ``(B, T, I)``; states never are.
        dropout: share of the outputs dropped between layers, in training.
        bidirectional: whether a second direction reads from the end.
        device: of the parameters.
        dtype: of the parameters.
        reset_after: True: the reset gate scales the matrix product (:class:`ostinato.cells.GRU`, as torch); False: it
            scales the old state (:class:`ostinato.cells.GRUBefore`, ONNX's default).
        init: ``torch``, ``orthogonal`` or ``chrono``.
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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
        init: Init = "torch",
        max_lag: int | None = None,
        learned_state: bool = False,
    ) -> None:
        super().__init__(
            "gru" if reset_after else "gru_before",
            "GRU",
            Start(init, None, max_lag, learned_state),
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
        self.reset_after = reset_after

    def extra_repr(self) -> str:
        """The layer's, and the form of the cell where it is not torch's."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
