"""Start: how a layer's weights and its initial state begin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import init

Init = Literal["torch", "orthogonal", "chrono"]


@dataclass(frozen=True)
class Start:
    """How the weights of a layer are drawn.

    Args:
        init: ``torch``: all uniform in ``±1/√H``, as ``torch.nn``. ``orthogonal``: every gate's ``W_hh`` orthogonal
            (Saxe et al. 2014), its ``W_ih`` Glorot-uniform, biases 0. ``chrono``: as ``orthogonal``, and the gates that
            keep the memory begin with time constants between 1 and ``max_lag`` steps (Tallec & Ollivier 2018):
            ``b_f = log u``, ``b_i = -log u`` for an LSTM, ``b_z = log u`` for a GRU, ``u`` uniform in
            ``[1, max_lag - 1]``.
        forget_bias: for an LSTM, where the sum of the forget gate's two biases begins, or None: as ``init`` says. 1
            keeps the memory open at first (Gers et al. 2000).
        max_lag: longest lag that matters, in steps; only and always with ``chrono``.
        learned_state: whether the initial state is a parameter (``h_0``, and ``c_0`` for an LSTM, ``(L * D, 1, ·)``,
            at first 0), used where no state is given.
    """

    init: Init = "torch"
    forget_bias: float | None = None
    max_lag: int | None = None
    learned_state: bool = False

    def check(self, mode: str, *, bias: bool) -> None:
        """Raise a ValueError if these choices do not fit together, or do not fit the layer."""
        if self.init not in {"torch", "orthogonal", "chrono"}:
            raise ValueError(f"init must be 'torch', 'orthogonal' or 'chrono', not {self.init!r}")
        chrono = self.init == "chrono"
        if chrono and mode.startswith("RNN"):
            raise ValueError("init='chrono' sets the biases of gates, and an Elman layer has none; use 'orthogonal'")
        if chrono != (self.max_lag is not None):
            raise ValueError("init='chrono' needs max_lag=, the longest lag in steps; without 'chrono' leave it out")
        if self.max_lag is not None and self.max_lag < 2:
            raise ValueError(f"max_lag must be at least 2 steps, not {self.max_lag}")
        if self.forget_bias is not None and (mode != "LSTM" or chrono):
            raise ValueError("forget_bias= is for an LSTM, and not together with init='chrono', which sets that bias")
        if not bias and (chrono or self.forget_bias is not None):
            raise ValueError("init='chrono' and forget_bias= set biases, but bias=False")

    @torch.no_grad()
    def draw(self, name: str, weight: Tensor, mode: str) -> None:
        """Draw one parameter anew, after torch.nn's own drawing; ``name`` is torch.nn's (``weight_hh_l0``)."""
        if name in {"h_0", "c_0"}:
            init.zeros_(weight)
            return
        gates = {"LSTM": 4, "GRU": 3}.get(mode, 1)
        if self.init != "torch":
            self._orthogonal(name, weight, gates)
        if self.init == "chrono" and name.startswith("bias_ih"):
            assert self.max_lag is not None
            time = init.uniform_(weight.new_empty(weight.shape[0] // gates), 1, self.max_lag - 1).log()
            keep, *write = weight.chunk(gates)[1:2] if mode == "GRU" else weight.chunk(gates)[1::-1]
            keep.copy_(time)
            for gate in write:
                gate.copy_(-time)
        if self.forget_bias is not None and name.startswith("bias"):
            weight.chunk(gates)[1].fill_(self.forget_bias if name.startswith("bias_ih") else 0.0)

    @staticmethod
    def _orthogonal(name: str, weight: Tensor, gates: int) -> None:
        """Orthogonal recurrent weights, Glorot-uniform input weights, biases 0."""
        if name.startswith("bias"):
            init.zeros_(weight)
        elif name.startswith("weight_hr"):
            init.orthogonal_(weight)
        else:
            for gate in weight.chunk(gates):
                if name.startswith("weight_hh"):
                    init.orthogonal_(gate)
                else:
                    bound = math.sqrt(6 / sum(gate.shape))
                    init.uniform_(gate, -bound, bound)
