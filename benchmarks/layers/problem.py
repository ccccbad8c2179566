"""What is computed: a cell over some sequences, and the numbers of it, the same for every arm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.layers.equations import EQUATIONS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """A cell over ``T`` steps of ``B`` sequences.

    Args:
        cell: a row of ``EQUATIONS``.
        T: steps.
        B: sequences.
        I: input size.
        H: hidden size.
        train: forward and backward of everything; otherwise inference.
        ragged: lengths spread evenly from 0.1 to 1.0 ``T``; otherwise all are ``T``.
        resets: share of steps at which an episode begins.
        packed: sequences go in and come out packed; otherwise padded.
        dtype: what weights and inputs are kept in; the numbers are such that ``bfloat16`` holds them exactly.
    """

    cell: str
    T: int
    B: int
    I: int  # noqa: E741
    H: int
    train: bool = False
    ragged: bool = False
    resets: float = 0.0
    packed: bool = False
    dtype: str = "float32"

    @property
    def lengths(self) -> np.ndarray:
        """``(B,)``, in no order; the longest is ``T``."""
        if not self.ragged:
            return np.full(self.B, self.T)
        spread = np.rint(np.linspace(0.1 * self.T, self.T, self.B)).astype(np.int64)
        return np.random.default_rng(1).permutation(spread)

    @property
    def rows(self) -> int:
        """``N``, the real steps."""
        return int(self.lengths.sum())

    @property
    def flops(self) -> float:
        """Of all matrix products: two a weight and row, and twice as many again in the backward."""
        shapes = EQUATIONS[self.cell].weights(self.I, self.H).values()
        return 2.0 * self.rows * sum(a * b for a, b in (s for s in shapes if len(s) == 2)) * (3 if self.train else 1)

    @property
    def traffic(self) -> float:
        """Bytes that a recurrence must move beside its products: what they give, its outputs, and twice that back."""
        gates = EQUATIONS[self.cell].weights(self.I, self.H)["weight_ih"][0]
        return 4.0 * self.rows * (gates + self.H) * (3 if self.train else 1)

    def numbers(self) -> Arrays:
        """Weights as torch.nn draws them, gains around 0.3, inputs, states other than 0, gradients of every result."""
        draw = np.random.default_rng(0)
        equation, bound = EQUATIONS[self.cell], self.H**-0.5
        found = {name: draw.uniform(-bound, bound, shape) for name, shape in equation.weights(self.I, self.H).items()}
        for name in found:
            if name.startswith("weight_norm"):
                found[name] += 0.3  # gains about 1 let rounding grow from step to step, in every library
        found["x"] = draw.normal(size=(self.T, self.B, self.I))
        found["dy"] = draw.normal(size=(self.T, self.B, equation.sizes(self.H)["h"]))
        for part, width in equation.sizes(self.H).items():
            found[f"{part}0"] = 0.5 * draw.normal(size=(self.B, width))
            found[f"d{part}"] = draw.normal(size=(self.B, width))
        arrays = {name: value.astype(np.float32) for name, value in found.items()}
        if self.dtype == "bfloat16":
            arrays = {name: in_bfloat16(value) for name, value in arrays.items()}
        if self.resets:
            arrays["reset"] = draw.random((self.T, self.B)) < self.resets
        if self.ragged:
            arrays["lengths"] = self.lengths
            arrays["dy"][np.arange(self.T)[:, None] >= self.lengths] = 0
        return arrays

    def text(self) -> str:
        """In words, for people."""
        words = [self.cell, "train" if self.train else "infer", f"{self.T}, {self.B}, {self.I}, {self.H}"]
        words += ["unequal lengths"] * self.ragged + ["packed"] * self.packed
        words += [f"resets at {self.resets:.0%}"] * bool(self.resets) + [self.dtype] * (self.dtype != "float32")
        return " ".join(words)

    def facts(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self)


def in_bfloat16(a: np.ndarray) -> np.ndarray:
    """The nearest numbers of 8 bits' precision, ties to even, still as float32."""
    bits = a.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
