"""explain: which engine serves a layer, and why, in words."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from ostinato.cells import Cell, Sizes, Weights
from ostinato.engines.chooser import choose
from ostinato.engines.noise import Noise
from ostinato.engines.request import Request
from ostinato.errors import UsageError
from ostinato.sequences import Ragged, pack


class Explainable(Protocol):
    """What ``explain`` asks of a layer."""

    @property
    def cell(self) -> Cell[Any, Any]:
        """The equation."""
        ...

    @property
    def active_noise(self) -> Noise | None:
        """Its regularisers, in training or outside it."""
        ...

    def layer_weights(self) -> list[Weights]:
        """The weights, layer by layer."""
        ...

    def sizes(self) -> Sizes:
        """Of the first layer."""
        ...


def explain(layer: Explainable) -> str:
    """For each kind of input, which engine would serve the layer now (device, dtype, training, forced engine) and why.

    One line a kind: equal lengths, unequal lengths (half of the padding filled), resets, a trace.
    """
    equal, unequal = torch.tensor([8, 8, 8, 8]), torch.tensor([8, 5, 2, 1])
    flags = torch.zeros(32, dtype=torch.bool)
    lines = [
        ("equal lengths", _request(layer, equal)),
        ("unequal lengths", _request(layer, unequal)),
        ("resets", _request(layer, equal, reset=flags)),
        ("trace", _request(layer, equal, trace=True)),
    ]
    width = max(len(kind) for kind, _ in lines)
    return "\n".join(f"{kind:<{width}}  {_served(request)}" for kind, request in lines)


def _served(request: Request) -> str:
    """The engine, how it would do it, and why it was chosen."""
    try:
        choice = choose(request)
    except UsageError as refusal:
        return f"no engine: {refusal}"
    return f"{choice.engine.name}: {choice.engine.how(request)} ({choice.reason})"


def _request(
    layer: Explainable, lengths: torch.Tensor, reset: torch.Tensor | None = None, trace: bool = False
) -> Request:
    """A request of the layer's first layer; its numbers do not matter."""
    weights, sizes = layer.layer_weights()[0], layer.sizes()
    rows = pack(Ragged(weights.ih.new_empty(int(lengths.sum()), sizes.input), lengths))
    shapes = layer.cell.state_shapes(sizes)
    state = layer.cell.State(*(weights.ih.new_zeros(lengths.numel(), *shape) for shape in shapes))
    return Request(layer.cell, weights, rows, state, reset, trace=trace, noise=layer.active_noise)
