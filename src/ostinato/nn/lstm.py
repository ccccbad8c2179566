"""LSTM: torch.nn.LSTM for sequences of any lengths."""

from __future__ import annotations

from typing import final

from ostinato.nn.layer import Layer


@final
class LSTM(Layer):
    """Long short-term memory over time; the equation is :class:`ostinato.cells.LSTM`, gate order i, f, g, o.

    A drop-in for ``torch.nn.LSTM``: same arguments, parameter names, ``state_dict``, numbers and errors. Beyond it:
    ``lengths=``, ``reset=`` and :class:`~ostinato.sequences.Ragged` input (see :meth:`Layer.forward`), the traces of
    its gates (:meth:`Layer.trace`), and the options of :class:`Layer`, where all arguments are told.
    """

    cell_name = "lstm"
