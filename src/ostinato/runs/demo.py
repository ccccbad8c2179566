"""demo: a tour in three chapters on data that every machine has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from ostinato.decoding.sampling import Sampling
from ostinato.errors import UsageError
from ostinato.runs.demo_data import write_adding, write_prose, write_sunspots
from ostinato.runs.folder import occupied
from ostinato.runs.pipeline import Run, train
from ostinato.runs.reporter import Reporter
from ostinato.training import write_atomically

ADDING = {
    "data.target": "sum",
    "training.epochs": 8,
    "model.hidden": 64,
    "model.layers": 1,
    "optimizer.learning_rate": 4e-3,
}
"""The same for each cell, so that only the memory differs."""


@dataclass(frozen=True)
class Chapter:
    """A part of the tour.

    Args:
        title: what it is about.
        says: what was learned, in a sentence or two.
        runs: its run folders, the first of which is the one to look at.
        sample: something the model made, if it made something.
        picture: an SVG that belongs to the chapter alone, or an empty string.
    """

    title: str
    says: str
    runs: tuple[Run, ...]
    sample: str = ""
    picture: str = ""


def demo(out: str | Path = "", reporter: Reporter | None = None) -> Iterator[Chapter]:
    """Trains four small models, a chapter after the other, and writes ``index.html`` beside their reports.

    Args:
        out: a folder that does not exist; empty: ``runs/demo-<n>``.
        reporter: is told what happens.

    Yields:
        Each chapter when it is done.
    """
    folder = _new_folder(out)
    reporter = reporter or Reporter()
    chapters = []
    for tell in (_remembers, _writes, _forecasts):
        chapter = tell(folder, reporter)
        chapters.append(chapter)
        write_atomically(folder / "index.html", _page(folder, chapters).encode())
        yield chapter


def _new_folder(out: str | Path) -> Path:
    numbered = (Path("runs") / f"demo-{number}" for number in count(1))
    folder = Path(out) if str(out) else next(path for path in numbered if not path.exists())
    if folder.exists():
        raise UsageError(occupied(folder))
    folder.mkdir(parents=True)
    return folder


def _remembers(folder: Path, reporter: Reporter) -> Chapter:
    """What memory is for: two numbers, far apart among 200, are to be added."""
    data = write_adding(folder / "adding.jsonl", rows=5000, steps=200, seed=1)
    runs = {
        cell: train(data, {**ADDING, "model.cell": cell}, folder / f"adding-{cell}", reporter=reporter)
        for cell in ("lstm", "rnn")
    }
    errors = {
        "LSTM": _mse(runs["lstm"], "model"),
        "plain RNN": _mse(runs["rnn"], "model"),
        "feed-forward network": _mse(runs["lstm"], "feed_forward"),
    }
    told = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
    says = (
        "Among 200 numbers two are marked; the answer is their sum. Who cannot remember can only say 1, with a mean "
        f"squared error of 0.1667. Mean squared error on sequences never seen: {told}."
    )
    curves = {
        name: [row["metrics"]["mse"] for row in _rows(runs[cell])] for name, cell in (("LSTM", "lstm"), ("RNN", "rnn"))
    }
    curves["feed-forward"] = [errors["feed-forward network"]] * len(curves["LSTM"])
    from ostinato.plots import losses

    picture = losses(curves, label="mean squared error", level=1 / 6, note="who remembers nothing")
    return Chapter("What memory is for", says, (runs["lstm"], runs["rnn"]), picture=picture)


def _writes(folder: Path, reporter: Reporter) -> Chapter:
    """A character model of reference prose, which then writes by itself."""
    data = write_prose(folder / "prose.txt")
    settings = {"training.minutes": 0.6, "training.epochs": 12, "model.hidden": 192, "optimizer.learning_rate": 5e-3}
    run = train(data, settings, folder / "prose", reporter=reporter)
    sample = run.load().generate(prompt="The ", length=400, sampling=Sampling(0.6), seed=1)[0]
    says = (
        "A model of single characters read Python's own reference documentation for half a minute. Each character it "
        f"writes is fed back to it. It needs {_test(run, 'model')['bits']:.2f} bits a character; a k-gram model needs "
        f"{_test(run, 'kgram')['bits']:.2f}."
    )
    return Chapter("A network that writes", says, (run,), sample=sample)


def _forecasts(folder: Path, reporter: Reporter) -> Chapter:
    """Yearly sunspot numbers, eleven years ahead."""
    data = write_sunspots(folder / "sunspots.csv")
    settings: Mapping[str, Any] = {"task.name": "forecast", "task.horizon": 11, "data.time": "year"}
    run = train(data, settings, folder / "sunspots", reporter=reporter)
    says = (
        "Yearly sunspot numbers, eleven years ahead, on decades the model has not seen. Mean absolute scaled error: "
        f"{_test(run, 'model')['mase']:.2f}, repeating the last year {_test(run, 'repeat_last')['mase']:.2f}."
    )
    return Chapter("A forecast", says, (run,))


def _test(run: Run, name: str) -> dict[str, float]:
    """Metrics of the model or of a baseline."""
    test = run.metrics["test"]
    found: dict[str, float] = test["model"] if name == "model" else test["baselines"][name]
    return found


def _mse(run: Run, name: str) -> float:
    return _test(run, name)["mse"]


def _rows(run: Run) -> list[dict[str, Any]]:
    """The lines of ``log.jsonl``."""
    import json

    return [json.loads(line) for line in run.folder.log.read_text(encoding="utf-8").splitlines()]


def _page(folder: Path, chapters: list[Chapter]) -> str:
    """One page that holds the chapters and leads to their reports."""
    parts = []
    for chapter in chapters:
        links = " · ".join(
            f'<a href="{escape(run.path.relative_to(folder).as_posix())}/report.html">report of '
            f"{escape(run.path.name)}</a>"
            for run in chapter.runs
        )
        sample = f"<pre>{escape(chapter.sample)}</pre>" if chapter.sample else ""
        verdict = escape(chapter.runs[0].verdict)
        parts.append(
            f"<section><h2>{escape(chapter.title)}</h2><p>{escape(chapter.says)}</p>{chapter.picture}{sample}"
            f"<p><strong>Verdict.</strong> {verdict}</p><p>{links}</p></section>"
        )
    return _PAGE.replace("<!-- chapters -->", "\n".join(parts))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ostinato: the tour</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
svg { max-width: 100%; height: auto }
pre { white-space: pre-wrap; padding: 1rem; border: 1px solid #8886; border-radius: 6px }
</style></head><body>
<h1>Ostinato: the tour</h1>
<!-- chapters -->
</body></html>
"""
