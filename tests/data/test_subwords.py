"""Sub-words: what is learned, cut and put together again."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.spelling import Spelling
from ostinato.errors import UsageError

TEXTS = ["Ein Mann läuft.", "Ein Hund läuft, schnell.", "Zwei Männer laufen."] * 10


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary.fit(TEXTS, "subword", marks=True, size=60)


def test_pieces_put_together_are_the_text(vocabulary: Vocabulary) -> None:
    for text in [*TEXTS[:3], "Zwei Hunde, ein Mann!", "two  blanks ", "", "x犬y"]:
        assert vocabulary.join(vocabulary.pieces(text)) == text
        assert vocabulary.cut([text])[0] == vocabulary.pieces(text)
    assert vocabulary.decode(vocabulary.encode([TEXTS[1]]).values.tolist()) == TEXTS[1]


def test_the_most_frequent_pairs_are_merged() -> None:
    """By hand: in `ab ab ab cb` the pair (▁, a) or (a, b) comes three times, (c, b) once and is never merged."""
    vocabulary = Vocabulary.fit(["ab ab", "ab cb"], "subword", size=100)
    assert "▁ab" in vocabulary.symbols
    assert "cb" not in vocabulary.symbols
    assert vocabulary.pieces("ab cb") == ["▁ab", "▁", "c", "b"]


def test_punctuation_is_a_word_of_its_own(vocabulary: Vocabulary) -> None:
    assert vocabulary.pieces("läuft,")[-1] == ","
    assert all("." not in symbol or len(symbol) == 1 for symbol in vocabulary.symbols)


def test_what_was_never_seen_is_unknown(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode(["犬 Mann"]).values.tolist()
    assert ids.count(Vocabulary.UNKNOWN) == 1
    assert "犬" in vocabulary.pieces("犬 Mann")


def test_it_is_stored_as_json(vocabulary: Vocabulary) -> None:
    again = Vocabulary.from_config(vocabulary.to_config())
    assert again == vocabulary
    assert again.encode(TEXTS).values.tolist() == vocabulary.encode(TEXTS).values.tolist()


def test_lower_case() -> None:
    vocabulary = Vocabulary.fit(TEXTS, "subword", lower=True, size=60)
    assert vocabulary.pieces("EIN HUND") == vocabulary.pieces("ein hund")


def test_spelling_is_decoding(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode(["Ein Hund läuft."]).values.tolist()
    spelling = Spelling(vocabulary)
    assert "".join(map(spelling.write, ids)) + spelling.end() == vocabulary.decode(ids)
    after = Spelling(vocabulary, before="Da:")
    assert after.write(ids[0]).startswith(" ")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "tokenizers":
            raise ImportError
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "tokenizers", raising=False)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        UsageError, match=r"needs the library tokenizers: install ostinato\[text\], or set data.unit=word"
    ):
        Vocabulary.fit(TEXTS, "subword")
