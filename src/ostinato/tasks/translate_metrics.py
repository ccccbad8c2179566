"""How a written sequence is compared with the true one: sacreBLEU, edit distance, equality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.errors import UsageError


def sacrebleu() -> Any:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import sacrebleu
    except ImportError:
        raise UsageError("sentences are judged by BLEU, which needs sacrebleu: install ostinato[text]") from None
    return sacrebleu


def metrics(said: Sequence[str], truth: Sequence[str], judge: str, *, lower: bool = False) -> dict[str, float]:
    """``bleu`` (of sentences), ``cer`` and ``accuracy``; NaN of nothing.

    ``cer`` is the edit distance over characters, ``sum d(said, truth) / sum |truth|``, which may exceed 1.
    """
    if not truth:
        names = (["bleu"] if judge == "bleu" else []) + ["cer", "accuracy"]
        return dict.fromkeys(names, float("nan"))
    found = {"bleu": float(_bleu(lower).corpus_score(list(said), [list(truth)]).score)} if judge == "bleu" else {}
    wrong = sum(distance(one, other) for one, other in zip(said, truth, strict=True))
    found["cer"] = wrong / max(1, sum(map(len, truth)))
    found["accuracy"] = float(np.mean([one == other for one, other in zip(said, truth, strict=True)]))
    return found


def scores(said: Sequence[str], truth: Sequence[str], judge: str, *, lower: bool = False) -> np.ndarray:
    """``(B,)``: BLEU of each sentence (with smoothing, as it has few n-grams), or its share of wrong characters.

    The latter is weighed by its length, so that the mean over sequences is ``cer``.
    """
    pairs = list(zip(said, truth, strict=True))
    if judge == "bleu":
        scorer = sacrebleu().BLEU(lowercase=lower, effective_order=True)
        return np.array([scorer.sentence_score(one, [other]).score for one, other in pairs])
    mean = np.mean([len(other) for _, other in pairs]) if pairs else 1.0
    return np.array([distance(one, other) for one, other in pairs]) / max(mean, 1e-9)


def signature(*, lower: bool = False) -> str:
    """SacreBLEU's own words for how it counts: ``nrefs:1|case:mixed|…|version:…``."""
    scorer = _bleu(lower)
    scorer.corpus_score(["a"], [["a"]])
    return f"BLEU|{scorer.get_signature()}"


def _bleu(lower: bool) -> Any:
    return sacrebleu().BLEU(lowercase=lower)


def distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Edit distance of Levenshtein: insertions, deletions and substitutions count 1 each."""
    if not one or not other:
        return len(one) or len(other)
    codes = {symbol: number for number, symbol in enumerate(dict.fromkeys((*one, *other)))}
    columns = np.array([codes[symbol] for symbol in other])
    steps = np.arange(len(other) + 1)
    row = steps.copy()
    for number, symbol in enumerate(one, 1):
        changed = np.minimum(row[:-1] + (columns != codes[symbol]), row[1:] + 1)
        reached = np.concatenate([[number], changed])
        row = np.minimum.accumulate(reached - steps) + steps  # insertions, from left to right
    return int(row[-1])
