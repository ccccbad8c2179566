"""generate, forecast: what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.answer import Device, Out, RunArgument, emit
from ostinato.cli.ending import ending
from ostinato.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from ostinato.decoding import Sampling
    from ostinato.runs.loaded import LoadedModel

commands = typer.Typer()


@commands.command("generate")
def generate_command(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="What the text begins with; of music, a file with the tune.")] = "",
    length: Annotated[
        int | None, typer.Option(help="Most symbols, or steps, after the prompt.  [500; of music 64]")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Below 1 bolder, above 1 wilder, 0 always the likeliest.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only so many likeliest symbols; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Only the likeliest symbols of so much probability; 1: all.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    condition: Annotated[str | None, typer.Option(help="What it is written from: Dutch, or NAME=VALUE,…")] = None,
    count: Annotated[int, typer.Option(help="How many texts.")] = 1,
    out: Annotated[str | None, typer.Option(help="Of music: the .mid file (or piano roll, .csv) to write.")] = None,
    device: Device = "auto",
) -> None:
    """Write new texts with a language model, or go on with a tune with a model of music."""
    with ending():
        from ostinato.decoding import Sampling, unknown_symbols
        from ostinato.runs.loaded import load

        sampling = Sampling(temperature, top_k, top_p)
        model = load(run, device=device)
        if model.task.name == "music":
            if condition or count != 1:
                raise UsageError("a tune is played from a prompt alone, one at a time: leave --condition, --count out")
            _play(model, prompt, 64 if length is None else length, sampling, seed, out)
            return
        if out:
            raise UsageError("--out is for music; a text goes to standard output: put > FILE behind the command")
        length = 500 if length is None else length
        texts = model.generate(prompt, length=length, sampling=sampling, seed=seed, condition=condition, count=count)
        for text in texts:
            typer.echo(text)
        if unknown := unknown_symbols(model.task, prompt):
            typer.echo(f"note: the model does not know {', '.join(map(repr, unknown))} of the prompt", err=True)


def _play(model: LoadedModel, prompt: str, length: int, sampling: Sampling, seed: int, out: str | None) -> None:
    """Writes the tune of the prompt with what the model plays after it."""
    from ostinato.runs.folder import telling

    if not prompt or not out:
        raise UsageError("music goes on with a tune and is written to a file: --prompt tune.mid --out new.mid")
    tune = model.play(prompt, length=length, sampling=sampling, seed=seed)
    with telling(Path(out)):
        tune.save(out)
    typer.echo(f"{out}: {len(tune.keys) - length:,} steps of {prompt}, and {length:,} that the model played")


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

        frame = load(run, device=device).forecast(history, horizon, seed=seed)
        emit(frame if out else _readable(frame), out)


def _readable(frame: pl.DataFrame) -> pl.DataFrame:
    """For the screen: six significant digits, and times no finer than they are; files keep all of both."""
    from polars import selectors

    frame = frame.with_columns(selectors.float().round_sig_figs(6))
    if "time" not in frame.columns or not frame["time"].dtype.is_temporal():
        return frame
    times = frame["time"]
    forms = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
    if times.n_unique() > 1:  # a single one may fall on the first of a month by chance
        forms = ["%Y", "%Y-%m", *forms]
    units = {"%Y": "1y", "%Y-%m": "1mo", "%Y-%m-%d": "1d", "%Y-%m-%dT%H:%M": "1m", "%Y-%m-%dT%H:%M:%S": "1s"}
    form = next((one for one in forms if (times.dt.truncate(units[one]) == times).all()), None)
    return frame.with_columns(times.dt.strftime(form)) if form else frame
