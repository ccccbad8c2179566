"""Screen: what a run does, shown on standard error: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import math
import sys
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ostinato.runs.reporter import Reporter, Understood
from ostinato.training import History
from ostinato.training import Progress as Standing

PERCENT = frozenset({"accuracy", "macro_f1", "span_f1", "error", "coverage"})


class Screen(Reporter):
    """Shows a run to a person.

    Args:
        quiet: only warnings are shown.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.folder = ""
        self.console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: Any = None
        self._seed = ""

    def on_stage(self, stage: str) -> None:
        """A line."""
        self._say(f"[dim]{_safe(stage)} …[/dim]")

    def on_understood(self, understood: Understood) -> None:
        """What was understood, on standard output, before anything is trained."""
        self.folder = str(understood.folder)
        if self.quiet:
            return
        for note in understood.notes:
            self._say(f"[dim]{_safe(note)}[/dim]")
        train, valid, test = understood.parts
        typer.echo(understood.description)
        typer.echo(f"why: {understood.reason}")
        typer.echo(f"train {train}, valid {valid}, test {test}; beside {', '.join(understood.baselines)}")
        typer.echo(f"model: {understood.model}")
        typer.echo(f"run: {understood.folder}")

    def on_seed(self, seed: int, number: int, count: int) -> None:
        """Several trainings are counted."""
        self._seed = f"seed {seed} ({number}/{count}) " if count > 1 else ""

    def on_start(self, progress: Standing) -> None:
        """Opens the bar."""
        if progress.epoch > 1 or progress.step:
            self._say(f"{self._seed}going on in epoch {progress.epoch}")
        if self.quiet or not self.console.is_terminal:
            return
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[told]}"))
        self._bar = Progress(*columns, console=self.console, transient=True)
        self._task = self._bar.add_task("", total=None, told="")
        self._bar.start()

    def on_step(self, progress: Standing) -> None:
        """Moves the bar."""
        if self._bar is None:
            return
        total = progress.epochs * progress.steps
        done = (progress.epoch - 1) * progress.steps + progress.step
        told = f"loss {progress.loss:.4f}{_metric(progress.metrics)}  {_many(progress.steps_per_second)} steps/s"
        told += f"  {seconds(progress.seconds_left)} left"
        name = f"{self._seed}epoch {progress.epoch}/{progress.epochs}"
        self._bar.update(self._task, description=name, total=total, completed=done, told=told)

    def on_epoch(self, progress: Standing, row: dict[str, Any]) -> None:
        """A line an epoch."""
        metrics = {name: value for name, value in row["metrics"].items() if value is not None}
        loss = "nan" if row["loss"] is None else f"{row['loss']:.4f}"
        self._say(
            f"{self._seed}epoch {row['epoch']}/{progress.epochs}  loss {loss}{_metric(metrics)}  "
            f"{_many(progress.steps_per_second)} steps/s  {seconds(progress.seconds_left)} left"
        )

    def on_end(self, history: History) -> None:
        """Closes the bar and says which epoch was kept and what ended the training."""
        self.close()
        self._say(
            f"{self._seed}stopped by {history.stopped} after {seconds(history.seconds)}; "
            f"the weights of epoch {history.best_epoch} are kept"
        )

    def on_warning(self, message: str) -> None:
        """Always shown."""
        self.console.print(f"warning: {_safe(message)}", style="yellow")

    def close(self) -> None:
        """Takes the bar away, however the run ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text)


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _metric(metrics: dict[str, float]) -> str:
    """The first two metrics beside the loss, or the loss of the validation part where there is no other."""
    shown = [(name, value) for name, value in metrics.items() if name not in {"loss", "log_loss"}][:2]
    return "".join(f"  {name} {number(name, value)}" for name, value in shown)


def number(metric: str, value: float | None) -> str:
    """A metric as people read it: shares in per cent, a missing one as a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f} %" if metric in PERCENT else f"{value:.4g}"


def _many(count: float) -> str:
    return f"{count / 1000:,.0f}k" if count >= 10_000 else f"{count:,.0f}"


def seconds(count: float) -> str:
    """``12 s``, ``1 min 15 s`` or ``2 h 3 min``."""
    if not math.isfinite(count):
        return "?"
    whole = round(count)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
