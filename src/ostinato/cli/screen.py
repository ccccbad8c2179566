"""Screen: what a run does, shown on standard error: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ostinato.runs.reporter import Reporter, Understood
from ostinato.training import History
from ostinato.training import Progress as Standing
from ostinato.training.words import end_line, epoch_line, first_metrics, many, seconds


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
        told = f"loss {progress.loss:.4f}{first_metrics(progress.metrics)}  {many(progress.steps_per_second)} steps/s"
        told += f"  {seconds(progress.seconds_left)} left"
        name = f"{self._seed}epoch {progress.epoch}/{progress.epochs}"
        self._bar.update(self._task, description=name, total=total, completed=done, told=told)

    def on_epoch(self, progress: Standing, row: dict[str, Any]) -> None:
        """A line an epoch."""
        self._say(f"{self._seed}{epoch_line(progress, row)}")

    def on_end(self, history: History) -> None:
        """Closes the bar and says which epoch was kept and what ended the training."""
        self.close()
        self._say(f"{self._seed}{end_line(history)}")

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
