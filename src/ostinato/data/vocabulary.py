"""Vocabulary: symbols (characters, words, bytes, tokens) and their ids; DNA letters as shares of the four bases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, cast, get_args

import numpy as np
import torch

from ostinato.data import dna, subwords
from ostinato.errors import DataError, ModelFolderError
from ostinato.sequences import Ragged

Unit = Literal["char", "word", "byte", "token", "subword", "kmer"]

_WORD = re.compile(r"\n|\S+")


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their ids: 0 is the unknown symbol, then begin and end where ``marks`` is set, then the symbols.

    There is no padding symbol, since nothing is ever padded.

    Args:
        symbols: the known symbols, the most frequent first; of bytes, all 256 as the characters of Latin-1.
        unit: ``char``; ``word``: what stands between white space, a line end being a word of its own; ``byte`` of
            UTF-8; ``subword``: pieces of words; ``token``: the values are lists of tokens already; ``kmer``: so many
            bases of DNA.
        marks: whether there are ids for the begin and the end of a sequence.
        lower: whether values are lower-cased first.
        merges: of sub-words, the pairs that were merged, in order.
        width: bases of a k-mer.
        stride: bases from the beginning of a k-mer to that of the next; with ``width`` of them they stand side by side,
            the last one with what is left.
    """

    symbols: tuple[str, ...]
    unit: Unit = "char"
    marks: bool = False
    lower: bool = False
    merges: tuple[str, ...] = ()
    width: int = 1
    stride: int = 1

    UNKNOWN: ClassVar[int] = 0
    UNKNOWN_TEXT: ClassVar[str] = "\N{REPLACEMENT CHARACTER}"

    @classmethod
    def fit(
        cls,
        values: Iterable[str | Sequence[str]],
        unit: Unit | Literal["auto"] = "char",
        *,
        min_count: int = 1,
        marks: bool = False,
        lower: bool = False,
        size: int = 8000,
        width: int = 1,
        stride: int = 1,
    ) -> Self:
        """From the training part; a symbol seen fewer than ``min_count`` times is unknown (bytes are all known).

        ``auto`` is ``char``; ``size`` is that of a vocabulary of sub-words, ``width`` and ``stride`` are of k-mers.
        """
        unit = "char" if unit == "auto" else unit
        empty = cls((), unit, marks, lower, width=width, stride=stride)
        if unit == "byte":
            return cls(tuple(map(chr, range(256))), unit, marks, lower)
        if unit == "subword":
            texts = [value.lower() if lower else value for value in values if isinstance(value, str)]
            symbols, merges = subwords.learn(texts, size, min_count)
            return cls(symbols, unit, marks, lower, merges)
        counts = Counter(symbol for value in values for symbol in empty.pieces(value))
        kept = [(-count, symbol) for symbol, count in counts.items() if count >= min_count]
        return replace(empty, symbols=tuple(symbol for _, symbol in sorted(kept)))

    def __len__(self) -> int:
        return self._offset + len(self.symbols)

    @property
    def _offset(self) -> int:
        return 3 if self.marks else 1

    @property
    def begin(self) -> int:
        """Id of the begin mark; raises ``ValueError`` without marks."""
        return self._mark(1)

    @property
    def end(self) -> int:
        """Id of the end mark; raises ``ValueError`` without marks."""
        return self._mark(2)

    def _mark(self, number: int) -> int:
        if not self.marks:
            raise ValueError("this vocabulary has no begin and end marks")
        return number

    @cached_property
    def ids(self) -> dict[str, int]:
        """Symbol to id."""
        return {symbol: number for number, symbol in enumerate(self.symbols, self._offset)}

    def pieces(self, value: str | Sequence[str]) -> Sequence[str]:
        """The symbols of one value, known or not."""
        if not isinstance(value, str):
            return [token.lower() for token in value] if self.lower else value
        value = value.lower() if self.lower else value
        if self.unit == "word":
            return _WORD.findall(value)
        if self.unit == "subword":
            return subwords.cut([value], self.symbols, self.merges)[0]
        if self.unit == "kmer":
            last = len(value) if self.stride == self.width else max(len(value) - self.width, 0) + bool(value)
            return [value[start : start + self.width] for start in range(0, last, self.stride)]
        return value.encode("utf-8", "surrogatepass").decode("latin-1") if self.unit == "byte" else value

    def cut(self, values: Sequence[str | Sequence[str]]) -> list[Sequence[str]]:
        """The symbols of each value, known or not."""
        if self.unit != "subword":
            return [self.pieces(value) for value in values]
        texts = [str(value).lower() if self.lower else str(value) for value in values]
        return [*subwords.cut(texts, self.symbols, self.merges)]

    def encode(self, values: Sequence[str | Sequence[str]]) -> Ragged:
        """``B`` values as ids: a Ragged of ``(N,)`` int64; an unknown symbol is 0."""
        pieces = self.cut(values)
        lengths = torch.tensor([len(piece) for piece in pieces], dtype=torch.int64)
        if self.unit in {"char", "byte"}:
            return Ragged(torch.from_numpy(self._characters("".join(map("".join, pieces)))), lengths)
        ids = [self.ids.get(symbol, self.UNKNOWN) for piece in pieces for symbol in piece]
        return Ragged(torch.tensor(ids, dtype=torch.int64), lengths)

    def _characters(self, text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._by_code[np.minimum(codes, len(self._by_code) - 1)]

    @cached_property
    def _by_code(self) -> np.ndarray:
        """Id by code point; the last entry stands for every higher code point."""
        table = np.zeros(max(map(ord, self.symbols), default=0) + 2, dtype=np.int64)
        for symbol, number in self.ids.items():
            table[ord(symbol)] = number
        return table

    def decode(self, ids: Iterable[int]) -> str:
        """Ids as text, marks left out, an unknown symbol as U+FFFD; words and tokens are joined by blanks."""
        known = [int(number) for number in ids if int(number) >= self._offset or int(number) == self.UNKNOWN]
        return self.join([self.symbol(number) for number in known])

    def join(self, symbols: Sequence[str]) -> str:
        """Symbols as text: words and tokens joined by blanks, characters, bytes and sub-words put together."""
        if self.unit == "subword":
            return subwords.joined(symbols)
        if self.unit == "byte":
            return b"".join(s.encode("utf-8" if s == self.UNKNOWN_TEXT else "latin-1") for s in symbols).decode(
                "utf-8", "replace"
            )
        if self.unit in {"char", "kmer"}:
            return "".join(symbols)
        return re.sub(r" ?\n ?", "\n", " ".join(symbols))

    def symbol(self, number: int) -> str:
        """One id as text; the marks are empty."""
        if number == self.UNKNOWN:
            return self.UNKNOWN_TEXT
        return self.symbols[number - self._offset] if number >= self._offset else ""

    @cached_property
    def complements(self) -> torch.Tensor:
        """``(V,)``: of DNA, the id of each symbol's reverse complement; begin and end change places."""
        ids = [self.UNKNOWN] + ([self.end, self.begin] if self.marks else [])
        ids += [self.ids.get(dna.reverse_complement(symbol), self.UNKNOWN) for symbol in self.symbols]
        return torch.tensor(ids, dtype=torch.int64)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        config = {"unit": self.unit, "marks": self.marks, "lower": self.lower, "symbols": list(self.symbols)}
        if self.merges:
            config["merges"] = list(self.merges)
        return config | ({"width": self.width, "stride": self.stride} if self.unit == "kmer" else {})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        symbols, unit = config.get("symbols"), config.get("unit")
        if unit not in get_args(Unit) or not isinstance(symbols, list) or len(set(symbols)) != len(symbols):
            raise ModelFolderError("the vocabulary is damaged: it needs a unit and a list of distinct symbols")
        if unit in {"char", "byte"} and any(len(symbol) != 1 for symbol in symbols):
            raise ModelFolderError(f"the vocabulary is damaged: a {unit} of more than one character")
        return cls(
            tuple(symbols),
            cast("Unit", unit),
            bool(config.get("marks")),
            bool(config.get("lower")),
            tuple(config.get("merges", ())),
            max(1, int(config.get("width", 1))),
            max(1, int(config.get("stride", 1))),
        )


IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "U": "T",
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT", "-": "", ".": "",
}  # fmt: skip
"""Nomenclature Committee of the IUB, Nucleic Acids Research 13 (1985) 3021: letter to the bases it may be."""


