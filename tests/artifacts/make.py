"""Makes the stored model folders of one release: ``python tests/artifacts/make.py``.

Those of an older release are never changed.

Each folder ``v<version>-<task>`` holds the model folder, ``input.csv`` and what the model said of it: ``answers.csv``
(``answer.txt`` of a language model).
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch

import ostinato
from ostinato.runs import Run, load, train

HERE = Path(__file__).parent


def main() -> None:
    """Trains three small models and keeps their model folders with what they say."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        draw = random.Random(0)
        words = ["".join(draw.choice("aeioubcd"[4 * (i % 2) :][:5]) for _ in range(3 + i % 5)) + "x" for i in range(80)]
        table = ["word,kind", *(f"{word},{('soft', 'hard')[i % 2]}" for i, word in enumerate(words))]
        (work / "words.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
        wave = [f"2020-01-{1 + h // 24:02d}T{h % 24:02d}:00,{10 + math.sin(h / 4):.4f}" for h in range(240)]
        (work / "wave.csv").write_text("\n".join(["time,value", *wave]) + "\n", encoding="utf-8")
        small = {"model.hidden": 6, "model.embedding": 4, "training.epochs": 3}
        kind = train(work / "words.csv", {**small, "data.target": "kind"}, work / "classify")
        keep(kind, "classify", (work / "words.csv").read_text(encoding="utf-8").splitlines()[:9])
        wanted = {"data.target": "word", "data.inputs": ["kind"], "task.name": "language"}
        keep(train(work / "words.csv", {**small, **wanted}, work / "language"), "language", [])
        wanted = {"task.name": "forecast", "task.horizon": 6, "model.hidden": 6, "training.epochs": 3}
        keep(train(work / "wave.csv", wanted, work / "forecast"), "forecast", ["time,value", *wave[:100]])


def keep(run: Run, task: str, rows: list[str]) -> None:
    """Stores a model folder, some rows, and what the model says of them."""
    folder = HERE / f"v{ostinato.__version__}-{task}"
    if folder.exists():
        sys.exit(f"{folder} exists: a released folder stays as it is")
    folder.mkdir()
    shutil.copytree(run.folder.model, folder / "model")
    model = load(folder / "model", device="cpu")
    if task == "language":
        texts = model.generate(length=20, seed=1, condition="soft", count=3)
        (folder / "answer.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
        return
    (folder / "input.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    model.predict(folder / "input.csv").write_csv(folder / "answers.csv")


if __name__ == "__main__":
    main()
