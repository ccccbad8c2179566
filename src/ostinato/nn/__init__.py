"""Torch modules: drop-ins for torch.nn's recurrent layers, and further cells, for ragged sequences and resets."""

from ostinato.nn.gru import GRU
from ostinato.nn.gru_variants import LayerNormGRU
from ostinato.nn.indrnn import IndRNN
from ostinato.nn.layer import Layer, Traced
from ostinato.nn.lstm import LSTM
from ostinato.nn.lstm_variants import CoupledLSTM, LayerNormLSTM, PeepholeLSTM
from ostinato.nn.rnn import RNN
from ostinato.nn.step_cells import GRUCell, LSTMCell, RNNCell
from ostinato.nn.xlstm import MLSTM, SLSTM

__all__ = [
    "GRU",
    "LSTM",
    "MLSTM",
    "RNN",
    "SLSTM",
    "CoupledLSTM",
    "GRUCell",
    "IndRNN",
    "LSTMCell",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "PeepholeLSTM",
    "RNNCell",
    "Traced",
]
