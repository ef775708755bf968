"""What is attainable, drawn: estimates and what can be promised, a panel a tier or function, beside the objective."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.attainable import LEVELS, Attainable
from evidence.report.drawing import BLUE, INK, RED, figure, plain_axes, text_width, time_axis
from evidence.report.table import seconds
from evidence.statistics import Estimate

__all__ = ["attainable_figure"]

_WIDTH_IN, _LEFT, _RIGHT = 10.0, 0.2, 0.97
_ROW_IN, _FRAME_IN, _BELOW_IN = 0.42, 1.05, 0.5
_COLOURS = dict(zip(LEVELS, (BLUE, RED), strict=True))
_OFFSETS = dict(zip(LEVELS, (0.16, -0.16), strict=True))
"""The lower level above the higher one, within the row of its strategy."""
_SIZE_PT = 8.5


@dataclass(frozen=True, slots=True)
class _Panel:
    """The RTO or RPO of a tier or function: `estimates` by level, by strategy."""

    scope: str
    measure: str
    objective_s: float | None
    estimates: Mapping[str, Mapping[float, Estimate]]

    @property
    def ends(self) -> list[float]:
        """All that is drawn."""
        return [
            end for levels in self.estimates.values() for each in levels.values() for end in (each.value, each.high)
        ]


def attainable_figure(found: Attainable) -> Figure:
    """RTOs and RPOs by strategy, in a panel for each tier and function; those never hurt are left out, unless all are.

    A dot is the estimate at its level, its line ends where the promise is: the upper end of the 95 % interval. A line
    that leaves the panel with an arrow has no end, and where nothing recovers that often a word stands at the edge.
    """
    everything = list(_panels(found))
    panels = [panel for panel in everything if max(panel.ends) > 0.0] or everything
    heights_in = [_ROW_IN * len(panel.estimates) + _FRAME_IN for panel in panels]
    whole_in = sum(heights_in)
    made = figure(_WIDTH_IN, whole_in)
    foot_in = whole_in
    for panel, height_in in zip(panels, heights_in, strict=True):
        foot_in -= height_in
        inside = (_LEFT, (foot_in + _BELOW_IN) / whole_in, _RIGHT - _LEFT, (height_in - _FRAME_IN) / whole_in)
        _draw_panel(made.add_axes(inside), panel)
    return made


def _panels(found: Attainable) -> Iterator[_Panel]:
    for tier, function in dict.fromkeys((row.tier, row.function) for row in found.rows):
        rows = [row for row in found.rows if (row.tier, row.function) == (tier, function)]
        scope = f"tier {tier}: {function or 'all of its functions'}"
        yield _Panel(scope, "RTO", rows[0].rto_objective_s, {row.strategy: row.rto_s for row in rows})
        if rpo_s := {row.strategy: row.rpo_s for row in rows if row.rpo_s is not None}:
            yield _Panel(scope, "RPO", rows[0].rpo_objective_s, rpo_s)


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    plain_axes(axes, grid="x")
    axes.set_title(f"{panel.scope}, {panel.measure}", loc="left", color=INK, fontweight="bold", pad=15)
    right_s = _right_s(panel)
    axes.set_xlim(-0.01 * right_s, right_s)
    axes.set_ylim(-0.5, len(panel.estimates) - 0.5)
    places = {name: len(panel.estimates) - 1 - place for place, name in enumerate(panel.estimates)}
    axes.set_yticks(list(places.values()), list(places))
    if panel.objective_s is not None:
        _objective(axes, panel.objective_s, right_s)
    for name, levels in panel.estimates.items():
        for level, estimate in levels.items():
            _draw(axes, estimate, places[name] + _OFFSETS[level], _COLOURS[level], right_s)
    time_axis(axes, panel.measure, right_s)


def _right_s(panel: _Panel) -> float:
    """End of the axis: all that is finite, and the objective unless it would squeeze the rest."""
    longest_s = max((end for end in panel.ends if math.isfinite(end)), default=0.0)
    if panel.objective_s is not None and not 0.0 < longest_s < panel.objective_s / 4.0:
        longest_s = max(longest_s, panel.objective_s)
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
