"""CTC decoding against every path there is, alone and with a language model; alignments against every alignment."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Column, Kind, Table
from ostinato.data.examples import Batch
from ostinato.data.settings import DataSettings
from ostinato.decoding.ctc import PrefixBeam, align, beam_of, decoder, pieces
from ostinato.decoding.language_score import LanguageScore
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, build
from ostinato.sequences import Ragged
from ostinato.tasks import Language, TaskSettings, Transcribe
from ostinato.tasks.transcribe import least_steps, runs

Text = tuple[int, ...]


def chances_of(seed: int, steps: int, labels: int, sharp: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, sharp, (steps, labels))
    found: np.ndarray = torch.from_numpy(logits).log_softmax(-1).numpy()
    return found


def said(path: tuple[int, ...]) -> Text:
    return tuple(label for label, _ in itertools.groupby(path) if label)


def every_text(chances: np.ndarray) -> dict[Text, float]:
    """``ln p`` of every text: the sum over all paths that say it."""
    found: dict[Text, float] = {}
    for path in itertools.product(range(chances.shape[1]), repeat=len(chances)):
        told = sum(chances[step, label] for step, label in enumerate(path))
        found[said(path)] = np.logaddexp(found.get(said(path), -np.inf), told)
    return found


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(2, 4))
def test_a_wide_beam_is_exact(seed: int, steps: int, labels: int) -> None:
    chances = chances_of(seed, steps, min(labels, 3) if steps > 5 else labels)
    every = every_text(chances)
    found = PrefixBeam(width=10_000, least=0.0).search(chances)
    assert {heard.ids for heard in found} == set(every)
    for heard in found:
        assert heard.log_probability == pytest.approx(every[heard.ids], abs=1e-9)
        assert heard.score == heard.log_probability
    assert sum(math.exp(heard.log_probability) for heard in found) == pytest.approx(1.0)
    assert every[found[0].ids] == pytest.approx(max(every.values()))


def test_a_sum_of_paths_beats_the_best_path() -> None:
    """Graves' own example: blank is likeliest at each step, and yet the text is likelier than none."""
    chances = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert said(tuple(chances.argmax(1))) == ()
    assert PrefixBeam().search(chances)[0].ids == (1,)  # 0.64 against 0.36


def test_a_narrow_beam_is_near() -> None:
    chances = chances_of(3, 6, 3, sharp=4.0)
    assert PrefixBeam(width=3).search(chances)[0].ids == PrefixBeam(width=1000, least=0.0).search(chances)[0].ids


def test_a_label_that_is_impossible() -> None:
    chances = np.log(
        np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]), where=[[1, 1, 0], [1, 0, 0]], out=np.full((2, 3), -np.inf)
    )
    found = PrefixBeam(least=0.0).search(chances)
    assert [(heard.ids, round(math.exp(heard.log_probability), 9)) for heard in found] == [((), 0.5), ((1,), 0.5)]


@pytest.mark.parametrize(
    "settings", [{"width": 0}, {"least": 1.0}, {"language_weight": math.nan}, {"word_bonus": math.inf}]
)
def test_numbers_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        PrefixBeam(**settings)  # type: ignore[arg-type]


# --- with a language model ------------------------------------------------------------------------------------------


def language(document: bool) -> tuple[torch.nn.Module, Language]:
    texts = ["ab ba b " * 600] if document else ["ab ba", "b", "aab"] * 4
    table = Table({"text": Column("text", Kind.TEXT, texts)})
    task = Language.fit(table, DataSettings(target="text"), TaskSettings())
    assert task.document is document
    torch.manual_seed(0)
    model = build(task.spec, ModelSettings(hidden=6), TaskSettings())
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)
    return model.eval(), task


def told(model: torch.nn.Module, task: Language, text: str) -> float:
    """``ln p(text)`` in one pass over the whole of it, with its end where the model knows ends."""
    begin = task.prompt("")
    ids = torch.cat([begin, task.vocabulary.encode([text]).values])
    with torch.no_grad():
        chances = model(Batch(Ragged(ids, torch.tensor([len(ids)])), torch.tensor([0])))[0].double().log_softmax(-1)
    total = sum(float(chances[len(begin) - 1 + place, ids[len(begin) + place]]) for place in range(len(text)))
    return total + (float(chances[-1, task.stop]) if task.stop is not None else 0.0)


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_language_model_is_weighed_in(document: bool, seed: int) -> None:
    """The best of all texts by sound, language model and bonus together, each computed on its own."""
    letters = "?ab "
    model, task = language(document)
    chances = chances_of(seed, 5, 4)

    def words(text: Text) -> int:
        return len("".join(letters[label] for label in text).split())

    beam = PrefixBeam(10_000, 0.0, LanguageScore(model, task, letters.__getitem__), 0.7, 0.4, words)
    for _ in range(2):  # a second search begins anew
        found = beam.search(chances)
        every = every_text(chances)
        assert len(found) == len(every)
        for heard in found[:20]:
            text = "".join(letters[label] for label in heard.ids)
            true = every[heard.ids] + 0.7 * told(model, task, text) + 0.4 * len(text.split())
            assert heard.score == pytest.approx(true, abs=1e-4)


