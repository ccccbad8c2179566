"""Translate: what it understands, how it is judged, what it copies, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch
import torch.nn.functional as F

from ostinato.data import Column, Kind, Table
from ostinato.data.examples import Batch
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError, ModelFolderError
from ostinato.models import ModelSettings, build
from ostinato.sequences import Ragged
from ostinato.tasks import TaskSettings, Translate, infer
from ostinato.tasks.translate_metrics import distance, metrics, scores, signature

AUTO = DataSettings(unit="auto")


def table(source: list[str], target: list[str], kinds: tuple[Kind, Kind] = (Kind.TEXT, Kind.TEXT)) -> Table:
    columns = [Column("a", kinds[0], source), Column("b", kinds[1], target)]
    return Table({c.name: c for c in columns}, Path("pairs.tsv"), np.arange(2, len(source) + 2))


PAIRS = table(["ab", "ba", "aab"], ["AB", "BA", "AAB"])
SENTENCES = table(
    ["ein Hund läuft hier", "ein Mann läuft dort", "zwei Hunde laufen"] * 4,
    ["a dog runs here", "a man runs there", "two dogs are running"] * 4,
)


def fitted(data: Table = PAIRS, settings: DataSettings = AUTO, **task: object) -> Translate:
    return Translate.fit(data, settings, TaskSettings(**task))  # type: ignore[arg-type]


def test_texts_share_their_symbols() -> None:
    task = fitted()
    assert task.spec.shared
    assert set(task.vocabulary.symbols) == set("abAB")
    assert (task.judge, task.watch, task.higher_is_better) == ("cer", "cer", False)
    assert task.mapping == "many-to-many, fed back"
    examples = task.examples(PAIRS)
    assert isinstance(examples.targets, Ragged)
    assert [task.vocabulary.decode(row.tolist()) for row in examples.targets] == ["AB", "BA", "AAB"]
    assert all(int(row[-1]) == task.vocabulary.end for row in examples.targets)
    assert task.describe(PAIRS) == (
        "3 texts of 2 to 3 characters; to be written: 'b', 2 to 3 characters, 4 different in both: "
        "many-to-many, fed back"
    )


def test_sentences_are_cut_into_sub_words_and_judged_by_bleu() -> None:
    task = fitted(SENTENCES)
    assert (task.vocabulary.unit, task.watch, task.higher_is_better) == ("subword", "bleu", True)
    assert task.measure.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "case:lc" in fitted(SENTENCES, DataSettings(unit="auto", lower=True)).measure
    words = fitted(SENTENCES, DataSettings(unit="word"))
    assert not words.shared
    assert (words.vocabulary.unit, words.watch) == ("word", "bleu")


def test_tokens_are_written_as_tokens() -> None:
    rows = table(["cat", "dog"] * 2, [["K", "AE", "T"], ["D", "AO", "G"]] * 2, (Kind.TEXT, Kind.TOKENS))  # type: ignore[arg-type]
    task = fitted(rows)
    assert (task.vocabulary.unit, task.judge, task.shared) == ("token", "cer", False)
    ids = task.vocabulary.encode([["K", "AE", "T"]]).values.numpy()
    outputs = {"ids": np.append(ids, -1)[None], "places": np.full((1, 4), -1)}
    assert task.texts(outputs, None) == ["K AE T"]


def test_one_to_many_is_a_sequence_of_one_step() -> None:
    rows = table(["x", "y", "x"], ["one", "two", "one"], (Kind.CATEGORY, Kind.TEXT))
    task = fitted(rows)
    assert task.mapping == "one-to-many"
    assert task.baselines == ("nearest", "feed_forward")
    examples = task.examples(rows)
    assert examples.inputs.lengths.tolist() == [1, 1, 1]
    assert examples.inputs.values.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    model = build(task.spec, ModelSettings(hidden=4, bidirectional=True), TaskSettings())
    batch = examples.take(torch.tensor([0, 1]))
    assert model(batch)[0].shape == (8, len(task.vocabulary))


def test_the_loss_is_torchs() -> None:
    task = fitted(label_smoothing=0.1)
    batch = task.examples(PAIRS).take(torch.arange(3))
    logits = torch.randn(10, len(task.vocabulary), generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss, count = task.loss(logits, batch)
    assert isinstance(batch.targets, Ragged)
    smooth = torch.full_like(logits, 0.1 / len(task.vocabulary)) + 0.9 * F.one_hot(
        batch.targets.values, len(task.vocabulary)
    )
    torch.testing.assert_close(loss, -(smooth.detach() * logits.log_softmax(-1)).sum(-1).mean())
    assert count == 10
    assert task.loss(logits, Batch(batch.inputs, batch.index))[1] == 0


def test_an_unknown_symbol_is_copied_from_where_it_looked() -> None:
    task = fitted(SENTENCES, DataSettings(unit="word"))
    rows = table(["ein Xaver läuft"], ["a Xaver runs"])
    sources = task.examples(rows).sources
    assert sources == (("ein", "Xaver", "läuft"),)
    a, runs = (int(task.vocabulary.encode([word]).values[0]) for word in ("a", "runs"))
    outputs = {"ids": np.array([[a, 0, runs, -1]]), "places": np.array([[0, 1, 2, -1]])}
    assert task.texts(outputs, sources) == ["a Xaver runs"]
    assert task.frame(outputs, rows).rows() == [("a Xaver runs", "a Xaver runs")]
    assert task.texts({**outputs, "places": np.full((1, 4), -1)}, sources) == ["a � runs"]


def test_metrics_are_sacrebleus() -> None:
    truth = ["the dog runs in the park", "a man sits on a bench", "two women talk"]
    said = ["the dog runs in a park", "a man is sitting on a bench", "Two women talk"]
    found = metrics(said, truth, "bleu", lower=True)
    assert found["bleu"] == sacrebleu.corpus_bleu(said, [truth], lowercase=True).score
    assert found["accuracy"] == 0.0
    told = scores(said, truth, "bleu", lower=True)
    assert told[0] == sacrebleu.sentence_bleu(said[0], [truth[0]], lowercase=True).score
    assert told[2] == pytest.approx(100.0)
    assert signature(lower=True).split("|")[2] == "case:lc"


def recursive(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    same = recursive(one[1:], other[1:]) + (one[0] != other[0])
    return min(same, recursive(one[1:], other) + 1, recursive(one, other[1:]) + 1)


def test_edit_distance_is_its_definition() -> None:
    draw = np.random.default_rng(0)
    for _ in range(60):
        one, other = ("".join(draw.choice(list("abc"), draw.integers(0, 7))) for _ in range(2))
        assert distance(one, other) == recursive(one, other)
    found = metrics(["kitten", "abc"], ["sitting", "abc"], "cer")
    assert found == {"cer": 3 / 10, "accuracy": 0.5}
    assert scores(["kitten", "abc"], ["sitting", "abc"], "cer").mean() == pytest.approx(0.3)
    assert np.isnan(list(metrics([], [], "bleu").values())).all()


@pytest.mark.parametrize("data", [PAIRS, SENTENCES])
def test_it_is_stored_as_json(data: Table) -> None:
    task = fitted(data, label_smoothing=0.1, beam=3, coverage=0.2)
    again = Translate.from_config(json.loads(json.dumps(task.to_config())))
    assert again == task
    with pytest.raises(ModelFolderError, match="the task is damaged"):
        Translate.from_config({"name": "translate"})


def test_an_empty_translation() -> None:
    rows = table(["ab", "ba"], ["AB", ""])
    with pytest.raises(DataError) as error:
        fitted(rows)
    assert str(error.value) == "pairs.tsv, row 3, column 'b': the target is empty: write it, or take the row out"
    with pytest.raises(DataError, match="row 3, column 'b': the target is empty"):
        fitted().examples(rows)


def test_letters_that_were_never_seen_are_told_with_their_place() -> None:
    notes = fitted().notes(table(["ab", "ab"], ["AB", "AßB"]))
    assert notes == (
        "pairs.tsv, row 3, column 'b': 'ß' never occurred in training. 1 of 5 symbols of the target are unknown: only "
        "a copy can hold them",
    )
    assert fitted().notes(PAIRS) == ()
    assert fitted().notes(table(["az"], ["A"])) == ("source: 1 of 2 symbols are unknown",)


def test_what_cannot_be_written() -> None:
    series = Table({"a": Column("a", Kind.TEXT, ["x"]), "s": Column("s", Kind.NUMBER, np.array([1.0]))})
    with pytest.raises(
        DataError, match=r"a number column cannot be written; read it as text with --set data\.kinds\.s=text"
    ):
        Translate.fit(series, DataSettings(target="s"), TaskSettings())
    with pytest.raises(DataError, match="no column holds what is to be written"):
        Translate.fit(Table({"s": series["s"]}), AUTO, TaskSettings())
    with pytest.raises(DataError, match="there is nothing to write from"):
        Translate.fit(Table({"a": series["a"]}), AUTO, TaskSettings())


def test_it_is_inferred_where_a_text_is_the_target_beside_a_text() -> None:
    choice = infer(PAIRS, DataSettings(target="b"), TaskSettings())
    assert (choice.name, choice.reason) == ("translate", "'b' is text to be written from 'a'")
    choice = infer(PAIRS, DataSettings(), TaskSettings(name="translate"))
    assert (choice.name, choice.target) == ("translate", "b")


def test_equal_sources_stay_together() -> None:
    rows = table([f"s{number // 4}" for number in range(80)], [f"t{number}" for number in range(80)])
    division = Translate.divide(rows, AUTO, TaskSettings(), 0)
    parts = [set(part["a"].values) for part in (division.train, division.valid, division.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20
