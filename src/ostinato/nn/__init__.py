"""Torch modules: drop-ins for torch.nn's recurrent layers that take ragged sequences and resets."""

from ostinato.nn.layer import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
