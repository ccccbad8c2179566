"""Classify: targets, loss and metrics by hand; labels that are missing or were never seen; the way through JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
import torch

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError
from ostinato.sequences import Ragged
from ostinato.tasks import TASKS, Classify, TaskSettings
from ostinato.tasks.base import target_array
from ostinato.tasks.labels import MISSING, UNSEEN, Labels, cross_entropy, label_text

DATA = DataSettings(target="label")


def table_of(texts, labels=None, missing=()):
    columns = {"text": Column("text", Kind.TEXT, texts)}
    if labels is not None:
        columns["label"] = Column("label", Kind.CATEGORY, labels, missing=frozenset(missing))
    return Table(columns)


TRAIN = table_of(["ab", "b", "abc"], ["y", "x", "y"])


def fitted(**settings):
    return Classify.fit(TRAIN, DATA, TaskSettings(**settings))


def test_rows_become_examples():
    task = fitted()
    assert task.labels.names == ("x", "y")
    examples = task.examples(TRAIN)
    assert examples.targets.tolist() == [1, 0, 1]
    assert examples.lengths.tolist() == [2, 1, 3]
    assert (task.spec.outputs, task.spec.output_size, task.spec.causal) == ("sequence", 2, False)
    assert task.mapping == "many-to-one"
    assert task.baselines == ("majority", "feed_forward", "ngram_logistic")
    assert TASKS["classify"] is Classify


def test_the_loss_is_cross_entropy_in_nats():
    task = fitted()
    batch = task.examples(TRAIN).take(torch.arange(3))
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, math.log(3)]])
    loss, count = task.loss(logits, batch)
    assert count == 3
    assert loss.item() == pytest.approx((math.log(2) - 2 * math.log(0.75)) / 3)


def test_balanced_weights_and_smoothing_are_in_the_loss():
    """x occurs once and y twice: the weights are 3/2 and 3/4."""
    assert fitted(class_weights="balanced").labels.weights("balanced").tolist() == [1.5, 0.75]
    task = fitted(class_weights="balanced", label_smoothing=0.2)
    batch = task.examples(TRAIN).take(torch.arange(3))
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    logp, weights = logits.log_softmax(1), torch.tensor([1.5, 0.75])
    smooth = torch.full((3, 2), 0.1)
    smooth[torch.arange(3), batch.targets] += 0.8
    expected = -(smooth * logp * weights).sum() / weights[batch.targets].sum()
    torch.testing.assert_close(task.loss(logits, batch)[0], expected)


def test_logits_adjusted_for_rare_labels_are_in_the_loss():
    """x occurs once and y twice: the loss is taken at the logits plus a times ln 1/3 and ln 2/3."""
    task = fitted(logit_adjustment=0.5)
    batch = task.examples(TRAIN).take(torch.arange(3))
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    chances = logits.exp() * torch.tensor([1 / 3, 2 / 3]).sqrt()
    chances = chances / chances.sum(1, keepdim=True)
    expected = -chances[torch.arange(3), batch.targets].log().mean()
    torch.testing.assert_close(task.loss(logits, batch)[0], expected)
    assert Classify.from_config(json.loads(json.dumps(task.to_config()))) == task
    old = {key: value for key, value in task.to_config().items() if key != "logit_adjustment"}
    assert Classify.from_config(old).logit_adjustment == 0.0


def test_rows_with_equal_inputs_are_one_proof():
    """Rows without a label are not scored, so they are not counted; where all inputs differ every row is its own."""
    task = fitted()
    table = table_of(["ab", "b", "ab", "ba", "b", "ab"], ["x", "y", "y", "", "x", "x"], {3})
    (way,) = task.dependence(task.examples(table))
    assert way.track.tolist() == [0, 1, 0, 1, 0]
    assert way.place.tolist() == [0] * 5
    assert task.dependence(task.examples(table_of(["ab", "b", "ba"], ["x", "y", "y"]))) == ()


def test_missing_and_unseen_labels_teach_nothing():
    task = fitted()
    table = table_of(["a", "b", "c"], ["", "new", "x"], {0})
    batch = task.examples(table).take(torch.arange(3))
    assert batch.targets.tolist() == [MISSING, UNSEEN, 0]
    logits = torch.zeros(3, 2, requires_grad=True)
    loss, count = task.loss(logits, batch)
    loss.backward()
    assert count == 1
    assert logits.grad[:2].abs().sum() == 0
    nothing, none = cross_entropy(torch.zeros(1, 2, requires_grad=True), torch.tensor([MISSING]), None, 0.0)
    nothing.backward()
    assert (nothing.item(), none) == (0.0, 0)


def test_metrics_by_hand_with_missing_and_unseen_labels():
    """Right, wrong, unseen, missing: accuracy 1/3; F1 of x 2/3, y 0 (said, never true), unseen 0."""
    task = fitted()
    table = table_of(list("abcd"), ["x", "x", "new", ""], {3})
    chances = np.array([[0.75, 0.25], [0.25, 0.75], [0.9, 0.1], [0.5, 0.5]])
    examples = task.examples(table)
    found = task.metrics({"probabilities": chances}, examples)
    assert found == pytest.approx(
        {
            "accuracy": 1 / 3,
            "macro_f1": (2 * 1 / (2 * 1 + 1 + 1) + 0 + 0) / 3,
            "log_loss": -(math.log(0.75) + math.log(0.25)) / 2,
            "error": 2 / 3,
        }
    )
    assert task.scores({"probabilities": chances}, examples).tolist() == [1.0, 0.0, 0.0]
    assert "1 of 3 rows have a label never seen in training ('new')" in task.notes(table)[-1]
    assert task.notes(TRAIN) == ()


def test_rows_without_a_target_are_predicted():
    task = fitted()
    table = table_of(["ab", "zz"])
    examples = task.examples(table)
    assert examples.targets is None
    outputs = task.outputs(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), examples.take(torch.arange(2)))
    assert outputs["probabilities"].sum(1) == pytest.approx([1.0, 1.0])
    frame = task.frame(outputs, table)
    assert frame.columns == ["prediction", "probability", "p(x)", "p(y)"]
    assert frame["prediction"].to_list() == ["x", "x"]
    assert task.notes(table) == ("2 of 4 symbols are unknown",)
    with pytest.raises(ValueError, match="no targets"):
        task.metrics(outputs, examples)


def test_the_frame_holds_the_truth():
    task = fitted()
    frame = task.frame({"probabilities": np.array([[0.2, 0.8], [1.0, 0.0]])}, table_of(["a", "b"], ["x", ""], {1}))
    assert frame.select("truth", "prediction", "probability").rows() == [("x", "y", 0.8), (None, "x", 1.0)]
    assert frame.schema["truth"] == pl.String


def test_it_says_what_it_understood():
    assert (
        fitted().describe(TRAIN) == "3 texts of 1 to 3 characters; target 'label', 2 labels: many-to-one classification"
    )
    dna = Table({"s": Column("s", Kind.DNA, ["ACGT"] * 2), "label": Column("label", Kind.CATEGORY, ["p", "q"])})
    task = Classify.fit(dna, DataSettings(), TaskSettings())
    assert task.describe(dna) == "2 DNA sequences of 4 bases; target 'label', 2 labels: many-to-one classification"
    values = [np.zeros((t, 3)) for t in (7, 29)]
    table = Table(
        {
            "s": Column("s", Kind.SERIES, values),
            "age": Column("age", Kind.NUMBER, np.zeros(2)),
            **dict(list(dna.columns.items())[1:]),
        }
    )
    task = Classify.fit(table, DataSettings(), TaskSettings())
    assert task.describe(table).startswith("2 series of 7 to 29 steps, 3 channels, beside 'age'; target")
    assert task.baselines == ("majority", "feed_forward")
    assert task.describe(table.take(np.array([], dtype=int))).startswith("0 series, 3 channels")


def test_nothing_to_tell_apart_is_refused():
    with pytest.raises(DataError, match="column 'label': the training part has a single label, 'x'"):
        Classify.fit(table_of(["a", "b"], ["x", "x"]), DATA, TaskSettings())
    with pytest.raises(DataError, match="no label at all"):
        Classify.fit(table_of(["a"], [""], {0}), DATA, TaskSettings())
    with pytest.raises(DataError, match="no column 'lable'"):
        Classify.fit(TRAIN, DataSettings(target="lable"), TaskSettings())
    with pytest.raises(DataError, match="no column looks like a target"):
        Classify.fit(table_of(["a"]), DataSettings(), TaskSettings())
    with pytest.raises(DataError, match="column 'text': a series column holds no labels"):
        label_text(Column("text", Kind.SERIES, []))


def test_numbers_can_be_labels():
    column = Column("n", Kind.NUMBER, np.array([1.0, 2.5, -0.0]))
    assert label_text(column) == ["1", "2.5", "-0"]
    values = np.array([1.0, 2.0, np.nan])
    table = Table({**table_of(["a", "b", "c"]).columns, "label": Column("label", Kind.NUMBER, values)})
    task = Classify.fit(table, DATA, TaskSettings())
    assert task.labels.names == ("1", "2")
    assert task.examples(table).targets.tolist() == [0, 1, MISSING]


def test_config_goes_through_json():
    task = fitted(class_weights="balanced", label_smoothing=0.1)
    config = json.loads(json.dumps(task.to_config()))
    assert Classify.from_config(config) == task
    with pytest.raises(ModelFolderError, match="task is damaged"):
        Classify.from_config({key: value for key, value in config.items() if key != "labels"})
    with pytest.raises(ModelFolderError, match="labels are damaged"):
        Labels.from_config({"names": ["a"], "counts": [1]})


def test_dividing_keeps_the_labels_in_balance():
    table = table_of([f"t{n}" for n in range(100)], ["x", "y"] * 50)
    division = Classify.divide(table, DataSettings(), TaskSettings(), 0)
    assert division.test["label"].values.count("x") == 5
    assert TASKS["classify"].fit(division.train, DataSettings(), TaskSettings()).lay_out(None, 3) is None


def test_target_array_reads_both_kinds_of_targets():
    class Fake:
        targets = Ragged(torch.tensor([1, 2]), torch.tensor([2]))

    assert target_array(Fake()).tolist() == [1, 2]


@pytest.mark.real
def test_japanese_vowels_as_given(real_data):
    from ostinato.data import read

    train, test = (read(real_data / f"uea_ucr/JapaneseVowels_{part}.ts", DataSettings()) for part in ("TRAIN", "TEST"))
    division = Classify.divide(train, DataSettings(), TaskSettings(), 0, test=test)
    assert (len(division.train) + len(division.valid), len(division.test)) == (270, 370)
    task = Classify.fit(division.train, DataSettings(), TaskSettings())
    assert (task.spec.input_size, task.spec.output_size) == (12, 9)
    examples = task.examples(division.test)
    assert int(examples.lengths.max()) == 29
    assert (examples.targets >= 0).all()
    assert task.examples(division.train).inputs.values.mean(0).abs().max() < 1e-6
