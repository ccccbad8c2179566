"""What tasks do with both strands of DNA."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ostinato.data import dna
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, build
from ostinato.tasks import Classify, Language, Regress, Tag, TaskSettings, Translate
from ostinato.training import predict

ROWS = ["ACGTTGCA", "AAC", "GATTACA", "CCGT"]


def table(rows=ROWS, **columns):
    return Table({"s": Column("s", Kind.DNA, rows), **columns})


LABELS = {"label": Column("label", Kind.CATEGORY, ["a", "b", "a", "b"])}
NUMBERS = {"label": Column("label", Kind.NUMBER, np.array([1.0, 2.0, 3.0, 4.0]))}
BOTH = DataSettings(target="label", strands="both")


def turned(rows=ROWS):
    return [dna.reverse_complement(row) for row in rows]


@pytest.mark.parametrize(("kind", "column"), [(Classify, LABELS), (Regress, NUMBERS)])
@pytest.mark.parametrize("kmer", [1, 2])
def test_an_answer_is_the_same_for_both_strands(kind, column, kmer):
    task = kind.fit(table(**column), DataSettings(target="label", strands="both", kmer=kmer), TaskSettings())
    assert kind.from_config(json.loads(json.dumps(task.to_config()))) == task
    torch.manual_seed(0)
    model = build(task.spec, ModelSettings(hidden=4, bidirectional=True, pool="mean"), TaskSettings())
    one, other = (predict(model, task, task.examples(table(rows))) for rows in (ROWS, turned()))
    for key, values in one.items():
        np.testing.assert_allclose(values, other[key], rtol=1e-5)
    alone = kind.fit(table(**column), DataSettings(target="label", kmer=kmer), TaskSettings())
    if kmer == 1:
        one, other = (predict(model, alone, alone.examples(table(rows))) for rows in (ROWS, turned()))
        assert not np.allclose(next(iter(one.values())), next(iter(other.values())), rtol=1e-3)


def test_the_answer_is_the_mean_of_the_logits():
    task = Classify.fit(table(**LABELS), BOTH, TaskSettings())
    torch.manual_seed(0)
    model = build(task.spec, ModelSettings(hidden=4), TaskSettings()).eval()
    batches = [task.examples(table(rows)).take(torch.arange(4)) for rows in (ROWS, turned())]
    with torch.no_grad():
        logits = [model(batch)[0] for batch in batches]
    wanted = ((logits[0] + logits[1]) / 2).softmax(-1).numpy()
    found = predict(model, task, task.examples(table()))["probabilities"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    # in windows, the state carried over, too
    windowed = predict(model, task, task.examples(table()), window=2)["probabilities"]
    np.testing.assert_allclose(windowed, wanted, rtol=1e-5)


def test_a_classifier_learns_from_either_strand():
    task = Classify.fit(table(**LABELS), BOTH, TaskSettings())
    examples, other = task.examples(table(**LABELS)), task.examples(table(turned()))
    seen = [set() for _ in ROWS]
    for seed in range(12):
        torch.manual_seed(seed)
        batch = task.draw(examples, torch.tensor([2, 0, 1, 3]))
        assert batch.targets.tolist() == examples.targets[[2, 0, 1, 3]].tolist()
        for place, row in enumerate(batch.index.tolist()):
            steps = batch.inputs[place]
            is_other = torch.equal(steps, other.inputs[row])
            assert is_other or torch.equal(steps, examples.inputs[row])
            seen[row].add(is_other)
    assert seen[1] == seen[2] == seen[3] == {True, False}


@pytest.mark.parametrize("kmer", [1, 2])
@pytest.mark.parametrize("document", [True, False])
def test_a_language_model_learns_what_comes_before_as_what_comes_next(kmer, document):
    rows = ["ACGTTGCAAC" * 120] if document else ROWS[:1] + ROWS[3:]
    settings = DataSettings(strands="both", kmer=kmer)
    task = Language.fit(table(rows), settings, TaskSettings())
    assert task.document is document
    assert Language.from_config(json.loads(json.dumps(task.to_config()))) == task
    examples, other = task.examples(table(rows)), task.examples(table(turned(rows)))
    found = set()
    for seed in range(8):
        torch.manual_seed(seed)
        batch = task.draw(examples, torch.arange(len(rows)))
        for place, row in enumerate(batch.index.tolist()):
            mine = (batch.inputs[place].tolist(), batch.targets[place].tolist())
            theirs = [(one.inputs[row].tolist(), one.targets[row].tolist()) for one in (examples, other)]
            assert mine in theirs
            found.add(theirs.index(mine))
    assert found == {0, 1}
    assert len(task.views(batch)) == 1  # what comes next is asked on one strand


def test_bits_are_of_a_base():
    """A k-mer at random costs k ln 4; so does each of its bases ln 4, whatever k is."""
    rows = ["ACGTTGCAAC" * 120 + "T"]
    for kmer in (1, 2, 3):
        task = Language.fit(table(rows), DataSettings(kmer=kmer), TaskSettings())
        examples = task.examples(table(rows))
        bases = task.bases(examples)
        assert bases.sum() == 1201 - kmer  # all but the first symbol
        outputs = {"nll": np.log(4) * bases.astype(np.float32)}
        assert task.metrics(outputs, examples)["bits"] == pytest.approx(2.0, rel=1e-6)
        scores = task.scores(outputs, examples)
        assert scores == pytest.approx(np.full(len(scores), np.log(4)), rel=1e-6)
    assert "3-mers" in task.describe(table(rows))


def test_it_says_what_it_reads():
    task = Classify.fit(table(**LABELS), DataSettings(target="label", strands="both", kmer=3), TaskSettings())
    assert task.describe(table(**LABELS)) == (
        "4 DNA sequences of 3 to 8 bases, read as overlapping 3-mers, both strands; target 'label', 2 labels: "
        "many-to-one classification"
    )
    language = Language.fit(table(), DataSettings(strands="both"), TaskSettings())
    assert language.describe(table()) == (
        "4 texts of 3 to 8 bases, 4 different: next base, both strands (many-to-many, fed back)"
    )


def test_where_strands_are_no_matter_of_chance():
    tags = Column("label", Kind.TAGS, [list("xyxyxyxy"), list("xyx"), list("xyxyxyx"), list("xyxy")])
    with pytest.raises(UsageError, match=r"data\.strands is of no use here: labels a step"):
        Tag.fit(table(label=tags), BOTH, TaskSettings())
    with pytest.raises(UsageError, match=r"data\.kmer is of no use here: what is written"):
        Translate.fit(
            table(label=Column("label", Kind.TEXT, ROWS)), DataSettings(target="label", kmer=3), TaskSettings()
        )
    text = Table({"s": Column("s", Kind.TEXT, ["some text"])})
    with pytest.raises(UsageError, match="the input is text, not dna"):
        Language.fit(text, DataSettings(strands="both"), TaskSettings())
