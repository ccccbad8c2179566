"""Style: one look for every picture, and the way from a figure to SVG text."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, Final, ParamSpec
from unicodedata import category

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

INK: Final = "#26292e"
"""Text and axes; becomes ``currentColor``, so a picture follows the page it stands in, light or dark."""
FAINT: Final = "#d4d8de"
"""Grid lines; becomes ``currentColor`` too, mostly transparent."""
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#999999")
"""Told apart by colour-blind readers too (Okabe & Ito 2008, yellow and black left out), on white and on dark grey."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
MODEL: Final = COLOURS[0]
RIVAL: Final = "#9aa3ad"
SHORTEST: Final = 28
"""Letters after which a label is cut."""

RC: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ostinato",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "path.simplify": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


P = ParamSpec("P")


def in_style(draw: Callable[P, str]) -> Callable[P, str]:
    """A drawing function under the house's settings alone, whatever the program around it set; they end with it."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> str:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(RC)
            return draw(*args, **kwargs)

    return styled


def panel(width: float = 7.2, height: float = 3.6) -> tuple[Figure, Axes]:
    """An empty figure of so many inches with one pair of axes in the house's style."""
    figure, (axes,) = stacked(1, width, height)
    return figure, axes


def stacked(rows: int, width: float = 7.2, height: float = 0.0) -> tuple[Figure, list[Axes]]:
    """An empty figure with axes above each other that share the x axis, the first the tallest."""
    figure = Figure(figsize=(width, height or 2.0 + 1.5 * rows), layout="constrained")
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3, *[2] * (rows - 1)])
    figure.patch.set_alpha(0.0)
    found = list(grid[:, 0])
    for axes in found:
        dress(axes)
    return figure, found


def grid(
    rows: int, columns: int, width: float = 7.2, height: float = 0.0, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """An empty figure with axes in rows and columns, not dressed; ``options`` are those of ``Figure.subplots``."""
    figure = Figure(figsize=(width, height or 1.0 + 1.5 * rows), layout="constrained")
    found = figure.subplots(rows, columns, squeeze=False, **options)
    figure.patch.set_alpha(0.0)
    return figure, [list(row) for row in found]


def picture(axes: Axes, pixels: np.ndarray, top: float = 1.0) -> None:
    """Grey pixels ``(rows, columns)`` from 0, white, to ``top``, dark, as they are, in a thin frame."""
    axes.imshow(pixels, cmap="Greys", vmin=0.0, vmax=top, interpolation="none")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(linewidth=0.6, color=INK)


def dress(axes: Axes) -> None:
    """The house's axes: no box, a faint grid behind the data."""
    axes.patch.set_alpha(0.0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.8)
    axes.grid(True, color=FAINT, linewidth=0.7)
    axes.tick_params(length=3, width=0.8)


def whole_numbers(axes: Axes) -> None:
    """Ticks of the x axis at whole numbers only, with separators of thousands."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace("-", "−")))


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis whose ticks are plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    if high < 30 * low:  # less than one and a half decades: powers of ten alone would leave hardly a tick
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def plain(value: float) -> str:
    """``0.01`` rather than a power of ten, as long as it can be read at a glance."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return ("" if mantissa == "1" else f"{mantissa}·") + f"10{raised}"


def short(label: object, letters: int = SHORTEST) -> str:
    """A label on one line, cut where it is too long; what XML or a line cannot hold becomes a dot."""
    text = "".join("·" if category(letter) in {"Cc", "Cs", "Zl", "Zp"} else letter for letter in str(label))
    return text if len(text) <= letters else text[: letters - 1] + "…"


def legend(axes: Axes, **options: Any) -> None:
    """A legend without a frame, where more than one thing is drawn."""
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(frameon=False, labelcolor=INK, **options)


def to_svg(figure: Figure, title: str) -> str:
    """The figure as one ``<svg>`` element, the same to the byte for the same figure.

    Text stays text (it can be searched and read aloud); the title is its name for screen readers. Ids of groups are
    dropped, since several pictures stand in one page; the others are hashes of what they name.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Glyphs are drawn by the browser, which knows more of them than the font used here for measuring.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r' d="[^"]*"', lambda path: _small(path[0]), text)
    text = text.replace(INK, "currentColor")
    text = re.sub(rf"stroke: {FAINT}", "stroke: currentColor; stroke-opacity: 0.16", text)
    text = text.replace("'DejaVu Sans'", "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif")
    title = short(title, 200)
    head = f'<svg role="img" aria-label="{escape(title, quote=True)}"'
    return text.replace("<svg", head, 1).replace(">", f"><title>{escape(title)}</title>", 1).strip() + "\n"


def _small(path: str) -> str:
    """A path whose places are no finer than a screen, without blanks that say nothing."""
    return re.sub(r"(?: (?=\n)|(?<=\n[A-Z]) )", "", re.sub(r"(\.\d\d)\d+", r"\1", path))


def save(svg: str, path: str | Path) -> None:
    """A picture as a file of its own, dark on white: there is no page around it to take its colours from."""
    alone = svg.replace("<svg ", f'<svg style="color: {INK}; background: #ffffff" ', 1)
    Path(path).write_text(alone, encoding="utf-8")


def ticks_of(axes: Axes, labels: Sequence[str], *, down: bool = False) -> None:
    """Category labels on the y axis (``down``: first on top) or, upright where they fit, on the x axis."""
    places = list(range(len(labels)))
    names = [short(label, SHORTEST if down else 16) for label in labels]
    if down:
        axes.set_yticks(places, names)
        return
    crowded = sum(map(len, names)) > 60 or (len(names) > 12 and max(map(len, names)) > 2)
    axes.set_xticks(places, names, rotation=60 if crowded else 0, ha="right" if crowded else "center")
    if crowded:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
