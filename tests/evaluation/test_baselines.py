"""Baselines: values that can be counted by hand, and patterns that each must find or must miss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import UsageError
from ostinato.evaluation.around import features_of
from ostinato.evaluation.baselines import BASELINES, baseline
from ostinato.evaluation.feed_forward import LAST_STEPS, STEPS_AROUND, STEPS_BEFORE, build
from ostinato.evaluation.ground import Ground
from ostinato.evaluation.ngrams import letters
from ostinato.evaluation.words import RIVALS
from ostinato.models import FeedForward
from ostinato.sequences import Ragged
from ostinato.tasks.classify import Classify
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.language import Language
from ostinato.tasks.regress import Regress
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.tag import Tag
from ostinato.training import OptimizerSettings, TrainingSettings

TRAINING = TrainingSettings(epochs=3, patience=0, batch_size=16)


def table(**columns: tuple[Kind, object]) -> Table:
    return Table({name: Column(name, kind, values) for name, (kind, values) in columns.items()})  # type: ignore[arg-type]


def thirds(whole: Table) -> tuple[Table, Table, Table]:
    """60 % to learn from, 20 % to choose by, 20 % to test."""
    rows = np.arange(len(whole))
    a, b = int(0.6 * len(rows)), int(0.8 * len(rows))
    return whole.take(rows[:a]), whole.take(rows[a:b]), whole.take(rows[b:])


def words(seed: int, count: int, kind: Kind = Kind.TEXT, letters_: str = "ACGT", length: int = 0) -> Table:
    """Random strings; label ``yes`` where ``GAT`` stands in them."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(count):
        size = length or int(random.integers(6, 15))
        text = "".join(random.choice(list(letters_), size)).replace("GAT", "GAC")
        if number % 2:
            place = int(random.integers(0, size - 2))
            text = text[:place] + "GAT" + text[place + 3 :]
        texts.append(text)
        labels.append("yes" if "GAT" in text else "no")
    return table(text=(kind, texts), label=(Kind.CATEGORY, labels))


def metrics_of(task, name: str, parts: tuple[Table, Table, Table], **options) -> dict[str, float]:
    outputs = baseline(name, task, *parts, training=TRAINING, **options)
    return task.metrics(outputs, task.examples(parts[2]))


def test_majority_answers_with_the_shares_of_training() -> None:
    whole = table(text=(Kind.TEXT, list("abcdefghij")), label=(Kind.CATEGORY, list("xxxyyzxyxx")))
    train, valid, test = whole.take(np.arange(6)), whole.take(np.arange(0)), whole.take(np.arange(6, 10))
    task = Classify.fit(train, DataSettings(target="label"), TaskSettings())
    outputs = baseline("majority", task, train, valid, test)
    np.testing.assert_allclose(outputs["probabilities"], np.tile([3 / 6, 2 / 6, 1 / 6], (4, 1)), rtol=1e-6)
    assert task.metrics(outputs, task.examples(test))["accuracy"] == 0.75


def test_mean_is_the_mean_of_training() -> None:
    values = np.array([1.0, 2.0, 6.0, np.nan, 100.0, 0.0])
    whole = Table(
        {
            "text": Column("text", Kind.TEXT, list("abcdef")),
            "y": Column("y", Kind.NUMBER, values, missing=frozenset({3})),
        }
    )
    train, rest = whole.take(np.arange(4)), whole.take(np.arange(4, 6))
    task = Regress.fit(train, DataSettings(target="y"), TaskSettings())
    outputs = baseline("mean", task, train, rest, rest)
    np.testing.assert_allclose(outputs["value"], [3.0, 3.0], rtol=1e-6)


def tagged(count: int = 60) -> Table:
    """``the`` and ``to`` decide the tag of the word after them; ``ly`` words are adverbs."""
    random = np.random.default_rng(0)
    rows, tags = [], []
    for _ in range(count):
        row, tag = [], []
        for _ in range(int(random.integers(2, 6))):
            lead, kind = [("the", "NOUN"), ("to", "VERB")][int(random.integers(2))]
            row += [lead, f"w{random.integers(6)}", f"q{random.integers(1000)}ly"]
            tag += ["DET" if lead == "the" else "PART", kind, "ADV"]
        rows.append(row)
        tags.append(tag)
    return table(tokens=(Kind.TOKENS, rows), tags=(Kind.TAGS, tags))


