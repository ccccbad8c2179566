"""Text that comes out piece by piece is the text that comes out at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.spelling import Spelling

TEXT = "To be, or not\nto be: é ☃ 𝄞.\n"
VOCABULARIES = {
    "char": Vocabulary.fit([TEXT], "char"),
    "word": Vocabulary.fit([TEXT], "word", marks=True),
    "byte": Vocabulary.fit([TEXT], "byte"),
    "token": Vocabulary.fit([TEXT.split()], "token"),
}


def spell(vocabulary: Vocabulary, ids: list[int], before: str = "") -> str:
    spelling = Spelling(vocabulary, before)
    return "".join(spelling.write(number) for number in ids) + spelling.end()


@pytest.mark.parametrize("unit", VOCABULARIES)
@given(data=st.data())
def test_pieces_make_the_whole(unit: str, data: st.DataObject) -> None:
    vocabulary = VOCABULARIES[unit]
    ids = data.draw(st.lists(st.integers(0, len(vocabulary) - 1), max_size=12))
    assert spell(vocabulary, ids) == vocabulary.decode(ids)


def test_a_character_comes_with_its_last_byte() -> None:
    vocabulary = VOCABULARIES["byte"]
    spelling = Spelling(vocabulary)
    ids = vocabulary.encode(["a☃"]).values.tolist()
    assert [spelling.write(number) for number in ids] == ["a", "", "", "☃"]
    assert spelling.end() == ""


def test_an_unfinished_character_is_marked() -> None:
    vocabulary = VOCABULARIES["byte"]
    assert spell(vocabulary, vocabulary.encode(["a☃"]).values.tolist()[:-1]) == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(("before", "expected"), [("", "be or"), ("to", " be or"), ("to ", "be or"), ("to\n", "be or")])
def test_words_follow_what_stands_before(before: str, expected: str) -> None:
    vocabulary = Vocabulary.fit(["be or"], "word")
    assert spell(vocabulary, vocabulary.encode(["be or"]).values.tolist(), before) == expected
