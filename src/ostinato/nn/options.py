"""Options: the keyword arguments that every layer takes beyond torch.nn's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, TypedDict, get_args

from ostinato.cells import Cell, Sizes
from ostinato.engines import Noise
from ostinato.errors import nearest
from ostinato.nn.start import Init, Start

Memory = Literal["all", "low"]
"""What is kept for backward: all that is needed, or little."""


class Options(TypedDict, total=False):
    """How a layer begins (:class:`Start`), is regularised (:class:`~ostinato.engines.Noise`), and uses memory.

    ``memory="low"``: in training gates are computed a second time in backward instead of being kept, where the native
    engine serves; of an LSTM two numbers a unit and step stay in memory instead of six.
    """

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
    memory: Memory


def split(options: Options, cell: Cell[Any, Any], *, dropout: float, bias: bool) -> tuple[Start, Noise, Memory]:
    """The groups of options, checked against the cell.

    Raises:
        TypeError: an option has no such name.
        ValueError: options do not fit each other or the cell.
    """
    given: dict[str, Any] = dict(options)
    unknown = [name for name in given if name not in Options.__annotations__]
    if unknown:
        raise TypeError(f"no option '{unknown[0]}'.{nearest(unknown[0], list(Options.__annotations__))}")
    memory = given.pop("memory", "all")
    if memory not in get_args(Memory):
        raise ValueError(f"memory should be one of {', '.join(get_args(Memory))}, not {memory!r}")
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
    return start, Noise(dropout=dropout, **given), memory
