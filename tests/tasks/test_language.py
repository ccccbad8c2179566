"""Language: what is input and what is target, by position and by text; losses and bits by hand; conditions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.examples import SequenceExamples
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError, ModelFolderError
from ostinato.tasks import Language, TaskSettings


def table_of(texts, kind=Kind.TEXT, **others):
    columns = {"text": Column("text", kind, texts)}
    for name, (other, values) in others.items():
        columns[name] = Column(name, other, values)
    return Table(columns)


def fitted(table, **data):
    return Language.fit(table, DataSettings(**data), TaskSettings())


NAMES = table_of(["abe", "bo"], sex=(Kind.CATEGORY, ["m", "f"]), age=(Kind.NUMBER, np.array([2.0, 4.0])))
CONDITIONAL = {"target": "text", "inputs": ("sex", "age")}


def test_a_document_is_read_one_symbol_ahead():
    table = table_of(["hello"])
    task = fitted(table)
    examples = task.examples(table)
    decode = task.vocabulary.decode
    assert (decode(examples.inputs.values.tolist()), decode(examples.targets.values.tolist())) == ("hell", "ello")
    assert task.document
    assert task.stop is None
    assert task.never == (0,)
    assert (task.spec.causal, task.spec.outputs) == (True, "step")
    assert task.spec.input_size == task.spec.output_size == 5
    assert task.mapping == "many-to-many, fed back"


@given(st.lists(st.text("ab", max_size=5), min_size=2, max_size=6).filter("".join))
def test_texts_are_read_from_begin_to_end(texts):
    table = table_of(texts)
    task = fitted(table)
    begin, end = task.vocabulary.begin, task.vocabulary.end
    ids = [one.tolist() for one in task.vocabulary.encode(texts)]
    examples = task.examples(table)
    assert [one.tolist() for one in examples.inputs] == [[begin, *one] for one in ids]
    assert [one.tolist() for one in examples.targets] == [[*one, end] for one in ids]
    assert (task.document, task.stop, task.never) == (False, end, (0, begin))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_every_symbol_of_a_document_but_the_first_is_scored(lengths):
    task = Language("text", Vocabulary.fit(["ab"]), fitted(NAMES).condition, True)
    texts = ["abab"[:length] for length in lengths]
    examples = task.examples(table_of(texts))
    assert examples.lengths.tolist() == [max(length - 1, 0) for length in lengths]
    assert "".join(task.vocabulary.decode(one.tolist()) for one in examples.targets) == "".join(t[1:] for t in texts)


def test_loss_and_metrics_by_hand():
    """Two of four steps are right with 1/2, two get 1/8: 2 bits a step."""
    table = table_of(["abcab"])
    task = fitted(table)
    examples = task.examples(table)
    batch = examples.take(torch.arange(1))
    chances = torch.full((4, 4), 1 / 8)
    targets = batch.targets.values
    chances[torch.arange(2), targets[:2]] = 5 / 8
    chances = torch.where(chances == 5 / 8, 0.5, chances)
    rest = torch.tensor([[0.0, 0.0, 0.0, 0.0]]).repeat(4, 1)
    rest[torch.arange(4), (targets + 1) % 4] = 1.0 - chances.sum(1)
    logits = (chances + rest).log()
    loss, count = task.loss(logits, batch)
    outputs = task.outputs(logits, batch)
    assert count == 4
    np.testing.assert_allclose(outputs["nll"], np.log([2, 2, 8, 8]), rtol=1e-5)
    found = task.metrics(outputs, examples)
    assert loss.item() == pytest.approx(found["nats"], rel=1e-6)
    assert (found["bits"], found["perplexity"]) == (pytest.approx(2.0, rel=1e-5), pytest.approx(4.0, rel=1e-5))
    assert found["accuracy"] == outputs["correct"].mean() == 0.5
    assert "accuracy" not in task.metrics({"nll": outputs["nll"]}, examples)
    assert task.scores(outputs, examples) == pytest.approx([math.log(4)], rel=1e-5)


def test_a_step_less_batch_teaches_nothing():
    task = fitted(table_of(["abc"]))
    batch = task.examples(table_of(["a"])).take(torch.arange(1))
    loss, count = task.loss(torch.zeros(0, 4, requires_grad=True), batch)
    assert (loss.item(), count) == (0.0, 0)
    assert math.isnan(task.metrics({"nll": np.empty(0)}, task.examples(table_of(["a"])))["nats"])
    assert len(task.scores({"nll": np.empty(0)}, task.examples(table_of(["a"])))) == 0
    with pytest.raises(TypeError, match="targets a step"):
        task.loss(torch.zeros(0, 4), SequenceExamples(batch.inputs).take(torch.arange(1)))


def test_scores_are_means_of_texts_or_blocks():
    task = fitted(table_of(["ab", "b"]))
    examples = task.examples(table_of(["ab", "b"]))
    assert task.scores({"nll": np.array([1.0, 2.0, 3.0, 5.0, 7.0])}, examples).tolist() == [2.0, 6.0]
    document = table_of(["a" * 2501])
    task = fitted(document)
    nll = np.concatenate([np.full(1000, 1.0), np.full(1000, 2.0), np.full(500, 4.0)])
    assert task.scores({"nll": nll}, task.examples(document)).tolist() == [1.0, 2.0, 4.0]


def test_blocks_of_a_document_are_neighbours_and_texts_are_not():
    documents = table_of(["ab" * 1200, "a", "ba" * 501])
    task = fitted(documents)
    (way,) = task.dependence(task.examples(documents))
    assert (way.track.tolist(), way.place.tolist(), way.reach) == ([0, 0, 0, 2, 2], [0, 1, 2, 0, 1], 1)
    texts = table_of(["abc", "ab"])
    task = fitted(texts)
    assert task.dependence(task.examples(texts)) == ()


def test_documents_are_laid_out_in_lanes_and_texts_are_not():
    document = table_of(["ab" * 1280 + "a"])
    task = fitted(document)
    laid = task.lay_out(task.examples(document), 10)
    assert laid.lengths.tolist() == [256] * 10
    assert len(task.lay_out(task.examples(document), 20)) == 10
    assert len(task.lay_out(task.examples(table_of(["abab"])), 20)) == 1
    assert torch.equal(laid.inputs.values, task.examples(document).inputs.values)
    texts = fitted(NAMES, inputs=("text",))
    examples = texts.examples(NAMES)
    assert texts.lay_out(examples, 10) is examples


def test_a_document_is_divided_by_position():
    division = Language.divide(table_of(["0123456789" * 10]), DataSettings(valid=0.1, test=0.2), TaskSettings(), 0)
    parts = [part["text"].values[0] for part in (division.train, division.valid, division.test)]
    assert [len(part) for part in parts] == [70, 10, 20]
    assert "".join(parts) == "0123456789" * 10
    other = table_of(["a given test"])
    given_test = Language.divide(table_of(["0123456789" * 10]), DataSettings(), TaskSettings(), 0, test=other)
    assert given_test.test is other
    assert len(given_test.train["text"].values[0]) == 90
    assert (
        len(Language.divide(table_of(["01" * 9]), DataSettings(), TaskSettings(), 0, valid=other, test=other).train)
        == 1
    )


def test_texts_are_divided_by_row_with_equal_ones_together():
    """The same name in two languages stands on one side; languages keep their shares."""
    names = [f"n{n}" for n in range(50)] * 2
    table = table_of(names, lang=(Kind.CATEGORY, ["p"] * 50 + ["q"] * 50))
    division = Language.divide(table, DataSettings(target="text", inputs=("lang",)), TaskSettings(), 0)
    assert not set(division.train["text"].values) & set(division.test["text"].values)
    assert division.test["lang"].values.count("p") == division.test["lang"].values.count("q") == 5
    assert division.duplicates == 0
    plain = Language.divide(table, DataSettings(target="text"), TaskSettings(), 0)
    assert len(plain.test) == 10


def test_a_condition_is_beside_every_text():
    task = fitted(NAMES, **CONDITIONAL)
    assert task.mapping == "one-to-many"
    assert task.spec.static_size == 3 + 2
    assert task.examples(NAMES).static.tolist() == [[0, 1, 0, -1, 0], [1, 0, 0, 1, 0]]
    assert task.given({"sex": "m", "age": "2"}).tolist() == [[0, 1, 0, -1, 0]]
    assert fitted(NAMES, inputs=("text",)).given({}) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sex": "m"}, "column 'age': a value is needed"),
        ({"sex": "M", "age": 1}, r"'M' never occurred in training. Did you mean 'm'\?"),
        ({"sex": "m", "age": "old"}, "column 'age': 'old' is no number"),
        ({"sexe": "m"}, r"no condition 'sexe'. Did you mean 'sex'\?"),
    ],
)
def test_impossible_conditions_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        fitted(NAMES, **CONDITIONAL).given(values)


def test_prompts():
    document = fitted(table_of(["b\nbba"]))
    assert document.prompt("ab").tolist() == document.vocabulary.encode(["ab"]).values.tolist()
    assert document.vocabulary.decode(document.prompt("").tolist()) == "\n"
    assert fitted(table_of(["abb"])).prompt("").tolist() == [1]
    texts = fitted(NAMES, inputs=("text",))
    assert texts.prompt("").tolist() == [texts.vocabulary.begin]
    assert texts.prompt("a").tolist() == [texts.vocabulary.begin, texts.vocabulary.ids["a"]]
    tokens = fitted(table_of([["a", "bb"], ["bb"]], Kind.TOKENS))
    assert tokens.vocabulary.unit == "token"
    assert len(tokens.prompt("a bb")) == 3


def test_unknown_symbols_are_scored_and_told():
    task = fitted(table_of(["abc"]))
    test = table_of(["axb"])
    assert task.examples(test).targets.values.tolist() == [0, 2]
    assert task.notes(test) == ("1 of 3 symbols are unknown and scored as such",)
    assert task.notes(table_of(["ab"])) == ()


def test_the_frame_tells_what_surprised():
    texts = fitted(table_of(["ab", "b"]))
    frame = texts.frame({"nll": np.arange(5.0)}, table_of(["ab", "b"]))
    assert frame.rows() == [(0, 1, "a", 0.0), (0, 2, "b", 1.0), (0, 3, "", 2.0), (1, 1, "b", 3.0), (1, 2, "", 4.0)]


def test_a_single_document_is_not_divided_at_random():
    table = Table({"text": Column("text", Kind.TEXT, ["ab" * 2000])})
    with pytest.raises(DataError, match="cut by position, not by"):
        Language.divide(table, DataSettings(split="random"), TaskSettings(), 0)


def test_dna_has_bases():
    table = Table({"dna": Column("dna", Kind.DNA, ["ACGT" * 300])})
    assert "1,200 bases, 4 different: next base" in Language.fit(table, DataSettings(), TaskSettings()).describe(table)


def test_it_says_what_it_understood():
    table = table_of(["abc" * 400])
    assert fitted(table).describe(table) == (
        "1 document of 1,200 characters, 3 different: next character (many-to-many, fed back)"
    )
    task = fitted(NAMES, **CONDITIONAL)
    assert (
        task.describe(NAMES)
        == "2 texts of 2 to 3 characters, 4 different: next character given 'sex', 'age' (one-to-many)"
    )
    words = fitted(table_of(["a b c\n"]), unit="word")
    assert words.describe(table_of(["a b c\n"])).startswith("1 document of 4 words")


def test_tables_that_cannot_be_written_are_refused():
    with pytest.raises(DataError, match="no column holds text"):
        fitted(Table({"n": Column("n", Kind.NUMBER, np.zeros(2))}))
    with pytest.raises(DataError, match=r"several columns hold text \('text', 'b'\)"):
        fitted(table_of(["a"], b=(Kind.TEXT, ["b"])))
    with pytest.raises(DataError, match="column 'b': a text column cannot be a condition"):
        fitted(table_of(["a"], b=(Kind.TEXT, ["b"])), target="text", inputs=("b",))
    with pytest.raises(DataError, match="column 'age': a number column is no text"):
        fitted(NAMES, target="age")
    with pytest.raises(DataError, match="no text to learn from"):
        fitted(table_of(["", ""]))
    with pytest.raises(DataError, match="column 'text': a number column is no text"):
        fitted(table_of(["ab"])).examples(table_of(np.zeros(1), Kind.NUMBER))


@pytest.mark.parametrize("data", [CONDITIONAL, {"inputs": ("text",), "unit": "word"}])
def test_config_goes_through_json(data):
    task = fitted(NAMES, **data)
    assert Language.from_config(json.loads(json.dumps(task.to_config()))) == task
    with pytest.raises(ModelFolderError, match="task is damaged"):
        Language.from_config({})


@pytest.mark.real
def test_published_splits_of_tiny_shakespeare_and_penn_treebank(real_data):
    from ostinato.data import read

    settings = DataSettings(valid=0.1, test=0.0)
    division = Language.divide(read(real_data / "tiny_shakespeare/input.txt", settings), settings, TaskSettings(), 0)
    assert len(division.train["text"].values[0]) == 1003854
    task = Language.fit(division.train, settings, TaskSettings())
    assert len(task.vocabulary.symbols) == 65
    assert int(task.examples(division.valid).lengths.sum()) == 111540 - 1
    words = DataSettings(unit="word")
    table = read(real_data / "ptb/ptb.test.txt", words)
    assert int(Language.fit(table, words, TaskSettings()).examples(table).lengths.sum()) == 82430 - 1
