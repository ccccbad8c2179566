"""One step's equation, a cell a file. A new cell is one file and one row of ``CELLS``."""

from typing import Any

from ostinato.cells.base import Cell, Gates, Sizes, State, Weights
from ostinato.cells.elman import Elman, ElmanGates, ElmanState
from ostinato.cells.gru import GRU, GRUGates, GRUState
from ostinato.cells.gru_before import GRUBefore
from ostinato.cells.lstm import LSTM, LSTMGates, LSTMState

CELLS: dict[str, Cell[Any, Any]] = {
    "rnn": Elman("rnn"),
    "rnn_relu": Elman("rnn_relu"),
    "lstm": LSTM(),
    "gru": GRU(),
    "gru_before": GRUBefore(),
}
"""Every cell by its name."""

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "Cell",
    "Elman",
    "ElmanGates",
    "ElmanState",
    "GRUBefore",
    "GRUGates",
    "GRUState",
    "Gates",
    "LSTMGates",
    "LSTMState",
    "Sizes",
    "State",
    "Weights",
]
