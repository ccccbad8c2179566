"""generate, forecast: what comes next."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli.answer import Device, Out, RunArgument, emit
from ostinato.cli.ending import ending

commands = typer.Typer()


@commands.command("generate")
def generate_command(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(help="Most symbols after the prompt.")] = 500,
    temperature: Annotated[float, typer.Option(help="Below 1 bolder, above 1 wilder, 0 always the likeliest.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only so many likeliest symbols; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Only the likeliest symbols of so much probability; 1: all.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    condition: Annotated[str | None, typer.Option(help="What it is written from: Dutch, or NAME=VALUE,…")] = None,
    count: Annotated[int, typer.Option(help="How many texts.")] = 1,
    device: Device = "auto",
) -> None:
    """Write new texts with a language model."""
    with ending():
        from ostinato.decoding import Sampling, unknown_symbols
        from ostinato.runs.loaded import load

        sampling = Sampling(temperature, top_k, top_p)
        model = load(run, device=device)
        texts = model.generate(prompt, length=length, sampling=sampling, seed=seed, condition=condition, count=count)
        for text in texts:
            typer.echo(text)
        if unknown := unknown_symbols(model.task, prompt):
            typer.echo(f"note: the model does not know {', '.join(map(repr, unknown))} of the prompt", err=True)


@commands.command("forecast")
def forecast_command(
    run: RunArgument,
    history: Annotated[
        str | None, typer.Argument(metavar="HISTORY", help="The series to go on from; else those of the training.")
    ] = None,
    horizon: Annotated[int, typer.Option(help="Steps; 0: as many as in training. More are rolled out.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the paths drawn beyond the horizon of the training.")] = 0,
    out: Out = None,
    device: Device = "auto",
) -> None:
    """Say what follows each series, with quantiles. Prints CSV."""
    with ending():
        from ostinato.runs.loaded import load

        emit(load(run, device=device).forecast(history, horizon, seed=seed), out)
