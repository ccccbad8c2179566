"""Small made files under the names that the documentation uses, so that its commands and its Python can run."""

from __future__ import annotations

import csv
import gzip
import json
import math
import random
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from films import square, write_film
from ostinato.data.media.midi import Tune
from ostinato.data.media.sound import write_sound
from ostinato.runs.demo_data import write_prose, write_sunspots
from speech_toys import RATE, sentences

ROOT = Path(__file__).parent.parent
ENDINGS = {"Italian": ["elli", "ini", "ara"], "Japanese": ["moto", "yama", "saki"], "Polish": ["ski", "wicz", "czyk"]}


def make(folder: Path) -> None:
    """Writes every file."""
    generator = random.Random(0)
    _names(folder, generator)
    _splice(folder, generator)
    _vowels(folder, generator)
    _text(folder)
    _sentences(folder, generator)
    _series(folder, generator)
    _pairs(folder, generator)
    _sight(folder, generator)
    _genome(folder, generator)
    _spans(folder, generator)
    _talks(folder)
    _tunes(folder, generator)
    _pedal(folder)


def _table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _names(folder: Path, generator: random.Random) -> None:
    stems = ["".join(generator.choice(p) for p in ("bcdfgkmprst", "aeiou", "lmnrst", "aeio")) for _ in range(60)]
    rows = {(stem.capitalize() + ending, language) for stem in stems for language, e in ENDINGS.items() for ending in e}
    _table(folder / "names.csv", [("name", "language"), *sorted(rows)])
    _table(folder / "new.csv", [("name",), ("Kurosawa",), ("Mickiewicz",), ("Papadopoulos",)])


def _talks(folder: Path) -> None:
    """A table of made speech, its files, one file alone, and a folder for each of two words."""
    rows: list[tuple[str, str]] = [("audio", "text")]
    for number, (text, sound) in enumerate(zip(*sentences(40), strict=True)):
        places = [folder / "talks" / f"{number:03d}.wav"]
        places += [folder / "keywords" / ("low" if number % 2 else "high") / places[0].name] if number < 30 else []
        places += [folder / "talk.wav"] if not number else []
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_sound(place, sound, RATE)
        rows.append((f"talks/{number:03d}.wav", text))
    _table(folder / "talks.csv", rows)
    (folder / "sentences.txt").write_text("".join(f"{text}\n" for text in sentences(60, seed=1)[0]), encoding="utf-8")


def _splice(folder: Path, generator: random.Random) -> None:
    rows = []
    for number in range(150):
        label = ("EI", "IE", "N")[number % 3]
        bases = "".join(generator.choice("ACGT") for _ in range(60))
        bases = bases[:29] + {"EI": "GT", "IE": "AG", "N": bases[29:31]}[label] + bases[31:]
        rows.append((label, f"DONOR-{number}", bases))
    _table(folder / "splice.csv", [("Class", "Donor", "Sequence"), *rows])


def _vowels(folder: Path, generator: random.Random) -> None:
    for part, count in (("TRAIN", 40), ("TEST", 20)):
        lines = ["@problemName vowels", "@dimensions 2", "@classLabel true 1 2", "@data"]
        for number in range(count):
            label, steps = number % 2 + 1, generator.randint(7, 15)
            channels = [[label * math.sin(t / (c + 1)) + generator.gauss(0, 0.2) for t in range(steps)] for c in (0, 1)]
            lines.append(":".join(",".join(f"{v:.3f}" for v in channel) for channel in channels) + f":{label}")
        (folder / f"vowels_{part}.ts").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _text(folder: Path) -> None:
    prose = write_prose(folder / "prose.txt")
    text = prose.read_text(encoding="utf-8")[:20_000]
    prose.write_text(text, encoding="utf-8")
    (folder / "shakespeare.txt").write_text(text, encoding="utf-8")


