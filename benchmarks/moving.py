"""Moving digits: films of MNIST's digits, each sliding one way, encoded as MP4."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np

from ostinato.data import read
from ostinato.data.settings import DataSettings

WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
SIDE, FRAMES, RATE = 48, 9, 12


def moving_digits(data: Path, work: Path, train: int = 10_000, test: int = 1000) -> Path:
    """Writes ``train.csv`` and ``test.csv``, with a film, its digit and its direction a row, and gives the first.

    Films to learn from show digits of the training images, those of the test digits of the test images.
    """
    folder = work / "moving"
    for part, source, count in (("train", "train-10k", train), ("test", "t10k", test)):
        table = folder / f"{part}.csv"
        if table.exists():
            continue
        digits = read(data / "mnist_10k" / f"{source}-images-idx3-ubyte.gz", DataSettings())
        random = np.random.default_rng([len(part), 7])
        rows = []
        for number in range(count):
            way = list(WAYS)[int(random.integers(4))]
            name = f"{part}/{number}.mp4"
            _write(folder / name, _film(digits["image"].values[number], way, random))
            rows.append([name, digits["label"].values[number], way])
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["film", "digit", "direction"], *rows])
    return folder / "train.csv"


def _film(digit: np.ndarray, way: str, random: np.random.Generator) -> list[np.ndarray]:
    """The digit at one speed, begun anywhere from which it stays within the frame."""
    room = SIDE - len(digit)
    path = np.outer(np.arange(FRAMES), WAYS[way]) * random.uniform(1.0, room / FRAMES)
    low, high = -path.min(0), room - path.max(0)
    places = np.round(path + random.uniform(low, high)).astype(int).clip(0, room)
    frames = []
    for top, left in places:
        frame = np.zeros((SIDE, SIDE), np.uint8)
        frame[top : top + len(digit), left : left + digit.shape[1]] = digit
        frames.append(frame)
    return frames


def _write(path: Path, frames: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())
