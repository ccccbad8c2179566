"""backtest: a forecaster trained anew at several points in time."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ostinato.cli.ending import ending
from ostinato.cli.train import Json

commands = typer.Typer()


@commands.command("backtest")
def backtest_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a forecaster's run.")],
    folds: Annotated[int, typer.Option(help="How many points in time.")] = 5,
    as_json: Json = False,
) -> None:
    """Train a forecaster's recipe anew at several points in time, and test each on what came next."""
    with ending():
        from ostinato.cli.results import grid
        from ostinato.cli.screen import Screen
        from ostinato.runs.backtest import backtest
        from ostinato.runs.folder import without_nan
        from ostinato.training.words import number

        screen = Screen(quiet=as_json)
        try:
            found = backtest(run, folds, reporter=screen)
        finally:
            screen.close()
        if as_json:
            typer.echo(json.dumps(without_nan(asdict(found))))
            return
        rows = [
            [one.first, one.last, *(number(found.metric, value) for value in (one.model, one.theirs)), one.rival]
            for one in found.folds
        ]
        grid([["from", "to", f"{found.metric} model", "best baseline", "which"], *rows])
        typer.echo(f"\n{found.text}")
