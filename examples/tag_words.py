"""A label for every word: `can` is a verb in `we can fish` and a noun in `the can fell`; the words around it decide."""

import random
import sys

from ostinato import Tagger, plots

PATTERNS = [
    "PRON AUX VERB",
    "PRON AUX VERB DET NOUN",
    "DET NOUN VERB",
    "DET ADJ NOUN VERB DET NOUN",
    "PRON VERB DET NOUN",
]
WORDS = {
    "PRON": "we you they I",
    "AUX": "can will must may",
    "VERB": "fish can fell run book watch light",
    "DET": "the a this that",
    "NOUN": "can fish will run book watch light dog",
    "ADJ": "light old green small",
}


def sentences(count: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences drawn from the patterns, and the tags of their words."""
    generator = random.Random(seed)
    tags = [generator.choice(PATTERNS).split() for _ in range(count)]
    return [[generator.choice(WORDS[tag].split()) for tag in row] for row in tags], tags


def main(picture: str = "") -> None:
    words, tags = sentences(400, seed=0)
    model = Tagger(cell="gru", hidden=32, epochs=6, valid=0.0, learning_rate=0.01).fit(words, tags)

    new_words, new_tags = sentences(100, seed=1)
    print(f"right on new sentences: {model.score(new_words, new_tags):.0%}")
    asked = ["we can fish", "the can fell", "you will light the light", "a light book fell the watch"]
    for sentence in asked:
        found = model.predict([sentence.split()])[0]
        print("  ".join(f"{word}/{tag}" for word, tag in zip(sentence.split(), found, strict=True)))
    if picture:
        both = [sentence.split() for sentence in asked[2:]]
        title = "What 'light' is, and every other word: the probability of each tag"
        plots.save(plots.tags(both, model.predict_proba(both), model.classes_, title=title), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
