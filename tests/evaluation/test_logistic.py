"""Logistic regression on all pixels, against scikit-learn alone; the nearest image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import UsageError
from ostinato.evaluation.baselines import baseline
from ostinato.evaluation.logistic import STRENGTHS, flat
from ostinato.sequences import Ragged
from ostinato.tasks import Classify, TaskSettings, Translate

DATA = DataSettings(target="label")


def images(count: int, seed: int, beside: bool = False) -> Table:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 200, (count, 6, 5), dtype=np.uint8)
    labels = [("dark", "left", "right")[number % 3] for number in range(count)]
    for image, label in zip(pixels, labels, strict=True):
        if label != "dark":
            image[2:4, slice(0, 2) if label == "left" else slice(3, 5)] += 40
    columns = [Column("image", Kind.IMAGE, list(pixels)), Column("label", Kind.CATEGORY, labels)]
    if beside:
        columns.append(Column("weight", Kind.NUMBER, random.normal(size=count)))
    return Table({column.name: column for column in columns})


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("valid", [True, False])
def test_against_scikit_learn(beside: bool, valid: bool) -> None:
    """The penalty is the one that does best on the validation part; without one the middle one."""
    train, rest, test = (images(count, seed, beside) for seed, count in enumerate((90, 60, 45)))
    rest = rest if valid else rest.take(np.arange(0))
    task = Classify.fit(train, DATA, TaskSettings())
    assert "logistic" in task.baselines
    assert "ngram_logistic" not in task.baselines
    found = baseline("logistic", task, train, rest, test)["probabilities"]

    def numbers(table: Table) -> np.ndarray:
        pixels = np.stack([np.asarray(image).ravel() / 255.0 for image in table["image"].values])
        if not beside:
            return pixels
        weight = np.asarray(train["weight"].values)
        own = (np.asarray(table["weight"].values) - weight.mean()) / weight.std()
        return np.concatenate([pixels, own[:, None]], axis=1)

    best = STRENGTHS[1]
    if valid:
        scores = {
            c: LogisticRegression(C=c, max_iter=200).fit(numbers(train), train["label"].values) for c in STRENGTHS
        }
        best = max(STRENGTHS, key=lambda c: scores[c].score(numbers(rest), rest["label"].values))
    wanted = LogisticRegression(C=best, max_iter=200).fit(numbers(train), train["label"].values)
    places = [task.labels.names.index(name) for name in wanted.classes_]
    assert np.allclose(found[:, places], wanted.predict_proba(numbers(test)), atol=2e-3)


def test_other_lengths_are_cut_or_filled() -> None:
    steps = Ragged.from_list([torch.arange(1.0, 7.0).view(3, 2), torch.ones(1, 2)])
    assert flat(steps, None, 2).tolist() == [[1, 2, 3, 4], [1, 1, 0, 0]]
    assert flat(steps, torch.tensor([[9.0], [8.0]]), 1).tolist() == [[1, 2, 9], [1, 1, 8]]
    assert flat(Ragged(torch.tensor([[255], [51]], dtype=torch.uint8), torch.tensor([2])), None, 2).tolist() == [
        [1.0, pytest.approx(0.2)]
    ]


def test_what_it_cannot_do() -> None:
    texts = Table(
        {"text": Column("text", Kind.TEXT, ["ab", "cd"] * 9), "label": Column("label", Kind.CATEGORY, ["x", "y"] * 9)}
    )
    task = Classify.fit(texts, DATA, TaskSettings())
    with pytest.raises(UsageError, match="labels sequences of numbers"):
        baseline("logistic", task, texts, texts, texts)


def test_the_nearest_image() -> None:
    """Of images of one size every pixel counts: means alone could not tell these apart."""
    one, two = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    one[0], two[3] = 255, 255
    train = Table(
        {"image": Column("image", Kind.IMAGE, [one, two]), "said": Column("said", Kind.TEXT, ["top", "bottom"])}
    )
    noisy = [np.clip(image.astype(int) + 30, 0, 255).astype(np.uint8) for image in (two, one, two)]
    test = Table(
        {"image": Column("image", Kind.IMAGE, noisy), "said": Column("said", Kind.TEXT, ["bottom", "top", "bottom"])}
    )
    task = Translate.fit(train, DataSettings(target="said"), TaskSettings())
    assert task.baselines == ("nearest", "feed_forward")
    outputs = baseline("nearest", task, train, test, test)
    assert task.texts(outputs, None) == ["bottom", "top", "bottom"]
