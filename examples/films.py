"""Films to labels: which way a ball rolls, from MP4 files that this script writes."""

import random
import tempfile
from pathlib import Path

import av
import numpy as np

import ostinato

WAYS = {"left": (0, -2), "right": (0, 2), "up": (-2, 0), "down": (2, 0)}
SIDE = 48


def roll(path: Path, way: str, generator: random.Random) -> None:
    """A film of 8 to 12 frames, in which a ball of some size rolls one way from some place."""
    frames, radius = generator.randint(8, 12), generator.randint(3, 6)
    middle = [generator.uniform(0.35, 0.65) * SIDE - step * frames / 2 for step in WAYS[way]]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            top, left = (start + number * step for start, step in zip(middle, WAYS[way], strict=True))
            ball = np.hypot(rows - top, columns - left) < radius
            container.mux(stream.encode(av.VideoFrame.from_ndarray(ball.astype(np.uint8) * 255, format="gray")))
        container.mux(stream.encode())


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        generator = random.Random(0)
        for number in range(240):
            way = list(WAYS)[number % 4]
            roll(Path(place) / "films" / way / f"{number}.mp4", way, generator)

        settings = {"vision.size": 24, "model.hidden": 32, "training.epochs": 8, "data.test": 0.2}
        run = ostinato.train(Path(place) / "films", settings, out=Path(place) / "run")
        found = run.metrics["test"]
        print(f"right on new films: {found['model']['accuracy']:.0%}")
        print(f"a network without memory: {found['baselines']['feed_forward']['accuracy']:.0%}")
        print(run.verdict)


if __name__ == "__main__":
    main()
