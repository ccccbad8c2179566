"""The rivals of a translator on data whose answers are known."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ostinato.data import Column, Kind, Table
from ostinato.data.settings import DataSettings
from ostinato.errors import UsageError
from ostinato.evaluation.baselines import baseline
from ostinato.tasks import Classify, Task, TaskSettings, Translate
from ostinato.training import TrainingSettings

CODE = dict(zip("abcdef", "UVWXYZ", strict=True))


def cipher(rows: int, seed: int) -> Table:
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdef", k=draw.randint(2, 6))) for _ in range(rows)]
    said = ["".join(CODE[letter] for letter in word) for word in words]
    columns = [Column("a", Kind.TEXT, words), Column("b", Kind.TEXT, said)]
    return Table({c.name: c for c in columns}, Path("x.tsv"), np.arange(2, rows + 2))


def answers(name: str, train: Table, test: Table, task: Task | None = None) -> list[str]:
    task = task or Translate.fit(train, DataSettings(), TaskSettings())
    assert isinstance(task, Translate)
    outputs = baseline(name, task, train, test, test, training=TrainingSettings(epochs=2))
    return task.texts(outputs, task.examples(test).sources)


def test_a_dictionary_breaks_a_cipher() -> None:
    test = cipher(20, 1)
    assert answers("dictionary", cipher(300, 0), test) == test["b"].values


def test_the_nearest_is_itself() -> None:
    train = cipher(60, 0)
    assert answers("nearest", train, train) == train["b"].values


def test_the_nearest_of_numbers() -> None:
    columns = [Column("x", Kind.NUMBER, np.array([0.0, 1.0, 2.0])), Column("b", Kind.TEXT, ["nil", "one", "two"])]
    train = Table({c.name: c for c in columns})
    near = [Column("x", Kind.NUMBER, np.array([1.9, 0.2])), Column("b", Kind.TEXT, ["?", "?"])]
    assert answers("nearest", train, Table({c.name: c for c in near})) == ["two", "nil"]


def test_the_network_without_memory_answers() -> None:
    train = cipher(80, 0)
    told = answers("feed_forward", train, cipher(5, 1))
    assert len(told) == 5
    assert set("".join(told)) <= set("UVWXYZabcdef")


@pytest.mark.parametrize("name", ["nearest", "dictionary"])
def test_only_for_what_is_written(name: str) -> None:
    rows = Table({"a": Column("a", Kind.TEXT, ["x", "y"]), "c": Column("c", Kind.CATEGORY, ["u", "v"])})
    task = Classify.fit(rows, DataSettings(target="c"), TaskSettings())
    with pytest.raises(UsageError, match=f"{name} writes sequences"):
        baseline(name, task, rows, rows, rows)