def _sentences(folder: Path, generator: random.Random) -> None:
    words = {"DET": ["the", "a"], "NOUN": ["can", "fish", "dog"], "VERB": ["can", "fish", "saw"], "PRON": ["we", "you"]}
    lines = []
    for _ in range(150):
        tags = generator.choice([["DET", "NOUN", "VERB"], ["PRON", "VERB"], ["PRON", "VERB", "DET", "NOUN"]])
        for number, tag in enumerate(tags, 1):
            word = generator.choice(words[tag])
            lines.append("\t".join([str(number), word, word, tag, "_", "_", "0", "root", "_", "_"]))
        lines.append("")
    (folder / "en_ewt.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "sentences.conll").write_text("The\nold\nman\n\nWe\nfish\n", encoding="utf-8")


def _series(folder: Path, generator: random.Random) -> None:
    write_sunspots(folder / "sunspots.csv")
    start, rows, sales = datetime(2024, 1, 1), [], []
    for name, base in (("north", 50), ("south", 80)):
        for hour in range(24 * 21):
            value = base + 10 * math.sin(hour * math.tau / 24) + generator.gauss(0, 1)
            rows.append((name, start + timedelta(hours=hour), f"{value:.2f}"))
        for day in range(200):
            promotion = int(day % 9 == 0)
            sold = base + 5 * math.sin(day * math.tau / 7) + 20 * promotion + generator.gauss(0, 1)
            sales.append((name, f"town {base}", (start + timedelta(days=day)).date(), f"{sold:.1f}", promotion))
    _table(folder / "hourly.csv", [("meter", "time", "load"), *rows])
    load = [52 + 6 * math.sin(step * math.tau / 24) + generator.gauss(0, 1) for step in range(24 * 15)]
    load[300:303] = [90.0, 95.0, 90.0]
    broken = [int(300 <= step < 303) for step in range(len(load))]
    at = [start + timedelta(hours=step) for step in range(len(load))]
    _table(folder / "load.csv", [("time", "load", "label"), *zip(at, (f"{x:.2f}" for x in load), broken, strict=True)])
    _table(folder / "sales.csv", [("shop", "town", "day", "sold", "promotion"), *sales])
    _prices(folder, generator)


def _prices(folder: Path, generator: random.Random) -> None:
    """Days of a random walk."""
    rows, price = [], 100.0
    for day in range(400):
        begin, price = price, price * math.exp(generator.gauss(0, 0.01))
        high, low = (f(begin, price) * math.exp(s * generator.random() / 100) for f, s in ((max, 1), (min, -1)))
        date = datetime(2020, 1, 1) + timedelta(days=day)
        rows.append((date.date(), *(f"{one:.2f}" for one in (begin, high, low, price)), 1000 + day))
    _table(folder / "prices.csv", [("date", "open", "high", "low", "close", "volume"), *rows])


def _pairs(folder: Path, generator: random.Random) -> None:
    days = [datetime(2000, 1, 1) + timedelta(days=generator.randrange(9000)) for _ in range(150)]
    rows = [f"{day:%d %B %Y}\t{day:%Y-%m-%d}" for day in days]
    (folder / "dates.tsv").write_text("\n".join(["said\tiso", *rows]) + "\n", encoding="utf-8")
    words = {"eins": "one", "zwei": "two", "drei": "three", "rot": "red", "blau": "blue"}
    for part, count in (("train", 150), ("val", 20)):
        said = [[generator.choice(list(words)) for _ in range(generator.randint(3, 5))] for _ in range(count)]
        for suffix, lines in (("de", said), ("en", [[words[word] for word in row] for row in said])):
            text = "\n".join(" ".join(row) for row in lines) + "\n"
            (folder / f"{part}.{suffix}").write_text(text, encoding="utf-8")


def _tunes(folder: Path, generator: random.Random) -> None:
    (folder / "tunes").mkdir()
    rolls = []
    for number in range(12):
        keys = np.zeros((40, 88), dtype=bool)
        for step in range(40):
            chord = [39, 43, 46] if step // 8 % 2 else [34, 39, 43]
            keys[step, [*chord, generator.choice(chord) + 12]] = True
        Tune(keys).save(folder / "tunes" / f"{number:02}.mid")
        rolls.append(json.dumps({"roll": keys[:, 34:59].astype(int).tolist()}))
    (folder / "rolls.jsonl").write_text("\n".join(rolls) + "\n", encoding="utf-8")
    (folder / "roll.jsonl").write_text(rolls[0] + "\n", encoding="utf-8")


def _pedal(folder: Path) -> None:
    noise = np.random.default_rng(0)
    for name in ("dry", "wet"):
        (folder / "pedal" / name).mkdir(parents=True)
    for number in range(12):
        dry = 0.3 * np.sin(np.arange(400) * noise.uniform(0.02, 0.3))
        write_sound(folder / "pedal" / "dry" / f"{number:02}.wav", dry, 8000)
        write_sound(folder / "pedal" / "wet" / f"{number:02}.wav", np.tanh(4 * dry), 8000)
    write_sound(folder / "riff.wav", 0.3 * np.sin(np.arange(4000) / 9), 8000)
    valve = noise.normal(size=400)
    heat = np.convolve(valve, np.exp(-np.arange(40) / 8) / 8)[:400]
    rows = [(step, f"{v:.3f}", f"{h:.3f}") for step, (v, h) in enumerate(zip(valve, heat, strict=True))]
    _table(folder / "plant.csv", [("step", "valve", "heat"), *rows])


def _sight(folder: Path, generator: random.Random) -> None:
    """Films of squares that move to one side; images of bars, in folders, as an idx file, and with words for them."""
    for number in range(24):
        way, top = ("left", "right")[number % 2], generator.randrange(40)
        shown = [square(top, 20 + (2 if way == "right" else -2) * step, 48, 8) for step in range(8)]
        write_film(folder / "clips" / way / f"{number}.mp4", shown, 10)
    captions, pixels, labels = [("picture", "said")], [], []
    for number in range(60):
        label = number % 2
        image = np.array([[generator.randrange(60) for _ in range(8)] for _ in range(8)], np.uint8)
        image[(slice(2, 5), slice(None)) if label else (slice(None), slice(2, 5))] = 220
        (folder / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "digits" / str(label) / f"{number}.png")
        captions.append((f"digits/{label}/{number}.png", ("a pole", "a beam")[label]))
        pixels.append(image)
        labels.append(label)
    _table(folder / "captions.csv", captions)
    for name, values in (("images-idx3", np.stack(pixels)), ("labels-idx1", np.array(labels, np.uint8))):
        head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (folder / f"digits-{name}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))


def _genome(folder: Path, generator: random.Random) -> None:
    """A genome of two chromosomes, and a folder of pieces by their class."""

    def bases(count: int) -> str:
        return "".join(generator.choices("ACGT", k=count))

    (folder / "genome.fa").write_text(f">chr1 made\n{bases(3000)}\n>chr2 made\n{bases(2400)}\n", encoding="utf-8")
    for part, count in (("pieces", 60), ("new_pieces", 20)):
        (folder / part).mkdir(exist_ok=True)
        for kind, site in (("enhancer", "TGAGTCA"), ("other", "")):
            rows = [f">{kind}{n}\n{bases(20)}{site or bases(7)}{bases(20)}\n" for n in range(count)]
            (folder / part / f"{kind}.fa").write_text("".join(rows), encoding="utf-8")


def _spans(folder: Path, generator: random.Random) -> None:
    people, places = ["Ada", "Grace", "Alan"], ["Paris", "New York", "Oslo"]
    lines = ["-DOCSTART- O", ""]
    for number in range(120):
        who, where = generator.choice(people), generator.choice(places).split()
        rows = [(who, "B-PER"), ("lives", "O"), ("in", "O"), (where[0], "B-LOC"), *[(w, "I-LOC") for w in where[1:]]]
        lines += [*(f"{word} {tag}" for word, tag in rows), ". O", ""]
        lines += ["-DOCSTART- O", ""] if number % 10 == 9 and number < 119 else []
    (folder / "names.conll").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
