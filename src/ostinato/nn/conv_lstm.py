"""ConvLSTM: an LSTM whose inputs, states and gates are pictures, and whose products are convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast, final

import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.sequences import Packed, Ragged
from ostinato.sequences.packed import pack, unpack
from ostinato.sequences.padded import from_padded, to_padded

Films = TypeVar("Films", Tensor, Ragged)
State = tuple[Tensor, Tensor]


@final
class ConvLSTM(torch.nn.Module):
    """The LSTM of Shi et al. (2015), Convolutional LSTM Network (arXiv 1506.04214), equation 3.

    ::

        i = σ(W_ii * x[t] + b_ii + W_hi * h[t-1] + b_hi + W_ci ⊙ c[t-1])
        f = σ(W_if * x[t] + b_if + W_hf * h[t-1] + b_hf + W_cf ⊙ c[t-1])
        g = tanh(W_ig * x[t] + b_ig + W_hg * h[t-1] + b_hg)
        c[t] = f ⊙ c[t-1] + i ⊙ g
        o = σ(W_io * x[t] + b_io + W_ho * h[t-1] + b_ho + W_co ⊙ c[t])
        h[t] = o ⊙ tanh(c[t])

    ``*`` is a convolution over a picture of ``height x width``, filled up with zeros so that its size stays. The terms
    of ``c`` (peepholes) are there where ``peephole`` names the size of the pictures, of which each place has weights of
    its own; without them any size goes. With kernels and pictures of 1 x 1 it is ``torch.nn.LSTM``.

    Weights have ``torch.nn``'s names and order of gates (i, f, g, o): ``weight_ih_l0`` ``(4 H, C, k, k)``,
    ``weight_hh_l0`` ``(4 H, H, k, k)``, ``bias_ih_l0`` and ``bias_hh_l0`` ``(4 H,)``; ``weight_ch_l0``
    ``(3 H, height, width)`` for i, f and o. The convolutions are PyTorch's; the inputs of all steps are convolved at
    once, those of the states step by step.

    Args:
        input_size: ``C``, channels of a picture.
        hidden_size: ``H``, channels of a state.
        kernel_size: ``k``, odd.
        num_layers: ``L``.
        bias: whether there are biases.
        batch_first: whether tensors are ``(B, T, C, height, width)``; states never are.
        peephole: ``(height, width)`` of the pictures where there are peepholes; None: there are none.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ValueError: a size is not positive, or the kernel is even.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        kernel_size: int = 3,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        *,
        peephole: tuple[int, int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size, kernel_size, num_layers, *(peephole or ())) < 1:
            raise ValueError("sizes of a ConvLSTM must be at least 1")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, so that a picture keeps its size: {kernel_size}")
        self.input_size, self.hidden_size, self.kernel_size = input_size, hidden_size, kernel_size
        self.num_layers, self.bias, self.batch_first, self.peephole = num_layers, bias, batch_first, peephole
        square = (kernel_size, kernel_size)
        for layer in range(num_layers):
            width = hidden_size if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (4 * hidden_size, width, *square),
                "weight_hh": (4 * hidden_size, hidden_size, *square),
                **({"bias_ih": (4 * hidden_size,), "bias_hh": (4 * hidden_size,)} if bias else {}),
                **({"weight_ch": (3 * hidden_size, *peephole)} if peephole else {}),
            }
            for name, shape in shapes.items():
                weight = torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_l{layer}", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights and biases anew, uniform within ``± (H k k) ** -0.5``; peepholes begin at 0."""
        bound = (self.hidden_size * self.kernel_size**2) ** -0.5
        for name, weight in self.named_parameters():
            torch.nn.init.uniform_(weight, -bound, bound)
            if name.startswith("weight_ch"):
                torch.nn.init.zeros_(weight)

    def forward(
        self, input: Films, hx: State | None = None, *, lengths: Tensor | Sequence[int] | None = None
    ) -> tuple[Films, State]:
        """Run the layer over time.

        Args:
            input: ``(T, B, C, height, width)``, with ``batch_first`` ``(B, T, …)``; or a ``Ragged`` of
                ``(N, C, height, width)``. The output has the same form, with ``H`` in the place of ``C``.
            hx: the initial state ``(h, c)``, ``(L, B, H, height, width)`` each; None is zero.
            lengths: with a tensor, the lengths ``(B,)``, each from 0 to ``T``, in any order: the output is 0 beyond
                them, the final state is that of each film's last frame, and nothing beyond them is read.

        Returns:
            The output of the last layer, and the final state of each; a film without a frame ends in its initial state.

        Raises:
            ValueError: shapes do not fit.
        """
        if isinstance(input, Ragged):
            if lengths is not None:
                raise ValueError("a Ragged knows its own lengths; leave lengths= out")
            ragged, steps = input, 0
        else:
            if input.dim() != 5:
                raise ValueError(f"input must be (T, B, C, height, width), not of {input.dim()} dimensions")
            batch, steps = input.shape[:2] if self.batch_first else input.shape[1::-1]
            given = [steps] * batch if lengths is None else lengths
            ragged = from_padded(input, given, batch_first=self.batch_first)
        self._check(ragged.values)
        packed = pack(ragged)
        first = self._initial(hx, len(ragged), ragged.values)
        order, slots = packed.order.to(ragged.values.device), packed.slots.to(ragged.values.device)
        ends = []
        for layer in range(self.num_layers):
            h, c = (part[layer].index_select(0, order) for part in first)
            data, state = self._layer(layer, packed, (h, c))
            packed = packed.with_data(data)
            ends.append([part.index_select(0, slots) for part in state])
        h_n, c_n = (torch.stack(parts) for parts in zip(*ends, strict=True))
        output = unpack(packed)
        if isinstance(input, Ragged):
            return output, (h_n, c_n)
        return to_padded(output, batch_first=self.batch_first, total_length=steps), (h_n, c_n)

    def _layer(self, layer: int, packed: Packed, state: State) -> tuple[Tensor, State]:
        """Outputs ``(N, H, height, width)`` in packed order, and the state of each slot after its last step."""
        weights = {name: getattr(self, f"{name}_l{layer}", None) for name in ("weight_ih", "weight_hh", "weight_ch")}
        biases = (getattr(self, f"{name}_l{layer}", None) for name in ("bias_ih", "bias_hh"))
        data, pad = packed.data, self.kernel_size // 2
        bias_ih, bias_hh = biases
        inputs = F.conv2d(data, cast(Tensor, weights["weight_ih"]), bias_ih, padding=pad) if len(data) else data
        h, c = state
        outputs = []
        for rows in torch.split(inputs, packed.batch_sizes.tolist()):
            alive = len(rows)
            gates = rows + F.conv2d(h[:alive], cast(Tensor, weights["weight_hh"]), bias_hh, padding=pad)
            new = _step(gates, c[:alive], weights["weight_ch"])
            outputs.append(new[0])
            h, c = (torch.cat([now, before[alive:]]) for now, before in zip(new, (h, c), strict=True))
        whole = torch.cat(outputs) if outputs else data.new_zeros(0, self.hidden_size, *data.shape[2:])
        return whole, (h, c)

    def _check(self, values: Tensor) -> None:
        if values.dim() != 4 or values.shape[1] != self.input_size:
            found = tuple(values.shape[1:])
            raise ValueError(f"frames must be ({self.input_size}, height, width), found {found}")
        if self.peephole and tuple(values.shape[2:]) != tuple(self.peephole):
            raise ValueError(f"peepholes are for frames of {self.peephole}, found {tuple(values.shape[2:])}")

    def _initial(self, hx: State | None, batch: int, values: Tensor) -> State:
        shape = (self.num_layers, batch, self.hidden_size, *values.shape[2:])
        if hx is None:
            return values.new_zeros(shape), values.new_zeros(shape)
        for name, part in zip(("h", "c"), hx, strict=True):
            if tuple(part.shape) != shape:
                raise ValueError(f"the initial {name} must be {shape}, found {tuple(part.shape)}")
        return hx

    def extra_repr(self) -> str:
        """For ``print(layer)``."""
        told = f"{self.input_size}, {self.hidden_size}, kernel_size={self.kernel_size}"
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False), ("peephole", None)):
            value = getattr(self, name)
            told += "" if value == default else f", {name}={value}"
        return told


def _step(gates: Tensor, c: Tensor, peephole: Tensor | None) -> State:
    """``(h, c)`` after one step, from the convolved sums ``(B, 4 H, height, width)`` and the cell before it."""
    i, f, g, o = gates.chunk(4, dim=1)
    if peephole is not None:
        to_i, to_f, to_o = peephole.chunk(3)
        i, f = i + to_i * c, f + to_f * c
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    if peephole is not None:
        o = o + to_o * c
    return torch.sigmoid(o) * torch.tanh(c), c
