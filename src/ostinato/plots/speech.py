"""Speech: what a sound looks like to the network, and which words it heard when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.style import COLOURS, INK, dress, in_style, short, stacked, to_svg


@in_style
def speech(
    energies: np.ndarray,
    seconds: float,
    words: Sequence[tuple[str, float, float]],
    *,
    hertz: Sequence[float],
    name: str = "",
) -> str:
    """Energies over time above, the words heard below.

    Args:
        energies: ``(F, M)`` logarithms, a row a frame, a column a band of the mel scale.
        seconds: from one frame to the next.
        words: text, and the seconds from which to which it was said.
        hertz: ``(M,)`` the middle of each band.
        name: stands above.

    Raises:
        ValueError: ``hertz`` do not fit the bands.
    """
    energies = np.asarray(energies, dtype=float)
    if energies.ndim != 2 or energies.shape[1] != len(hertz):
        raise ValueError(f"{len(hertz)} middles for energies of shape {energies.shape}")
    frames, bands = energies.shape
    figure, (axes, below) = stacked(2, height=3.6)
    shown = axes.imshow(
        energies.T, origin="lower", aspect="auto", cmap="cividis", interpolation="none",
        extent=(0.0, frames * seconds, -0.5, bands - 0.5),
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, pad=0.01, fraction=0.03, aspect=14, label="ln energy")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=INK, length=2)
    axes.grid(False)
    round_ones = [wanted for wanted in (250, 500, 1000, 2000, 4000, 8000) if hertz[0] < wanted < hertz[-1]]
    axes.set_yticks(np.interp(round_ones, hertz, range(bands)).tolist(), [f"{wanted:,}" for wanted in round_ones])
    axes.set_ylabel("hertz (mel scale)")
    dress(below)
    for text, start, end in words:
        below.barh(0, end - start, left=start, height=0.5, color=COLOURS[1], linewidth=0)
        below.annotate(
            short(text, 12), ((start + end) / 2, 0.3), xytext=(0, 2), textcoords="offset points", ha="center",
            va="bottom", fontsize=11, fontweight="bold",
        )  # fmt: skip
        axes.axvline((start + end) / 2, color="white", linewidth=0.7, linestyle=(0, (2, 3)), alpha=0.7)
    below.set(ylim=(-0.35, 1.0), xlim=(0.0, frames * seconds), xlabel="seconds", yticks=[], ylabel="heard")
    below.spines["left"].set_visible(False)
    if name:
        axes.set_title(short(name, 80), fontsize=10, loc="left")
    return to_svg(figure, f"Heard: {' '.join(text for text, *_ in words)}")
