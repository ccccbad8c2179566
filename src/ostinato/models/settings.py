"""The ``model`` group of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ModelSettings:
    """Front end, recurrent stack and head.

    Args:
        cell: ``rnn`` (tanh), ``rnn_relu``, ``lstm``, ``gru`` or ``gru_before`` (reset before, as in Cho et al. v3).
        hidden: ``H``, hidden size of each direction.
        layers: ``L``.
        bidirectional: whether a second direction reads from the end; never for a causal task.
        embedding: size of a symbol's vector; 0: chosen from the vocabulary. Values go through a linear layer of this
            size; 0: straight in.
        segment: steps read at once: a layer then has ``segment`` times fewer to go through and to remember. Only where
            the answer is one a sequence.
        dropout: on what a layer reads from the one below and on what the head reads, the same units at every step.
        embedding_dropout: on the vectors of symbols, the same units at every step; never on raw values.
        symbol_dropout: share of symbols replaced by the unknown symbol in training; values are left alone.
        pool: how a sequence's steps become one vector: ``last``, ``mean``, ``max``, ``concat`` (these three side by
            side) or ``attention``.
        init: ``torch`` (uniform), ``orthogonal`` (recurrent weights) or ``chrono`` (gates for a long memory).
        max_lag: with ``chrono``, and only then, the longest lag that matters, in steps.
        forget_bias: where the forget gate's bias of an LSTM begins; ``chrono`` draws it instead.
        learned_state: whether the initial state is learned.
        tied: whether a language model's output weights are its embedding.
    """

    cell: Literal["rnn", "rnn_relu", "lstm", "gru", "gru_before"] = "lstm"
    hidden: int = 128
    layers: int = 1
    bidirectional: bool = False
    embedding: int = 0
    segment: int = 1
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    symbol_dropout: float = 0.0
    pool: Literal["last", "mean", "max", "concat", "attention"] = "last"
    init: Literal["torch", "orthogonal", "chrono"] = "orthogonal"
    max_lag: int = 0
    forget_bias: float = 1.0
    learned_state: bool = False
    tied: bool = False
