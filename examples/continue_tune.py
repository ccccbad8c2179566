"""Music: a canon over a ground bass is learned from MIDI files, and one that was never heard is continued."""

import sys
import tempfile
from pathlib import Path

import numpy as np

import ostinato
from ostinato import plots
from ostinato.data.media.midi import NAMES, Tune
from ostinato.decoding import Sampling

GROUND = ["C3", "G2", "A2", "E2", "F2", "C2", "F2", "G2"]
VOICE = ["E5", "D5", "C5", "B4", "A4", "G4", "A4", "B4"]
STEPS = 4  # of each note of the bass; the voices go on every second step


def canon(start: int, length: int = 96) -> Tune:
    """The bass, and two voices of which the second follows the first a bar later; ``start`` turns the round."""
    keys = np.zeros((length, len(NAMES)), dtype=bool)
    for step in range(length):
        place = step + start
        keys[step, NAMES.index(GROUND[place // STEPS % 8])] = True
        keys[step, NAMES.index(VOICE[place // 2 % 8])] = True
        keys[step, NAMES.index(VOICE[(place // 2 - 4) % 8])] = True
    return Tune(keys, steps_per_beat=4)


def main(picture: str = "") -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tunes"
        folder.mkdir()
        for start in range(0, 32, 2):
            canon(start).save(folder / f"{start:02}.mid")
        recipe = {
            "model.cell": "gru",
            "model.hidden": 64,
            "model.dropout": 0.0,
            "training.epochs": 40,
            "training.window": 16,
            "training.batch_size": 2,
        }
        run = ostinato.train(folder, recipe, Path(place) / "run")
        print(run.verdict)

        canon(1, 24).save(Path(place) / "begun.mid")  # no training tune begins like this
        tune = ostinato.load(run.path).play(Path(place) / "begun.mid", length=32, sampling=Sampling(0.0))
        out = Path(tempfile.gettempdir()) / "canon.mid"
        tune.save(out)  # temperature 0: whatever is likelier than not sounds
    wanted = canon(1, 56).keys[24:]
    right = (tune.keys[24:] & wanted).sum() / (tune.keys[24:] | wanted).sum()
    if picture:
        plots.save(
            plots.piano_roll(tune.keys, NAMES, given=24, title="A canon, and how a model goes on with it"), picture
        )
    print(f"of 32 steps that it played, {right:.0%} of the keys are the canon's; {out} plays them")


if __name__ == "__main__":
    main(*sys.argv[1:])
