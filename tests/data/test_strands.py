"""DNA from both ends, and symbols of several bases."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import dna
from ostinato.data.examples import Batch
from ostinato.data.features import Features
from ostinato.data.settings import DataSettings
from ostinato.data.strands import either_strand, other_strand
from ostinato.data.table import Column, Kind, Table
from ostinato.data.vocabulary import IUPAC, Vocabulary, dna_values
from ostinato.errors import UsageError
from ostinato.sequences import Ragged

PAIR = {"A": "T", "C": "G", "G": "C", "T": "A"}
LETTERS = "".join(letter for letter in dna.IUPAC if letter != "U")
SEQUENCES = st.lists(st.text(LETTERS, max_size=9), min_size=1, max_size=4)


def test_reverse_complement_by_hand():
    """GAATTC is a palindrome (where EcoRI cuts); GATTACA is none."""
    assert dna.reverse_complement("GAATTC") == "GAATTC"
    assert dna.reverse_complement("GATTACA") == "TGTAATC"
    assert dna.reverse_complement("AN-R") == "Y-NT"


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_of_several_bases_is_the_letter_of_their_complements(letter):
    complements = {PAIR[base] for base in IUPAC[letter]}
    assert set(IUPAC[dna.reverse_complement(letter)]) == complements


@given(SEQUENCES)
def test_tensors_are_turned_as_letters_are(sequences):
    turned = [dna.reverse_complement(sequence) for sequence in sequences]
    assert torch.equal(other_strand(dna_values(sequences)).values, dna_values(turned).values)
    for width in (1, 2, 3):
        vocabulary = Vocabulary.fit([*sequences, *turned], "kmer", width=width)
        found = other_strand(vocabulary.encode(sequences), vocabulary.complements)
        wanted = vocabulary.encode(turned)
        assert torch.equal(found.values, wanted.values)
        assert torch.equal(found.lengths, wanted.lengths)


@pytest.mark.parametrize(
    ("sequence", "width", "stride", "pieces"),
    [
        ("ACGTA", 3, 1, ["ACG", "CGT", "GTA"]),
        ("ACGTA", 3, 3, ["ACG", "TA"]),
        ("ACGTAC", 3, 3, ["ACG", "TAC"]),
        ("AC", 3, 1, ["AC"]),
        ("AC", 3, 3, ["AC"]),
        ("", 3, 1, []),
        ("", 3, 3, []),
        ("ACG", 1, 1, ["A", "C", "G"]),
    ],
)
def test_kmers(sequence, width, stride, pieces):
    vocabulary = Vocabulary.fit([sequence], "kmer", width=width, stride=stride)
    assert vocabulary.pieces(sequence) == pieces
    assert vocabulary.encode([sequence]).lengths.tolist() == [len(pieces)]
    assert Vocabulary.from_config(json.loads(json.dumps(vocabulary.to_config()))) == vocabulary
    if stride == width:
        assert vocabulary.decode(vocabulary.encode([sequence]).values.tolist()) == sequence


def test_marks_change_places_and_what_was_never_seen_is_unknown():
    vocabulary = Vocabulary.fit(["AAC"], "char", marks=True)
    assert vocabulary.symbols == ("A", "C")
    assert vocabulary.complements.tolist() == [0, 2, 1, 0, 0]  # neither T nor G is known


def table(values, kind=Kind.DNA):
    return Table({"s": Column("s", kind, values)})


def test_features_of_both_strands():
    features = Features.fit(table(["AAC", "GG"]), DataSettings(kmer=2, strands="both"))
    assert set(features.vocabulary.symbols) == {"AA", "AC", "GT", "TT", "GG", "CC"}
    batch = features.examples(table(["AAC", "GG"])).take(torch.arange(2))
    one, other = features.views(batch)
    assert one is batch
    names = [features.vocabulary.symbol(number) for number in other.inputs.values.tolist()]
    assert names == ["GT", "TT", "CC"]
    assert Features.from_config(json.loads(json.dumps(features.to_config()))) == features
    plain = Features.fit(table(["AAC"]), DataSettings())
    assert plain.views(batch) == (batch,)
    assert plain.draw(batch) is batch
    assert "strands" not in plain.to_config()


def test_half_of_the_sequences_are_turned_each_as_a_whole():
    torch.manual_seed(0)
    lengths = torch.full((2000,), 3)
    batch = Batch(Ragged(torch.zeros(6000, 4), lengths), torch.arange(2000))
    other = Batch(Ragged(torch.ones(6000, 4), lengths), torch.arange(2000))
    found = either_strand(batch, other).inputs.values.reshape(2000, 12)
    share = found[:, 0].mean()
    assert 0.45 < float(share) < 0.55  # 4.5 standard errors
    assert torch.equal(found, found[:, :1].expand(-1, 12))


def test_settings_of_dna_are_for_dna():
    with pytest.raises(UsageError, match=r"data\.kmer is 0; it must be 1 to 12 bases"):
        Features.fit(table(["AC"]), DataSettings(kmer=0))
    with pytest.raises(UsageError, match=r"data\.kmer is of no use here: the input is text, not dna"):
        Features.fit(table(["AC"], Kind.TEXT), DataSettings(kmer=3))
    with pytest.raises(UsageError, match=r"data\.strands is of no use here: labels"):
        dna.check_strands(DataSettings(strands="both"), Kind.DNA, "labels are of one strand")