def test_a_taggers_majority_knows_the_token_and_its_regression_the_surroundings() -> None:
    parts = thirds(tagged())
    task = Tag.fit(parts[0], DataSettings(target="tags"), TaskSettings())
    outputs = baseline("majority", task, *parts)
    truth = task.examples(parts[2])
    chances = dict(zip(task.labels.names, outputs["probabilities"].mean(axis=0), strict=True))
    assert chances["DET"] > 0.1
    known = [token for row in parts[2]["tokens"].values for token in row]
    said = [task.labels.names[place] for place in outputs["probabilities"].argmax(1)]
    assert all(tag == "DET" for token, tag in zip(known, said, strict=True) if token == "the")
    metrics = metrics_of(task, "ngram_logistic", parts)
    assert metrics["accuracy"] > 0.98
    assert task.metrics(outputs, truth)["accuracy"] < 0.95


def test_features_around_a_step() -> None:
    names = features_of(["The", "U2-x"])
    assert {"0=The", "-1=\x02", "1=U2-x", "lower=the", "shape=Xx", "3$=the", "2^=th", "0,1=The U2-x"} <= set(names[0])
    assert {"shape=X9-x", "-1,0=The U2-x", "-1$=the"} <= set(names[1])
    assert all("shape" not in name for names in features_of("ACGT") for name in names)


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.DNA])
def test_ngrams_find_a_motif_wherever_it_stands(kind: Kind) -> None:
    parts = thirds(words(1, 600, kind))
    task = Classify.fit(parts[0], DataSettings(target="label"), TaskSettings())
    assert metrics_of(task, "ngram_logistic", parts)["accuracy"] > 0.97
    assert metrics_of(task, "majority", parts)["accuracy"] < 0.65


def test_ngrams_see_places_where_all_sequences_have_one_length() -> None:
    random = np.random.default_rng(3)
    texts = ["".join(random.choice(list("ACGT"), 30)) for _ in range(600)]
    whole = table(text=(Kind.DNA, texts), label=(Kind.CATEGORY, [text[17] for text in texts]))
    parts = thirds(whole)
    task = Classify.fit(parts[0], DataSettings(target="label"), TaskSettings())
    assert metrics_of(task, "ngram_logistic", parts)["accuracy"] > 0.97
    longer = table(text=(Kind.DNA, [text + "ACG" for text in texts[:9]]), label=(Kind.CATEGORY, ["A"] * 9))
    assert baseline("ngram_logistic", task, parts[0], parts[1], longer)["probabilities"].shape == (9, 4)


def test_ngrams_of_text_of_one_length_with_what_stands_beside_it_and_no_validation() -> None:
    random = np.random.default_rng(4)
    texts = ["".join(random.choice(list("xyz"), 5)) for _ in range(300)]
    beside = random.choice(["left", "right"], 300).tolist()
    whole = table(text=(Kind.TEXT, texts), side=(Kind.CATEGORY, beside), label=(Kind.CATEGORY, beside))
    train, test = whole.take(np.arange(240)), whole.take(np.arange(240, 300))
    task = Classify.fit(train, DataSettings(target="label", inputs=("text", "side")), TaskSettings())
    outputs = baseline("ngram_logistic", task, train, whole.take(np.arange(0)), test)
    assert task.metrics(outputs, task.examples(test))["accuracy"] == 1.0
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1.0, rtol=1e-5)


def test_letters_are_one_character_a_step() -> None:
    ids = Ragged(torch.tensor([0, 0xD700, 5, 70_000]), torch.tensor([3, 0, 1]))
    rows = letters(ids)
    assert [len(row) for row in rows] == [5, 2, 3]
    assert rows[1] == "\x02\x03"
    assert len(set("".join(rows))) == 6
    bases = Ragged(torch.tensor([[1.0, 0, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 0]]), torch.tensor([3]))
    assert [ord(letter) - 0x100 for letter in letters(bases)[0][1:-1]] == [1, 5, 0]


