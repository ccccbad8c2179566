"""Generating text: a language model's output is fed back to it, symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from ostinato.decoding.beam import Beam
from ostinato.decoding.sampling import Sampling, draw
from ostinato.decoding.spelling import Spelling
from ostinato.decoding.step import Stepper, select
from ostinato.errors import UsageError
from ostinato.tasks.base import Task
from ostinato.tasks.language import Language

Condition = Mapping[str, str | float]
"""What a text is written from: a value for each column of the task's condition."""


def generate(
    model: nn.Module,
    task: Task,
    *,
    prompt: str = "",
    length: int = 500,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    condition: Condition | None = None,
) -> str:
    """The prompt and what the model writes after it; the same for the same seed.

    A text ends where the model says so, a document only after ``length`` symbols. The unknown symbol and the marks of
    begin and end are never written. A symbol of the prompt that the model does not know is read as unknown.

    Args:
        model: of :func:`ostinato.models.build`, trained for this task.
        task: a language task.
        prompt: what the text begins with; may be empty.
        length: most symbols written after the prompt (characters, words or bytes, as the vocabulary has it).
        temperature: see :class:`~ostinato.decoding.sampling.Sampling`, as ``top_k`` and ``top_p``.
        top_k: only so many likeliest symbols; 0: all.
        top_p: only the likeliest symbols of so much probability; 1: all.
        seed: 0 or more.
        condition: a value for each column of the task's condition.

    Raises:
        UsageError: a value is out of its range, or the task is no language task.
        DataError: the condition lacks a column, or names an unknown column or label.
    """
    sampling = Sampling(temperature, top_k, top_p)
    return samples(model, task, prompt=prompt, length=length, sampling=sampling, seed=seed, condition=condition)[0]


def samples(
    model: nn.Module,
    task: Task,
    *,
    prompt: str = "",
    length: int = 500,
    sampling: Sampling | None = None,
    seed: int = 0,
    condition: Condition | None = None,
    count: int = 1,
) -> list[str]:
    """``count`` texts at once, each with a stream of random numbers of its own; the first is that of :func:`generate`.

    Arguments and errors are those of :func:`generate`.
    """
    writer = _Writer(model, task, prompt, condition)
    spellings = [writer.spelling() for _ in range(count)]
    texts = [[prompt] for _ in range(count)]
    for row, symbol in writer.write(length, sampling or Sampling(), seed, count):
        texts[row].append(spellings[row].write(symbol))
    return ["".join([*text, spelling.end()]) for text, spelling in zip(texts, spellings, strict=True)]


def stream(
    model: nn.Module,
    task: Task,
    *,
    prompt: str = "",
    length: int = 500,
    sampling: Sampling | None = None,
    seed: int = 0,
    condition: Condition | None = None,
) -> Iterator[str]:
    """What comes after the prompt, piece by piece as it is written; together with the prompt it is :func:`generate`'s.

    Arguments and errors are those of :func:`generate`; errors come at the call, not at the first piece.
    """
    writer = _Writer(model, task, prompt, condition)
    return _pieces(writer.spelling(), writer.write(length, sampling or Sampling(), seed))


def _pieces(spelling: Spelling, written: Iterator[tuple[int, int]]) -> Iterator[str]:
    for _, symbol in written:
        if piece := spelling.write(symbol):
            yield piece
    if rest := spelling.end():
        yield rest


def likeliest(
    model: nn.Module,
    task: Task,
    *,
    prompt: str = "",
    beam: Beam | None = None,
    condition: Condition | None = None,
) -> list[tuple[str, float]]:
    """The likeliest texts after a prompt by beam search, best first, each with the logarithm of its probability.

    Arguments and errors are those of :func:`generate`; ``beam`` says how widely and how far to search.
    """
    writer = _Writer(model, task, prompt, condition)
    stop, never = writer.language.stop, writer.language.never
    found = (beam or Beam()).search(writer.stepper, writer.ids, end=stop, banned=never)
    texts = []
    for hypothesis in found:
        spelling = writer.spelling()
        pieces = [spelling.write(symbol) for symbol in hypothesis.ids]
        texts.append("".join([prompt, *pieces, spelling.end()]))
    return [(text, hypothesis.log_probability) for text, hypothesis in zip(texts, found, strict=True)]


def unknown_symbols(task: Task, prompt: str) -> tuple[str, ...]:
    """Symbols of a prompt that the model does not know and reads as unknown, each once, in their order."""
    vocabulary = language(task).vocabulary
    pieces = prompt.split() if vocabulary.unit == "token" else vocabulary.pieces(prompt)
    return tuple(dict.fromkeys(piece for piece in pieces if piece not in vocabulary.ids))


class _Writer:
    """What is to be written and from what; wrong values are errors here, before the first symbol."""

    def __init__(self, model: nn.Module, task: Task, prompt: str, condition: Condition | None) -> None:
        self.language = language(task)
        self.prompt, self.ids = prompt, self.language.prompt(prompt)
        given = self.language.given(condition or {})
        self.stepper = Stepper(model, None if given is None else given[0])

    def spelling(self) -> Spelling:
        """Writes what follows the prompt."""
        return Spelling(self.language.vocabulary, self.prompt)

    def write(self, length: int, sampling: Sampling, seed: int, count: int = 1) -> Iterator[tuple[int, int]]:
        """Which of the ``count`` texts goes on with which symbol, step by step; a text that ended comes no more."""
        if length < 0 or count < 0:
            raise UsageError(f"length and count are numbers of symbols and of texts, not {length} and {count}")
        if seed < 0:
            raise UsageError(f"a seed is 0 or more, not {seed}")
        return self._written(length, sampling, [np.random.default_rng([seed, row]) for row in range(count)])

    def _written(self, length: int, sampling: Sampling, random: list[np.random.Generator]) -> Iterator[tuple[int, int]]:
        alive = list(range(len(random)))
        if not length or not alive:
            return
        logits, state = self.stepper.begin(self.ids)
        first = torch.zeros(len(alive), dtype=torch.int64)
        logits, state = logits.index_select(0, first.to(logits.device)), select(state, first)
        for step in range(1, length + 1):
            uniforms = torch.tensor([random[row].random() for row in alive], dtype=torch.float64)
            symbols = draw(sampling.probabilities(logits.cpu(), self.language.never), uniforms)
            stop = self.language.stop
            if stop is not None and stop in symbols.tolist():
                kept = symbols.ne(stop).nonzero()[:, 0]
                alive, symbols, state = [alive[place] for place in kept.tolist()], symbols[kept], select(state, kept)
            yield from zip(alive, symbols.tolist(), strict=True)
            if not alive:
                return
            if step < length:
                logits, state = self.stepper.advance(symbols, state)


def language(task: Task) -> Language:
    """The task, if it is a language task; raises ``UsageError`` otherwise."""
    if not isinstance(task, Language):
        raise UsageError(f"only a language model writes; this model was trained for the task '{task.name}'")
    return task
