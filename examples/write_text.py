"""A text learned a character at a time, then continued: the reference prose in Python's own documentation module."""

import math
from pydoc_data.topics import topics

from ostinato import LanguageModel


def main() -> None:
    prose = "\n".join(topics[name] for name in sorted(topics))
    learned, held_out = prose[:150_000], prose[150_000:160_000]

    model = LanguageModel(hidden=128, epochs=6, learning_rate=0.01)
    model.fit(learned)
    blind = math.log(len(set(learned)))
    print(f"{-model.score(held_out):.2f} nats a character on text it has not read; {blind:.2f} for a blind guess")
    for temperature in (0.3, 0.8):
        text = model.generate("The statement ", length=200, temperature=temperature)[0]
        print(f"\ntemperature {temperature}\n{text}")


if __name__ == "__main__":
    main()
