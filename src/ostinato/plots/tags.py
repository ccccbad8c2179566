"""Tags: how likely each tag is for every word of a few sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.squares import squares
from ostinato.plots.style import dress, grid, in_style, short, ticks_of, to_svg


@in_style
def tags(
    sentences: Sequence[Sequence[str]],
    chances: Sequence[np.ndarray],
    labels: Sequence[str],
    *,
    title: str = "The probability of each tag",
) -> str:
    """A grid a sentence, side by side: words to the right, tags downwards, the deeper the likelier; answers in numbers.

    Args:
        sentences: the words of each.
        chances: ``(T, K)`` of each.
        labels: ``K`` tags.
        title: stands above.

    Raises:
        ValueError: there are not ``(T, K)`` chances for a sentence, or no sentences.
    """
    if not len(sentences):
        raise ValueError("there are no sentences to draw")
    for words, chance in zip(sentences, chances, strict=True):
        if chance.shape != (len(words), len(labels)):
            raise ValueError(f"{len(words)} words and {len(labels)} tags have chances {chance.shape}")
    height = 1.2 + 0.34 * len(labels)
    figure, (axes,) = grid(1, len(sentences), height=height, width_ratios=[len(words) for words in sentences])
    for number, (each, words, chance) in enumerate(zip(axes, sentences, chances, strict=True)):
        dress(each)
        squares(each, np.asarray(chance).T)
        for place, row in enumerate(chance):
            best = int(row.argmax())
            each.annotate(
                f"{row[best]:.0%}", (place, best), ha="center", va="center", fontsize=9,
                color="white" if row[best] > 0.5 else None,
            )  # fmt: skip
        each.set_xticks(range(len(words)), [short(word, 12) for word in words], fontsize=10)
        each.tick_params(length=0)
        ticks_of(each, labels if not number else [""] * len(labels), down=True)
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return to_svg(figure, title)
