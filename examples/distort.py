"""Effects: what an overdriven amplifier does to a sound, learned from a few seconds and played in real time."""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.signal import lfilter

import ostinato
from ostinato import plots
from ostinato.data.media.sound import write_sound

RATE = 8_000


def plucked(seconds: float, seed: int) -> np.ndarray:
    """Notes of a string, one after the other: a few harmonics that die away."""
    random = np.random.default_rng(seed)
    note = np.arange(RATE // 4) / RATE
    notes = [
        sum(np.sin(2 * np.pi * pitch * k * note) / k for k in range(1, 5))
        * np.exp(-6 * note)
        * random.uniform(0.1, 0.4)
        for pitch in random.choice([82, 110, 147, 196, 247, 330], int(4 * seconds))
    ]
    return np.concatenate(notes)


def amplifier(dry: np.ndarray) -> np.ndarray:
    """Driven into saturation; the louder it was of late, the less: its power supply sags."""
    lately = lfilter([1 / 400], [1, -1 + 1 / 400], np.abs(dry))  # a twentieth of a second
    return 0.8 * np.tanh(8 * dry / (1 + 20 * lately))


def main(picture: str = "") -> None:
    dry = plucked(10, seed=0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_sound(folder / "dry.wav", dry, RATE)
        write_sound(folder / "wet.wav", amplifier(dry), RATE)
        recipe = {"model.hidden": 12, "training.epochs": 60, "training.window": 512, "model.max_lag": 400}
        run = ostinato.train([folder / "dry.wav", folder / "wet.wav"], recipe, folder / "run")
        print(run.verdict)
        live = ostinato.load(run.path).live()

    riff = plucked(4, seed=1)  # never heard
    start = perf_counter()
    heard = np.concatenate([live.block(block) for block in np.array_split(riff, len(riff) // 1024)])
    seconds = perf_counter() - start
    error = np.square(heard - amplifier(riff)).sum() / np.square(amplifier(riff)).sum()
    print(f"a new riff, block by block: error-to-signal ratio {error:.4f}")
    if picture:
        loudest = int(np.abs(heard[RATE:-RATE]).argmax()) + RATE
        part = slice(loudest - 40, loudest + 120)
        title = "20 ms of a riff that was never heard before, where it is loudest"
        told = {"the model": heard[part]}
        plots.save(plots.waves(amplifier(riff)[part], told, title=title, source=riff[part], rate=RATE), picture)
    print(f"{len(riff) / RATE / seconds:.0f} times faster than real time")


if __name__ == "__main__":
    main(*sys.argv[1:])
