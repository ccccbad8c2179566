"""Texts against a model run anew over the whole prefix at each step, and against chains whose texts are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from language_models import Chain, make_language, make_model, whole_prefix

from ostinato.data.table import Column, Kind, Table
from ostinato.decoding import Beam, Stepper, generate, likeliest, samples, stream, unknown_symbols
from ostinato.errors import DataError, UsageError
from ostinato.models import FeedForward, ModelSettings
from ostinato.tasks.classify import Classify
from ostinato.tasks.language import Language
from ostinato.tasks.settings import TaskSettings

NAMES = ["Anna", "Otto", "Ida", "Nino", "Dana"] * 4
LABELS = ["x", "y", "x", "y", "x"] * 4
LANGUAGES = {
    "document": make_language(["the cat sat on the mat\n" * 3]),
    "words": make_language(["the cat sat on the mat\n" * 3], unit="word"),
    "bytes": make_language(["the caf\N{LATIN SMALL LETTER E WITH ACUTE} sat\n" * 3], unit="byte"),
    "texts": make_language(NAMES),
    "tokens": make_language([list(name) for name in NAMES]),
    "conditional": make_language(NAMES, LABELS),
}
CONDITION: dict[str, dict[str, Any]] = {"conditional": {"label": "y"}}
PROMPTS = {"document": "the c", "words": "the cat", "bytes": "the", "texts": "An", "tokens": "A n", "conditional": "O"}


def by_whole_prefixes(model: torch.nn.Module, task: Language, prompt: str, length: int, uniforms: Any) -> list[int]:
    """Ids drawn with given uniform numbers (None: the likeliest), the model run over the whole prefix at each step."""
    ids, written = task.prompt(prompt).tolist(), []
    for _ in range(length):
        logits = whole_prefix(model, task, ids, CONDITION["conditional"] if task.condition.columns else None)
        if uniforms is None:
            symbol = int(logits.argmax())
        else:
            shares = np.exp(logits - logits.max())
            symbol = int(np.searchsorted(np.cumsum(shares / shares.sum()), uniforms.random(), side="right"))
        if symbol == task.stop:
            break
        ids.append(symbol)
        written.append(symbol)
    return written


def expected_text(task: Language, prompt: str, written: list[int]) -> str:
    text = task.vocabulary.decode(written)
    blank = task.vocabulary.unit in {"word", "token"} and prompt and text and not text.startswith("\n")
    return prompt + (" " if blank else "") + text


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_greedy_text_is_that_of_whole_prefixes(name: str, cell: str) -> None:
    task = LANGUAGES[name]
    model = make_model(task, cell=cell, layers=2, learned_state=True)
    for prompt in ("", PROMPTS[name]):
        written = by_whole_prefixes(model, task, prompt, 25, None)
        found = generate(model, task, prompt=prompt, length=25, temperature=0, condition=CONDITION.get(name))
        assert found == expected_text(task, prompt, written)


@pytest.mark.parametrize("name", LANGUAGES)
def test_sampled_text_is_that_of_whole_prefixes(name: str) -> None:
    task = LANGUAGES[name]
    model = make_model(task)
    found = samples(model, task, prompt=PROMPTS[name], length=25, seed=7, condition=CONDITION.get(name), count=4)
    for row, text in enumerate(found):
        written = by_whole_prefixes(model, task, PROMPTS[name], 25, np.random.default_rng([7, row]))
        assert text == expected_text(task, PROMPTS[name], written)


@pytest.mark.parametrize("name", LANGUAGES)
def test_one_seed_one_text(name: str) -> None:
    task, model = LANGUAGES[name], make_model(LANGUAGES[name])
    given: dict[str, Any] = {"prompt": PROMPTS[name], "length": 30, "condition": CONDITION.get(name)}
    text = generate(model, task, seed=1, **given)
    assert text == generate(model, task, seed=1, **given)
    assert text == samples(model, task, seed=1, count=3, **given)[0]
    assert text == PROMPTS[name] + "".join(stream(model, task, seed=1, **given))
    assert len({generate(model, task, seed=seed, **given) for seed in range(5)}) > 1


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_network_without_memory_writes_too(name: str) -> None:
    task = LANGUAGES[name]
    torch.manual_seed(0)
    model = FeedForward(task.spec, 3, settings=ModelSettings(embedding=4)).eval()
    written = by_whole_prefixes(model, task, PROMPTS[name], 20, None)
    found = generate(model, task, prompt=PROMPTS[name], length=20, temperature=0, condition=CONDITION.get(name))
    assert found == expected_text(task, PROMPTS[name], written)


def test_marks_and_the_unknown_symbol_are_never_written() -> None:
    task = LANGUAGES["texts"]
    size = len(task.vocabulary)
    table = torch.zeros(size, size)
    table[:, list(task.never)] = 50.0
    table[:, task.stop] = -50.0
    for text in samples(Chain(table), task, length=200, count=5):
        assert len(text) == 200
        assert set(text) <= set(task.vocabulary.symbols)


def test_a_text_ends_where_the_model_says_so() -> None:
    task = LANGUAGES["texts"]
    ids = task.vocabulary.ids
    table = torch.zeros(len(task.vocabulary), len(task.vocabulary))
    for before, after in [(task.vocabulary.begin, ids["I"]), (ids["I"], ids["d"]), (ids["d"], ids["a"])]:
        table[before, after] = 100.0
    table[ids["a"], task.stop] = 100.0
    chain = Chain(table)
    assert samples(chain, task, count=3) == ["Ida"] * 3
    assert generate(chain, task, prompt="I") == "Ida"
    assert generate(chain, task, length=2) == "Id"
    assert generate(chain, task, length=0) == ""
    assert list(stream(chain, task)) == ["I", "d", "a"]


def test_a_stream_marks_a_character_that_was_cut_off() -> None:
    task = LANGUAGES["bytes"]
    first = task.vocabulary.encode(["\N{SNOWMAN}"]).values.tolist()[0]
    table = torch.zeros(len(task.vocabulary), len(task.vocabulary))
    table[:, first] = 100.0
    assert "".join(stream(Chain(table), task, length=1)) == "\N{REPLACEMENT CHARACTER}"


def test_samples_end_one_by_one() -> None:
    task = LANGUAGES["texts"]
    texts = samples(Chain(torch.zeros(len(task.vocabulary), len(task.vocabulary))), task, count=40, length=30)
    assert len({len(text) for text in texts}) > 3
    assert texts[:5] == samples(
        Chain(torch.zeros(len(task.vocabulary), len(task.vocabulary))), task, count=5, length=30
    )


def test_texts_follow_the_chain_as_often_as_they_should() -> None:
    task = make_language(["abab" * 10])
    a, b = task.vocabulary.ids["a"], task.vocabulary.ids["b"]
    table = torch.full((len(task.vocabulary), len(task.vocabulary)), -50.0)
    table[:, a], table[:, b] = float(np.log(0.8)), float(np.log(0.2))
    text = "".join(samples(Chain(table), task, length=200, count=50))
    # 10,000 draws: five standard errors are 0.02.
    assert abs(text.count("a") / len(text) - 0.8) < 0.02


def test_a_long_prompt_is_read_whole() -> None:
    task = LANGUAGES["document"]
    model = make_model(task)
    prompt = "the cat sat on the mat\n" * 150
    written = by_whole_prefixes(model, task, prompt, 5, None)
    assert generate(model, task, prompt=prompt, length=5, temperature=0) == expected_text(task, prompt, written)


def test_dropout_is_off_while_writing_and_on_afterwards() -> None:
    task = LANGUAGES["document"]
    model = make_model(task, dropout=0.5)
    expected = generate(model, task, length=30)
    model.train()
    assert generate(model, task, length=30) == expected
    assert all(part.training for part in model.modules())


def test_wrong_use() -> None:
    task, model = LANGUAGES["document"], make_model(LANGUAGES["document"])
    with pytest.raises(UsageError, match="length"):
        generate(model, task, length=-1)
    with pytest.raises(UsageError, match="a seed is 0 or more"):
        stream(model, task, seed=-1)
    with pytest.raises(UsageError, match="count"):
        samples(model, task, count=-1)
    assert samples(model, task, count=0) == []
    with pytest.raises(UsageError, match="temperature"):
        generate(model, task, temperature=-1)
    with pytest.raises(DataError, match="no condition 'label'"):
        generate(model, task, condition={"label": "x"})
    with pytest.raises(ValueError, match="at least one"):
        Stepper(model).begin(torch.empty(0, dtype=torch.int64))
    conditional = LANGUAGES["conditional"]
    with pytest.raises(DataError, match="'z' never occurred"):
        stream(make_model(conditional), conditional, condition={"label": "z"})
    with pytest.raises(DataError, match="a value is needed"):
        generate(make_model(conditional), conditional)


def test_other_tasks_do_not_write() -> None:
    table = Table({"text": Column("text", Kind.TEXT, NAMES), "label": Column("label", Kind.CATEGORY, LABELS)})
    from ostinato.data.settings import DataSettings

    task = Classify.fit(table, DataSettings(target="label", inputs=("text",)), TaskSettings())
    with pytest.raises(UsageError, match="task 'classify'"):
        generate(make_model(LANGUAGES["texts"]), task)


def test_unknown_symbols_of_a_prompt() -> None:
    assert unknown_symbols(LANGUAGES["document"], "the zebra zoo") == ("z", "b", "r")
    assert unknown_symbols(LANGUAGES["words"], "the dog sat\n dog") == ("dog",)
    assert unknown_symbols(LANGUAGES["tokens"], "A b") == ("b",)
    assert unknown_symbols(LANGUAGES["bytes"], "\N{SNOWMAN}") == ()


def test_likeliest_texts() -> None:
    task = LANGUAGES["texts"]
    ids = task.vocabulary.ids
    table = torch.full((len(task.vocabulary), len(task.vocabulary)), -50.0)
    begin, stop = task.vocabulary.begin, task.stop
    table[begin, ids["I"]], table[begin, ids["O"]] = float(np.log(0.6)), float(np.log(0.4))
    table[ids["I"], ids["d"]], table[ids["I"], ids["n"]] = float(np.log(0.6)), float(np.log(0.4))
    table[ids["O"], stop] = table[ids["d"], stop] = table[ids["n"], stop] = 0.0
    found = likeliest(Chain(table), task, beam=Beam(width=3, length=5, alpha=0.0))
    assert [text for text, _ in found] == ["O", "Id", "In"]
    assert [float(np.exp(total)) for _, total in found] == pytest.approx([0.4, 0.36, 0.24], abs=1e-6)
    assert likeliest(Chain(table), task, prompt="I", beam=Beam(width=1))[0][0] == "Id"
