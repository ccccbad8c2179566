"""Metrics: small exact functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def accuracy(truth: np.ndarray, answer: np.ndarray) -> float:
    """Share of ``truth (n,)`` that ``answer (n,)`` equals; NaN of nothing."""
    return float(np.mean(truth == answer)) if len(truth) else float("nan")


def macro_f1(truth: np.ndarray, answer: np.ndarray) -> float:
    """Mean over the classes that occur in ``truth`` or ``answer`` of ``2 tp / (2 tp + fp + fn)``; NaN of nothing."""
    classes, codes = np.unique(np.concatenate([truth, answer]), return_inverse=True)
    if not len(truth):
        return float("nan")
    true, said = codes[: len(truth)], codes[len(truth) :]
    hits = np.bincount(true[true == said], minlength=len(classes))
    of_class = np.bincount(true, minlength=len(classes)) + np.bincount(said, minlength=len(classes))
    return float(np.mean(2 * hits / of_class))


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of ``-ln p(truth)`` in nats: ``truth (n,)`` class numbers, ``probabilities (n, K)``; NaN of nothing.

    A probability of 0 counts as the smallest of its floating-point type.
    """
    if not len(truth):
        return float("nan")
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.mean(np.log(np.maximum(chosen, np.finfo(chosen.dtype).tiny), dtype=np.float64)))


def mae(truth: np.ndarray, answer: np.ndarray) -> float:
    """Mean absolute error, NaN of nothing."""
    return float(np.mean(np.abs(truth - answer))) if len(truth) else float("nan")


def mse(truth: np.ndarray, answer: np.ndarray) -> float:
    """Mean squared error, NaN of nothing."""
    return float(np.mean(np.square(truth - answer))) if len(truth) else float("nan")


def rmse(truth: np.ndarray, answer: np.ndarray) -> float:
    """Root of the mean squared error, NaN of nothing."""
    return float(np.sqrt(mse(truth, answer)))


def esr(truth: np.ndarray, answer: np.ndarray) -> float:
    """Error-to-signal ratio ``sum (y - y')^2 / sum y^2``; NaN of silence."""
    energy = float(np.square(truth).sum())
    return float(np.square(truth - answer).sum()) / energy if energy else float("nan")


def of_nats(nats: float) -> dict[str, float]:
    """A mean negative log likelihood a symbol as ``nats``, ``bits = nats / ln 2`` and ``perplexity = exp(nats)``."""
    return {"nats": nats, "bits": nats / float(np.log(2)), "perplexity": float(np.exp(min(nats, 700.0)))}


def are_spans(labels: Sequence[str]) -> bool:
    """Whether labels mark spans: ``O`` and ``B-``/``I-`` (also ``E-``, ``S-``, ``L-``, ``U-``) with a type."""
    marked = [label for label in labels if label != "O"]
    return bool(marked) and all(label[:2] in _MARKS and len(label) > 2 for label in marked)


_MARKS = frozenset({"B-", "I-", "E-", "S-", "L-", "U-"})
_SINGLE_OR_END = "ESLU"


def spans(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans ``(start, stop, type)`` that labels mark, ``stop`` exclusive, in order.

    As conlleval reads them (CoNLL-2000 shared task; Tjong Kim Sang & Buchholz 2000): a span begins at ``B-`` or ``S-``,
    wherever the type changes, and where a span's label follows ``O`` or a span's end, so every sequence of labels,
    well formed or not, has one reading.
    """
    found: list[tuple[int, int, str]] = []
    start, mark, kind = 0, "O", ""
    for place, label in enumerate([*labels, "O"]):
        new_mark, new_kind = label[:1], label[2:]
        begins = new_mark in "BSU" or mark == "O" or mark in _SINGLE_OR_END or new_kind != kind
        if mark != "O" and (new_mark == "O" or begins):
            found.append((start, place, kind))
        if new_mark != "O" and begins:
            start = place
        mark, kind = new_mark, new_kind
    return found


def span_scores(truth: Sequence[Sequence[str]], answer: Sequence[Sequence[str]]) -> dict[str, float]:
    """``span_f1``, ``span_precision``, ``span_recall`` over the spans of all sequences.

    A hit has the same start, stop and type. Precision is the share of hits among the spans answered, recall among the
    true ones; of no spans at all each is 1.
    """
    hits = true = said = 0
    for true_row, said_row in zip(truth, answer, strict=True):
        true_spans, said_spans = set(spans(true_row)), set(spans(said_row))
        hits += len(true_spans & said_spans)
        true, said = true + len(true_spans), said + len(said_spans)
    return {
        "span_f1": 2 * hits / (true + said) if true + said else 1.0,
        "span_precision": hits / said if said else float(not true),
        "span_recall": hits / true if true else float(not said),
    }
