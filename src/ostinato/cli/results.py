"""results: the test result beside its baselines, as a table for a terminal or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ostinato.runs import Run


def show(run: Run, *, as_json: bool) -> None:
    """Prints what came of a run: its ``metrics.json``, or a table, the verdict and where everything lies."""
    if as_json:
        typer.echo(run.folder.metrics.read_text(encoding="utf-8"), nl=False)
        return
    metrics = run.metrics
    table(metrics["test"])
    if "seeds" in metrics:
        spread(metrics["seeds"])
    typer.echo(f"\n{metrics['memory']['text']}\n{run.verdict}")
    for remark in metrics.get("remarks", ()):
        typer.echo(remark)
    typer.echo("")
    for path in (run.folder.report, run.folder.model, run.folder.metrics, run.folder.predictions):
        if path.exists():
            typer.echo(str(path))


def table(test: dict[str, Any]) -> None:
    """One row the model, one each baseline, one column a metric."""
    from ostinato.training.words import number

    rows = [("model", test["model"]), *test["baselines"].items()]
    names = list(test["model"])
    grid([["test", *names], *([name, *(number(key, row.get(key)) for key in names)] for name, row in rows)])


def spread(seeds: dict[str, Any]) -> None:
    """Mean and standard deviation over the seeds."""
    from ostinato.training.words import number

    parts = [f"{key} {number(key, mean)} ± {number(key, seeds['sd'].get(key))}" for key, mean in seeds["mean"].items()]
    typer.echo(f"over {len(seeds['metrics'])} seeds: {', '.join(parts)}; seed {seeds['deployed']} is deployed")


def grid(rows: list[list[str]]) -> None:
    """Columns one under the other, the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    typer.echo("")
    for row in rows:
        first, *rest = [
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join([first, *rest]).rstrip())
