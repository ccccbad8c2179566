"""Rows: images that are read from the top, and what a classifier believes after each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.squares import squares
from ostinato.plots.style import dress, grid, in_style, picture, short, to_svg


@in_style
def rows_read(
    images: Sequence[np.ndarray],
    chances: Sequence[np.ndarray],
    labels: Sequence[str],
    *,
    names: Sequence[str] = (),
    title: str = "What is believed of images, row by row",
) -> str:
    """Each image, and beside each of its rows the probability of every label after this row.

    Args:
        images: ``(H, W)`` each, in numbers from 0, white.
        chances: ``(H, K)`` each.
        labels: ``K`` names.
        names: of the images, one each, or empty.
        title: stands above.

    Raises:
        ValueError: there are not ``(H, K)`` chances for an image, or no images.
    """
    if not len(images):
        raise ValueError("there are no images to draw")
    for image, chance in zip(images, chances, strict=True):
        if chance.shape != (len(image), len(labels)):
            raise ValueError(f"an image of {len(image)} rows and {len(labels)} labels have chances {chance.shape}")
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    share = len(labels) / images[0].shape[1]
    figure, axes = grid(rows, 2 * columns, height=0.7 + 1.85 * rows, width_ratios=[1, share] * columns)
    for number in range(rows * columns):
        left, right = axes[number // columns][number % columns * 2 :][:2]
        if number >= len(images):
            left.set_axis_off()
            right.set_axis_off()
            continue
        image, chance = images[number], np.asarray(chances[number])
        picture(left, image, float(np.max(image)) or 1.0)
        left.set_aspect("auto")
        left.set_ylabel("rows, read downwards" if number % columns == 0 else "", fontsize=8.5)
        dress(right)
        squares(right, chance, least=0.03)
        right.set_xticks(range(len(labels)), [short(label, 6) for label in labels], fontsize=9)
        right.set_yticks(range(len(image)), [""] * len(image))
        right.tick_params(axis="y", length=0)
        if number // columns == rows - 1:
            right.set_xlabel("believed to be", fontsize=9)
        if names:
            left.set_title(short(names[number], 24), fontsize=9.5, loc="left")
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return to_svg(figure, title)
