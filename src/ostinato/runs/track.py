"""Track: what a model says along sequences of DNA, for a genome browser (BED, bedGraph)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from torch import nn

from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, UsageError, nearest
from ostinato.runs.folder import telling
from ostinato.tasks import Classify, Language, Task
from ostinato.training import predict

SUFFIXES = (".bed", ".bedgraph")
AT_ONCE = 4096
"""Windows that are answered together."""


def is_track(path: str | None) -> bool:
    """Whether a file is named as a track."""
    return path is not None and Path(path).suffix.lower() in SUFFIXES


def track(model: nn.Module, task: Task, table: Table, window: int = 0, step: int = 0) -> pl.DataFrame:
    """Scores along every sequence, sorted by ``chrom`` and ``start``; positions count from 0, ``end`` is exclusive.

    A language model gives ``bits``: how surprising a base was after all before it, the mean over ``window`` bases. The
    first base of a long sequence has none. A classifier gives ``prediction``, ``probability`` and ``p(label)`` of the
    windows of ``window`` bases that begin every ``step`` bases; what is left at the end has none, and a sequence
    shorter than a window is answered as a whole.

    Args:
        model: trained.
        task: of the model.
        table: the sequences, and a column of their names.
        window: bases; 0: 1 for a language model.
        step: bases; 0: as many as ``window``.

    Raises:
        UsageError: the model does not read DNA alone, or windows that cannot be.
        DataError: sequences without names, or two of one name.
    """
    if window < 0 or step < 0:
        raise UsageError(f"--window and --step are numbers of bases, not {min(window, step)}")
    column, kind = _column(task)
    if kind != Kind.DNA and table[column].kind != Kind.DNA:
        raise UsageError(f"a track lies along DNA; this model reads {kind.value if kind else table[column].kind.value}")
    names = _names(table)
    order = sorted(range(len(table)), key=names.__getitem__)
    frames = [
        frame.select(pl.lit(names[row], dtype=pl.String).alias("chrom"), pl.all())
        for row in order
        for frame in _frames(model, task, table.take(np.array([row])), window, step)
    ]
    return pl.concat(frames)


def write_track(frame: pl.DataFrame, path: str | Path, label: str = "") -> None:
    """Writes what :func:`track` gives, with tabs between the fields.

    * ``.bed``: a line a window: its name is the label answered, its score 1000 times the probability, no strand.
    * ``.bedgraph``: after the line that says what it is, a number an interval: bits, or the probability of ``label``,
      which stands at the middle of its window, since intervals may not overlap.

    Source: genome.ucsc.edu/FAQ/FAQformat and genome.ucsc.edu/goldenpath/help/bedgraph.

    Raises:
        UsageError: a language model as BED; no label, or one that does not exist.
        ModelFolderError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".bed":
        if "bits" in frame.columns:
            raise UsageError(f"{path}: BED holds labels, and a language model gives bits: name it .bedgraph")
        score = (pl.col("probability") * 1000).round().cast(pl.Int64)
        body, head = frame.select("chrom", "start", "end", "prediction", score, strand=pl.lit(".")), ""
    else:
        value, name = ("bits", "bits a base") if "bits" in frame.columns else _chance(frame, label)
        body = (frame if value == "bits" else _middles(frame)).select("chrom", "start", "end", value)
        head = f'track type=bedGraph name="{name}"\n'
    with telling(path):
        text = body.write_csv(separator="\t", include_header=False, float_precision=4, quote_style="never")
        path.write_text(head + text, encoding="utf-8")


def _column(task: Task) -> tuple[str, Kind | None]:
    """The column of the sequences, and what the model learned from (None: of a language model the table says)."""
    if isinstance(task, Language) and not task.condition.columns:
        return task.column, None
    if isinstance(task, Classify) and not task.features.static.columns:
        return task.features.column, task.features.kind
    raise UsageError("a track is written by a language model or a classifier that reads nothing but the sequence")


