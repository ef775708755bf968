"""What is attainable, drawn: estimates and what can be promised, a panel a tier or function, beside the objective."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.attainable import LEVELS, Attainable, AttainableRow
from evidence.report.drawing import BLUE, INK, RED, figure, plain_axes, text_width, time_axis
from evidence.report.table import seconds
from evidence.statistics import Estimate

__all__ = ["attainable_figure"]

_WIDTH_IN, _LEFT, _RIGHT = 10.0, 0.2, 0.97
_ROW_IN, _FRAME_IN, _BELOW_IN = 0.42, 0.75, 0.25
_COLOURS = dict(zip(LEVELS, (BLUE, RED), strict=True))
_OFFSETS = dict(zip(LEVELS, (0.16, -0.16), strict=True))
"""The lower level above the higher one, within the row of its strategy."""
_SIZE_PT = 8.5


def attainable_figure(found: Attainable) -> Figure:
    """RTOs by strategy, in a panel for each tier and function; those never hurt are left out, unless all are.

    A dot is the estimate at its level, its line ends where the promise is: the upper end of the 95 % interval. A line
    that leaves the panel with an arrow has no end, and where nothing recovers that often a word stands at the edge.
    """
    scopes = list(dict.fromkeys((row.tier, row.function) for row in found.rows))
    everything = [[row for row in found.rows if (row.tier, row.function) == scope] for scope in scopes]
    panels = [rows for rows in everything if any(map(_hurt, rows))] or everything
    heights_in = [_ROW_IN * len(rows) + _FRAME_IN for rows in panels]
    whole_in = sum(heights_in) + _BELOW_IN
    made = figure(_WIDTH_IN, whole_in)
    top_in = whole_in
    for place, (rows, height_in) in enumerate(zip(panels, heights_in, strict=True)):
        top_in -= height_in
        inside_in = height_in - _FRAME_IN
        box = (_LEFT, (top_in + 0.38) / whole_in, _RIGHT - _LEFT, inside_in / whole_in)
        axes = made.add_axes(box)
        _panel(axes, rows, last=place == len(panels) - 1)
    return made


def _hurt(row: AttainableRow) -> bool:
    return any(end > 0.0 for each in row.rto_s.values() for end in (each.value, each.high))


def _panel(axes: Axes, rows: Sequence[AttainableRow], *, last: bool) -> None:
    plain_axes(axes, grid="x")
    first = rows[0]
    axes.set_title(
        f"tier {first.tier}: {first.function or 'all of its functions'}",
        loc="left", color=INK, fontweight="bold", pad=15,
    )  # fmt: skip
    right_s = _right_s(rows)
    axes.set_xlim(-0.01 * right_s, right_s)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    places = {row.strategy: len(rows) - 1 - place for place, row in enumerate(rows)}
    axes.set_yticks(list(places.values()), list(places))
    if first.rto_objective_s is not None:
        _objective(axes, first.rto_objective_s, right_s)
    for row in rows:
        for level, estimate in row.rto_s.items():
            _draw(axes, estimate, places[row.strategy] + _OFFSETS[level], _COLOURS[level], right_s)
    time_axis(axes, "RTO" if last else "", right_s)


def _right_s(rows: Sequence[AttainableRow]) -> float:
    """End of the axis: all that is finite, and the objective unless it would squeeze the rest."""
    ends = [end for row in rows for each in row.rto_s.values() for end in (each.value, each.high) if math.isfinite(end)]
    longest_s, objective_s = max(ends, default=0.0), rows[0].rto_objective_s
    if objective_s is not None and not 0.0 < longest_s < objective_s / 4.0:
        longest_s = max(longest_s, objective_s)
    return max(longest_s * 1.08, 1.0)


def _objective(axes: Axes, objective_s: float, right_s: float) -> None:
    text, beyond = f"objective {seconds(objective_s)}", objective_s > right_s
    at_s = min(objective_s, right_s)
    half = text_width(axes, text, _SIZE_PT) / 2.0
    side = "right" if at_s + half > right_s else "left" if at_s - half < 0.0 else "center"
    if not beyond:
        axes.axvline(objective_s, color=INK, linewidth=1.2)
    axes.annotate(
        f"{text} →" if beyond else text,
        (at_s, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
        ha=side, va="bottom", fontsize=_SIZE_PT, color=INK,
    )  # fmt: skip


def _draw(axes: Axes, estimate: Estimate, height: float, colour: str, right_s: float) -> None:
    if not math.isfinite(estimate.value):
        axes.annotate(
            "not recovered", (right_s, height), xytext=(-4, 0), textcoords="offset points",
            ha="right", va="center", fontsize=_SIZE_PT, color=colour,
        )  # fmt: skip
        return
    axes.plot([estimate.value], [height], "o", color=colour, markersize=5.5, clip_on=False)
    if math.isfinite(estimate.high):
        axes.plot([estimate.value, estimate.high], [height, height], color=colour, linewidth=1.8)
        axes.plot([estimate.high], [height], "|", color=colour, markersize=8, markeredgewidth=1.8)
    else:
        axes.annotate(
            "", (right_s, height), xytext=(estimate.value, height),
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.4, "linestyle": (0, (3, 2))},
        )  # fmt: skip
