"""What every figure shares: colours that colour-blind readers tell apart, plain axes, SVG that follows the page.

Figures use matplotlib's object-oriented interface on the Agg canvas: no window system, no global state. In the SVG the
neutral colours and the blue become CSS variables, so that one drawing serves light and dark pages.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

__all__ = ["BLUE", "GREEN", "GRID", "INK", "MUTED", "ORANGE", "PAPER", "PURPLE", "RED", "SERIES", "SKY"]
__all__ += ["figure", "plain_axes", "png_bytes", "svg_text", "text_width", "time_axis"]

# Okabe and Ito, "Color Universal Design" (2008).
BLUE, RED, GREEN, ORANGE, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)

INK, MUTED, GRID, PAPER = "#1b1f24", "#5c6670", "#d5dae0", "#fefefe"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PAPER: "var(--paper)", BLUE: "var(--blue)"}

_RC: Any = {
    "font.size": 9.0,
    "font.family": "DejaVu Sans",
    "svg.fonttype": "path",
    "svg.hashsalt": "windtunnel",
    "axes.titlesize": 10.0,
}


def figure(width_in: float, height_in: float) -> Figure:
    """An empty figure on an Agg canvas."""
    with mpl.rc_context(_RC):
        made = Figure(figsize=(width_in, height_in), facecolor=PAPER)
        FigureCanvasAgg(made)
    return made


def plain_axes(axes: Axes, *, grid: str | None = "y") -> None:
    """Quiet axes: no box, thin lines, light grid behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8.5, width=0.8, length=3)
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    if grid is not None:
        axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]


def time_axis(axes: Axes, label: str, end_s: float) -> None:
    """Seconds on the x axis, from ten minutes on whole minutes, and the label, if any, with that unit."""
    axes.set_xlabel(label and f"{label} ({'s' if end_s < 600.0 else 'min'})", color=INK)
    if end_s < 600.0:
        return
    every_min = next((each for each in (1, 2, 5, 10, 15, 30, 60, 120) if end_s / 60.0 / each <= 10), 240)
    axes.xaxis.set_major_locator(MultipleLocator(60.0 * every_min))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 60.0:g}"))


def text_width(axes: Axes, text: str, size: float) -> float:
    """About the width of a text in data units of the x axis; 0.53 em a character holds for DejaVu Sans."""
    inches = len(text) * 0.53 * size / 72.0
    low, high = axes.get_xlim()
    width_in = axes.get_position().width * axes.figure.get_figwidth()  # type: ignore[union-attr]
    return inches / width_in * (high - low)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in their order, at least `gap` apart and within low to high if they fit."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    placed = [0.0] * len(wanted)
    last = low - gap
    for place in order:
        last = max(wanted[place], last + gap)
        placed[place] = last
    limit = high
    for place in reversed(order):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - gap
    return placed


def svg_text(made: Figure) -> str:
    """The figure as an SVG element for an HTML page, its neutral colours and its blue as CSS variables."""
    buffer = io.StringIO()
    with mpl.rc_context(_RC):
        made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return text


def png_bytes(made: Figure, dpi: int = 144) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    with mpl.rc_context(_RC):
        made.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
