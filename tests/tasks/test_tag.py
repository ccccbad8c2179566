"""Tag: aligned targets, metrics over steps, spans where labels mark them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.tasks import Tag, TaskSettings
from ostinato.tasks.labels import MISSING, UNSEEN


def table_of(forms, tags=None, missing=()):
    columns = {"form": Column("form", Kind.TOKENS, forms)}
    if tags is not None:
        columns["tag"] = Column("tag", Kind.TAGS, tags, missing=frozenset(missing))
    return Table(columns, line_of=np.array([1, 9, 12, 20])[: len(forms)])


TRAIN = table_of([["The", "dog"], [], ["runs"]], [["D", "N"], [], ["V"]])
SPANS = table_of([["a", "b", "c"], ["d"]], [["B-X", "I-X", "O"], ["O"]])


def fitted(table=TRAIN, **settings):
    return Tag.fit(table, DataSettings(), TaskSettings(**settings))


def one_hot(task, *names):
    return np.eye(len(task.labels))[[task.labels.names.index(name) for name in names]]


def test_every_step_has_its_target():
    task = fitted()
    examples = task.examples(TRAIN)
    assert examples.targets.values.tolist() == [0, 1, 2]
    assert examples.targets.lengths.tolist() == [2, 0, 1]
    assert [len(part) for part in examples.parts] == [3, 3, 4]
    assert (task.spec.outputs, task.spec.output_size) == ("step", 3)
    assert task.spec.parts_size == len(set("Thedogruns")) + 1
    assert fitted(features=()).spec.parts_size == 0
    assert task.mapping == "many-to-many, aligned"
    assert task.baselines[-1] == "ngram_logistic"


def test_metrics_over_steps_by_hand():
    """D right, N wrong, V right: accuracy 2/3; by sequence 1/2 and 1."""
    task = fitted()
    outputs = {"probabilities": 0.7 * one_hot(task, "D", "V", "V") + 0.1}
    examples = task.examples(TRAIN)
    found = task.metrics(outputs, examples)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert found["log_loss"] == pytest.approx(-(2 * math.log(0.8) + math.log(0.1)) / 3)
    assert "span_f1" not in found
    assert task.scores(outputs, examples).tolist() == [0.5, 1.0]


def test_spans_are_scored_where_labels_mark_them():
    task = fitted(SPANS)
    examples = task.examples(SPANS)
    right = task.metrics({"probabilities": one_hot(task, "B-X", "I-X", "O", "O")}, examples)
    assert (right["span_f1"], right["accuracy"]) == (1.0, 1.0)
    half = task.metrics({"probabilities": one_hot(task, "B-X", "O", "O", "O")}, examples)
    assert (half["span_f1"], half["accuracy"]) == (0.0, 0.75)
    # the second sequence's span must not grow out of the first's
    border = task.metrics({"probabilities": one_hot(task, "B-X", "I-X", "O", "I-X")}, examples)
    assert border["span_f1"] == pytest.approx(2 * 1 / (1 + 2))


def test_missing_and_unseen_tags():
    task = fitted()
    table = table_of([["The"], ["dog", "runs"]], [[], ["N", "NEW"]], {0})
    examples = task.examples(table)
    assert examples.targets.values.tolist() == [MISSING, 1, UNSEEN]
    loss, count = task.loss(torch.zeros(3, 3), examples.take(torch.arange(2)))
    assert (loss.item(), count) == (pytest.approx(math.log(3)), 1)
    outputs = {"probabilities": one_hot(task, "D", "N", "V")}
    assert task.metrics(outputs, examples)["accuracy"] == 0.5
    assert task.scores(outputs, examples).tolist() == [0.5]
    assert "1 of 2 steps have a label never seen in training ('NEW')" in task.notes(table)[-1]
    assert task.frame(outputs, table)["truth"].to_list() == [None, "N", "NEW"]
    spans = fitted(SPANS)
    unlabelled = table_of([["a"], ["b"]], [[], ["B-NEW"]], {0})
    found = spans.metrics({"probabilities": one_hot(spans, "B-X", "O")}, spans.examples(unlabelled))
    assert (found["span_f1"], found["accuracy"]) == (1.0, 0.0)


def test_rows_without_tags_are_tagged():
    task = fitted(features=("characters", "lower"))
    table = table_of([["DOG", "x"], []])
    examples = task.examples(table)
    assert examples.targets is None
    outputs = task.outputs(torch.tensor([[0.0, 5.0, 0.0], [0.0, 0.0, 5.0]]), examples.take(torch.arange(2)))
    frame = task.frame(outputs, table)
    assert frame.select("row", "step", "symbol", "prediction").rows() == [(0, 1, "DOG", "N"), (0, 2, "x", "V")]
    assert "truth" not in frame.columns
    assert task.notes(table) == ("1 of 2 symbols are unknown",)


def test_series_can_be_tagged():
    table = Table(
        {
            "s": Column("s", Kind.SERIES, [np.array([[0.0], [1.0]])]),
            "tag": Column("tag", Kind.TAGS, [["low", "high"]]),
        }
    )
    task = fitted(table)
    assert task.spec.inputs == "values"
    assert task.baselines == ("majority", "feed_forward")
    assert "symbol" not in task.frame({"probabilities": np.eye(2)}, table).columns


def test_a_text_can_hold_a_tag_a_character():
    """Secondary structure of a protein: two texts of one length."""
    table = Table({"s": Column("s", Kind.TEXT, ["MKV"]), "dssp": Column("dssp", Kind.TEXT, ["HHE"])})
    task = Tag.fit(table, DataSettings(target="dssp"), TaskSettings())
    assert task.examples(table).targets.values.tolist() == [1, 1, 0]


def test_it_says_what_it_understood():
    assert fitted().describe(TRAIN) == "3 token sequences of 0 to 2 tokens; tags 'tag', 3 labels: many-to-many, aligned"


def test_misaligned_or_absent_tags_are_refused():
    with pytest.raises(DataError, match="row 9, column 'tag': 1 tags for 2 steps of 'form'"):
        fitted(table_of([["a"], ["b", "c"]], [["X"], ["Y"]]))
    with pytest.raises(DataError, match="a single label, 'X'"):
        fitted(table_of([["a"]], [["X"]]))
    with pytest.raises(DataError, match="no feature group 'lowre'"):
        fitted(features=("lowre",))
    table = Table({**TRAIN.columns, "n": Column("n", Kind.NUMBER, np.zeros(3))})
    with pytest.raises(DataError, match="a number column holds no tags"):
        Tag.fit(table, DataSettings(target="n"), TaskSettings())


def test_of_several_tags_the_usual_one_is_taken():
    columns = {**TRAIN.columns, "xpos": Column("xpos", Kind.TAGS, TRAIN["tag"].values)}
    columns["upos"] = Column("upos", Kind.TAGS, TRAIN["tag"].values)
    assert Tag.fit(Table(columns), DataSettings(), TaskSettings()).target == "upos"
    del columns["upos"], columns["tag"]
    columns["a"] = Column("a", Kind.TAGS, TRAIN["tag"].values)
    with pytest.raises(DataError, match=r"several columns could be the target \('xpos', 'a'\)"):
        Tag.fit(Table(columns), DataSettings(), TaskSettings())


def test_config_goes_through_json():
    task = fitted(class_weights="balanced", label_smoothing=0.1)
    assert Tag.from_config(json.loads(json.dumps(task.to_config()))) == task
    with pytest.raises(ModelFolderError, match="task is damaged"):
        Tag.from_config({})
    division = Tag.divide(
        table_of([[f"w{n}"] for n in range(4)], [["X"]] * 4),
        DataSettings(valid=0.25, test=0.25),
        TaskSettings(),
        0,
    )
    assert [len(part) for part in (division.train, division.valid, division.test)] == [2, 1, 1]


def potentials(task, rows):
    """A row of scores a step as potentials without transitions."""
    return torch.tensor(rows, dtype=torch.float64)[:, None, :].expand(-1, len(task.labels), -1).contiguous()


def test_a_chain_without_transitions_is_one_label_after_the_other():
    task, plain = fitted(crf=True), fitted()
    assert (task.spec.chain, plain.spec.chain) == (True, False)
    examples = task.examples(TRAIN)
    batch = examples.take(torch.arange(3))
    logits = torch.randn(3, 3, dtype=torch.float64)
    loss, count = task.loss(potentials(task, logits.tolist()), batch)
    other, same = plain.loss(logits.float(), batch)
    assert (loss.item(), count) == (pytest.approx(other.item(), rel=1e-5), same)
    outputs = task.outputs(potentials(task, logits.tolist()), batch)
    np.testing.assert_allclose(outputs["probabilities"], logits.softmax(-1).numpy(), rtol=1e-5)
    assert outputs["answer"].tolist() == logits.argmax(-1).tolist()
    assert task.outputs(logits, batch).keys() == {"probabilities"}  # a rival's answer


def test_the_answer_of_a_chain_keeps_to_the_scheme():
    """O, I-X is the likeliest step by step; B-X, I-X is the likeliest that training knows."""
    task = fitted(SPANS, crf=True)
    names = list(task.labels.names)
    assert names == ["B-X", "I-X", "O"]
    assert set(task.never) == {(2, 1), (3, 1)}
    table = table_of([["a", "b"]], [["B-X", "I-X"]])
    examples = task.examples(table)
    rows = [[1.0, 0.0, 1.5], [0.0, 3.0, 1.0]]
    outputs = task.outputs(potentials(task, rows), examples.take(torch.arange(1)))
    assert [names[place] for place in outputs["answer"]] == ["B-X", "I-X"]
    paths = {
        (0, 0): 1.0,
        (0, 1): 4.0,
        (0, 2): 2.0,
        (1, 0): 0,
        (1, 1): 0,
        (1, 2): 0,
        (2, 0): 1.5,
        (2, 1): 0,
        (2, 2): 2.5,
    }
    chances = {path: math.exp(paths[path]) for path in [(0, 0), (0, 1), (0, 2), (2, 0), (2, 2)]}
    first = sum(value for path, value in chances.items() if path[0] == 0) / sum(chances.values())
    assert outputs["probabilities"][0] == pytest.approx([first, 0.0, 1 - first], rel=1e-6)
    found = task.metrics(outputs, examples)
    assert (found["accuracy"], found["span_f1"], found["span_recall"]) == (1.0, 1.0, 1.0)
    assert task.scores({"probabilities": outputs["probabilities"][:, ::-1], "answer": np.array([0, 2])}, examples) == [
        0.5
    ]
    frame = task.frame(outputs, table)
    assert frame["prediction"].to_list() == ["B-X", "I-X"]
    assert frame["probability"][0] == pytest.approx(first)


def test_labels_that_a_chain_lacks_are_summed_over():
    task = fitted(crf=True)
    table = table_of([["The"], ["dog", "runs"]], [[], ["N", "NEW"]], {0})
    batch = task.examples(table).take(torch.arange(2))
    rows = torch.randn(3, 3).tolist()
    loss, count = task.loss(potentials(task, rows), batch)
    assert count == 1
    assert loss.item() == pytest.approx(-torch.tensor(rows[1]).log_softmax(0)[1].item(), rel=1e-5)
    loss, count = task.loss(potentials(task, rows[:1]), task.examples(table).take(torch.tensor([0])))
    assert (loss.item(), count) == (pytest.approx(0.0, abs=1e-6), 0)


def test_a_chain_weighs_no_label_alone():
    with pytest.raises(UsageError, match=r"leave task\.class_weights out"):
        fitted(crf=True, class_weights="balanced")


def test_chains_go_through_json():
    task = fitted(SPANS, crf=True)
    config = json.loads(json.dumps(task.to_config()))
    assert Tag.from_config(config) == task
    del config["crf"], config["never"]  # as version 0.1.0 wrote it
    assert Tag.from_config(config) == fitted(SPANS)
    with pytest.raises(ModelFolderError, match="pairs of numbers of labels"):
        Tag.from_config({**config, "never": [[0, 9]]})


@pytest.mark.real
def test_universal_dependencies(real_data):
    from ostinato.data import read

    table = read(real_data / "ud_english_ewt/en_ewt-ud-dev.conllu", DataSettings(target="upos"))
    task = Tag.fit(table, DataSettings(target="upos"), TaskSettings())
    examples = task.examples(table)
    assert (len(examples), len(examples.targets.values), len(task.labels)) == (2001, 25147, 17)
    perfect = np.eye(17)[examples.targets.values.numpy()]
    assert task.metrics({"probabilities": perfect}, examples)["accuracy"] == 1.0
