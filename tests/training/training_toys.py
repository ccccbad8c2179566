"""A small model and small tasks whose answers a person can check; ids in, labels out."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.data.spec import Spec
from ostinato.sequences import Ragged


class Toy(nn.Module):
    """Embedding, tanh RNN or LSTM written out as a loop over padded steps, head; every operation is torch's own."""

    def __init__(self, spec: Spec, hidden: int = 8, dropout: float = 0.0, **settings: Any) -> None:
        super().__init__()
        self.spec, self.settings = spec, SimpleNamespace(bidirectional=False, pool="last", **settings)
        if spec.inputs == "ids":
            self.embedding = nn.Embedding(spec.input_size, hidden)
        else:
            self.embedding = nn.Linear(spec.input_size, hidden)
        self.dropout = nn.Dropout(dropout)
        self.cell = nn.GRUCell(hidden, hidden)
        self.head = nn.Linear(hidden, spec.output_size)
        self.initial = nn.Parameter(torch.zeros(hidden))

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        lengths = batch.inputs.lengths
        steps = batch.inputs.map(lambda values: self.dropout(self.embedding(values))).to_list()
        h = self.initial.expand(len(batch), -1) if state is None else state[0][0]
        outputs: list[list[Tensor]] = [[] for _ in range(len(batch))]
        for t in range(int(lengths.max())):
            alive = [b for b in range(len(batch)) if lengths[b] > t]
            new = self.cell(torch.stack([steps[b][t] for b in alive]), h[alive])
            h = h.index_copy(0, torch.tensor(alive), new.to(h.dtype))
            for slot, b in enumerate(alive):
                outputs[b].append(new[slot])
        if self.spec.outputs == "step":
            flat = [h for sequence in outputs for h in sequence]
            return self.head(torch.stack(flat) if flat else h[:0]), (h[None],)
        return self.head(h), (h[None],)


@dataclass
class ToyTask:
    """Cross entropy over labels; an answer a sequence or a step, as the spec says."""

    spec: Spec
    name: str = "toy"
    watch: str = "accuracy"
    higher_is_better: bool = True
    decoder: str = ""

    def draw(self, examples: SequenceExamples, index: Tensor) -> Batch:
        return examples.take(index)

    def views(self, batch: Batch) -> tuple[Batch, ...]:
        return (batch,)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        targets = batch.targets.values if isinstance(batch.targets, Ragged) else batch.targets
        return nn.functional.cross_entropy(output.float(), targets), len(targets)

    def outputs(self, output: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        return {"probability": output.float().softmax(-1).numpy(), "label": output.argmax(-1).numpy()}

    def metrics(self, outputs: dict[str, np.ndarray], examples: SequenceExamples) -> dict[str, float]:
        targets = examples.targets.values if isinstance(examples.targets, Ragged) else examples.targets
        return {"accuracy": float((outputs["label"] == targets.numpy()).mean())}


def spec(outputs: str = "sequence", symbols: int = 3) -> Spec:
    return Spec(inputs="ids", input_size=symbols, outputs=outputs, output_size=2)


def parity(count: int, seed: int, outputs: str = "sequence", longest: int = 6, shortest: int = 1) -> SequenceExamples:
    """Is the number of ones even? A feed-forward look at any few steps cannot know."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (count,), generator=generator)
    sequences = [torch.randint(0, 2, (int(length),), generator=generator) for length in lengths]
    inputs = Ragged.from_list(sequences)
    running = Ragged.from_list([sequence.cumsum(0) % 2 for sequence in sequences])
    targets = running if outputs == "step" else torch.stack([sequence.sum() % 2 for sequence in sequences])
    return SequenceExamples(inputs=inputs, targets=targets)


def toy(outputs: str = "sequence", hidden: int = 8, dropout: float = 0.0, seed: int = 1) -> tuple[Toy, ToyTask]:
    torch.manual_seed(seed)
    return Toy(spec(outputs), hidden, dropout), ToyTask(spec(outputs))
