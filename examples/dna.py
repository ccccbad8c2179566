"""Finds where a protein binds DNA: learned from short pieces of either strand, then looked for along a longer one.

AP-1 binds at TGAGTCA, on whichever strand. The model is shown pieces with and without such a site, reads each of them
from both ends, and writes the probability of a site along a sequence as a track for a genome browser.
"""

import random
import re
import sys
import tempfile
from pathlib import Path

import ostinato
from ostinato import plots
from ostinato.runs.track import write_track

SITE, SIZE = "TGAGTCA", 40
OTHER = str.maketrans("ACGT", "TGCA")


def bases(generator: random.Random, count: int) -> str:
    return "".join(generator.choices("ACGT", k=count))


def with_sites(generator: random.Random, text: str, places: list[int]) -> str:
    """The sequence with the site written at these places, on a strand drawn at random."""
    for place in places:
        site = generator.choice([SITE, SITE.translate(OTHER)[::-1]])
        text = text[:place] + site + text[place + len(site) :]
    return text


def write(path: Path, sequences: list[str]) -> None:
    path.write_text("".join(f">{path.stem}{n}\n{text}\n" for n, text in enumerate(sequences)), encoding="utf-8")


def main(picture: str = "") -> None:
    generator = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pieces").mkdir()
        free = [bases(generator, SIZE) for _ in range(600)]
        bound = [
            with_sites(generator, bases(generator, SIZE), [generator.randrange(SIZE - len(SITE))]) for _ in range(600)
        ]
        write(folder / "pieces" / "free.fa", free)
        write(folder / "pieces" / "bound.fa", bound)
        recipe = {
            "data.strands": "both",
            "data.kmer": 3,
            "model.hidden": 32,
            "model.embedding": 16,
            "model.pool": "max",
            "model.dropout": 0.2,
            "training.epochs": 12,
            "optimizer.learning_rate": 0.01,
        }
        run = ostinato.train(folder / "pieces", recipe, folder / "run")
        print(f"right on new pieces: {run.metrics['test']['model']['accuracy']:.0%}")

        text = with_sites(generator, bases(generator, 1000), [150, 420, 700])
        write(folder / "chr.fa", [text])
        places = [found.start() for found in re.finditer(f"{SITE}|{SITE.translate(OTHER)[::-1]}", text)]
        frame = run.load().track(folder / "chr.fa", window=SIZE, step=5)
        for place in places:
            middle = frame.filter((frame["start"] - place + SIZE // 2).abs() <= 5)["p(bound)"].max()
            print(f"site at {place}: {middle:.2f}")
        if picture:
            middles, sites = frame["start"] + SIZE // 2, [(place, place + len(SITE)) for place in places]
            name = f"{SITE} on either strand, looked for in windows of {SIZE} bases"
            plots.save(
                plots.track(middles, frame["p(bound)"], sites, label="p(bound)", site="a site", name=name), picture
            )
        away = [min(abs(start + SIZE // 2 - place) for place in places) > SIZE for start in frame["start"]]
        print(f"elsewhere, in the mean: {frame.filter(away)['p(bound)'].mean():.2f}")
        write_track(frame, folder / "sites.bedgraph", "bound")
        print(*(folder / "sites.bedgraph").read_text(encoding="utf-8").splitlines()[:3], sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
