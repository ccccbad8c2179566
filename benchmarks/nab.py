"""The Numenta Anomaly Benchmark: every series online, by its own rules, beside simple rivals.

``python -m benchmarks.nab`` runs the corpus that ``OSTINATO_DATA`` names and writes ``benchmarks/results/nab.json``.

Each of the 58 series has a detector of its own, trained on its probation (the first 15 %, at most 750 steps) and on
nothing else; then it goes through the series value by value. Labels are looked at by the scorer alone, which finds the
one threshold for all series that is best for each profile, as the benchmark prescribes for every detector on its board.

The benchmark has no split, so what was chosen by looking at scores (the views, how much their score is doubted, the
quiet steps) was chosen on every second series in the order of their names (``chosen on``). The scores of the others
(``other half``) were shown beside: they say something of how much is luck, but they were not unseen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
import torch

from ostinato import DataError, Detector
from ostinato.evaluation.anomalies import before
from ostinato.plots import anomalies
from ostinato.tasks.detect_metrics import candidates, is_alarm, scores_of
from ostinato.tasks.detect_score import ranked, scored
from ostinato.tasks.detect_series import CLIP, last_of
from ostinato.tasks.nab import PROFILES, Judged, best_score, probation

KEPT = Path(__file__).parent / "results" / "nab.json"
QUIET = 100
PUBLISHED = {"HTM": 70.1, "Random Cut Forest": 51.7, "windowed Gaussian": 39.6, "random": 11.0}
"""Profile standard, from the board of the benchmark."""

TEXT = (
    "The Numenta Anomaly Benchmark (`nab`): 58 series, 116 windows, each series watched value by value by a "
    "detector that learned from its first 15 % (at most 750 steps) alone. 0 is no alarm at all, 100 every window "
    "found at its first step; the threshold is the one that is best over all series, as for every detector on the"
    " board of the benchmark ({board}; profile standard). The benchmark has no split. Views, doubt and quiet "
    "steps were chosen on every second series (*chosen on*), among some 240 variants, with one seed and a "
    "prototype of the network; the scores of the other series were shown beside, and are no proof untouched. The "
    "Gaussian gives one alarm an event too, which the published one does not; the random numbers are of ten times as "
    "many seeds. `last_value` shows what the network adds: the same views of the errors of a forecast that repeats "
    "the last value."
)

Corpus = dict[str, tuple[np.ndarray, list[tuple[int, int]]]]
"""Name of a series to its values and the first and last step of its windows."""


def corpus(folder: Path) -> Corpus:
    """The series with their windows, in the order of their names."""
    found = {}
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    for name, windows in sorted(labels.items()):
        frame = pl.read_csv(folder / "data" / name)
        place: dict[str, int] = {}
        for row, time in enumerate(frame["timestamp"].to_list()):
            place.setdefault(time, row)  # clocks are set back: a time may come twice
        steps = [(place[first.split(".")[0]], place[last.split(".")[0]]) for first, last in windows]
        found[name] = frame["value"].cast(pl.Float64).to_numpy(), steps
    return found


def detector(seed: int) -> Detector:
    """The product's own, with a short training: there are no more than 750 steps, and none to validate on."""
    return Detector(quiet=QUIET, valid=0.0, epochs=16, random_state=seed, settings={"training.epoch_size": 64})


def network(values: np.ndarray, seed: int) -> np.ndarray:
    """The scores of the product's own detector."""
    torch.set_num_threads(1)
    model = detector(seed)
    try:
        model.fit(values[: probation(len(values))])
    except DataError:  # constant: nothing to expect, so nothing is unexpected until it moves
        return change(values, seed)
    return np.concatenate([candidates(one) for one in model._scores(values)])


def last_value(values: np.ndarray, _seed: int) -> np.ndarray:
    """What the network adds: the same views of the errors of a forecast that repeats the last value."""
    known = values[: probation(len(values))]
    scaled = np.clip((values - np.median(known)) / max(float(known.std()), 1e-9), -CLIP, CLIP)[:, None]
    return candidates(scored(np.abs(scaled - last_of(scaled)), scaled, QUIET))


def change(values: np.ndarray, _seed: int) -> np.ndarray:
    """How far each change lies from all changes before."""
    return gaussian(np.diff(values, prepend=values[:1]), 0)


def gaussian(values: np.ndarray, _seed: int) -> np.ndarray:
    """How far each value lies from all values before; one alarm an event, as the network's."""
    centre, deviation = before(values[:, None])
    scores = np.abs(values - centre[:, 0]) / np.maximum(deviation[:, 0], 1e-9 * max(np.abs(values).max(), 1e-9))
    return candidates(ranked(scores, QUIET))


