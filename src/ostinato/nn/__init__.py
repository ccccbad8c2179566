"""Torch modules: drop-ins for torch.nn's recurrent layers that take ragged sequences and resets."""

from ostinato.nn.gru import GRU
from ostinato.nn.layer import Layer, Traced
from ostinato.nn.lstm import LSTM
from ostinato.nn.rnn import RNN
from ostinato.nn.step_cells import GRUCell, LSTMCell, RNNCell
from ostinato.nn.stream import Stream

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "Layer", "RNNCell", "Stream", "Traced"]
