"""Rivals of a translator: the nearest example of the training, and a dictionary of single symbols."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.decoding.written import padded
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.sequences.padded import to_padded
from ostinato.tasks.translate_examples import PairExamples

ROUNDS = 5
"""Of expectation and maximisation; the dictionary hardly changes after them."""
NGRAMS = 3
"""Symbols in a row that make two sources alike."""


class Teller(nn.Module):
    """Answers by a table rather than by steps: ``answers(batch, limit)`` gives ``(B, 2, limit)``."""

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Nothing is scored symbol by symbol."""
        del batch, state
        return torch.empty(0), ()

    def answers(self, batch: Batch, limit: int) -> Tensor:
        """What it says."""
        raise NotImplementedError


class Nearest(Teller):
    """The target of the training example whose source is most alike: cosine of tf-idf over n-grams of symbols.

    Sources of numbers are compared by the distance of their means, or, where they all have one length, step by step.
    """

    def __init__(self, examples: PairExamples) -> None:
        super().__init__()
        self.targets = _targets(examples)
        self.symbols = examples.inputs.values.dim() == 1
        if self.symbols:
            from sklearn.feature_extraction.text import TfidfVectorizer

            self.counter = TfidfVectorizer(analyzer=_ngrams, sublinear_tf=True, dtype=np.float32)
            self.known = self.counter.fit_transform([row.tolist() for row in examples.inputs])
        else:
            lengths = examples.inputs.lengths
            self.steps = int(lengths[0]) if bool((lengths == lengths[0]).all()) else 0
            self.known = self._numbers(examples.inputs)

    def answers(self, batch: Batch, limit: int) -> Tensor:
        """The targets of the nearest; of equals the first."""
        if self.symbols:
            rows = self.counter.transform([row.tolist() for row in batch.inputs])
            best = np.asarray((rows @ self.known.T).toarray()).argmax(1)
        else:
            asked = self._numbers(batch.inputs)
            best = (np.square(self.known).sum(1) - 2.0 * asked @ self.known.T).argmin(1)  # |a|² is the same for all
        return padded([self.targets[place] for place in best.tolist()], limit)

    def _numbers(self, inputs: Ragged) -> np.ndarray:
        """What is compared, a row a source."""
        if not self.steps:
            return _means(inputs)
        steps = to_padded(inputs.slice(0, self.steps), batch_first=True, total_length=self.steps)
        return steps.flatten(1).cpu().numpy().astype(np.float64)


class Dictionary(Teller):
    """Every symbol of the source becomes its likeliest symbol of the target, in the order of the source.

    The chances are those of the first model of Brown et al. (1993), The mathematics of statistical machine translation,
    by expectation and maximisation: ``t(y | x)`` from ``c(y, x) = sum over pairs of t(y | x) / sum_x' t(y | x')``.
    A symbol that says nothing (whose likeliest target is told better by the empty word) is left out.
    """

    def __init__(self, examples: PairExamples, sources: int, targets: int) -> None:
        super().__init__()
        rows = [np.append(row.numpy(), sources) for row in examples.inputs]  # the empty word is the last
        said = [np.array(target) for target in _targets(examples)]
        x = np.concatenate([np.tile(one, len(two)) for one, two in zip(rows, said, strict=True)])
        y = np.concatenate([np.repeat(two, len(one)) for one, two in zip(rows, said, strict=True)])
        sizes = np.concatenate([np.full(len(two), len(one)) for one, two in zip(rows, said, strict=True)])
        pairs, pair = np.unique(x.astype(np.int64) * targets + y, return_inverse=True)
        owner, word = pairs // targets, pairs % targets
        group = np.repeat(np.arange(len(sizes)), sizes)
        chances = np.ones(len(pairs))
        for _ in range(ROUNDS):
            parts = chances[pair]
            parts /= np.bincount(group, parts)[group]
            counts = np.bincount(pair, parts, len(pairs))
            chances = counts / np.bincount(owner, counts, sources + 1)[owner]
        empty = np.zeros(targets)
        empty[word[owner == sources]] = chances[owner == sources]
        order = np.lexsort((-chances, owner))
        first = order[np.unique(owner[order], return_index=True)[1]]
        useful = first[chances[first] > empty[word[first]]]
        self.words = dict(zip(owner[useful].tolist(), word[useful].tolist(), strict=True))

    def answers(self, batch: Batch, limit: int) -> Tensor:
        """Symbol by symbol."""
        rows = [[self.words[symbol] for symbol in row.tolist() if symbol in self.words] for row in batch.inputs]
        return padded(rows, limit)


def nearest(ground: Ground) -> nn.Module:
    """:class:`Nearest` of the training part."""
    return Nearest(_pairs(ground, "nearest"))


def dictionary(ground: Ground) -> nn.Module:
    """:class:`Dictionary` of the training part."""
    spec, examples = ground.task.spec, _pairs(ground, "dictionary")
    if spec.inputs != "ids":
        raise UsageError("a dictionary needs symbols to look up; the inputs are numbers")
    return Dictionary(examples, spec.input_size, spec.output_size)


def _pairs(ground: Ground, name: str) -> PairExamples:
    if not isinstance(ground.train, PairExamples):
        raise UsageError(f"{name} writes sequences; the task '{ground.task.name}' does not")
    return ground.train


def _targets(examples: PairExamples) -> list[list[int]]:
    assert isinstance(examples.targets, Ragged)
    return [target[:-1].tolist() for target in examples.targets]


def _ngrams(row: list[int]) -> list[tuple[int, ...]]:
    return [tuple(row[start : start + size]) for size in range(1, NGRAMS + 1) for start in range(len(row) - size + 1)]


def _means(steps: Ragged) -> np.ndarray:
    means: np.ndarray = np.stack([row.numpy().mean(0) if len(row) else row.numpy().sum(0) for row in steps])
    return means