def test_the_network_without_memory_sees_no_further_than_its_steps() -> None:
    random = np.random.default_rng(5)
    texts, labels = [], []
    for _ in range(400):
        tail = "".join(random.choice(list("cd"), LAST_STEPS))
        lead = str(random.choice(list("ab")))
        texts.append(lead + tail)
        labels.append(lead)
    parts = thirds(table(text=(Kind.TEXT, texts), label=(Kind.CATEGORY, labels)))
    task = Classify.fit(parts[0], DataSettings(target="label"), TaskSettings())
    assert metrics_of(task, "feed_forward", parts)["accuracy"] < 0.7
    assert metrics_of(task, "ngram_logistic", parts)["accuracy"] == 1.0


def test_the_network_learns_and_repeats_itself() -> None:
    texts = [f"{'xy'[number % 2]}{'abc'[number % 3]}" for number in range(120)]
    parts = thirds(table(text=(Kind.TEXT, texts), label=(Kind.CATEGORY, [text[0] for text in texts])))
    task = Classify.fit(parts[0], DataSettings(target="label"), TaskSettings())
    optimizer = OptimizerSettings(learning_rate=0.02)
    first, again = (
        baseline("feed_forward", task, *parts, seed=7, training=TRAINING, optimizer=optimizer) for _ in range(2)
    )
    np.testing.assert_array_equal(first["probabilities"], again["probabilities"])
    assert task.metrics(first, task.examples(parts[2]))["accuracy"] == 1.0


def test_look_backs_by_what_is_answered() -> None:
    parts = thirds(tagged(10))
    tag = Tag.fit(parts[0], DataSettings(target="tags"), TaskSettings())
    model = build(Ground(tag, *parts, 0, TRAINING, OptimizerSettings()))
    assert isinstance(model, FeedForward)
    assert model.look_back == STEPS_AROUND
    text = table(text=(Kind.TEXT, ["abcabc" * 300]))
    language = Language.fit(text, DataSettings(), TaskSettings())
    model = build(Ground(language, text, text, text, 0, TRAINING, OptimizerSettings()))
    assert isinstance(model, FeedForward)
    assert model.look_back == STEPS_BEFORE


def test_a_k_gram_nearly_knows_a_cycle_and_a_network_writes_it_too() -> None:
    cycle = "the cat sat on the mat. "
    parts = tuple(table(text=(Kind.TEXT, [cycle * count])) for count in (80, 6, 6))
    task = Language.fit(parts[0], DataSettings(), TaskSettings())
    found = metrics_of(task, "kgram", parts)  # type: ignore[arg-type]
    assert found["nats"] < 0.15
    assert metrics_of(task, "majority", parts)["nats"] > 1.5  # type: ignore[arg-type]
    network = baseline(
        "feed_forward", task, *parts, training=TrainingSettings(epochs=4, window=16, batch_size=4),
        optimizer=OptimizerSettings(learning_rate=0.01),
    )  # fmt: skip
    assert task.metrics(network, task.examples(parts[2]))["nats"] < 0.5


def test_a_conditional_k_gram_uses_the_class_only_where_it_helps() -> None:
    random = np.random.default_rng(6)
    texts = ["".join(random.choice(list("ab" if n % 2 else "cd"), 6)) for n in range(200)]
    informed = table(text=(Kind.TEXT, texts), kind=(Kind.CATEGORY, ["ab" if n % 2 else "cd" for n in range(200)]))
    blind = table(text=(Kind.TEXT, texts), kind=(Kind.CATEGORY, random.choice(["p", "q"], 200).tolist()))
    settings = DataSettings(target="text", inputs=("kind",))
    nats = []
    for whole in (informed, blind):
        parts = thirds(whole)
        task = Language.fit(parts[0], settings, TaskSettings())
        assert task.condition.columns
        nats.append(metrics_of(task, "kgram", parts)["nats"])
    assert nats[0] < nats[1] - 0.05  # the first letter is one of two instead of one of four: ln 2 / 7 steps
    alone = thirds(informed)
    task = Language.fit(alone[0], settings, TaskSettings())
    outputs = baseline("kgram", task, alone[0], alone[1].take(np.arange(0)), alone[2])
    assert np.isfinite(outputs["nll"]).all()


