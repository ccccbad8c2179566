"""The GRU's variants over time: layer-normalised."""

from __future__ import annotations

from typing import final

from ostinato.nn.layer import Layer


@final
class LayerNormGRU(Layer):
    """A GRU with layer normalisation (Ba et al. 2016); the equation is :class:`ostinato.cells.NormGRU`.

    Arguments and forms of input are those of :class:`Layer`; gate order r, z, n. Beside the weights of a GRU there are
    the gains ``weight_norm_ih_l0`` and ``weight_norm_hh_l0``, ``(3H,)`` each.
    """

    cell_name = "gru_norm"
