"""FeedForwardWriter: writes a sequence and remembers nothing; the rival of a Writer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.models.front import Front, embedding_size
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import State
from ostinato.models.writing import Source, WritingModel, alive
from ostinato.sequences import Ragged
from ostinato.sequences.padded import to_padded


class FeedForwardWriter(WritingModel):
    """``y[t] = W3 relu(W2 relu(W1 [y[t-k]; …; y[t-1]; x[t-r]; …; x[t+r]; mean(x)] + b1) + b2) + b3``.

    It sees the last ``k`` symbols that it wrote, the steps of the source around the place it has come to, and the mean
    of the whole source, without order. Its state is what it wrote last and how many symbols, never what it computed.

    Args:
        spec: sizes of the examples.
        look_back: ``k``; ``r`` is half of it.
        hidden: units of each hidden layer.
        settings: the front's part of it, and ``dropout``, are read.
    """

    attends = False

    def __init__(
        self, spec: Spec, look_back: int = 4, hidden: int = 128, settings: ModelSettings | None = None
    ) -> None:
        super().__init__(spec.begin, 0.0)
        self.spec, self.look_back, self.hidden = spec, look_back, hidden
        self.settings = replace(settings or ModelSettings(), tied=False, bidirectional=True)
        self.front = Front(spec, self.settings)
        self.around = look_back // 2
        width = embedding_size(spec.output_size)
        self.embedding = nn.Embedding(spec.output_size, width)
        size = look_back * width + (2 * self.around + 2) * self.front.size
        self.layers = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(self.settings.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(self.settings.dropout),
            nn.Linear(hidden, spec.output_size),
        )

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs of the source ``(N, I)``."""
        inputs: Ragged = self.front(batch)
        return inputs

    def read(self, batch: Batch, embedded: Ragged | None = None) -> Source:
        """The source as it is, and in the place of keys its mean ``(B, 1, I)``."""
        steps = self.embed(batch) if embedded is None else embedded
        memory = to_padded(steps, batch_first=True, total_length=max(1, int(steps.lengths.max())))
        mask = alive(steps.lengths, memory.shape[1]).to(memory.device)
        mean = memory.sum(1, keepdim=True) / steps.lengths.clamp(min=1).to(memory.device)[:, None, None]
        last = torch.full((self.look_back, len(memory), 1), self.spec.begin, device=memory.device)
        return Source(memory, mean, mask, (last, last.new_zeros(1, len(memory), 1)))

    def run(self, inputs: Ragged, source: Source) -> Tensor:
        """All steps at once, as none needs the one before."""
        begins = torch.full((len(source.memory), self.look_back), self.spec.begin, device=source.memory.device)
        padded = to_padded(inputs, batch_first=True, total_length=max(1, int(inputs.lengths.max())))
        written = torch.cat([begins, padded], dim=1).unfold(1, self.look_back, 1)[:, 1:]  # (B, T, k)
        owner, step = alive(inputs.lengths, written.shape[1]).nonzero(as_tuple=True)
        owner, step = owner.to(written.device), step.to(written.device)
        logits: Tensor = self.layers(self._features(written[owner, step], owner, step, source))
        return logits

    def advance(self, ids: Tensor, state: State, source: Source) -> tuple[Tensor, State, Tensor]:
        """One step; it looks nowhere."""
        state = torch.cat([state[0][1:], ids[None, :, None]]), state[1] + 1
        beams = len(ids) // len(source.memory)
        owner = torch.arange(len(source.memory), device=ids.device).repeat_interleave(beams)
        shares = source.memory.new_zeros(len(source.memory), beams, source.memory.shape[1])
        features = self._features(state[0][..., 0].transpose(0, 1), owner, state[1][0, :, 0] - 1, source)
        logits: Tensor = self.layers(features)
        return logits, state, shares

    def _features(self, written: Tensor, owner: Tensor, place: Tensor, source: Source) -> Tensor:
        """Of rows that wrote ``written`` ``(N, k)`` last and have come to ``place`` ``(N,)`` of source ``owner``."""
        seen = []
        for near in (place + shift for shift in range(-self.around, self.around + 1)):
            there = (near >= 0) & (near < source.memory.shape[1])
            steps = source.memory[owner, near.clamp(0, source.memory.shape[1] - 1)]
            seen.append(torch.where(there[:, None], steps, 0.0))
        return torch.cat([self.embedding(written).flatten(1), *seen, source.keys[owner, 0]], dim=-1)
