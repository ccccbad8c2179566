"""Sounds into text, whole and live: numbers dialled with touch tones, two pitches a digit, over a noisy line."""

import sys

import numpy as np
import torch

from ostinato import Transcriber, plots
from ostinato.data.media.spectrum import Spectrum
from ostinato.decoding.listen import Listener

RATE = 8000
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)  # hertz of a telephone's keys
KEYS = {"123456789*0#"[3 * row + column]: (ROWS[row], COLUMNS[column]) for row in range(4) for column in range(3)}


def dialled(number: str, random: np.random.Generator) -> np.ndarray:
    """How a number sounds: a tone of 50 to 120 ms a digit, pauses between them, and noise over all."""
    pieces = []
    for digit in number:
        time = np.arange(int(RATE * random.uniform(0.05, 0.12))) / RATE
        tone = sum(np.sin(2 * np.pi * hertz * time + random.uniform(0, 6)) for hertz in KEYS[digit])
        pieces += [0.2 * tone, np.zeros(int(RATE * random.uniform(0.03, 0.1)))]
    line = np.concatenate([np.zeros(800), *pieces, np.zeros(800)])
    return (line + random.normal(0, 0.05, len(line))).astype(np.float32)


def calls(count: int, seed: int) -> tuple[list[np.ndarray], list[str]]:
    random = np.random.default_rng(seed)
    numbers = [" ".join(random.choice(list("0123456789"), random.integers(3, 8))) for _ in range(count)]
    return [dialled(number.replace(" ", ""), random) for number in numbers], numbers


def main(picture: str = "") -> None:
    sounds, numbers = calls(200, seed=0)
    model = Transcriber(
        hidden=32,
        bidirectional=False,  # so that it can hear a call that goes on
        dropout=0.0,
        epochs=8,
        batch_size=4,
        learning_rate=0.01,
        valid=0.0,
        settings={"audio.rate": RATE, "audio.stack": 2, "data.unit": "word"},  # each digit a word, with its times
    ).fit(sounds, numbers)

    new_sounds, new_numbers = calls(50, seed=1)
    found = model.predict(new_sounds)
    print(f"right on new calls: {np.mean([a == b for a, b in zip(found, new_numbers, strict=True)]):.0%}")
    for number, text in zip(new_numbers[:3], found[:3], strict=True):
        print(f"{number:>15}  {text}")
    for word in model.predict_words(new_sounds[:1])[0]:
        print(f"{word.text} was heard from {word.start:.2f} to {word.end:.2f} s")

    listener = Listener(model.model_, model.task_)
    said = [listener.hear(block) for block in np.array_split(new_sounds[0], 12)]
    print("as it is dialled:", " ".join(text or "·" for text in [*said, listener.end()]))
    if picture:
        spectrum = Spectrum(RATE)
        energies = spectrum.steps(torch.from_numpy(new_sounds[0])).numpy()
        hertz = spectrum.edges[1:-1].tolist()
        words, name = model.predict_words(new_sounds[:1])[0], f"A call in which {new_numbers[0]} was dialled"
        plots.save(plots.speech(energies, spectrum.seconds, words, hertz=hertz, name=name), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
