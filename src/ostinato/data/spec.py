"""Spec: what a model must take in and give out, as learned from the training part; plain numbers, stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Spec:
    """The sizes of a task's examples.

    Args:
        inputs: what a step is: an id of a vocabulary, or a vector of values.
        input_size: size of the vocabulary (ids), or number of channels (values).
        outputs: one answer a sequence, one a step, one for each of the next ``horizon`` steps, or a sequence written
            symbol by symbol, each fed back (``text``).
        output_size: numbers an answer has: labels, vocabulary size, 1 for a regression, quantiles for a forecast.
        static_size: ``S`` of :attr:`Batch.static`.
        parts_size: size of the character vocabulary of :attr:`Batch.parts`, 0 without.
        horizon: steps to forecast.
        look_back: steps a forecaster sees.
        segment: steps a forecaster reads at once.
        season: steps after which a series repeats itself; 0: it does not.
        seasons: further such numbers of steps.
        known_size: channels of :attr:`Batch.known`, the covariates known ahead.
        begin: of a text, the id that is fed before its first symbol.
        shared: of a text, whether its symbols are those of the inputs, by the same ids.
        causal: True where a step may not see the steps after it (language, forecast): not bidirectional.
        frame: ``(C, height, width)`` where a step is a picture of bytes; else empty.
        scale: mean and standard deviation of bytes, by which a model scales them; empty where values are no bytes.
        chain: True where the answers of a sequence hang together: a step gives the ``(K, K)`` potentials of
            :mod:`ostinato.nn.chain` in place of ``K`` numbers.
    """

    inputs: Literal["ids", "values"]
    input_size: int
    outputs: Literal["sequence", "step", "horizon", "text"]
    output_size: int
    static_size: int = 0
    parts_size: int = 0
    horizon: int = 0
    look_back: int = 0
    segment: int = 0
    season: int = 0
    seasons: tuple[int, ...] = ()
    known_size: int = 0
    begin: int = 0
    shared: bool = False
    causal: bool = False
    chain: bool = False
    frame: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("frame", "scale", "seasons"):  # JSON knows no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
