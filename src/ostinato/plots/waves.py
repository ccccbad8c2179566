"""Waves: a stretch of a signal as it should be, and as it was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ostinato.plots.style import COLOURS, INK, in_style, legend, panel, to_svg, whole_numbers


@in_style
def waves(
    truth: Sequence[float] | np.ndarray, answers: Mapping[str, np.ndarray], *, start: int = 1, title: str = "Signal"
) -> str:
    """``truth (T,)`` and each of ``answers`` over the steps from ``start`` on.

    Raises:
        ValueError: an answer is not as long as the truth.
    """
    wanted = np.asarray(truth, dtype=float)
    steps = np.arange(start, start + len(wanted))
    figure, axes = panel(height=2.9)
    axes.plot(steps, wanted, color=INK, linewidth=1.0, label="truth")
    for colour, (name, answer) in zip(COLOURS, answers.items(), strict=False):
        if len(answer) != len(wanted):
            raise ValueError(f"'{name}' has {len(answer)} steps, the truth {len(wanted)}")
        axes.plot(steps, answer, color=colour, linewidth=1.2, linestyle=(0, (4, 2)), label=name)
    axes.set(xlabel="step")
    axes.margins(x=0)
    legend(axes, loc="upper right", fontsize=8.5, ncols=3)
    whole_numbers(axes)
    return to_svg(figure, title)
