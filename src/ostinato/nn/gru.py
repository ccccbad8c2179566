"""GRU: torch.nn.GRU for sequences of any lengths, in both published forms."""

from __future__ import annotations

from typing import Unpack, final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.options import Options


@final
class GRU(Layer):
    """Gated recurrent units over time; gate order r, z, n.

    A drop-in for ``torch.nn.GRU``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``reset_after=False`` for the form of Cho et al. version 3, ``lengths=``, ``reset=`` and
    :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of its gates
    (:meth:`Layer.trace`), and the options of :class:`Layer`, where all other arguments are told.

    Args:
        reset_after: True: the reset gate scales the matrix product (:class:`ostinato.cells.GRU`, as torch); False: it
            scales the old state (:class:`ostinato.cells.GRUBefore`, ONNX's default).
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
        **options: Unpack[Options],
    ) -> None:
        self.cell_name = "gru" if reset_after else "gru_before"
        shape = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(*shape, device=device, dtype=dtype, **options)
        self.reset_after = reset_after

    def extra_repr(self) -> str:
        """The layer's, and the form of the cell where it is not torch's."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
