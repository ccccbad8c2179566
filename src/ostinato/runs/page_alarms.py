"""page_alarms: what a report shows of a detector: its alarms over the series, and the strangest steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from ostinato import plots
from ostinato.data.table import Table
from ostinato.runs.report import Picture, Sheet
from ostinato.tasks import Detect, Outputs
from ostinato.tasks.detect_metrics import is_alarm, scores_of, stretches

DRAWN = 3
"""Series that are drawn, those with the strangest steps first."""
SHOWN = 10
"""Steps that are listed."""


def rung(task: Detect, table: Table, outputs: Outputs) -> Iterator[Picture]:
    """The test part of the strangest series, each by its strangest channel."""
    examples = task.examples(table)
    found = scores_of(outputs, examples, task.quiet)
    begins = np.cumsum([0, *(len(one.judged) for one in examples.read)])
    heights = [
        float(np.nanmax(np.where(one.judged, mine.score, -np.inf)))
        for one, mine in zip(examples.read, found, strict=True)
    ]
    for row in np.argsort(-np.nan_to_num(np.array(heights), nan=-np.inf), kind="stable")[:DRAWN].tolist():
        one, mine, here = examples.read[row], found[row], examples.read[row].judged
        score = mine.score[here]
        channel = int(mine.channel[here][np.nanargmax(score)]) if np.isfinite(score).any() else 0
        svg = plots.anomalies(
            one.values[here, channel],
            outputs["expected"][begins[row] : begins[row + 1]][here, channel],
            score,
            np.flatnonzero(is_alarm(mine, task.rate)[here]).tolist(),
            [] if one.truth is None else stretches(one.truth[here]),
            name=f"{one.name} {task.channels[channel]}",
        )
        caption = f"Alarms: steps rarer than {task.rate:g}, none within {task.quiet:,} steps of a stranger one."
        yield Picture(f"Alarms in {one.name}", svg, caption)


def strangest(task: Detect, table: Table, outputs: Outputs) -> Sheet:
    """The highest scores of the test part, the highest of each event alone."""
    frame = task.frame(outputs, table).with_row_index("place").sort("score", descending=True, nulls_last=True)
    chosen: list[int] = []
    for place in frame.filter(pl.col("score").is_not_null())["place"].to_list():
        if all(abs(place - other) > task.quiet for other in chosen):
            chosen.append(place)
        if len(chosen) == SHOWN:
            break
    rows = frame.filter(pl.col("place").is_in(chosen)).drop("place")
    shown = rows.with_columns(pl.col(pl.Datetime).dt.to_string("%Y-%m-%d %H:%M:%S")) if "time" in rows.columns else rows
    return Sheet("Strangest steps", shown.columns, shown.rows(), "Each is the strangest of its surroundings.")