def _names(table: Table) -> list[str]:
    """The first words of the titles.

    Raises:
        DataError: there are none, one is empty, or two are the same.
    """
    ids = [column for column in table if column.kind == Kind.ID]
    if not ids:
        raise DataError("a track needs the names of its sequences: use FASTA, or a column of names", path=table.path)
    names = [str(name) for name in (table["id"] if "id" in table.columns else ids[0]).values]
    counts = Counter(names)
    for row, name in enumerate(names):
        if not name or name.split() != [name]:
            raise DataError(
                f"a track needs a name without blanks, and here stands '{name}': write one after '>'",
                path=table.path,
                row=table.row(row),
            )
        if counts[name] > 1:
            raise DataError(
                f"{counts[name]} sequences are named '{name}', and a track tells them apart by name: rename them",
                path=table.path,
                row=table.row(row),
            )
    return names


def _frames(model: nn.Module, task: Task, one: Table, window: int, step: int) -> Iterator[pl.DataFrame]:
    """The rows of one sequence."""
    if isinstance(task, Language):
        if step not in {0, window or 1}:
            raise UsageError("the windows of a language model stand side by side: leave --step out")
        yield _bits(model, task, one, window or 1)
        return
    if not window:
        raise UsageError("give --window: as many bases as the sequences have that the model learned from")
    assert isinstance(task, Classify)
    column = one[task.features.column]
    sequence = str(column.values[0])
    starts = np.arange(0, max(len(sequence) - window, 0) + 1, step or window)
    for first in range(0, len(starts), AT_ONCE):
        part = starts[first : first + AT_ONCE]
        pieces = [sequence[start : start + window] for start in part.tolist()]
        table = Table({column.name: Column(column.name, column.kind, pieces)}, one.path)
        answers = task.frame(predict(model, task, task.examples(table)), table)
        ends = np.minimum(part + window, len(sequence))
        yield pl.DataFrame({"start": part, "end": ends}).hstack(answers)


def _bits(model: nn.Module, task: Language, one: Table, window: int) -> pl.DataFrame:
    """Mean bits a base of windows that stand side by side; those without any score are left out."""
    examples = task.examples(one)
    nll, widths = predict(model, task, examples)["nll"].astype(np.float64), task.bases(examples)
    length = len(one[task.column].values[0])
    # A long sequence is answered from its second symbol on; a short one from its first, and then for its end.
    first = len(task.vocabulary.pieces(one[task.column].values[0])[0]) if task.document and length else 0
    bits = np.repeat(nll / np.log(2) / widths, widths)[: length - first]
    place = (np.arange(len(bits)) + first) // window
    count = np.bincount(place)
    there = np.flatnonzero(count)
    starts = np.maximum(there * window, first)
    return pl.DataFrame(
        {
            "start": starts,
            "end": np.minimum((there + 1) * window, length),
            "bits": np.bincount(place, bits)[there] / count[there],
        },
        schema={"start": pl.Int64, "end": pl.Int64, "bits": pl.Float64},
    )


def _chance(frame: pl.DataFrame, label: str) -> tuple[str, str]:
    """The column of a label's probability, and the name of the track."""
    labels = [name[2:-1] for name in frame.columns if name.startswith("p(")]
    if label not in labels:
        hint = nearest(label, labels) if label else f" Known: {', '.join(labels)}."
        said = f"there is no label '{label}'" if label else "a bedGraph holds one number: say of which label, --label"
        raise UsageError(f"{said}.{hint}")
    return f"p({label})", f"p({label})".replace('"', "'")


def _middles(frame: pl.DataFrame) -> pl.DataFrame:
    """Windows that overlap cut to their middles: as many bases as lie between the beginnings of two of them."""
    width = pl.col("end") - pl.col("start")
    kept = pl.min_horizontal(pl.lit(frame["start"].diff().filter(frame["start"].diff() > 0).min()), width)
    start = pl.col("start") + (width - kept) // 2
    return frame.with_columns(start=start, end=start + kept)
