"""Words: what a training does, as a person reads it: an epoch in a line, a number, a time."""

from __future__ import annotations

import math

from ostinato.training.callbacks import Callback, Progress
from ostinato.training.history import History, Row

PERCENT = frozenset(
    {"accuracy", "macro_f1", "span_f1", "span_precision", "span_recall", "error", "coverage", "wer", "cer"}
    | {"precision", "recall", "f1", "alarm_rate", "direction", "profit", "hold"}
)
"""Metrics that are told in per cent: by a terminal, a report and a page alike."""

HIGHER = frozenset(
    {"accuracy", "macro_f1", "span_f1", "span_precision", "span_recall", "bleu", "precision", "recall", "f1", "nab"}
    | {"direction", "profit"}
)
"""Metrics of which more is better; a coverage and its like should be near a level, of all others less is better."""


class Told(Callback):
    """Prints a line an epoch on standard output, and why the training ended."""

    def on_epoch(self, progress: Progress, row: Row) -> None:
        """``epoch 3/20  loss 0.4123  accuracy 83.1 %  12k steps/s  5 s left``."""
        print(epoch_line(progress, row))

    def on_end(self, history: History) -> None:
        """``stopped by epochs after 12 s; the weights of epoch 20 are kept``."""
        print(end_line(history))

    def on_warning(self, message: str) -> None:
        """A line."""
        print(f"warning: {message}")


def epoch_line(progress: Progress, row: Row) -> str:
    """``epoch 3/20  loss 0.4123  accuracy 83.1 %  12k steps/s  5 s left``."""
    metrics = {name: value for name, value in row["metrics"].items() if value is not None}
    loss = "nan" if row["loss"] is None else f"{row['loss']:.4f}"
    return (
        f"epoch {row['epoch']}/{progress.epochs}  loss {loss}{first_metrics(metrics)}  "
        f"{many(progress.steps_per_second)} steps/s  {seconds(progress.seconds_left)} left"
    )


def end_line(history: History) -> str:
    """``stopped by patience after 12 s; the weights of epoch 7 are kept``."""
    ended = f"stopped by {history.stopped} after {seconds(history.seconds)}"
    return f"{ended}; the weights of epoch {history.best_epoch} are kept"


def first_metrics(metrics: dict[str, float]) -> str:
    """The first two metrics beside the loss, or nothing where there is no other."""
    shown = [(name, value) for name, value in metrics.items() if name not in {"loss", "log_loss"}][:2]
    return "".join(f"  {name} {number(name, value)}" for name, value in shown)


def number(metric: str, value: float | None) -> str:
    """A metric as people read it: shares in per cent, a missing one as a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f} %" if metric in PERCENT else f"{value:.4g}"


def many(count: float) -> str:
    """``12k`` for 12,000; smaller counts as they are."""
    return f"{count / 1000:,.0f}k" if count >= 10_000 else f"{count:,.0f}"


def seconds(count: float) -> str:
    """``12 s``, ``1 min 15 s`` or ``2 h 3 min``."""
    if not math.isfinite(count):
        return "?"
    whole = round(count)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