def test_series_baselines_are_reached_by_name() -> None:
    values = np.sin(np.arange(60) / 6 * np.pi)[:, None]
    whole = table(series=(Kind.SERIES, [values]))
    task = Forecast.fit(whole, DataSettings(), TaskSettings(name="forecast", horizon=3, season=12))
    outputs = baseline("repeat_last", task, whole, whole, whole)
    np.testing.assert_allclose(outputs["forecast"][-1], np.repeat(values[-1, 0], 3))
    seasonal = baseline("seasonal_naive", task, whole, whole, whole)
    np.testing.assert_allclose(seasonal["forecast"][-1], values[-12:-9, 0], atol=1e-6)


def test_wrong_names_and_tasks() -> None:
    parts = thirds(words(1, 40))
    task = Classify.fit(parts[0], DataSettings(target="label"), TaskSettings())
    with pytest.raises(UsageError, match="Did you mean 'majority'"):
        baseline("majorty", task, *parts)
    for name in ("mean", "kgram", "repeat_last"):
        with pytest.raises(UsageError, match=f"{name}.*'classify'"):
            baseline(name, task, *parts)
    series = table(x=(Kind.SERIES, [np.zeros((4, 1))] * 6), y=(Kind.CATEGORY, list("ababab")))
    numbers = Classify.fit(series, DataSettings(target="y"), TaskSettings())
    with pytest.raises(UsageError, match="ngram_logistic"):
        baseline("ngram_logistic", numbers, series, series, series)
    tags = table(x=(Kind.SERIES, [np.zeros((2, 1))] * 3), t=(Kind.TAGS, [["a", "b"]] * 3))
    tagger = Tag.fit(tags, DataSettings(target="t"), TaskSettings())
    with pytest.raises(UsageError, match="symbols"):
        baseline("ngram_logistic", tagger, tags, tags, tags)
    assert baseline("majority", tagger, tags, tags, tags)["probabilities"].shape == (6, 2)
    rows = table(x=(Kind.SERIES, [np.zeros((4, 1))] * 6), y=(Kind.NUMBER, np.arange(6.0)))
    regress = Regress.fit(rows, DataSettings(target="y"), TaskSettings())
    with pytest.raises(UsageError, match="majority needs labels"):
        baseline("majority", regress, rows, rows, rows)


def test_every_baseline_has_a_name_in_words() -> None:
    assert set(RIVALS) == set(BASELINES)


def test_a_forecasters_network_and_a_taggers_with_a_window() -> None:
    values = np.sin(np.arange(120) / 6 * np.pi)[:, None]
    whole = table(series=(Kind.SERIES, [values]))
    forecast = Forecast.fit(whole, DataSettings(), TaskSettings(name="forecast", horizon=3, season=12))
    parts = Forecast.divide(whole, DataSettings(), TaskSettings(name="forecast", horizon=3, season=12), 0)
    assert parts.test is not None
    found = baseline("feed_forward", forecast, parts.train, parts.valid, parts.test, training=TRAINING)
    assert found["forecast"].shape == (len(forecast.examples(parts.test)), 3)
    parts = thirds(tagged(30))
    tag = Tag.fit(parts[0], DataSettings(target="tags"), TaskSettings())
    windowed = TrainingSettings(epochs=2, window=4, burn_in=1)
    outputs = baseline("feed_forward", tag, *parts, training=windowed)
    assert outputs["probabilities"].shape == (int(tag.examples(parts[2]).lengths.sum()), len(tag.labels))


def test_a_training_part_with_a_single_label_is_refused_by_ngrams() -> None:
    whole = words(1, 40)
    task = Classify.fit(whole, DataSettings(target="label"), TaskSettings())
    same = whole.take(np.arange(0, 40, 2))
    with pytest.raises(UsageError, match="two labels"):
        baseline("ngram_logistic", task, same, same, same)
