"""Noise: the regularisers of a layer, and masks that depend on nothing but a seed and a place.

A mask's bits are a function of counters, not of a stream: every engine, thread count, batch layout and chunk of work
gets the same ones. All arithmetic is on unsigned integers modulo ``2^64`` or ``2^32``::

    mix(x):    x ^= x >> 30;  x *= 0xbf58476d1ce4e5b9;  x ^= x >> 27;  x *= 0x94d049bb133111eb;  x ^= x >> 31
    hash(x):   x ^= x >> 16;  x *= 0x85ebca6b;  x ^= x >> 13;  x *= 0xc2b2ae35;  x ^= x >> 16          (32 bits)

    key  = mix(seed + G (1 + kind + 8 direction + 16 layer))            G = 0x9e3779b97f4a7c15
    key  = mix(key + G (1 + step));  key = mix(key + G (1 + sequence))
    bits = hash(hash(unit ^ low(key)) + high(key))                      low, high: the halves of a key, 32 bits each

An element is dropped where ``bits < round(p 2^32)`` (halves to even). ``kind`` is the place of the name in
:data:`KINDS`; ``layer`` counts from 0 and ``direction`` is 1 for the reverse one; ``step`` counts from the beginning of
the sequence in both directions, ``sequence`` in the order in which the caller gave the sequences; ``unit`` is the
element of the vector. A mask for a whole sequence has step 0, one on the inputs direction 0. A mask over ``W_hh`` has
step 0, the row in the place of the sequence and the column in that of the unit (a vector ``W_hh``: row 0). ``mix`` is
the finalizer of splitmix64 (Steele, Lea & Flood 2014) and ``hash`` that of MurmurHash3 (Appleby 2011): one 64-bit key a
row, then 32-bit lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

KINDS = ("input_dropout", "output_dropout", "dropout", "weight_dropout", "recurrent_dropout", "zoneout_h", "zoneout_c")
"""What a mask is for; the place in this tuple is its number."""

GAMMA = -0x61C8864680B583EB
"""``0x9e3779b97f4a7c15`` as a signed number."""


@dataclass(frozen=True)
class Noise:
    """How much of what is dropped or held back in training; all are shares from 0 to 1.

    Args:
        input_dropout: of each layer's inputs, the same units at every step of a sequence (variational or locked
            dropout, Gal & Ghahramani 2016).
        output_dropout: the same for each layer's outputs, each direction by itself.
        dropout: of the inputs of every layer but the first, anew at every step (as in ``torch.nn``).
        weight_dropout: of ``W_hh``, one mask for the whole call (weight-drop, Merity et al. 2018).
        recurrent_dropout: of the candidate that is written into the state, anew at every step, so that what is
            remembered is not lost (Semeniuta et al. 2016).
        zoneout_h: of the hidden state, anew at every step: units that keep their value of the step before (Krueger et
            al. 2017). Outside training the expectation is taken.
        zoneout_c: the same for the cell state.
        training: whether masks are drawn. If not, only zoneout is left.
        seed: int64 tensor without dimensions, from which all masks of a call come; None: not drawn yet.
    """

    input_dropout: float = 0.0
    output_dropout: float = 0.0
    dropout: float = 0.0
    weight_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout_h: float = 0.0
    zoneout_c: float = 0.0
    training: bool = False
    seed: Tensor | None = None

    @classmethod
    def of(cls, rates: Iterable[float], seed: Tensor | None) -> Noise:
        """From the shares in the order of :data:`KINDS`; in training if there is a seed."""
        named: dict[str, Any] = dict(zip(KINDS, rates, strict=True))
        return cls(**named, training=seed is not None, seed=seed)

    @classmethod
    def from_numbers(cls, numbers: Sequence[float], seed: int) -> tuple[Noise | None, int]:
        """What acts within the recurrence of a layer, and the number of the layer: the inverse of :meth:`numbers`."""
        if not numbers:
            return None, 0
        training, recurrent, zoneout_h, zoneout_c, layer = numbers
        drawn = torch.tensor(seed) if training else None
        shares = {"recurrent_dropout": recurrent, "zoneout_h": zoneout_h, "zoneout_c": zoneout_c}
        return cls(**shares, training=bool(training), seed=drawn), int(layer)

    def numbers(self, layer: int) -> tuple[tuple[float, ...], int]:
        """What acts within the recurrence of ``layer`` as plain numbers, and the seed; none if nothing does.

        The numbers are whether in training (0 or 1), the shares of recurrent dropout and of zoneout of h and c, and the
        layer.
        """
        if not self.inside:
            return (), 0
        recurrent, seed = (0.0, 0) if self.seed is None else (self.recurrent_dropout, int(self.seed))
        return (float(self.seed is not None), recurrent, self.zoneout_h, self.zoneout_c, float(layer)), seed

    @property
    def rates(self) -> dict[str, float]:
        """The shares by name, in the order of :data:`KINDS`."""
        return {kind: getattr(self, kind) for kind in KINDS}

    @property
    def inside(self) -> bool:
        """Whether something happens within the recurrence, where only the engine can do it."""
        return bool(self.recurrent_dropout or self.zoneout_h or self.zoneout_c)

    @property
    def plain(self) -> bool:
        """Whether there is nothing but dropout between layers."""
        return not (self.input_dropout or self.output_dropout or self.weight_dropout or self.inside)

    def at(self, *, training: bool) -> Noise | None:
        """What acts in training, or what is left of it outside; None if nothing is."""
        if not training:
            return (
                Noise(zoneout_h=self.zoneout_h, zoneout_c=self.zoneout_c) if self.zoneout_h or self.zoneout_c else None
            )
        return replace(self, training=True) if self.dropout or not self.plain else None

    def seeded(self) -> Noise:
        """With a seed from torch's generator, if one is still to be drawn."""
        if not self.training or self.seed is not None:
            return self
        return replace(self, seed=torch.randint(torch.iinfo(torch.int64).max, (), dtype=torch.int64))


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of one layer in one direction.

    Args:
        seed: int64 tensor without dimensions.
        layer: counted from 0.
        direction: 1 for the reverse one.
    """

    seed: Tensor
    layer: int = 0
    direction: int = 0

    def bits(self, kind: str, step: Tensor | int, sequence: Tensor, units: int) -> Tensor:
        """``(*, units)`` int64 in ``[0, 2^32)`` for ``sequence`` ``(*,)``; ``step`` of the same shape or a number."""
        place = 1 + KINDS.index(kind) + 8 * self.direction + 16 * self.layer
        key = _mix(self.seed.to(sequence.device) + _wrapped(place * GAMMA))
        key = _mix(key + (_wrapped((step + 1) * GAMMA) if isinstance(step, int) else (step + 1) * GAMMA))
        key = _mix(key + (sequence + 1) * GAMMA).unsqueeze(-1)
        unit = torch.arange(units, device=sequence.device)
        return _hash(_hash(unit ^ (key & 0xFFFFFFFF)) + (key >> 32 & 0xFFFFFFFF) & 0xFFFFFFFF)

    def dropped(self, kind: str, share: float, step: Tensor | int, sequence: Tensor, units: int) -> Tensor:
        """``(*, units)`` bool: the elements that go."""
        return self.bits(kind, step, sequence, units) < round(share * 2**32)

    def scale(self, kind: str, share: float, step: Tensor | int, sequence: Tensor, values: Tensor) -> Tensor:
        """What ``values`` ``(*, units)`` are multiplied by, 0 or ``1 / (1 - share)``; ``sequence`` as in ``bits``."""
        gone = self.dropped(kind, share, step, sequence, values.shape[-1])
        return torch.where(gone, values.new_zeros(()), values.new_full((), 0.0 if share == 1 else 1 / (1 - share)))


def _wrapped(x: int) -> int:
    """Modulo ``2^64``, signed."""
    return (x + 2**63) % 2**64 - 2**63


def _mix(x: Tensor) -> Tensor:
    """The finalizer of splitmix64 on int64, which wraps as unsigned numbers do; shifts bring in zeros."""
    x = (x ^ _shift(x, 30)) * -0x40A7B892E31B1A47
    x = (x ^ _shift(x, 27)) * -0x6B2FB644ECCEEE15
    return x ^ _shift(x, 31)


def _shift(x: Tensor, count: int) -> Tensor:
    return x >> count & (1 << 64 - count) - 1


def _hash(x: Tensor) -> Tensor:
    """The finalizer of MurmurHash3 on 32-bit numbers held in int64."""
    x = (x ^ x >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    x = (x ^ x >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return x ^ x >> 16