def chance(values: np.ndarray, seed: int) -> np.ndarray:
    """Numbers that have nothing to do with the series, nor with those of another one."""
    return np.random.default_rng([seed, crc32(values.tobytes())]).random(len(values))


DETECTORS: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "gru": network,
    "last_value": last_value,
    "windowed_gaussian": gaussian,
    "last_change": change,
    "random": chance,
}


def judged(name: str, series: Corpus, seed: int) -> dict[str, Judged]:
    """A detector on every series."""
    found = {}
    for number, (key, (values, windows)) in enumerate(series.items(), 1):
        found[key] = Judged(DETECTORS[name](values, seed), windows, probation(len(values)))
        print(f"{name}, seed {seed}: {number} of {len(series)} series", end="\r", file=sys.stderr, flush=True)
    return found


def scores(found: Mapping[str, Judged]) -> dict[str, float]:
    """Every profile over the corpus, and the standard one over each half of it."""
    names = list(found)
    values = {profile: best_score(list(found.values()), PROFILES[profile]).normalised for profile in PROFILES}
    for half, part in (("chosen on", names[::2]), ("other half", names[1::2])):
        values[half] = best_score([found[name] for name in part], PROFILES["standard"]).normalised
    return {key: round(value, 2) for key, value in values.items()}


def section() -> str:
    """The part of docs/results.md, from what was kept; empty where nothing was."""
    if not KEPT.exists():
        return ""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    head = list(kept["detectors"]["gru"])
    rows = [
        f"| {name} | {' | '.join(spread(found[key]) for key in head)} |" for name, found in kept["detectors"].items()
    ]
    board = ", ".join(f"{name} {score}" for name, score in kept["published, standard"].items())
    words = TEXT.format(board=board)
    return (
        f"\n## Anomalies\n\n```\n{kept['command']}\n```\n\n{words}\n\n"
        f"| | {' | '.join(head)} |\n| --- |{' --- |' * len(head)}\n" + "\n".join(rows) + "\n\n"
        f"{kept['seconds']} seconds in all ({kept['machine']}; {kept['date']}).\n"
    )


def spread(values: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def picture(series: Corpus, name: str, steps: int, path: Path) -> None:
    """The last steps of a series, as the report of a run draws them."""
    values, windows = series[name]
    model = detector(0).fit(values[: probation(len(values))])
    outputs, table = model._outputs(values)
    found, begin = scores_of(outputs, model.task_.examples(table), QUIET)[0], len(values) - steps
    path.write_text(
        anomalies(
            values[begin:],
            outputs["expected"][begin:, 0],
            found.score[begin:],
            np.flatnonzero(is_alarm(found, model.alarms)[begin:]).tolist(),
            [(first - begin, last - begin) for first, last in windows if first >= begin],
            name=Path(name).stem.replace("_", " "),
        ),
        encoding="utf-8",
    )


def main() -> None:
    """Runs every detector and keeps what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of the network")
    parser.add_argument("--only", choices=DETECTORS, help="measure one detector and keep what was found of the others")
    parser.add_argument("--dry", action="store_true", help="print only")
    parser.add_argument("--picture", default="", help="only draw a series into this file")
    chosen = parser.parse_args()
    if "OSTINATO_DATA" not in os.environ:
        parser.error("OSTINATO_DATA must name the folder of the real data sets")
    series = corpus(Path(os.environ["OSTINATO_DATA"]) / "nab")
    if chosen.picture:
        picture(series, "realKnownCause/ec2_request_latency_system_failure.csv", 700, Path(chosen.picture))
        return
    start = perf_counter()
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if chosen.only else {"detectors": {}}
    for name in [chosen.only] if chosen.only else DETECTORS:
        seeds = {"gru": chosen.seeds, "random": 10 * chosen.seeds}.get(name, 1)
        runs = [scores(judged(name, series, seed)) for seed in range(seeds)]
        kept["detectors"][name] = {key: [run[key] for run in runs] for key in runs[0]}
        print(name, *(f"{key} {spread(found)}" for key, found in kept["detectors"][name].items()), sep="  ", flush=True)
    if not chosen.only:
        kept |= {
            "published, standard": PUBLISHED,
            "command": f"python -m benchmarks.nab --seeds {chosen.seeds}",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "seconds": round(perf_counter() - start),
        }
    if not chosen.dry:
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