def _shares() -> np.ndarray:
    table = np.full((128, 4), np.nan, dtype=np.float32)
    for letter, bases in IUPAC.items():
        table[ord(letter)] = [(base in bases) / max(len(bases), 1) for base in "ACGT"]
        table[ord(letter.lower())] = table[ord(letter)]
    return table


_SHARES = _shares()


def dna_values(sequences: Sequence[str], lines: Sequence[int] | np.ndarray = (), column: str | None = None) -> Ragged:
    """DNA as shares of the bases A, C, G, T: a Ragged of ``(N, 4)`` float32.

    ``A`` is 1000, ``R`` (A or G) .5 0 .5 0, ``N`` .25 each, a gap 0000: an ambiguity is the average of what it may be.

    Args:
        sequences: IUPAC letters.
        lines: the line of the file on which each sequence begins, for the message.
        column: the column's name, for the message.

    Raises:
        DataError: a letter is no IUPAC code.
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64)
    codes = np.frombuffer("".join(sequences).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    values = _SHARES[np.minimum(codes, 127)]
    values[codes > 127] = np.nan
    bad = np.flatnonzero(np.isnan(values[:, 0]))
    if len(bad):
        ends = lengths.cumsum(0).numpy()
        row = int(np.searchsorted(ends, bad[0], side="right"))
        place = int(bad[0] - ends[row] + len(sequences[row]))
        letter = sequences[row][place]
        raise DataError(
            f"'{letter}' at base {place + 1} is no DNA letter; known: {' '.join(IUPAC)}",
            row=int(lines[row]) if len(lines) else None,
            column=column,
        )
    return Ragged(torch.from_numpy(values), lengths)
