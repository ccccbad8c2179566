"""IndRNN: independently recurrent networks over time."""

from __future__ import annotations

from typing import Any, Literal, final

from ostinato.nn.layer import Layer


@final
class IndRNN(Layer):
    """A recurrent network whose units remember themselves alone; the equation is :class:`ostinato.cells.IndRNN`.

    Made to be stacked: the units meet in the layer above. Arguments and forms of input are those of :class:`Layer`.
    ``weight_hh_l0`` is a vector ``(H,)``, and there is one bias, ``bias_ih_l0``.

    Args:
        input_size: ``I``.
        hidden_size: ``H``.
        more: the further arguments of :class:`Layer`, by position.
        options: the same by name.
        nonlinearity: ``relu`` or ``tanh``.

    Raises:
        ValueError: ``nonlinearity`` is neither.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *more: Any,
        nonlinearity: Literal["relu", "tanh"] = "relu",
        **options: Any,
    ) -> None:
        if nonlinearity not in {"relu", "tanh"}:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'relu' or 'tanh'.")
        self.cell_name = "indrnn" if nonlinearity == "relu" else "indrnn_tanh"
        super().__init__(input_size, hidden_size, *more, **options)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        """The layer's, and the nonlinearity where it is not the paper's."""
        return super().extra_repr() + ("" if self.nonlinearity == "relu" else ", nonlinearity='tanh'")
