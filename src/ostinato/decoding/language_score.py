"""LanguageScore: how likely a language model of characters finds the beginnings of a beam."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.decoding.step import Stepper, select
from ostinato.models import State
from ostinato.tasks.language import Language

Text = tuple[int, ...]


class LanguageScore:
    """``ln p(symbol | text)`` of texts that grow symbol by symbol; only those of the last beam are kept in mind.

    A symbol that the model does not know has the chance of the unknown one.

    Args:
        model: a language model.
        task: its task.
        symbol: a label of the beam as a character.
    """

    def __init__(self, model: nn.Module, task: Language, symbol: Callable[[int], str]) -> None:
        self.stepper, self.task = Stepper(model), task
        self.symbol = symbol
        logits, self.states = self.stepper.begin(task.prompt(""))
        self.rows: dict[Text, int] = {(): 0}
        self.chances = self._chances(logits)
        self.first: tuple[State, np.ndarray] = self.states, self.chances

    def keep(self, beam: Iterable[Text]) -> None:
        """Makes the texts of a beam those that can go on; each is one of the last beam, or one symbol longer."""
        texts = list(beam)
        new = [text for text in texts if text not in self.rows]
        old = [text for text in texts if text in self.rows]
        places = torch.tensor([self.rows[text] for text in old], dtype=torch.int64)
        states, chances = [select(self.states, places)], [self.chances[places.numpy()]]
        if new:
            before = torch.tensor([self.rows[text[:-1]] for text in new], dtype=torch.int64)
            ids = torch.tensor([self._id(text[-1]) for text in new], dtype=torch.int64)
            logits, after = self.stepper.advance(ids, select(self.states, before))
            states.append(after)
            chances.append(self._chances(logits))
        self.states = tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))
        self.chances = np.concatenate(chances)
        self.rows = {text: place for place, text in enumerate([*old, *new])}

    def begin(self) -> None:
        """Forgets all texts but the empty one."""
        self.states, self.chances = self.first
        self.rows = {(): 0}

    def next(self, text: Text, label: int) -> float:
        """``ln p(label | text)`` of a text of the last beam."""
        return float(self.chances[self.rows[text], self._id(label)])

    def end(self, text: Text) -> float:
        """``ln p(end | text)``; 0 where the model knows no ends."""
        return 0.0 if self.task.stop is None else float(self.chances[self.rows[text], self.task.stop])

    def _id(self, label: int) -> int:
        vocabulary = self.task.vocabulary
        return vocabulary.ids.get(self.symbol(label), vocabulary.UNKNOWN)

    def _chances(self, logits: Tensor) -> np.ndarray:
        found: np.ndarray = logits.double().log_softmax(-1).cpu().numpy()
        return found
