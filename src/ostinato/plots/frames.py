"""Frames: a film, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ostinato.plots.style import COLOURS, grid, in_style, picture, short, to_svg


@in_style
def frames(
    film: Sequence[np.ndarray], answers: Mapping[str, Sequence[np.ndarray]], *, first: int = 1, title: str = "A film"
) -> str:
    """The film in a row, and below its last frames what was said of them, with the mean squared error of each.

    Args:
        film: ``(height, width)`` each, from 0, white, to 1; the last of them were not shown to anybody.
        answers: as many frames from each as were not shown.
        first: number of the first frame.
        title: stands above.

    Raises:
        ValueError: answers are not equally many, or more than the film has frames.
    """
    told = {len(answer) for answer in answers.values()}
    if len(told) != 1 or max(told) > len(film):
        raise ValueError(f"answers have {sorted(told)} frames, the film {len(film)}")
    given = len(film) - told.pop()
    size = 6.0 / len(film)
    figure, axes = grid(1 + len(answers), len(film), height=0.5 + (min(size, 1.5) + 0.2) * (1 + len(answers)))
    for place, frame in enumerate(film):
        picture(axes[0][place], frame)
        axes[0][place].set_title(f"{first + place}", fontsize=9, pad=3)
        for side in axes[0][place].spines.values() if place >= given else ():
            side.set_linewidth(1.6)
    for row, (name, answer) in enumerate(answers.items(), 1):
        for place, each in enumerate(axes[row]):
            if place < given:
                each.set_axis_off()
                continue
            picture(each, np.clip(answer[place - given], 0.0, 1.0))
            error = float(np.square(np.asarray(answer[place - given]) - film[place]).mean())
            each.set_xlabel(f"{error:.3f}", fontsize=8.5, labelpad=2)
            for side in each.spines.values():
                side.set(linewidth=1.6, color=COLOURS[(row - 1) % len(COLOURS)])
        beside = axes[row][given].annotate(
            short(name), (0, 0.5), xycoords="axes fraction", xytext=(-8, 0), textcoords="offset points", ha="right",
            va="center", fontsize=9.5,
        )  # fmt: skip
        beside.set_in_layout(given == 0)
    axes[0][0].set_ylabel("the film", rotation=0, ha="right", va="center", fontsize=9.5, labelpad=8)
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return to_svg(figure, title)
