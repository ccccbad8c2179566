"""Small data and small runs, made in seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from ostinato.runs import Run, train

SMALL: dict[str, Any] = {"model.hidden": 4, "model.embedding": 4, "training.epochs": 2, "training.batch_size": 16}


def words(path: Path, rows: int = 120, seed: int = 0) -> Path:
    """Words of two languages that differ in their letters, as CSV."""
    draw = random.Random(seed)
    alphabets = {"vowel": "aeiou", "other": "bcdfg"}
    lines = ["word,kind"]
    for row in range(rows):
        kind = ("vowel", "other")[row % 2]
        length = draw.randint(3, 8)
        lines.append("".join(draw.choice(alphabets[kind] + "x") for _ in range(length)) + f"{row},{kind}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quick(data: Path, out: Path, **more: Any) -> Run:
    """A run of two epochs of a model of four units."""
    options = {key: more.pop(key) for key in ("valid", "test", "reporter") if key in more}
    settings = {**SMALL, "data.target": "kind", **{key.replace("__", "."): value for key, value in more.items()}}
    return train(data, settings, out, **options)
