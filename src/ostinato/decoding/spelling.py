"""Spelling: symbols one at a time become text as soon as it is certain."""

from __future__ import annotations

import codecs

from ostinato.data.subwords import BLANK
from ostinato.data.vocabulary import Vocabulary


class Spelling:
    """Writes ids as text, piece by piece; the pieces put together are what ``vocabulary.decode`` gives for all ids.

    A character of several bytes comes out with its last byte; a word brings the blank before it.

    Args:
        vocabulary: what the ids mean.
        before: text that the first piece follows.
    """

    def __init__(self, vocabulary: Vocabulary, before: str = "") -> None:
        self.vocabulary = vocabulary
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._tight = not before or before[-1].isspace()

    def write(self, number: int) -> str:
        """The text that is certain now that this id came; may be empty."""
        symbol = self.vocabulary.symbol(number)
        if self.vocabulary.unit == "byte":
            known = symbol != self.vocabulary.UNKNOWN_TEXT
            return self._bytes.decode(symbol.encode("latin-1" if known else "utf-8"))
        if self.vocabulary.unit in {"char", "kmer"} or not symbol:
            return symbol
        if self.vocabulary.unit == "subword":
            text = symbol.replace(BLANK, " ")
            text, self._tight = text.removeprefix(" ") if self._tight else text, False
            return text
        blank = "" if self._tight or symbol == "\n" else " "
        self._tight = symbol == "\n"
        return blank + symbol

    def end(self) -> str:
        """What was still held back: the mark of an unfinished character."""
        return self._bytes.decode(b"", final=True)
