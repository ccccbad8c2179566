"""Transcribe: its loss against every path, what it says, when, how it is judged, and what it refuses."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.data import Column, Kind, Table
from ostinato.data.examples import Batch
from ostinato.data.settings import AudioSettings, DataSettings
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.sequences import Ragged
from ostinato.tasks import TaskSettings, Transcribe, infer
from ostinato.tasks.transcribe import Word
from ostinato.tasks.transcribe_metrics import metrics, scores

AUDIO = AudioSettings(rate=8000, stack=2)
DATA = DataSettings(target="text", audio=AUDIO)


def table(texts: list[str], kind: Kind = Kind.TEXT, seconds: float = 1.0) -> Table:
    random = np.random.default_rng(0)
    sounds = [random.normal(0, 0.1, int(8000 * seconds)).astype(np.float32) for _ in texts]
    values = [text.split() for text in texts] if kind is Kind.TOKENS else texts
    columns = [Column("sound", Kind.AUDIO, sounds), Column("text", kind, values)]
    return Table({c.name: c for c in columns}, Path("list.csv"), np.arange(2, len(texts) + 2))


THREE = table(["ab ba", "a", "bb  a "])


def fitted(data: Table = THREE, settings: DataSettings = DATA, **task: object) -> Transcribe:
    return Transcribe.fit(data, settings, TaskSettings(**task))  # type: ignore[arg-type]


def test_what_it_understands() -> None:
    task = fitted()
    assert set(task.vocabulary.symbols) == {"a", "b", " "}
    spec = task.spec
    assert (spec.outputs, spec.output_size, spec.input_size, spec.inputs) == ("step", 4, 80, "values")
    assert (task.mapping, task.watch, task.baselines) == ("many-to-many", "wer", ("constant", "feed_forward"))
    assert task.describe(THREE) == (
        "3 sounds, a step of 20 ms: 2 frames of 40 log-mel bands, 8,000 samples a second; to be written: 'text', "
        "1 to 5 characters, 3 different"
    )
    examples = task.examples(THREE)
    assert isinstance(examples.targets, Ragged)
    assert [task.vocabulary.decode(row.tolist()) for row in examples.targets] == ["ab ba", "a", "bb a"]
    assert examples.truth == ("ab ba", "a", "bb a")
    bare = Table({"sound": THREE["sound"]})
    assert task.examples(bare).targets is None


def test_it_is_inferred_from_text_beside_sound() -> None:
    assert infer(THREE, DATA, TaskSettings()).name == "transcribe"
    found = infer(THREE, DataSettings(), TaskSettings())
    assert (found.name, found.target) == ("transcribe", "text")


def probability(chances: np.ndarray, ids: list[int]) -> float:
    """The sum over every path that says ``ids``."""
    total = 0.0
    for path in itertools.product(range(chances.shape[1]), repeat=len(chances)):
        if [label for label, _ in itertools.groupby(path) if label] == ids:
            total += float(np.prod(chances[np.arange(len(path)), list(path)]))
    return total


def test_the_loss_is_that_of_all_paths() -> None:
    task = fitted()
    lengths, targets = torch.tensor([5, 3, 6]), [[1, 2], [1], [2, 2, 1]]
    logits = torch.randn(14, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    ids = Ragged.from_list([torch.tensor(row) for row in targets])
    batch = Batch(Ragged(torch.zeros(14, 1), lengths), torch.arange(3), targets=ids)
    loss, count = task.loss(logits, batch)
    parts = logits.detach().double().softmax(-1).split(lengths.tolist())
    true = -sum(np.log(probability(part.numpy(), row)) for part, row in zip(parts, targets, strict=True))
    assert count == 6
    assert float(loss.detach()) == pytest.approx(true / 6, abs=1e-5)
    loss.backward()
    assert logits.grad is not None
    step = 1e-3  # the gradient, by differences
    for place in ((0, 0), (4, 2), (9, 1)):
        moved = [logits.detach().double() for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        values = [
            -sum(
                np.log(probability(part.softmax(-1).numpy(), row))
                for part, row in zip(one.split(lengths.tolist()), targets, strict=True)
            )
            for one in moved
        ]
        assert float(logits.grad[place]) == pytest.approx((values[0] - values[1]) / (2 * step * 6), abs=1e-4)


def test_a_text_too_long_for_its_sound_is_left_out_of_the_loss() -> None:
    task = fitted()
    lengths, ids = torch.tensor([2, 3]), Ragged.from_list([torch.tensor([1, 1]), torch.tensor([1])])
    logits = torch.randn(5, 4, requires_grad=True)
    batch = Batch(Ragged(torch.zeros(5, 1), lengths), torch.arange(2), targets=ids)
    loss, _ = task.loss(logits, batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert not logits.grad[:2].any()
    assert logits.grad[2:].any()
    without = Batch(batch.inputs, batch.index)
    assert task.loss(logits, without)[1] == 0


def said(task: Transcribe, *texts: str) -> dict[str, np.ndarray]:
    """Outputs that say each text, a symbol a step with a blank after it."""
    paths = [[part for symbol in text for part in (task.vocabulary.ids[symbol], 0)] for text in texts]
    steps = np.array([len(path) for path in paths], np.int32)
    return {"path": np.array([label for path in paths for label in path], np.int32), "steps": steps}


def test_metrics() -> None:
    task = fitted()
    outputs, examples = said(task, "ab ab", "a", "a"), task.examples(THREE)  # truth: "ab ba", "a", "bb a"
    found = task.metrics(outputs, examples)
    assert found["wer"] == pytest.approx((1 + 0 + 1) / 5)
    assert found["cer"] == pytest.approx((2 + 0 + 3) / 10)
    assert found["accuracy"] == pytest.approx(1 / 3)
    one = task.scores(outputs, examples)
    assert one.mean() == pytest.approx(found["wer"])
    np.testing.assert_allclose(one / one.max(), [1, 0, 1])
    with pytest.raises(ValueError, match="no targets"):
        task.metrics(outputs, task.examples(Table({"sound": THREE["sound"]})))


def test_metrics_of_nothing() -> None:
    assert all(np.isnan(value) for value in metrics([], []).values())
    assert metrics(["", "a b"], ["a", ""])["wer"] == 3.0
    assert len(scores([], [])) == 0


def path_of(task: Transcribe, text: str) -> np.ndarray:
    """``_`` is blank, ``-`` a space."""
    return np.array([0 if c == "_" else task.vocabulary.ids[" " if c == "-" else c] for c in text], np.int32)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("__aa_b__-_b_", [("ab", 2, 6), ("b", 10, 11)]),
        ("aabb", [("ab", 0, 4)]),
        ("a_a", [("aa", 0, 3)]),
        ("--a---b--", [("a", 2, 3), ("b", 6, 7)]),
        ("____", []),
        ("_-_", []),
        ("", []),
    ],
)
def test_words_and_their_times(path: str, words: list[tuple[str, int, int]]) -> None:
    task = fitted()
    found = task.spelled(path_of(task, path))
    assert [word.text for word in found] == [text for text, _, _ in words]
    np.testing.assert_allclose([word[1:] for word in found], [[0.02 * a, 0.02 * b] for _, a, b in words] or [])


def test_a_frame_of_answers() -> None:
    task = fitted()
    paths = [path_of(task, one) for one in ("ab-b_a", "_a", "__")]
    outputs = {"path": np.concatenate(paths), "steps": np.array([len(path) for path in paths])}
    frame = task.frame(outputs, THREE)
    assert frame.to_dict(as_series=False) == {
        "truth": ["ab ba", "a", "bb a"],
        "prediction": ["ab ba", "a", ""],
        "times": ["0.00-0.04 0.06-0.12", "0.02-0.04", ""],
    }
    assert task.frame(outputs, Table({"sound": THREE["sound"]})).columns == ["prediction", "times"]
    assert task.words(outputs)[1] == [Word("a", 0.02, 0.04)]


def test_words_and_sub_words_as_symbols() -> None:
    words = fitted(settings=DataSettings(target="text", unit="word", audio=AUDIO))
    ids = words.vocabulary.ids
    path = np.array([ids["ab"], ids["ab"], 0, ids["ab"], ids["ba"]])
    assert [word.text for word in words.spelled(path)] == ["ab", "ab", "ba"]
    texts = ["see the sea", "the sea sees", "see the seas"] * 3
    pieces = fitted(table(texts), DataSettings(target="text", unit="subword", subwords=12, audio=AUDIO))
    for text in texts:
        labels = pieces.vocabulary.encode([text]).values.tolist()
        path = np.array([part for label in labels for part in (label, 0)])
        assert " ".join(word.text for word in pieces.spelled(path)) == text


def test_a_series_is_told_in_steps() -> None:
    columns = [
        Column("pen", Kind.SERIES, [np.random.default_rng(k).normal(size=(9, 2)) for k in range(3)], ("x", "y")),
        Column("text", Kind.TEXT, ["ab", "ba", "b"]),
    ]
    task = Transcribe.fit(Table({c.name: c for c in columns}), DataSettings(target="text"), TaskSettings())
    assert task.spelled(np.array([0, 1, 1]))[0][1:] == (1.0, 3.0)


def test_stored_and_read() -> None:
    task = fitted(beam=3, word_bonus=0.5)
    again = Transcribe.from_config(json.loads(json.dumps(task.to_config())))
    assert again == task
    with pytest.raises(ModelFolderError, match="damaged"):
        Transcribe.from_config({"name": "transcribe"})


def test_letters_never_seen() -> None:
    task, other = fitted(), table(["ab", "xa é"])
    assert task.notes(other) == (
        "list.csv, row 3, column 'text': 'x' never occurred in training. 2 such symbols cannot be written, and count "
        "as errors",
    )
    examples = task.examples(other)
    assert isinstance(examples.targets, Ragged)
    assert 0 not in examples.targets.values.tolist()  # or it would be the blank
    assert task.metrics(said(task, "ab", "a"), examples)["cer"] == pytest.approx(3 / 6)
    assert task.notes(THREE) == ()


@pytest.mark.parametrize(
    ("data", "settings", "told"),
    [
        (table(["ab", ""]), {}, r"list\.csv, row 3, column 'text': the target is empty"),
        (table(["ab", "ab" * 40]), {}, r"list\.csv, row 3, column 'text': '.*' needs 80 steps.*has 49"),
        (table(["ab", "a" * 25 + "b"]), {}, r"needs 50 steps, and what is heard has 49.*audio\.stack"),
    ],
)
def test_bad_texts(data: Table, settings: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        fitted(data, **settings).examples(data)


def test_what_it_refuses() -> None:
    with pytest.raises(UsageError, match=r"data\.unit=char"):
        fitted(settings=DataSettings(target="text", unit="byte", audio=AUDIO))
    with pytest.raises(UsageError, match=r"task\.beam is 0"):
        fitted(beam=0)
    letters = Table({"a": Column("a", Kind.TEXT, ["ab", "ba"]), "text": Column("text", Kind.TEXT, ["x", "y"])})
    with pytest.raises(DataError, match="of sound or of a series, and this is text"):
        fitted(letters, DataSettings(target="text", inputs=("a",)))
    numbers = Table({"sound": THREE["sound"], "text": Column("text", Kind.NUMBER, np.array([1.0, 2.0, 3.0]))})
    with pytest.raises(DataError, match=r"number column cannot be written.*data\.kinds\.text=text"):
        fitted(numbers)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(UsageError, match=r'pip install "ostinato\[audio\]"'):
        fitted()


def test_what_is_no_language_model() -> None:
    task = fitted(language="somewhere")
    assert Path(task.settings.language).is_absolute()
    with pytest.raises(UsageError, match="no language model of characters"):
        task.equipped(lambda _: (torch.nn.Identity(), task))
    assert fitted().equipped(lambda _: pytest.fail("nothing is to be read")).spoken is None
