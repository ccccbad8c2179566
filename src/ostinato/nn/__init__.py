"""Torch modules: drop-ins for torch.nn's recurrent layers, and further cells, for ragged sequences and resets."""

from ostinato.nn.conv_lstm import ConvLSTM
from ostinato.nn.gru import GRU
from ostinato.nn.gru_variants import LayerNormGRU
from ostinato.nn.indrnn import IndRNN
from ostinato.nn.layer import Layer, Traced
from ostinato.nn.linear import LRU, QRNN, RGLRU, SRU, MinGRU, MinLSTM
from ostinato.nn.lstm import LSTM
from ostinato.nn.lstm_variants import CoupledLSTM, LayerNormLSTM, PeepholeLSTM
from ostinato.nn.rnn import RNN
from ostinato.nn.step_cells import GRUCell, LSTMCell, RNNCell
from ostinato.nn.stream import Stream
from ostinato.nn.xlstm import MLSTM, SLSTM

__all__ = [
    "GRU",
    "LRU",
    "LSTM",
    "MLSTM",
    "QRNN",
    "RGLRU",
    "RNN",
    "SLSTM",
    "SRU",
    "ConvLSTM",
    "CoupledLSTM",
    "GRUCell",
    "IndRNN",
    "LSTMCell",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "MinGRU",
    "MinLSTM",
    "PeepholeLSTM",
    "RNNCell",
    "Stream",
    "Traced",
]
