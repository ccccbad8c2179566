"""How a transcript is compared with what was said: word and character error rate, by jiwer (the extra ``audio``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.errors import UsageError


def jiwer() -> Any:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import jiwer as library
    except ImportError:
        raise UsageError('words are judged by jiwer: pip install "ostinato[audio]"') from None
    return library


def metrics(said: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """``wer``, ``cer`` and ``accuracy`` (the share of exact texts); NaN of nothing.

    ``wer`` and ``cer`` are ``(substitutions + deletions + insertions) / length of the truth`` over all texts together,
    in words and in characters, so that they may exceed 1.
    """
    if not truth:
        return dict.fromkeys(("wer", "cer", "accuracy"), float("nan"))
    library = jiwer()
    return {
        "wer": float(library.wer(list(truth), list(said))),
        "cer": float(library.cer(list(truth), list(said))),
        "accuracy": float(np.mean([one == other for one, other in zip(said, truth, strict=True)])),
    }


def scores(said: Sequence[str], truth: Sequence[str]) -> np.ndarray:
    """``(B,)``: wrong words of each text, so divided that their mean is ``wer``."""
    process = jiwer().process_words
    found = [process(one, other) for one, other in zip(truth, said, strict=True)]
    wrong = np.array([one.substitutions + one.deletions + one.insertions for one in found], dtype=np.float64)
    words = np.array([one.hits + one.substitutions + one.deletions for one in found], dtype=np.float64)
    return wrong / words.mean() if words.sum() else wrong
