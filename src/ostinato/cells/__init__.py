"""One step's equation, a cell a file. A new cell is one file and one row of ``CELLS``."""

from typing import Any

from ostinato.cells.base import Cell, Gates, Sizes, State, Weights
from ostinato.cells.elman import Elman, ElmanGates, ElmanState
from ostinato.cells.gru import GRU, GRUGates, GRUState
from ostinato.cells.gru_before import GRUBefore
from ostinato.cells.gru_norm import NormGRU
from ostinato.cells.indrnn import IndRNN
from ostinato.cells.lstm import LSTM, LSTMGates, LSTMState
from ostinato.cells.lstm_coupled import CoupledGates, CoupledLSTM
from ostinato.cells.lstm_norm import NormLSTM
from ostinato.cells.lstm_peephole import PeepholeLSTM
from ostinato.cells.mlstm import MLSTM, MLSTMGates, MLSTMState
from ostinato.cells.slstm import SLSTM, SLSTMGates, SLSTMState

CELLS: dict[str, Cell[Any, Any]] = {
    "rnn": Elman("rnn"),
    "rnn_relu": Elman("rnn_relu"),
    "lstm": LSTM(),
    "gru": GRU(),
    "gru_before": GRUBefore(),
    "lstm_peephole": PeepholeLSTM(),
    "lstm_coupled": CoupledLSTM(),
    "lstm_norm": NormLSTM(),
    "gru_norm": NormGRU(),
    "indrnn": IndRNN("indrnn"),
    "indrnn_tanh": IndRNN("indrnn_tanh"),
    "slstm": SLSTM(),
    "mlstm": MLSTM(),
}
"""Every cell by its name."""

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "MLSTM",
    "SLSTM",
    "Cell",
    "CoupledGates",
    "CoupledLSTM",
    "Elman",
    "ElmanGates",
    "ElmanState",
    "GRUBefore",
    "GRUGates",
    "GRUState",
    "Gates",
    "IndRNN",
    "LSTMGates",
    "LSTMState",
    "MLSTMGates",
    "MLSTMState",
    "NormGRU",
    "NormLSTM",
    "PeepholeLSTM",
    "SLSTMGates",
    "SLSTMState",
    "Sizes",
    "State",
    "Weights",
]