def test_a_letter_the_language_model_does_not_know() -> None:
    model, task = language(document=False)
    score = LanguageScore(model, task, "?az".__getitem__)
    assert score.next((), 2) == pytest.approx(float(score.chances[0, 0]))


# --- alignments -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.lists(st.integers(1, 2), max_size=3))
def test_the_best_alignment(seed: int, ids: list[int]) -> None:
    chances, text = chances_of(seed, 5, 3), tuple(ids)
    ways = [path for path in itertools.product(range(3), repeat=5) if said(path) == text]
    best = max(sum(chances[step, label] for step, label in enumerate(path)) for path in ways)
    path = align(chances, text)
    assert said(tuple(path.tolist())) == text
    assert sum(chances[np.arange(5), path]) == pytest.approx(best)


def test_too_few_steps() -> None:
    assert least_steps([1, 1, 2]) == 4
    assert align(chances_of(0, 4, 3), (1, 1, 2)).tolist() == [1, 0, 1, 2]
    with pytest.raises(ValueError, match="3 steps are too few to say 3 symbols"):
        align(chances_of(0, 3, 3), (1, 1, 2))


def test_runs() -> None:
    assert runs(np.array([0, 1, 1, 0, 1, 2, 2, 0])) == [(1, 1, 3), (1, 4, 5), (2, 5, 7)]
    assert runs(np.array([], dtype=np.int64)) == []


def test_a_long_sound_is_cut_in_its_pauses() -> None:
    """Words parted by sure blanks: the pieces say what the whole says."""
    random, parts = np.random.default_rng(0), []
    for _ in range(6):
        parts += [random.normal(0, 2, (7, 3)), np.tile([9.0, -9.0, -9.0], (13, 1))]
    chances = torch.from_numpy(np.concatenate(parts)).log_softmax(-1).numpy()
    found = pieces(chances, most=50)
    assert [len(piece) <= 50 for piece in found] == [True] * len(found)
    assert len(found) > 2
    np.testing.assert_array_equal(np.concatenate(found), chances)
    beam = PrefixBeam(width=100)
    whole = beam.search(chances)[0].ids
    assert tuple(label for piece in found for label in beam.search(piece)[0].ids) == whole
    assert len(pieces(chances)) == 1
    assert pieces(chances[:0]) == []


# --- batches --------------------------------------------------------------------------------------------------------


class Fixed(torch.nn.Module):
    """Gives the inputs as logits."""

    def forward(self, batch: Batch) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        return batch.inputs.values, ()


def task_of(**settings: object) -> Transcribe:
    rows = [np.random.default_rng(k).normal(size=(9, 3)) for k in range(3)]
    columns = [Column("x", Kind.SERIES, rows, ("a", "b", "c")), Column("y", Kind.TEXT, ["ab", "b a", "ba"])]
    table = Table({column.name: column for column in columns})
    return Transcribe.fit(table, DataSettings(target="y"), TaskSettings(**settings))  # type: ignore[arg-type]


def test_a_batch_is_its_sounds_one_by_one() -> None:
    task = task_of(beam=4)
    lengths = torch.tensor([5, 0, 1, 7])
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (13, 4)))
    batch = Batch(Ragged(logits, lengths), torch.arange(4))
    path = decoder(task, False)(Fixed(), batch, None)
    assert torch.equal(path, decoder(task, False)(Fixed(), batch, logits))
    for part, chances in zip(path.split(lengths.tolist()), logits.split(lengths.tolist()), strict=True):
        if len(chances):
            best = beam_of(task).search(chances.log_softmax(-1).numpy())[0].ids
            assert said(tuple(part.tolist())) == best
    greedy = decoder(task, True)(Fixed(), batch, None)
    assert torch.equal(greedy, logits.argmax(-1))
    assert torch.equal(greedy, decoder(task_of(beam=1), False)(Fixed(), batch, None))
