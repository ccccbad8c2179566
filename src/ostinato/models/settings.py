"""The ``model`` group of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FORGETTING = ("lstm", "peephole", "coupled", "lstm_norm", "slstm")
"""The cells whose forget gate has a bias to begin with; an mLSTM draws its own."""
HEADED = ("slstm", "mlstm")
"""The cells whose units are cut into heads."""
GATELESS = ("rnn", "rnn_relu", "indrnn", "indrnn_tanh")
"""The cells without a gate."""


@dataclass(frozen=True)
class ModelSettings:
    """Front end, recurrent stack and head.

    Args:
        cell: ``rnn`` (tanh), ``rnn_relu``, ``lstm``, ``gru``, ``gru_before`` (reset before, as in Cho et al. v3),
            ``peephole``, ``coupled`` (f = 1 - i), ``lstm_norm``, ``gru_norm`` (layer normalisation), ``indrnn`` (relu),
            ``indrnn_tanh``, ``slstm`` or ``mlstm`` (of xLSTM). Those after ``gru`` are computed step by step, slowly.
        hidden: ``H``, hidden size of each direction.
        heads: blocks that the units of an ``slstm`` or ``mlstm`` are cut into; must divide ``hidden``.
        layers: ``L``.
        bidirectional: whether a second direction reads from the end; never for a causal task.
        embedding: size of a symbol's vector; 0: chosen from the vocabulary. Values go through a linear layer of this
            size; 0: straight in. A frame of film becomes a vector of this size; 0: 64.
        segment: steps read at once: a layer then has ``segment`` times fewer to go through and to remember. Only where
            the answer is one a sequence.
        dropout: on what a layer reads from the one below and on what the head reads, the same units at every step.
        embedding_dropout: on the vectors of symbols, the same units at every step; never on raw values.
        symbol_dropout: share of symbols replaced by the unknown symbol in training; values are left alone.
        pool: how a sequence's steps become one vector: ``last``, ``mean``, ``max``, ``concat`` (these three side by
            side), ``attention`` or ``middle`` (the step in the middle, of windows cut around a place of interest).
        init: ``torch`` (uniform), ``orthogonal`` (recurrent weights) or ``chrono`` (gates for a long memory).
        max_lag: with ``chrono``, and only then, the longest lag that matters, in steps.
        forget_bias: where the forget gate's bias of an LSTM or a variant begins; ``chrono`` draws it instead.
        learned_state: whether the initial state is learned.
        tied: whether the output weights of a model that writes are its embedding.
        skip: whether what comes in is added to what goes out (through a linear layer where their sizes differ), so that
            the layers learn the difference only; of values with an answer a step.
        attention: of a model that writes from a sequence: ``multiplicative`` (Luong: the states first, then all of them
            look at the source at once), ``additive`` (Bahdanau: a look before every step, fed in) or ``none``.
        scheduled_sampling: share of the symbols that such a model reads from itself in training, not from the target.
    """

    cell: Literal[
        "rnn",
        "rnn_relu",
        "lstm",
        "gru",
        "gru_before",
        "peephole",
        "coupled",
        "lstm_norm",
        "gru_norm",
        "indrnn",
        "indrnn_tanh",
        "slstm",
        "mlstm",
    ] = "lstm"
    hidden: int = 128
    heads: int = 4
    layers: int = 1
    bidirectional: bool = False
    embedding: int = 0
    segment: int = 1
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    symbol_dropout: float = 0.0
    pool: Literal["last", "mean", "max", "concat", "attention", "middle"] = "last"
    init: Literal["torch", "orthogonal", "chrono"] = "orthogonal"
    max_lag: int = 0
    forget_bias: float = 1.0
    learned_state: bool = False
    tied: bool = False
    skip: bool = False
    attention: Literal["none", "multiplicative", "additive"] = "multiplicative"
    scheduled_sampling: float = 0.0
