"""doctor and demo: what this machine has, and a tour on data that every machine has."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Annotated

import typer

from ostinato.cli.ending import ending

commands = typer.Typer()

PACKAGES = ("torch", "numpy", "polars", "narwhals", "safetensors", "scikit-learn", "matplotlib", "typer", "rich")


@commands.command("doctor")
def doctor_command() -> None:
    """Show versions, devices, threads and engines, and which engine serves what, and why."""
    with ending():
        import torch

        from ostinato import __version__, nn
        from ostinato.cli.results import grid
        from ostinato.engines import ENGINES, explain, native_state
        from ostinato.training.device import choose_device

        versions = [[name, metadata.version(name)] for name in PACKAGES]
        grid([["ostinato", __version__], ["python", platform.python_version()], *versions])
        cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none that PyTorch sees"
        mps = "yes" if torch.backends.mps.is_available() else "no"
        grid(
            [
                ["machine", f"{platform.system()} {platform.machine()}"],
                ["cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"],
                ["cuda", cuda],
                ["mps", mps],
                ["training.device=auto", f"means {choose_device('auto')}"],
                ["engines", ", ".join(ENGINES)],
                ["native engine", native_state()],
            ]
        )
        device = choose_device("auto")
        for name, layer in (("LSTM", nn.LSTM(8, 8)), ("GRU", nn.GRU(8, 8)), ("RNN", nn.RNN(8, 8))):
            typer.echo(f"\n{name} on {device}\n{explain(layer.to(device))}")


@commands.command("demo")
def demo_command(
    out: Annotated[str, typer.Option(help="Folder for the runs and their reports; new.  [runs/demo-<n>]")] = "",
) -> None:
    """Take a tour on data that every machine has: what memory is for, prose, sunspots."""
    with ending():
        from ostinato.cli.results import table
        from ostinato.cli.screen import Screen
        from ostinato.runs.demo import demo

        screen = Screen()
        chapters = []
        try:
            for chapter in demo(out, reporter=screen):
                screen.close()
                chapters.append(chapter)
                typer.echo(f"\n{chapter.title}\n{chapter.says}\n")
                table(chapter.runs[0].metrics["test"])
                typer.echo(f"\n{chapter.runs[0].verdict}\n")
                if chapter.sample:
                    typer.echo(f"It writes:\n{chapter.sample}\n")
        finally:
            screen.close()
        typer.echo("To look at:")
        for run in (run for chapter in chapters for run in chapter.runs):
            typer.echo(f"  {run.path}/report.html")
        typer.echo(f"  {chapters[0].runs[0].path.parent}/index.html")
