"""Waves: a stretch of a signal as it should be, and as it was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ostinato.plots.style import COLOURS, INK, RIVAL, in_style, legend, stacked, to_svg, whole_numbers


@in_style
def waves(
    truth: Sequence[float] | np.ndarray,
    answers: Mapping[str, np.ndarray],
    *,
    start: int = 1,
    title: str = "Signal",
    source: Sequence[float] | np.ndarray = (),
    rate: int = 0,
) -> str:
    """``truth (T,)`` and each of ``answers`` over the steps from ``start`` on.

    Args:
        truth: what should come out.
        answers: what came out, by name.
        start: the first step.
        title: for those who cannot see it; of a sound it stands above too.
        source: ``(T,)`` what went in; drawn, and with it what is left between truth and answers, on an axis below.
        rate: samples a second, of sound: time is in milliseconds from the first sample. 0: steps.

    Raises:
        ValueError: an answer or the source is not as long as the truth.
    """
    wanted = np.asarray(truth, dtype=float)
    for name, values in {**answers, **({"source": source} if len(source) else {})}.items():
        if len(values) != len(wanted):
            raise ValueError(f"'{name}' has {len(values)} steps, the truth {len(wanted)}")
    steps = np.arange(len(wanted)) * 1000 / rate if rate else np.arange(start, start + len(wanted))
    figure, (axes, *below) = stacked(2 if len(source) else 1, height=3.9 if len(source) else 2.9)
    if len(source):
        axes.plot(steps, np.asarray(source, dtype=float), color=RIVAL, linewidth=1.2, label="what goes in")
    axes.plot(steps, wanted, color=INK, linewidth=1.0, label="truth")
    for colour, (name, answer) in zip(COLOURS, answers.items(), strict=False):
        axes.plot(steps, answer, color=colour, linewidth=1.2, linestyle=(0, (4, 2)), label=name)
        for each in below:
            each.plot(steps, np.asarray(answer, dtype=float) - wanted, color=colour, linewidth=1.0)
            each.set_ylabel("error")
    bottom = (axes, *below)[-1]
    bottom.set_xlabel("milliseconds" if rate else "step")
    bottom.margins(x=0)
    if rate:
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylabel("full scale")
    if len(source):
        lines, names = axes.get_legend_handles_labels()
        figure.legend(
            lines, names, loc="outside lower center", fontsize=9, ncols=len(names), frameon=False, labelcolor=INK
        )
    else:
        legend(axes, loc="upper right", fontsize=8.5, ncols=3)
    whole_numbers(bottom)
    return to_svg(figure, title)
