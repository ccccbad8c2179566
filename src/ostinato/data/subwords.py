"""Sub-words: pieces of words learned by byte pair encoding (the extra ``text``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ostinato.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BLANK = "\N{LOWER ONE EIGHTH BLOCK}"
"""Stands for the blank before a word, so that pieces put together are the text."""
_UNKNOWN = "\0"


def learn(values: Iterable[str], size: int, min_count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Symbols (single characters first, then what was merged, in order) and merges (``left right``).

    Byte pair encoding of Sennrich et al. 2016 (arXiv 1508.07909): the most frequent pair of neighbours within a word
    becomes a new symbol, until there are ``size``. Punctuation is a word of its own, a word begins with its blank.

    Raises:
        UsageError: the library is not installed.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = _cutter(library)
    trainer = library.trainers.BpeTrainer(
        vocab_size=size + 1, min_frequency=max(2, min_count), special_tokens=[_UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(values, trainer)
    import json

    model = json.loads(tokenizer.to_str())["model"]
    order = sorted(model["vocab"].items(), key=lambda entry: entry[1])
    merges = tuple(" ".join(pair) for pair in model["merges"])
    return tuple(symbol for symbol, _ in order if symbol != _UNKNOWN), merges


def cut(values: Sequence[str], symbols: tuple[str, ...], merges: tuple[str, ...]) -> list[list[str]]:
    """The pieces of each value; a character that was never seen is a piece of its own."""
    tokenizer = _tokenizer(symbols, merges)
    found = []
    for value, encoded in zip(values, tokenizer.encode_batch(list(values)), strict=True):
        pieces = encoded.tokens
        if _UNKNOWN in pieces:
            spans = zip(pieces, encoded.offsets, strict=True)
            pieces = [value[start:stop] if piece == _UNKNOWN else piece for piece, (start, stop) in spans]
        found.append(pieces)
    return found


def joined(pieces: Iterable[str]) -> str:
    """Pieces as text; a blank that the text itself began with is not kept."""
    return "".join(pieces).replace(BLANK, " ").removeprefix(" ")


@lru_cache(maxsize=8)
def _tokenizer(symbols: tuple[str, ...], merges: tuple[str, ...]) -> Tokenizer:
    library = _library()
    vocabulary = {symbol: number for number, symbol in enumerate((_UNKNOWN, *symbols))}
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = library.Tokenizer(library.models.BPE(vocab=vocabulary, merges=pairs, unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = _cutter(library)
    return tokenizer  # type: ignore[no-any-return]


def _cutter(library: Any) -> Any:
    kinds = library.pre_tokenizers
    return kinds.Sequence([kinds.Metaspace(BLANK, prepend_scheme="always"), kinds.Punctuation("isolated")])


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise UsageError(
            "data.unit=subword needs the library tokenizers: install ostinato[text], or set data.unit=word or char"
        ) from None
    return tokenizers
