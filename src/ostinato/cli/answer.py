"""predict, evaluate, inspect: what a trained model says of new rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli.ending import ending
from ostinato.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from ostinato.runs.loaded import Inspected, LoadedModel

commands = typer.Typer()

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run, or of a model.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Text = Annotated[list[str] | None, typer.Option("--text", help="A text instead of INPUT; may be repeated.")]
READ = "Rows to predict: a file or a folder; - for what comes on standard input: raw 16-bit sound, a detector's values."
Out = Annotated[str | None, typer.Option(help="A .csv, .parquet or .jsonl file instead of standard output.")]


@commands.command("predict")
def predict_command(
    run: RunArgument,
    source: Annotated[str | None, typer.Argument(metavar="INPUT", help=READ)] = None,
    text: Text = None,
    best: Annotated[int, typer.Option(help="So many of the best translations of each row, with their scores.")] = 0,
    window: Annotated[int, typer.Option(help="Along DNA: an answer for each window of so many bases.")] = 0,
    step: Annotated[int, typer.Option(help="Bases from one window to the next.  [--window]")] = 0,
    label: Annotated[str, typer.Option(help="The label whose probability a .bedgraph holds.")] = "",
    out: Annotated[str | None, typer.Option(help="A .csv, .parquet, .jsonl, .bed, .bedgraph or .wav file.")] = None,
    device: Device = "auto",
) -> None:
    """Answer every row of a file; the target may be absent.

    Prints CSV; of a single sound to transcribe its text; along DNA it writes a track; --out new.wav
    renders a sound from a sound.
    """
    with ending():
        rows = _source(source, text)
        from ostinato.data.media import kind_of
        from ostinato.runs.loaded import load
        from ostinato.runs.track import is_track, write_track

        model = load(run, device=device)
        if out and source and source != "-" and kind_of(out) == "audio":
            _render(model, source, out)
            return
        if source == "-":
            if out is not None or best:
                raise UsageError("live answers are written as they come: leave --out and --best out")
            _live(model)
            return
        if out is None and not best and _is_sound(rows) and model.task.name == "transcribe":
            typer.echo(model.predict(rows)["prediction"].item())
            return
        if is_track(out):
            frame = model.track(rows, window, step)
            write_track(frame, str(out), label)
            typer.echo(f"{out}: {frame.height:,} intervals", err=True)
        elif window or step:
            emit(model.track(rows, window, step), out)
        else:
            emit(model.best(rows, best) if best else model.predict(rows), out)
        for note in model.notes(rows):
            typer.echo(f"note: {note}", err=True)


def _render(model: LoadedModel, source: str, out: str) -> None:
    """Makes a sound of a sound; says how fast."""
    from time import monotonic

    from ostinato.runs.render import render

    told = monotonic()

    def tell(share: float) -> None:
        nonlocal told
        if monotonic() - told > 2.0:
            told = monotonic()
            typer.echo(f"{share:.0%} …", err=True)

    made = render(model.live(), source, out, tell)
    typer.echo(
        f"{out}: {made.duration:.2f} s of sound in {made.seconds:.3f} s, {made.factor:.1f} times faster than real time"
    )
    if made.clipped:
        typer.echo(f"note: {made.clipped:,} samples lay beyond full scale and were clipped", err=True)


@commands.command("evaluate")
def evaluate_command(
    run: RunArgument,
    data: Annotated[list[str], typer.Argument(metavar="DATA", help="Rows whose target is known; two parallel files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
    device: Device = "auto",
) -> None:
    """Measure a model on other data."""
    with ending():
        from ostinato.cli.results import grid
        from ostinato.data.readers.parallel import together
        from ostinato.runs.folder import without_nan
        from ostinato.runs.loaded import load
        from ostinato.training.words import number

        model = load(run, device=device)
        source = together(data)
        metrics = model.evaluate(source)
        if as_json:
            typer.echo(json.dumps(without_nan(metrics)))
            return
        grid([["data", *metrics], [Path(source).name, *(number(key, value) for key, value in metrics.items())]])
        for note in model.notes(source):
            typer.echo(f"note: {note}", err=True)


@commands.command("inspect")
def inspect_command(
    run: RunArgument,
    source: Annotated[str | None, typer.Argument(metavar="INPUT", help="Rows to look at.")] = None,
    text: Text = None,
    row: Annotated[int, typer.Option(help="Which row, the first is 0.")] = 0,
    picture: Annotated[str, typer.Option("--out", help="Where the picture is written.")] = "inspect.svg",
    device: Device = "auto",
) -> None:
    """Show what the gates did on one row, and how far back its answer looked."""
    with ending():
        rows = _source(source, text)
        from ostinato.plots import gates
        from ostinato.runs.loaded import load

        seen = load(run, device=device).inspect(rows, row)
        _describe(seen)
        top = [layer for layer in seen.inside.layers if layer.layer == seen.inside.layers[-1].layer]
        several = len(top) > 1
        arrays = {
            f"{name} {layer.direction}" if several else name: values
            for layer in top
            for name, values in {**layer.gates, **layer.states}.items()
        }
        Path(picture).write_text(gates(arrays, seen.steps), encoding="utf-8")
        typer.echo(f"\n{seen.memory.text}\n{picture}")


def _describe(seen: Inspected) -> None:
    """The answer, and a line a step: means of the gates and sizes of the states."""
    from ostinato.cli.results import grid

    if seen.answer.height:
        names = [name for name in seen.answer.columns if not name.startswith("p(")]  # the label's own is "probability"
        shown = seen.answer.select(names[:3])
        row = shown.row(0)
        typer.echo("; ".join(f"{name}: {_short(value)}" for name, value in zip(shown.columns, row, strict=True)))
    for layer in seen.inside.layers:
        typer.echo(f"\nlayer {layer.layer}, {layer.direction} (means of the gates, sizes of the states)")
        summary = layer.summary()
        lines = [
            [repr(step)[1:-1], *(f"{value[place]:.2f}" for value in summary.values())]
            for place, step in enumerate(seen.steps)
        ]
        grid([["step", *summary], *lines])


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _live(model: LoadedModel) -> None:
    """Answers what comes in on standard input: a detector values, a transcriber sound."""
    if model.task.name != "detect":
        from ostinato.cli.ear import hear

        hear(model.listen())
        return
    from ostinato.cli.live import live

    for line in live(model.watch(), sys.stdin):
        sys.stdout.write(line)
        sys.stdout.flush()


def _is_sound(rows: Any) -> bool:
    from ostinato.data.media import kind_of

    return isinstance(rows, str) and kind_of(rows) == "audio"


def _source(source: str | None, text: list[str] | None) -> Any:
    """The rows: a file, or texts of the command line."""
    if (source is None) == (not text):
        raise UsageError("give the rows as INPUT (a file) or as --text, one of the two")
    return source or text


def emit(frame: pl.DataFrame, out: str | None) -> None:
    """Writes a frame to a file by its suffix, or as CSV to standard output."""
    if out is None:
        sys.stdout.write(frame.write_csv())
        return
    from ostinato.runs.folder import telling

    path = Path(out)
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": frame.write_csv,
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
    }
    if path.suffix not in writers:
        raise UsageError(f"--out {out}: write to a file that ends in {', '.join(writers)}")
    with telling(path):
        writers[path.suffix](path)
    typer.echo(f"{path}: {frame.height:,} rows", err=True)
