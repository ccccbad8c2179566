"""ngram_logistic of a tagger: logistic regression on what stands at and around each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.table import Table
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.tasks.base import Outputs
from ostinato.training import OptimizerSettings, Trainer, predict

REACH = 2
"""Steps to each side that are seen."""
AFFIX = 4
"""Letters of the longest prefix and suffix of a token."""
EPOCHS = 12

State = tuple[Tensor, ...]


def features_of(symbols: Sequence[str]) -> list[list[str]]:
    """The names of what is true at each step of one sequence.

    The symbol, up to two on each side, the pairs it forms with its neighbours; and of a token its lower case, prefixes
    and suffixes of up to four letters, its shape (``Xxx9-``), and the neighbours' suffixes.
    """
    padded = ["\x02"] * REACH + list(symbols) + ["\x03"] * REACH
    found = []
    for place, symbol in enumerate(symbols, REACH):
        near = {lag: padded[place + lag] for lag in range(-REACH, REACH + 1)}
        names = ["bias", *(f"{lag}={word}" for lag, word in near.items())]
        names += [f"-1,0={near[-1]} {symbol}", f"0,1={symbol} {near[1]}", f"-1,1={near[-1]} {near[1]}"]
        if len(symbol) > 1 or len(near[-1]) > 1 or len(near[1]) > 1:
            lower = symbol.lower()
            names += [f"lower={lower}", f"shape={_shape(symbol)}"]
            names += [f"{n}^={lower[:n]}" for n in range(1, AFFIX + 1)] + [
                f"{n}$={lower[-n:]}" for n in range(1, AFFIX + 1)
            ]
            names += [f"-1$={near[-1].lower()[-3:]}", f"1$={near[1].lower()[-3:]}"]
        found.append(names)
    return found


def _shape(symbol: str) -> str:
    """``Xx9-``: what letters a token has, runs of the same kind written once."""
    kinds = ["X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c for c in symbol]
    return "".join(kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind)


@dataclass(frozen=True)
class Catalogue:
    """The features that training saw at least twice, numbered."""

    numbers: dict[str, int]

    @classmethod
    def fit(cls, rows: Iterable[Sequence[str]]) -> Catalogue:
        """From sequences of symbols."""
        counts = Counter(name for row in rows for names in features_of(row) for name in names)
        return cls({name: place for place, name in enumerate(sorted(n for n, c in counts.items() if c > 1))})

    def encode(self, rows: Iterable[Sequence[str]]) -> Ragged:
        """A Ragged of ``N`` sequences: the numbers of the features of every step."""
        found = [[self.numbers[n] for n in names if n in self.numbers] for row in rows for names in features_of(row)]
        lengths = torch.tensor([len(names) for names in found], dtype=torch.int64)
        return Ragged(torch.tensor([n for names in found for n in names], dtype=torch.int64), lengths)


class StepLogistic(nn.Module):
    """``softmax(sum of the rows of W that are true at the step)``; the features come as :attr:`Batch.parts`."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.weights = nn.EmbeddingBag(max(1, features), outputs, mode="sum")
        nn.init.zeros_(self.weights.weight)

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(N, K)``, and no state."""
        del state
        assert batch.parts is not None
        starts = batch.parts.offsets[:-1].to(batch.parts.values.device)
        answers: Tensor = self.weights(batch.parts.values, starts)
        return answers, ()


def step_logistic(ground: Ground) -> Outputs:
    """What logistic regression on :func:`features_of` says about the test part.

    It is fitted by the same trainer (Adam, cross entropy, the best epoch by the validation part).

    Raises:
        UsageError: the steps are no symbols.
    """
    task = ground.task
    train, valid, test = (
        _symbols(task_table, ground) for task_table in (ground.train_table, ground.valid_table, ground.test_table)
    )
    catalogue = Catalogue.fit(train)

    def dressed(examples: Examples, rows: list[Sequence[str]]) -> SequenceExamples:
        assert isinstance(examples, SequenceExamples)
        return SequenceExamples(examples.inputs, None, catalogue.encode(rows), examples.targets)

    model = StepLogistic(len(catalogue.numbers), task.spec.output_size)
    training = replace(
        ground.training, epochs=EPOCHS, patience=2, batch_size=64, epoch_size=0, window=0, burn_in=0,
        seed=ground.seed, seeds=1, watch="", device="cpu", precision="float32",
    )  # fmt: skip
    optimizer = OptimizerSettings(learning_rate=0.02, clip_norm=0.0)
    Trainer(model, task, dressed(ground.train, train), dressed(ground.valid, valid), training, optimizer).fit()
    return predict(model, task, dressed(ground.test, test))


def _symbols(table: Table, ground: Ground) -> list[Sequence[str]]:
    """The steps of every row as strings, upper and lower case kept; an array column has none."""
    features = getattr(ground.task, "features", None)
    name = getattr(features, "column", "")
    values = table[name].values if name in table.columns else []
    if len(values) != len(table) or isinstance(values, np.ndarray) or any(isinstance(v, np.ndarray) for v in values):
        raise UsageError(f"ngram_logistic needs steps that are symbols; the task '{ground.task.name}' has none")
    vocabulary = getattr(features, "vocabulary", None)
    if vocabulary is None:
        return list(values)
    keeper = replace(vocabulary, lower=False)
    return [keeper.pieces(value) for value in values]
