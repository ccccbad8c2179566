"""A sequence into another: dates as people write them, into the form that computers sort."""

import random
import sys
from datetime import date, timedelta

from ostinato import Translator, plots

FORMS = ["%d %B %Y", "%B %d, %Y", "%d.%m.%Y"]


def dates(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Dates in one of the forms, and the same ones as 1999-12-31."""
    generator = random.Random(seed)
    days = [date(1950, 1, 1) + timedelta(days=generator.randrange(30_000)) for _ in range(count)]
    return [day.strftime(generator.choice(FORMS)) for day in days], [day.isoformat() for day in days]


def main(picture: str = "") -> None:
    said, iso = dates(3000, seed=0)
    model = Translator(hidden=64, epochs=8, valid=0.0, learning_rate=0.01).fit(said, iso)

    new_said, new_iso = dates(300, seed=1)
    print(f"right on new dates: {model.score(new_said, new_iso):.0%}")
    for text, found in zip(new_said[:5], model.predict(new_said[:5]), strict=True):
        print(f"{text:>20}  {found}")
    if picture:
        looked = model.predict_attention(["31 December 1999"])[0]
        plots.save(plots.attention(looked.shares, looked.source, looked.symbols), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
