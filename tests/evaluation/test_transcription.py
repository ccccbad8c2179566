"""The constant text: the one nearest to all others, as far as a sound has steps for it."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.data import Column, Kind, Table
from ostinato.data.settings import AudioSettings, DataSettings
from ostinato.errors import UsageError
from ostinato.evaluation.baselines import baseline
from ostinato.tasks import Regress, TaskSettings, Transcribe


def table(texts: list[str], samples: list[int]) -> Table:
    sounds = [np.zeros(count, np.float32) for count in samples]
    return Table({"sound": Column("sound", Kind.AUDIO, sounds), "text": Column("text", Kind.TEXT, texts)})


DATA = DataSettings(target="text", audio=AudioSettings(rate=8000))


def test_the_nearest_text() -> None:
    train = table(["zz", "aabb", "ab", "abc"], [8000] * 4)
    task = Transcribe.fit(train, DATA, TaskSettings())
    test = table(["ab", "b"], [8000, 300])
    outputs = baseline("constant", task, train, train.take(np.array([], dtype=int)), test)
    # Distances to the others: zz 4 + 2 + 3, aabb 4 + 2 + 2, ab 2 + 2 + 1, abc 3 + 2 + 1.
    assert task.texts(outputs) == ["ab", "ab"]
    assert task.metrics(outputs, task.examples(test))["cer"] == pytest.approx(1 / 3)


def test_a_short_sound_cuts_it_and_equal_neighbours_are_parted() -> None:
    train = table(["aab"] * 3, [8000] * 3)
    task = Transcribe.fit(train, DATA, TaskSettings())
    test = table(["b", "b", "b"], [8000, 256 + 80, 100])  # many steps, two, and one
    outputs = baseline("constant", task, train, train, test)
    assert outputs["steps"].tolist()[1:] == [2, 1]
    assert task.texts(outputs) == ["aab", "a", "a"]


def test_it_says_texts_alone() -> None:
    columns = [Column("x", Kind.SERIES, [np.ones((3, 1))] * 4, ("x",)), Column("y", Kind.NUMBER, np.arange(4.0))]
    numbers = Table({c.name: c for c in columns})
    task = Regress.fit(numbers, DataSettings(target="y"), TaskSettings())
    with pytest.raises(UsageError, match="constant says a text; the task 'regress' does not"):
        baseline("constant", task, numbers, numbers, numbers)
