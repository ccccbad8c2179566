"""Vocabulary against Python's own text functions; DNA letters against the nomenclature."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.vocabulary import IUPAC, Vocabulary, dna_values
from ostinato.errors import DataError, ModelFolderError

TEXTS = st.lists(st.text(max_size=12), max_size=6)
WORDS = st.lists(st.text(alphabet="ab\n é", max_size=12), max_size=6)


@given(TEXTS)
def test_characters_go_there_and_back(texts):
    vocabulary = Vocabulary.fit(texts)
    ids = vocabulary.encode(texts)
    assert [len(one) for one in ids] == [len(text) for text in texts]
    assert [vocabulary.decode(one.tolist()) for one in ids] == texts
    assert len(vocabulary) == 1 + len(set("".join(texts)))


@given(TEXTS)
def test_bytes_go_there_and_back_and_are_all_known(texts):
    vocabulary = Vocabulary.fit([], "byte")
    ids = vocabulary.encode(texts)
    assert ids.lengths.tolist() == [len(text.encode()) for text in texts]
    assert [vocabulary.decode(one.tolist()) for one in ids] == texts
    assert not (ids.values == Vocabulary.UNKNOWN).any()


@given(WORDS)
def test_words_are_what_stands_between_blanks(texts):
    vocabulary = Vocabulary.fit(texts, "word")
    ids = vocabulary.encode(texts)
    for text, one in zip(texts, ids, strict=True):
        expected = text.replace("\n", " \n ").split(" ")
        expected = [word for word in expected if word]
        assert [vocabulary.symbol(number) for number in one.tolist()] == expected
        assert vocabulary.decode(one.tolist()).split() == text.split()


@given(TEXTS, TEXTS)
def test_every_unit_agrees_with_a_plain_dictionary(seen, texts):
    for unit, pieces in (("char", list), ("token", lambda text: text.split("a"))):
        vocabulary = Vocabulary.fit([pieces(text) if unit == "token" else text for text in seen], unit)
        ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        given_texts = [pieces(text) if unit == "token" else text for text in texts]
        assert vocabulary.encode(given_texts).values.tolist() == [
            ids.get(symbol, 0) for text in texts for symbol in pieces(text)
        ]


def test_the_most_frequent_symbol_comes_first_and_ties_are_sorted():
    assert Vocabulary.fit(["cabac", "c"]).symbols == ("c", "a", "b")
    assert Vocabulary.fit(["ba"]).symbols == ("a", "b")


def test_rare_symbols_are_unknown():
    vocabulary = Vocabulary.fit(["aab"], min_count=2)
    assert vocabulary.symbols == ("a",)
    assert vocabulary.encode(["ab", "é\U0010ffff"]).values.tolist() == [1, 0, 0, 0]
    assert vocabulary.decode([1, 0]) == "a\N{REPLACEMENT CHARACTER}"
    assert Vocabulary.fit(["é"], "byte").decode([0]) == "\N{REPLACEMENT CHARACTER}"


def test_marks_have_ids_of_their_own_and_no_text():
    vocabulary = Vocabulary.fit(["ab"], marks=True)
    assert (vocabulary.begin, vocabulary.end, len(vocabulary)) == (1, 2, 5)
    assert vocabulary.encode(["ab"]).values.tolist() == [3, 4]
    assert vocabulary.decode([1, 3, 4, 2]) == "ab"
    assert vocabulary.symbol(2) == ""
    with pytest.raises(ValueError, match="no begin and end"):
        _ = Vocabulary.fit(["ab"]).end


def test_lower_case_is_part_of_the_vocabulary():
    vocabulary = Vocabulary.fit([["The", "the"]], "token", lower=True)
    assert vocabulary.symbols == ("the",)
    assert vocabulary.encode([["THE"]]).values.tolist() == [1]
    assert Vocabulary.fit(["Aa"], lower=True).symbols == ("a",)


@given(TEXTS, st.sampled_from(["char", "word", "byte"]), st.booleans(), st.booleans())
def test_config_goes_through_json(texts, unit, marks, lower):
    vocabulary = Vocabulary.fit(texts, unit, marks=marks, lower=lower)
    assert Vocabulary.from_config(json.loads(json.dumps(vocabulary.to_config()))) == vocabulary


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"unit": "syllable", "symbols": []},
        {"unit": "char", "symbols": "ab"},
        {"unit": "char", "symbols": ["a", "a"]},
        {"unit": "char", "symbols": ["ab"]},
    ],
)
def test_damaged_config_is_refused(config):
    with pytest.raises(ModelFolderError, match="vocabulary is damaged"):
        Vocabulary.from_config(config)


def test_dna_letters_are_shares_of_the_bases():
    values = dna_values(["ACGT", "RN-u"])
    assert values.lengths.tolist() == [4, 4]
    assert values[0].tolist() == np.eye(4).tolist()
    assert values[1].tolist() == [[0.5, 0, 0.5, 0], [0.25] * 4, [0] * 4, [0, 0, 0, 1]]


def test_complements_mirror_their_shares():
    """A letter's complement has the mirrored shares, since the bases stand in the order A C G T."""
    pairs = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
    letters = "ACGTRYSWKMBDHVN"
    values, mirrored = dna_values([letters]).values, dna_values([letters.translate(pairs)]).values
    assert values.flip(1).equal(mirrored)
    assert set(IUPAC) >= set(letters)


@pytest.mark.parametrize(
    ("sequence", "letter", "place"), [("ACX", "X", 3), ("Aé", "é", 2), ("\U0001f600", "\U0001f600", 1)]
)
def test_unknown_dna_letter_names_its_place(sequence, letter, place):
    with pytest.raises(DataError, match=f"row 8, column 'dna': '{letter}' at base {place}"):
        dna_values(["", "ACGT", sequence], [2, 5, 8], "dna")
    with pytest.raises(DataError, match=f"^'{letter}'"):
        dna_values([sequence])


def test_nothing_encodes_to_nothing():
    assert Vocabulary.fit([]).encode([]).values.shape == (0,)
    assert dna_values([]).values.shape == (0, 4)
    assert dna_values([""]).lengths.tolist() == [0]
