"""Start: how a layer's weights and its initial state begin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import init

from ostinato.cells import Cell, Sizes

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

    def check(self, cell: Cell[Any, Any], *, bias: bool) -> None:
        """Raise a ValueError if these choices do not fit together, or do not fit the cell."""
        if self.init not in {"torch", "orthogonal", "chrono"}:
            raise ValueError(f"init must be 'torch', 'orthogonal' or 'chrono', not {self.init!r}")
        chrono = self.init == "chrono"
        if chrono and not (cell.keep or cell.write):
            raise ValueError(
                f"init='chrono' sets the biases of gates, and cell '{cell.name}' has none; use 'orthogonal'"
            )
        if chrono != (self.max_lag is not None):
            raise ValueError("init='chrono' needs max_lag=, the longest lag in steps; without 'chrono' leave it out")
        if self.max_lag is not None and self.max_lag < 2:
            raise ValueError(f"max_lag must be at least 2 steps, not {self.max_lag}")
        if self.forget_bias is not None and (cell.write is None or chrono):
            raise ValueError("forget_bias= is for an LSTM, and not together with init='chrono', which sets that bias")
        if not bias and (chrono or self.forget_bias is not None):
            raise ValueError("init='chrono' and forget_bias= set biases, but bias=False")

    @torch.no_grad()
    def draw(self, name: str, weight: Tensor, cell: Cell[Any, Any], sizes: Sizes) -> None:
        """Draw one parameter anew, after torch.nn's own drawing; ``name`` is the cell's (``hh``, ``bias_ih``)."""
        rows = cell.rows(sizes)
        if self.init != "torch":
            _orthogonal(name, weight, rows, sizes)
        cell.begin(name, weight, sizes)
        if name not in {"bias_ih", "bias_hh"}:
            return
        ends = zip(cell.gates, rows, accumulate(rows), strict=True)  # a bias may belong to the first gates only
        gates = {gate: weight[end - size : end] for gate, size, end in ends if end <= len(weight)}
        first = name == "bias_ih"
        if self.init == "chrono" and first:
            assert self.max_lag is not None
            gate = gates[cell.keep or cell.write or ""]
            time = init.uniform_(torch.empty_like(gate), 1, self.max_lag - 1).log()
            if cell.keep:
                gates[cell.keep].copy_(time)
            if cell.write:
                gates[cell.write].copy_(-time)
        if self.forget_bias is not None:
            gate, value = (
                (gates[cell.keep], self.forget_bias) if cell.keep else (gates[cell.write or ""], -self.forget_bias)
            )
            gate.fill_(value if first else 0.0)


def _orthogonal(name: str, weight: Tensor, rows: list[int], sizes: Sizes) -> None:
    """Orthogonal recurrent weights, Glorot-uniform input weights, biases 0; others stay as they are."""
    if name.startswith("bias"):
        init.zeros_(weight)
    elif name == "hr":
        init.orthogonal_(weight)
    elif name == "hh" and weight.dim() == 2:
        for gate in torch.split(weight, rows):
            for block in gate.chunk(sizes.heads):
                init.orthogonal_(block)
    elif name == "ih":
        for gate in torch.split(weight, rows):
            bound = math.sqrt(6 / sum(gate.shape))
            init.uniform_(gate, -bound, bound)
