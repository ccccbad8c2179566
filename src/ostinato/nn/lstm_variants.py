"""The LSTM's variants over time: peephole, coupled, layer-normalised."""

from __future__ import annotations

from typing import final

from ostinato.nn.layer import Layer


@final
class PeepholeLSTM(Layer):
    """An LSTM whose gates see the cell state; the equation is :class:`ostinato.cells.PeepholeLSTM`.

    Arguments, forms of input and states ``(h, c)`` are those of :class:`Layer`; gate order i, f, g, o. Beside the
    weights of an LSTM there are ``weight_ci_l0``, ``weight_cf_l0`` and ``weight_co_l0``, ``(H,)`` each.
    """

    cell_name = "lstm_peephole"


@final
class CoupledLSTM(Layer):
    """An LSTM that forgets as much as it writes (CIFG); the equation is :class:`ostinato.cells.CoupledLSTM`.

    Arguments, forms of input and states ``(h, c)`` are those of :class:`Layer`; gate order i, g, o: three quarters
    of the weights of an LSTM.
    """

    cell_name = "lstm_coupled"


@final
class LayerNormLSTM(Layer):
    """An LSTM with layer normalisation (Ba et al. 2016); the equation is :class:`ostinato.cells.NormLSTM`.

    Arguments, forms of input and states ``(h, c)`` are those of :class:`Layer`; gate order i, f, g, o. Beside the
    weights of an LSTM there are the gains ``weight_norm_ih_l0`` and ``weight_norm_hh_l0`` ``(4H,)`` and
    ``weight_norm_c_l0`` ``(H,)``, and with biases ``bias_norm_c_l0`` ``(H,)``.
    """

    cell_name = "lstm_norm"
