"""Small made files under the names that the documentation uses, so that its commands and its Python can run."""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from ostinato.runs.demo_data import write_prose, write_sunspots

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


def _table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _names(folder: Path, generator: random.Random) -> None:
    stems = ["".join(generator.choice(p) for p in ("bcdfgkmprst", "aeiou", "lmnrst", "aeio")) for _ in range(60)]
    rows = {(stem.capitalize() + ending, language) for stem in stems for language, e in ENDINGS.items() for ending in e}
    _table(folder / "names.csv", [("name", "language"), *sorted(rows)])
    _table(folder / "new.csv", [("name",), ("Kurosawa",), ("Mickiewicz",), ("Papadopoulos",)])


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


if __name__ == "__main__":
    make(Path(sys.argv[1]))
