"""CTC: from a model's labels at every step to the likeliest text, and where in time its symbols lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.decoding.language_score import LanguageScore
from ostinato.errors import UsageError
from ostinato.tasks.base import Task
from ostinato.tasks.transcribe import BLANK, Transcribe

NEVER = -math.inf
LEAST = 1e-5
"""A symbol less likely than this at a step begins no new text there."""
MOST_STEPS = 1500
"""Steps that are searched at once: half a minute of steps of 20 ms."""
PAUSE = 11
"""Steps around a cut that should be blank."""
Text = tuple[int, ...]


class Heard(NamedTuple):
    """A text: its ids, ``ln`` of the probability that its sound gives it, and what texts are compared by."""

    ids: Text
    log_probability: float
    score: float


@dataclass(frozen=True)
class PrefixBeam:
    """Keeps the ``width`` best beginnings of a text at each step (Graves 2012; Hannun et al. 2014, arXiv 1408.2873).

    A beginning's probability is the sum over its paths, those that end in blank apart from the others. Compared are::

        score = ln p(text | sound) + language_weight * ln p(text) + word_bonus * words

    Args:
        width: beginnings kept.
        least: a symbol that is less likely at a step is not looked at there; 0: all are, and with a ``width`` of all
            texts the search is exact.
        language: tells ``ln p(text)``, symbol by symbol and for the end; None: 0.
        language_weight: see above.
        word_bonus: see above.
        words: counts the words of a text.

    Raises:
        UsageError: a number is out of its range.
    """

    width: int = 8
    least: float = LEAST
    language: LanguageScore | None = None
    language_weight: float = 0.0
    word_bonus: float = 0.0
    words: Callable[[Text], int] = len

    def __post_init__(self) -> None:
        if self.width < 1 or not 0.0 <= self.least < 1.0:
            raise UsageError(f"a beam needs a width of at least 1 and a share below 1: {self.width}, {self.least}")
        if not (math.isfinite(self.language_weight) and math.isfinite(self.word_bonus)):
            raise UsageError("task.language_weight and task.word_bonus must be finite numbers")

    def search(self, chances: np.ndarray) -> list[Heard]:
        """The best texts, best first, of ``ln p(label)`` at every step ``(T, V)``, label 0 being blank."""
        beam: dict[Text, tuple[float, float]] = {(): (0.0, NEVER)}
        told: dict[Text, float] = {(): 0.0}
        if self.language is not None:
            self.language.begin()
        low = math.log(self.least) if self.least else NEVER
        for row in chances.astype(np.float64):
            grown: dict[Text, tuple[float, float]] = {}
            likely = [(label, float(row[label])) for label in np.flatnonzero(row > low).tolist() if label != BLANK]
            for text, (blank, symbol) in beam.items():
                _extend(grown, text, (blank, symbol), row, likely)
            told = {text: self._told(text, told) for text in grown}
            best = sorted(grown, key=lambda text: (-self._score(text, grown[text], told[text]), text))[: self.width]
            beam, told = {text: grown[text] for text in best}, {text: told[text] for text in best}
            if self.language is not None:
                self.language.keep(best)
        if self.language is not None:
            told = {text: value + self.language.end(text) for text, value in told.items()}
        found = [Heard(text, _sum(*pair), self._score(text, pair, told[text])) for text, pair in beam.items()]
        return sorted(found, key=lambda heard: (-heard.score, heard.ids))

    def _told(self, text: Text, before: dict[Text, float]) -> float:
        """``ln p(text)`` by the language model; ``before`` holds the beginnings of the step before."""
        if self.language is None or text in before:
            return before.get(text, 0.0)
        return before[text[:-1]] + self.language.next(text[:-1], text[-1])

    def _score(self, text: Text, pair: tuple[float, float], told: float) -> float:
        score = _sum(*pair) + (self.language_weight * told if self.language is not None else 0.0)
        return score + (self.word_bonus * self.words(text) if self.word_bonus else 0.0)


def _extend(
    grown: dict[Text, tuple[float, float]],
    text: Text,
    pair: tuple[float, float],
    row: np.ndarray,
    likely: list[tuple[int, float]],
) -> None:
    """Adds to ``grown`` what one step makes of a beginning: the same text, or one symbol more."""
    blank, symbol = pair
    either = _sum(blank, symbol)
    last = text[-1] if text else BLANK
    _add(grown, text, either + float(row[BLANK]), symbol + float(row[last]) if text else NEVER)
    for label, chance in likely:
        _add(grown, (*text, label), NEVER, (blank if label == last else either) + chance)


def _add(grown: dict[Text, tuple[float, float]], text: Text, blank: float, symbol: float) -> None:
    if blank == symbol == NEVER:
        return
    known = grown.get(text)
    grown[text] = (blank, symbol) if known is None else (_sum(known[0], blank), _sum(known[1], symbol))


def _sum(one: float, other: float) -> float:
    """``ln(exp(one) + exp(other))``."""
    high, low = (one, other) if one > other else (other, one)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))


def align(chances: np.ndarray, ids: Text) -> np.ndarray:
    """The likeliest path ``(T,)`` that says ``ids``, of ``ln p(label)`` at every step ``(T, V)`` (Viterbi).

    Raises:
        ValueError: there are fewer steps than such a path needs.
    """
    labels = np.full(2 * len(ids) + 1, BLANK)
    labels[1::2] = ids
    skips = np.zeros(len(labels), dtype=bool)  # whether the blank before a symbol may be left out
    skips[3::2] = labels[3::2] != labels[1:-2:2]
    best = np.full(len(labels), NEVER)
    best[:2] = chances[0, labels[:2]]
    came = np.zeros((len(chances), len(labels)), dtype=np.uint8)
    for step in range(1, len(chances)):
        one, two = np.append(NEVER, best[:-1]), np.append([NEVER, NEVER], best[:-2])[: len(best)]
        ways = np.stack([best, one, np.where(skips, two, NEVER)])
        came[step] = ways.argmax(0)
        best = ways.max(0) + chances[step, labels]
    place = len(labels) - 1
    if len(labels) > 1 and best[-2] > best[-1]:
        place -= 1
    if best[place] == NEVER:
        raise ValueError(f"{len(chances)} steps are too few to say {len(ids)} symbols")
    path = np.zeros(len(chances), dtype=np.int64)
    for step in range(len(chances) - 1, -1, -1):
        path[step] = labels[place]
        place -= int(came[step, place])
    return path


def beam_of(task: Transcribe) -> PrefixBeam:
    """The search that a task's settings ask for."""
    settings, vocabulary = task.settings, task.vocabulary
    language = None if task.spoken is None else LanguageScore(*task.spoken, symbol=vocabulary.symbol)

    def words(text: Text) -> int:
        return len(vocabulary.join([vocabulary.symbol(label) for label in text]).split())

    return PrefixBeam(
        width=settings.beam,
        language=language,
        language_weight=settings.language_weight,
        word_bonus=settings.word_bonus,
        words=words,
    )


