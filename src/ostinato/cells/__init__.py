"""One step's equation, a cell a file. A new cell is one file and one row of ``CELLS``."""

from typing import Any

from ostinato.cells.base import Cell, Gates, Sizes, State, Weights
from ostinato.cells.elman import Elman, ElmanGates, ElmanState
from ostinato.cells.gru import GRU, GRUGates, GRUState
from ostinato.cells.gru_before import GRUBefore
from ostinato.cells.gru_norm import NormGRU
from ostinato.cells.indrnn import IndRNN
from ostinato.cells.lru import LRU, LRUGates, LRUState
from ostinato.cells.lstm import LSTM, LSTMGates, LSTMState
from ostinato.cells.lstm_coupled import CoupledGates, CoupledLSTM
from ostinato.cells.lstm_norm import NormLSTM
from ostinato.cells.lstm_peephole import PeepholeLSTM
from ostinato.cells.min_gru import MinGRU, MinGRUGates
from ostinato.cells.min_lstm import MinLSTM, MinLSTMGates
from ostinato.cells.mlstm import MLSTM, MLSTMGates, MLSTMState
from ostinato.cells.qrnn import QRNN, PooledGates, PooledQRNN, QRNNGates, QRNNState
from ostinato.cells.rg_lru import RGLRU, RGLRUGates
from ostinato.cells.slstm import SLSTM, SLSTMGates, SLSTMState
from ostinato.cells.sru import SRU, SRUGates

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
    "min_gru": MinGRU(),
    "min_lstm": MinLSTM(),
    "qrnn": QRNN(),
    "qrnn_1": PooledQRNN(),
    "sru": SRU(),
    "rg_lru": RGLRU(),
    "lru": LRU(),
}
"""Every cell by its name."""

__all__ = [
    "CELLS",
    "GRU",
    "LRU",
    "LSTM",
    "MLSTM",
    "QRNN",
    "RGLRU",
    "SLSTM",
    "SRU",
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
    "LRUGates",
    "LRUState",
    "LSTMGates",
    "LSTMState",
    "MLSTMGates",
    "MLSTMState",
    "MinGRU",
    "MinGRUGates",
    "MinLSTM",
    "MinLSTMGates",
    "NormGRU",
    "NormLSTM",
    "PeepholeLSTM",
    "PooledGates",
    "PooledQRNN",
    "QRNNGates",
    "QRNNState",
    "RGLRUGates",
    "SLSTMGates",
    "SLSTMState",
    "SRUGates",
    "Sizes",
    "State",
    "Weights",
]
