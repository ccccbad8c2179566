"""train, resume, init: from data to a run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ostinato.cli.ending import ending

commands = typer.Typer()

TASKS = "classify, regress, tag, language, forecast, translate, transcribe or detect."

Json = Annotated[bool, typer.Option("--json", help="Print metrics.json and nothing else.")]


@commands.command("train")
def train_command(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="A file or folder of sequences: CSV, Parquet, text, FASTA, .ts, … Or two parallel files.",
        ),
    ],
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="Column to learn from; may be repeated.")] = None,
    task: Annotated[str | None, typer.Option(help=TASKS)] = None,
    id: Annotated[str | None, typer.Option(help="Column that names the series or the group.")] = None,
    time: Annotated[str | None, typer.Option(help="Column with the time.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    valid: Annotated[list[str] | None, typer.Option(help="File of the validation part; twice for two.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="File of the test part; twice for two parallel ones.")] = None,
    cell: Annotated[str | None, typer.Option(help="lstm, gru, rnn, peephole, lstm_norm, indrnn, slstm, …")] = None,
    hidden: Annotated[int | None, typer.Option(help="Hidden size of each direction.")] = None,
    layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    bidirectional: Annotated[bool | None, typer.Option(help="Read from both ends.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training part.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random derives from it.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Train from so many seeds and tell the spread.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    out: Annotated[str | None, typer.Option(help="Run folder; new.  [runs/<data>-<n>]")] = None,
    config: Annotated[str | None, typer.Option(help="Recipe (YAML); see `ostinato init`.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any recipe key: training.epochs=20.")] = None,
    as_json: Json = False,
) -> None:
    """Train a recurrent model on a file of sequences, and say whether it beats its baselines."""
    flags = {
        "data.target": target,
        "data.inputs": inputs or None,
        "data.id": id,
        "data.time": time,
        "task.name": task,
        "task.horizon": horizon,
        "files.valid": _one(valid),
        "files.test": _one(test),
        "model.cell": cell,
        "model.hidden": hidden,
        "model.layers": layers,
        "model.bidirectional": bidirectional,
        "training.epochs": epochs,
        "training.minutes": minutes,
        "training.seed": seed,
        "training.seeds": seeds,
        "training.device": device,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    _follow(lambda screen: _train(data, config, given, settings or [], out, screen), as_json=as_json)


def _one(files: list[str] | None) -> str | None:
    """One name of a file or of two parallel ones."""
    if not files:
        return None
    from ostinato.data.readers.parallel import together

    return together(files)


def _train(
    data: list[str], config: str | None, given: dict[str, Any], settings: list[str], out: str | None, screen: Any
) -> Any:
    from ostinato.runs.pipeline import train
    from ostinato.runs.recipe import load_settings, parse_settings

    chosen = {**(load_settings(config) if config else {}), **given, **parse_settings(settings)}
    return train(data, chosen, out, reporter=screen)


@commands.command("resume")
def resume_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run that was stopped.")],
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped, to the same bits as if it had not been."""

    def go_on(screen: Any) -> Any:
        from ostinato.runs.pipeline import resume

        screen.folder = run
        return resume(run, reporter=screen)

    _follow(go_on, as_json=as_json)


@commands.command("init")
def init_command(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file or folder of sequences.")],
    target: Annotated[str, typer.Option(help="Column to predict.")] = "",
    task: Annotated[str, typer.Option(help=TASKS)] = "",
    out: Annotated[str, typer.Option(help="Where the recipe is written.")] = "recipe.yaml",
) -> None:
    """Write a recipe with every setting and what it means, to edit and to train with."""
    with ending():
        from ostinato.runs.annotate import init

        path = init(data, out, target=target, task=task)
        typer.echo(f"{path}: edit it, then: ostinato train {data} --config {path}")


def _follow(work: Any, *, as_json: bool) -> None:
    """Runs what makes a run, shows it while it goes, and prints what came of it."""
    folder = ""
    with ending(lambda: folder):
        from ostinato.cli.results import show
        from ostinato.cli.screen import Screen

        screen = Screen(quiet=as_json)
        try:
            run = work(screen)
        finally:
            screen.close()
            folder = screen.folder
        show(run, as_json=as_json)
