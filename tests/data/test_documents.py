"""Documents are cut by position: nothing lost, nothing twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ostinato.data.documents import cut_documents
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, UsageError


def table_of(*texts, kind=Kind.TEXT):
    return Table({"text": Column("text", kind, list(texts))}, line_of=np.arange(len(texts)) + 1)


@given(st.text(alphabet="ab \n", min_size=30, max_size=300), st.sampled_from(["char", "word"]))
def test_the_parts_put_together_are_the_document(text, unit):
    settings = DataSettings(unit=unit, valid=0.2, test=0.2)
    try:
        parts = cut_documents(table_of(text), "text", settings)
    except DataError:
        assume(False)
    assert "".join(part["text"].values[0] for part in parts) == text
    if unit == "word":
        assert [word for part in parts for word in part["text"].values[0].split()] == text.split()


def test_shares_follow_the_usual_arithmetic():
    """``data[: int(n * 0.9)]`` is the split of published figures on Tiny Shakespeare (1,115,394 characters)."""
    train, valid, test = cut_documents(table_of("x" * 1115394), "text", DataSettings(valid=0.1, test=0.0))
    assert (len(train["text"].values[0]), len(valid["text"].values[0]), len(test)) == (1003854, 111540, 0)
    tenths = cut_documents(table_of("0123456789" * 2), "text", DataSettings(valid=0.1, test=0.1))
    assert [part["text"].values[0] for part in tenths] == ["0123456789012345", "67", "89"]


def test_several_documents_and_tokens_are_cut_each():
    tokens = table_of(list("abcdefghij") * 2, list("0123456789") * 2, kind=Kind.TOKENS)
    train, valid, _ = cut_documents(tokens, "text", DataSettings())
    assert [len(row) for row in train["text"].values] == [16, 16]
    assert valid["text"].values == [["g", "h"], ["6", "7"]]


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(DataError, match="row 1, column 'text': 5 steps are too few"):
        cut_documents(table_of("abcde"), "text", DataSettings())
    with pytest.raises(UsageError, match="no folds"):
        cut_documents(table_of("abcde"), "text", DataSettings(fold="1/3"))
    with pytest.raises(UsageError, match="leave text"):
        cut_documents(table_of("abcde"), "text", DataSettings(valid=0.5, test=0.5))
