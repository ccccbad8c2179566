"""SLSTM and MLSTM: the two recurrences of xLSTM over time."""

from __future__ import annotations

from typing import Any, final

from ostinato.nn.layer import Layer


class HeadedLayer(Layer):
    """A layer whose units are cut into heads; the base of :class:`SLSTM` and :class:`MLSTM`.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        more: the further arguments of :class:`Layer`, by position.
        options: the same by name.
        num_heads: ``K``, which must divide ``H``.

    Raises:
        ValueError: ``hidden_size`` cannot be cut into ``num_heads``.
    """

    def __init__(self, input_size: int, hidden_size: int, *more: Any, num_heads: int = 1, **options: Any) -> None:
        if num_heads < 1 or hidden_size % num_heads:
            raise ValueError(f"hidden_size {hidden_size} cannot be cut into {num_heads} heads of one size")
        self.num_heads = num_heads
        super().__init__(input_size, hidden_size, *more, **options)

    def extra_repr(self) -> str:
        """The layer's, and the heads."""
        return super().extra_repr() + (f", num_heads={self.num_heads}" if self.num_heads > 1 else "")


@final
class SLSTM(HeadedLayer):
    """The scalar LSTM of xLSTM; the equation is :class:`ostinato.cells.SLSTM`, gate order i, f, z, o.

    Arguments are those of :class:`Layer`, and ``num_heads``; the state is ``(h, c, n, m)``, ``(L * D, B, H)`` each.
    ``weight_hh_l0`` is ``(4H, H / num_heads)``: a unit reads its own head. There is one bias, ``bias_ih_l0``.
    """

    cell_name = "slstm"


@final
class MLSTM(HeadedLayer):
    """The matrix LSTM of xLSTM; the equation is :class:`ostinato.cells.MLSTM`, gate order q, k, v, i, f, o.

    Arguments are those of :class:`Layer`, and ``num_heads``; the state is ``(h, c, n, m)``: ``h`` ``(L * D, B, H)``,
    and for each of ``K`` heads of ``d = H / K`` units ``c`` ``(L * D, B, K, d, d)``, ``n`` ``(L * D, B, K, d)``, ``m``
    ``(L * D, B, K)``. There is no ``weight_hh_l0``, and one bias, ``bias_ih_l0``. Not the multiplicative LSTM.
    """

    cell_name = "mlstm"
