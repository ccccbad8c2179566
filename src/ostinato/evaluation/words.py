"""Words: metrics and amounts as a person reads them."""

from __future__ import annotations

import math
from typing import Final

from ostinato.training.words import PERCENT

METRICS: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "span_f1": "span F1",
    "span_precision": "span precision",
    "span_recall": "span recall",
    "log_loss": "log loss",
    "error": "error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "mse": "mean squared error",
    "mase": "MASE",
    "smape": "sMAPE",
    "pinball": "pinball loss",
    "coverage": "coverage",
    "direction": "directional accuracy",
    "profit": "profit after costs",
    "hold": "profit of holding",
    "nats": "nats a symbol",
    "nll": "nats a step",
    "bits": "bits a symbol",
    "perplexity": "perplexity",
    "bleu": "BLEU",
    "wer": "word error rate",
    "cer": "character error rate",
    "esr": "error-to-signal ratio",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "nab": "NAB score",
    "alarm_rate": "steps that rare",
}
"""Metric keys as they are called in a sentence."""

LEVELS: Final = frozenset({"coverage", "alarm_rate", "hold"})
"""Metrics that have no best: shares that should be near a level, and what holding earns, which is the same for all."""

RIVALS: Final = {
    "majority": "always answering the most frequent label",
    "mean": "always answering the mean",
    "linear_filter": "the linear filter",
    "feed_forward": "the feed-forward network",
    "ngram_logistic": "n-gram logistic regression",
    "logistic": "logistic regression on all pixels",
    "kgram": "the k-gram",
    "nearest": "the answer of the nearest training example",
    "constant": "always answering the text nearest to all others",
    "dictionary": "the dictionary, symbol by symbol",
    "repeat_last": "repeating the last value",
    "seasonal_naive": "repeating the last season",
    "random_walk": "the random walk with drift",
    "windowed_gaussian": "the Gaussian of the values before",
    "last_change": "the Gaussian of the changes before",
    "ewma": "the average with fading weights",
}
"""Baselines as they are called in a sentence."""


def rival_name(key: str) -> str:
    """A baseline as it is called in a table: ``feed-forward network`` for ``feed_forward``; an unknown key as it is."""
    return RIVALS.get(key, key.replace("_", " ")).removeprefix("the ")


def metric_name(key: str) -> str:
    """``macro-F1`` for ``macro_f1``; an unknown key as it is."""
    return METRICS.get(key, key.replace("_", " "))


def amount(key: str, value: float, sd: float | None = None, *, points: bool = False, bare: bool = False) -> str:
    """A metric's value: ``83.1 %``, ``83.1 ± 0.4 %``, ``1.234``.

    Args:
        key: the metric.
        value: of it.
        sd: its spread over seeds.
        points: a difference: per cent become ``points``.
        bare: without a unit.
    """
    share = key in PERCENT
    factor = 100.0 if share else 1.0
    digits = _digits(value * factor, share)
    text = number(value * factor, digits)
    if sd is not None and math.isfinite(sd):
        text += f" ± {number(sd * factor, digits)}"
    unit = "" if bare or not share else " points" if points else " %"
    return text + unit


def _digits(value: float, share: bool) -> int:
    """Digits after the point: one for per cent (more below 0.1), else what makes four significant ones."""
    size = abs(value)
    if not math.isfinite(size) or size == 0:
        return 1 if share else 3
    if share:
        return 1 if size >= 0.1 else 2
    return max(0, min(6, 3 - math.floor(math.log10(size))))


def number(value: float, digits: int) -> str:
    """With separators of thousands and a true minus; NaN is a dash; very large or small ones by powers of ten."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and not 1e-5 <= abs(value) < 1e9:
        return f"{value:.2e}".replace("-", "−")
    return f"{value:,.{digits}f}".replace("-", "−")


def said(name: str) -> str:
    """A name at the beginning of a sentence."""
    return name[:1].upper() + name[1:]
