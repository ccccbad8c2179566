"""Layers of linear recurrences: units that know nothing of each other within a layer, so that a scan computes them."""

from __future__ import annotations

import math
from typing import Any, Literal, final

import torch

from ostinato.nn.layer import Layer
from ostinato.nn.xlstm import HeadedLayer


@final
class MinGRU(Layer):
    """A GRU cut down to a linear recurrence; the equation is :class:`ostinato.cells.MinGRU`, gate order z, n.

    Arguments and forms of input are those of :class:`Layer`. There is no ``weight_hh_l0``, and one bias,
    ``bias_ih_l0``.
    """

    cell_name = "min_gru"


@final
class MinLSTM(Layer):
    """An LSTM cut down to a linear recurrence; the equation is :class:`ostinato.cells.MinLSTM`, gate order i, f, g.

    Arguments and forms of input are those of :class:`Layer`; the state is ``h`` alone. There is no ``weight_hh_l0``,
    and one bias, ``bias_ih_l0``. ``init="chrono"`` and ``forget_bias=`` set where its two gates begin.
    """

    cell_name = "min_lstm"


@final
class QRNN(Layer):
    """Convolution and pooling; the equation is :class:`ostinato.cells.QRNN`, gate order z, f, o.

    Arguments and forms of input are those of :class:`Layer`; the state is ``(h, c, ahead)``, ``ahead`` being
    ``(L * D, B, 3H)``, or with ``window=1`` ``(h, c)``. ``weight_ih_l0`` is ``(6H, I)``, with ``window=1`` ``(3H, I)``;
    there is no ``weight_hh_l0``, and one bias, ``bias_ih_l0`` ``(3H,)``.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        more: the further arguments of :class:`Layer`, by position.
        options: the same by name.
        window: how many inputs a step sees, 1 or 2; 2 in the paper's models.

    Raises:
        ValueError: ``window`` is another number.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *more: Any, window: Literal[1, 2] = 2, **options: Any
    ) -> None:
        if window not in {1, 2}:
            raise ValueError(f"window must be 1 or 2, not {window!r}")
        self.cell_name = "qrnn" if window == 2 else "qrnn_1"
        super().__init__(input_size, hidden_size, *more, **options)
        self.window = window

    def extra_repr(self) -> str:
        """The layer's, and the window where it is not the paper's."""
        return super().extra_repr() + ("" if self.window == 2 else ", window=1")


@final
class SRU(Layer):
    """Simple recurrent units with their highway; the equation is :class:`ostinato.cells.SRU`, gate order f, r, w, s.

    Arguments and forms of input are those of :class:`Layer`; the state is ``(h, c)``. ``weight_ih_l0`` is ``(3H, I)``,
    and ``(4H, I)`` where the input of a layer is not as wide as its output; ``weight_vf_l0``, ``weight_vr_l0``
    ``(H,)``; one bias, ``bias_ih_l0`` ``(2H,)``. Weights begin as in the paper, whatever ``init`` says.
    """

    cell_name = "sru"


@final
class RGLRU(HeadedLayer):
    """Real-gated linear recurrent units; the equation is :class:`ostinato.cells.RGLRU`, gate order r, i.

    Arguments and forms of input are those of :class:`Layer`, and ``num_heads``: the blocks of its gates.
    ``weight_ih_l0`` is ``(2H, I / num_heads)``, ``weight_lambda_l0`` ``(H,)``; where the input of a layer is not as
    wide as its output it enters through ``weight_in_l0`` ``(H, I)``; one bias, ``bias_ih_l0`` ``(2H,)``. Weights begin
    as in the paper, whatever ``init`` says.
    """

    cell_name = "rg_lru"

    def __init__(self, input_size: int, hidden_size: int, *more: Any, num_heads: int = 1, **options: Any) -> None:
        if num_heads > 0 and input_size % num_heads:
            raise ValueError(f"input_size {input_size} cannot be cut into {num_heads} heads of one size")
        super().__init__(input_size, hidden_size, *more, num_heads=num_heads, **options)


@final
class LRU(Layer):
    """Linear recurrent units, complex and diagonal; the equation is :class:`ostinato.cells.LRU`.

    Arguments and forms of input are those of :class:`Layer`; ``hidden_size`` counts complex states, and the output is
    as wide unless ``proj_size`` says less. The state is ``(h, c)``, ``c`` being ``(L * D, B, 2H)``. ``weight_ih_l0`` is
    ``(P + 2H, I)``, ``weight_hr_l0`` ``(P, 2H)``; ``weight_nu_l0``, ``weight_theta_l0`` and ``weight_gamma_l0`` are
    ``(H,)``. Weights begin as in the paper, whatever ``init`` says.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        more: the further arguments of :class:`Layer`, by position.
        options: the same by name.
        ring: between what ``|λ|`` begins, uniform over the ring's area. Near 1 the memory is long.
        max_phase: the angles of ``λ`` begin uniform in ``[0, max_phase]``. A small one helps with long sequences.

    Raises:
        ValueError: they are out of range.
    """

    cell_name = "lru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *more: Any,
        ring: tuple[float, float] = (0.0, 1.0),
        max_phase: float = 2 * math.pi,
        **options: Any,
    ) -> None:
        if not 0 <= ring[0] < ring[1] <= 1 or not 0 < max_phase <= 2 * math.pi:
            raise ValueError(f"ring must rise within [0, 1] and max_phase lie in (0, 2π], not {ring} and {max_phase}")
        self.ring, self.max_phase = ring, max_phase
        super().__init__(input_size, hidden_size, *more, **options)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Eigenvalues on the ring, and an input scaled so that states are of the size of what enters."""
        super().reset_parameters()
        if self._flat_weights[0].is_meta:  # type: ignore[union-attr]
            return
        low, high = self.ring
        for weights in self.layer_weights():
            nu, theta, gamma = (weights[name] for name in ("nu", "theta", "gamma"))
            # both kept off the ends, where a logarithm is infinite
            square = (torch.rand_like(nu) * (high**2 - low**2) + low**2).clamp(1e-6, 1 - 1e-6)
            nu.copy_((-0.5 * square.log()).log())
            theta.copy_((torch.rand_like(theta) * self.max_phase).clamp(min=1e-6).log())
            gamma.copy_(0.5 * (-square).log1p())

    def extra_repr(self) -> str:
        """The layer's, and where the eigenvalues begin, if not as by default."""
        shown = super().extra_repr()
        shown += "" if self.ring == (0.0, 1.0) else f", ring={self.ring}"
        return shown + ("" if self.max_phase == 2 * math.pi else f", max_phase={self.max_phase:.4g}")
