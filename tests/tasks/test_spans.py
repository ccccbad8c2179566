"""Which label may follow which, learned from rows of labels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.tasks import metrics, spans

BIO = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def pairs(names, rows):
    named = [*names, ""]
    return {(named[i], named[j]) for i, j in spans.never(names, [row.split() for row in rows])}


def test_bio_forbids_a_span_that_does_not_begin():
    """One type's spans say what the other's may do: B-LOC I-LOC never occurs, and is free all the same."""
    found = pairs(BIO, ["B-PER I-PER I-PER O", "O O B-LOC B-PER"])
    inside = {(one, other) for one in ["", *BIO] for other in ("I-LOC", "I-PER") if one[2:] != other[2:]}
    assert found == inside


def test_a_scheme_whose_spans_begin_with_i_is_kept():
    found = pairs(BIO, ["I-PER I-PER O I-LOC B-LOC I-LOC", "O I-PER I-LOC"])
    assert ("O", "I-PER") not in found
    assert ("", "I-LOC") not in found
    assert ("I-PER", "I-LOC") not in found
    assert ("B-PER", "I-LOC") in found  # another type after B- never occurs


def test_marks_of_the_end_are_asked_for():
    names = ["B-X", "E-X", "I-X", "O", "S-X"]
    found = pairs(names, ["B-X I-X E-X O S-X B-X E-X", "S-X O"])
    assert {("B-X", "O"), ("B-X", ""), ("I-X", "S-X"), ("B-X", "B-X")} <= found
    assert {("O", "E-X"), ("", "I-X"), ("E-X", "I-X")} <= found
    assert not found & {("B-X", "I-X"), ("B-X", "E-X"), ("O", "S-X"), ("", "O"), ("S-X", "B-X"), ("S-X", "")}


def test_a_table_of_pairs():
    assert spans.barred(((0, 1), (2, 0)), 2).tolist() == [[False, True, False], [False] * 3, [True, False, False]]
    assert not spans.barred((), 3).any()


@given(st.lists(st.lists(st.sampled_from(BIO), min_size=1, max_size=6), min_size=1, max_size=6))
def test_training_never_breaks_its_own_scheme(rows):
    barred = spans.barred(spans.never(BIO, rows), len(BIO))
    for row in rows:
        numbers = [len(BIO), *(BIO.index(label) for label in row), len(BIO)]
        assert not any(barred[i, j] for i, j in pairwise(numbers))


def seqeval(labels):
    """The definition of seqeval (and of conlleval.pl): where a chunk ends and where one begins."""
    chunks, begin = [], 0
    before, kind = "O", ""
    for place, label in enumerate([*labels, "O"]):
        tag, new = label[0], label.split("-", 1)[-1] if "-" in label else ""
        ends = before in "ES" or (before in "BI" and tag in "BSO") or (before not in "O." and kind != new)
        starts = tag in "BS" or (before in "ESO" and tag in "EI") or (tag not in "O." and kind != new)
        if ends and before != "O":
            chunks.append((begin, place, kind))
        if starts:
            begin = place
        before, kind = tag, new
    return chunks


ANY = ["O", *(f"{mark}-{kind}" for mark in "BIES" for kind in "XY")]
ROWS = st.lists(st.lists(st.sampled_from(ANY), max_size=7), min_size=1, max_size=4)


@given(ROWS, st.randoms(use_true_random=False))
def test_scores_are_those_of_seqeval(rows, random):
    answers = [[random.choice([label, random.choice(ANY)]) for label in row] for row in rows]
    true, said = ({(n, *chunk) for n, row in enumerate(part) for chunk in seqeval(row)} for part in (rows, answers))
    hits = len(true & said)
    found = metrics.span_scores(rows, answers)
    if true and said:
        assert found["span_precision"] == pytest.approx(hits / len(said))
        assert found["span_recall"] == pytest.approx(hits / len(true))
        assert found["span_f1"] == pytest.approx(2 * hits / (len(true) + len(said)))
    else:
        assert np.isfinite(list(found.values())).all()
