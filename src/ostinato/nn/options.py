"""Options: the keyword arguments that every layer takes beyond torch.nn's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypedDict

from ostinato.cells import Cell, Sizes
from ostinato.engines import Noise
from ostinato.errors import nearest
from ostinato.nn.start import Init, Start


class Options(TypedDict, total=False):
    """How a layer begins (:class:`Start`) and how it is regularised (:class:`~ostinato.engines.Noise`)."""

    init: Init
    forget_bias: float | None
    max_lag: int | None
    learned_state: bool
    input_dropout: float
    output_dropout: float
    weight_dropout: float
    recurrent_dropout: float
    zoneout_h: float
    zoneout_c: float


def split(options: Options, cell: Cell[Any, Any], *, dropout: float, bias: bool) -> tuple[Start, Noise]:
    """The two groups of options, checked against the cell.

    Raises:
        TypeError: an option has no such name.
        ValueError: options do not fit each other or the cell.
    """
    given: dict[str, Any] = dict(options)
    unknown = [name for name in given if name not in Options.__annotations__]
    if unknown:
        raise TypeError(f"no option '{unknown[0]}'.{nearest(unknown[0], list(Options.__annotations__))}")
    start = Start(**{one.name: given.pop(one.name) for one in fields(Start) if one.name in given})
    start.check(cell, bias=bias)
    if start.learned_state and not {"h", "c"} >= set(cell.State._fields):
        raise ValueError(f"learned_state= is not for cell '{cell.name}', whose state counts what it has read")
    noise = Noise(**given)
    for name, share in noise.rates.items():
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{name} should be a number in range [0, 1], not {share!r}")
    refusals = {
        "recurrent_dropout": cell.candidate is None,
        "zoneout_h": "h" not in cell.zones,
        "zoneout_c": "c" not in cell.zones,
        "weight_dropout": "hh" not in cell.shapes(Sizes(1, 1, 1)),
    }
    for name, refused in refusals.items():
        if refused and getattr(noise, name):
            raise ValueError(f"{name}= has nothing to act on in cell '{cell.name}'")
    return start, Noise(dropout=dropout, **given)