def decoder(task: Task, greedy: bool) -> Callable[[nn.Module, Batch, Tensor | None], Tensor]:
    """Paths ``(N,)``: the likeliest label of every step, or (with a beam) the likeliest path of the best text.

    A model that tells its paths itself (a baseline) has ``paths(batch) -> (N,)``.
    """
    assert isinstance(task, Transcribe)
    beam = None if greedy or (task.settings.beam == 1 and task.spoken is None) else beam_of(task)

    def decode(model: nn.Module, batch: Batch, output: Tensor | None) -> Tensor:
        if hasattr(model, "paths"):
            told: Tensor = model.paths(batch)  # type: ignore[operator]
            return told
        logits = model(batch)[0] if output is None else output
        if beam is None:
            best: Tensor = logits.argmax(-1)
            return best
        chances = logits.float().log_softmax(-1).cpu().numpy()
        paths = [_path(beam, part) for part in np.split(chances, batch.inputs.offsets[1:-1].numpy())]
        return torch.from_numpy(np.concatenate([np.empty(0, np.int64), *paths]))

    return decode


def _path(beam: PrefixBeam, chances: np.ndarray) -> np.ndarray:
    parts = [align(part, beam.search(part)[0].ids) for part in pieces(chances)]
    return np.concatenate([np.empty(0, np.int64), *parts])


def pieces(chances: np.ndarray, most: int = MOST_STEPS) -> list[np.ndarray]:
    """``(T, V)`` in pieces of at most so many steps, each searched by itself, so that memory grows with ``T`` alone.

    A cut lies in the second half of what is allowed, where blank is surest, as in a pause.
    """
    found = []
    while len(chances) > most:
        sure = np.convolve(chances[most // 2 : most, BLANK], np.ones(PAUSE), "same")
        cut = most // 2 + int(sure.argmax())
        found.append(chances[:cut])
        chances = chances[cut:]
    return [*found, chances] if len(chances) else found
