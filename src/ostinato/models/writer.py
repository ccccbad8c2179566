"""Writer: an encoder that reads a sequence, attention, and a decoder that writes another one."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.models.check import check
from ostinato.models.dropout import VariationalDropout
from ostinato.models.front import Front, embedding_size
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import Stack, State
from ostinato.models.writing import Source, WritingModel, alive
from ostinato.nn import Layer
from ostinato.nn.attention import ATTENTION, Attention
from ostinato.sequences import Ragged
from ostinato.sequences.padded import from_padded, to_padded


class Writer(WritingModel):
    """Reads with one stack, in both directions as a rule, looks back at what it read, and writes with another.

    ::

        m[1..T] = stack(front(x))                       the memory
        h[0]    = tanh(B [m_forward[T]; m_backward[1]] + b)
        h[t]    = cell(E y[t-1], h[t-1])                multiplicative: all t at once, where y is known
        c[t]    = attention(h[t], m)
        o[t]    = tanh(W [h[t]; c[t]] + w)
        y[t]   ~ softmax(E o[t] + e)                    E: the embedding itself, where tied

    ``additive`` looks before it steps: ``c[t] = attention(h[t-1], m)``, ``h[t] = cell([E y[t-1]; c[t]], h[t-1])``.
    ``none`` has one memory, the final state. Sources: Bahdanau et al. 2015 (arXiv 1409.0473), Luong et al. 2015
    (arXiv 1508.04025, without input feeding), Press and Wolf 2017 for the tied weights.

    Args:
        spec: sizes of the examples.
        settings: of the model; reader and writer have the same cell, size and number of layers.

    Raises:
        UsageError: the settings do not fit each other or the task.
    """

    def __init__(self, spec: Spec, settings: ModelSettings) -> None:
        super().__init__(spec.begin, settings.scheduled_sampling)
        check(spec, settings)
        self.spec, self.settings = spec, settings
        self.attends, self.looks_first = settings.attention != "none", settings.attention == "additive"
        self.front = Front(spec, replace(settings, tied=settings.tied and spec.shared))
        self.stack = Stack(self.front.size, settings)
        width, memory, hidden = self._symbols(), self.stack.size, settings.hidden
        size = width + memory if self.looks_first else width
        self.writer = Stack(size, replace(settings, bidirectional=False, learned_state=False))
        self.bridge = nn.Linear(memory, settings.layers * hidden)
        self.attention: Attention = ATTENTION[settings.attention](hidden, memory)
        self.combine = nn.Linear(hidden + memory, width)
        self.bias = nn.Parameter(torch.zeros(spec.output_size))
        self.output = None if settings.tied else nn.Parameter(torch.randn(spec.output_size, width) * width**-0.5)
        self.embedding_dropout = VariationalDropout(settings.embedding_dropout)
        self.dropout = VariationalDropout(settings.dropout)

    def _symbols(self) -> int:
        """The embedding of what is written, and its width."""
        if self.spec.shared:
            self.embedding, self.scale = None, self.front.scale
            return self.front.embedding_width
        size = self.spec.output_size
        width = self.settings.embedding or embedding_size(size)
        self.embedding, self.scale = nn.Embedding(size, width), width**0.5
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        return width

    @property
    def matrix(self) -> Tensor:
        """``(V, width)``: the vectors of what is written."""
        return self.front.matrix if self.embedding is None else self.embedding.weight

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs ``(N, I)`` of the reading stack."""
        inputs: Ragged = self.front(batch)
        return inputs

    def read(self, batch: Batch, embedded: Ragged | None = None) -> Source:
        """The memory ``(B, T, D * H)``, and the state to begin with."""
        steps, final = self.stack(self.embed(batch) if embedded is None else embedded)
        summary = torch.cat(list(final[0][-self.stack.directions :]), dim=-1)
        if self.attends:
            memory = to_padded(steps, batch_first=True, total_length=max(1, int(steps.lengths.max())))
            mask = alive(steps.lengths, memory.shape[1]).to(memory.device)
        else:
            memory = summary[:, None]
            mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device)
        return Source(memory, self.attention.keys(memory), mask, self._first(summary))

    def _first(self, summary: Tensor) -> State:
        hidden = torch.tanh(self.bridge(summary)).view(len(summary), self.settings.layers, -1).transpose(0, 1)
        layer = cast(Layer, self.writer.layers[0])
        shapes = layer.cell.state_shapes(layer.sizes())
        named = zip(layer.cell.State._fields, shapes, strict=True)
        count = (self.settings.layers, len(summary))
        return tuple(hidden.contiguous() if name == "h" else summary.new_zeros(*count, *shape) for name, shape in named)

    def run(self, inputs: Ragged, source: Source) -> Tensor:
        """All steps: the recurrence is called once, or, where it looks first, once a step."""
        embedded = self.embedding_dropout(inputs.map(self._vectors))
        longest = max(1, int(inputs.lengths.max()))
        if self.looks_first:
            padded = to_padded(embedded, batch_first=True, total_length=longest)
            state, told = source.first, []
            for step in range(longest):
                both, state, _ = self._step(padded[:, step], state, source)
                told.append(both)
            both = torch.stack(told, dim=1)
        else:
            steps, _ = self.writer(embedded, source.first)
            states = to_padded(steps, batch_first=True, total_length=longest)
            context, _ = self.attention(states, source.keys, source.memory, source.mask)
            both = torch.cat([states, context], dim=-1)
        return self._logits(from_padded(both, inputs.lengths, batch_first=True))

    def advance(self, ids: Tensor, state: State, source: Source) -> tuple[Tensor, State, Tensor]:
        """One step; see :meth:`WritingModel.advance`."""
        both, state, shares = self._step(self._vectors(ids), state, source)
        return self._logits(Ragged(both, torch.ones(len(ids), dtype=torch.int64))), state, shares

    def _vectors(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.matrix) * self.scale

    def _step(self, embedded: Tensor, state: State, source: Source) -> tuple[Tensor, State, Tensor]:
        """``[h; c]`` ``(B * W, H + M)`` after one step."""
        once, sources = torch.ones(len(embedded), dtype=torch.int64), len(source.memory)
        if self.looks_first:
            context, shares = self._look(state[0][-1], source, sources)
            embedded = torch.cat([embedded, context], dim=-1)
        steps, state = self.writer(Ragged(embedded, once), state)
        if not self.looks_first:
            context, shares = self._look(steps.values, source, sources)
        return torch.cat([steps.values, context], dim=-1), state, shares

    def _look(self, queries: Tensor, source: Source, sources: int) -> tuple[Tensor, Tensor]:
        asked = queries.reshape(sources, -1, queries.shape[-1])
        context, shares = self.attention(asked, source.keys, source.memory, source.mask)
        return context.flatten(0, 1), shares

    def _logits(self, both: Ragged) -> Tensor:
        told = self.dropout(both.map(lambda values: torch.tanh(self.combine(values)))).values
        return F.linear(told, self.matrix if self.output is None else self.output, self.bias)
