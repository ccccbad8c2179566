"""Images, row by row: handwritten digits from files, and how sure a network is after each row that it has read."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import ostinato
from ostinato import plots
from ostinato.runs.loaded import LoadedModel
from ostinato.training import predict

NEW = 200
"""Images that are kept from it."""


def believed(model: LoadedModel, folder: Path) -> np.ndarray:
    """``(n, rows, labels)``: the probabilities after the first row, after the first two, and so on."""
    examples = model.task.examples(model.read(folder))
    rows = range(1, int(examples.lengths[0]) + 1)
    begun = [replace(examples, inputs=examples.inputs.slice(0, count)) for count in rows]
    return np.stack([predict(model.model, model.task, one)["probabilities"] for one in begun], axis=1)


def main(picture: str = "") -> None:
    digits = load_digits()  # 1,797 of 8 x 8 pixels, of brightness 0 to 16 (Alpaydin and Kaynak 1998)
    with tempfile.TemporaryDirectory() as place:
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            name = Path(place) / ("new" if number < NEW else "digits") / str(label) / f"{number:04}.png"
            name.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels * 15).astype(np.uint8)).save(name)

        recipe = {
            "model.bidirectional": False,
            "model.hidden": 64,
            "model.pool": "mean",
            "optimizer.learning_rate": 0.01,
            "training.epochs": 15,
        }
        run = ostinato.train(Path(place) / "digits", recipe, Path(place) / "run")
        print(run.verdict)
        model = ostinato.load(run.path)
        files = sorted((Path(place) / "new").glob("*/*.png"))
        chances = believed(model, Path(place) / "new")

    truth = np.array([int(file.parent.name) for file in files])
    for rows, right in enumerate((chances.argmax(2) == truth[:, None]).mean(0), 1):
        print(f"after {rows} rows {right:4.0%} of {NEW} new images are right")
    if picture:
        chosen = [int(np.flatnonzero(truth == digit)[0]) for digit in (3, 5, 6, 9)]
        images = [digits.images[int(files[row].stem)] for row in chosen]
        names = [f"a {truth[row]}" for row in chosen]
        labels = [str(digit) for digit in range(10)]
        title = "What is believed of four new images, after each row"
        plots.save(plots.rows_read(images, chances[chosen], labels, names=names, title=title), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
