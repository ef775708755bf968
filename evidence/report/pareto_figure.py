"""Risk against time: a point a run, those that nothing dominates joined by the front."""

from __future__ import annotations

import math

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evidence.comparison import Comparison
from evidence.report.drawing import BLUE, INK, MUTED, figure, plain_axes, time_axis

__all__ = ["pareto_figure"]

_WIDTH_IN, _HEIGHT_IN = 10.0, 3.8


def pareto_figure(comparison: Comparison) -> Figure | None:
    """Failed share of all requests, with its 95 % interval, by the duration of promoted releases.

    None where fewer than two of the runs are ever promoted: there is nothing to weigh.
    """
    rows = [row for row in comparison.pareto if math.isfinite(row.values["promoted_s"])]
    if len(rows) < 2:
        return None
    made = figure(_WIDTH_IN, _HEIGHT_IN)
    axes = made.add_axes((0.08, 0.16, 0.88, 0.76))
    plain_axes(axes)
    for row in rows:
        estimate = comparison.release[row.name].failed_share
        colour = MUTED if row.dominated_by else BLUE
        x_s = row.values["promoted_s"]
        low, high = max(0.0, estimate.low), min(1.0, estimate.high)
        axes.plot([x_s, x_s], [low, high], color=colour, linewidth=1.2)
        axes.plot(
            [x_s], [estimate.value], "o", color=colour, markersize=6, fillstyle="none" if row.dominated_by else "full"
        )
        axes.annotate(
            row.name, (x_s, estimate.value), xytext=(7, 4), textcoords="offset points", fontsize=8.5, color=INK
        )
    front = sorted((row.values["promoted_s"], row.values["failed_share"]) for row in rows if not row.dominated_by)
    axes.plot([x for x, _ in front], [y for _, y in front], color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    longest_s = max(row.values["promoted_s"] for row in rows)
    axes.set_xlim(-0.03 * longest_s, longest_s * 1.16 + 0.1)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_ylabel("requests failed", color=INK)
    time_axis(axes, "promoted release takes", longest_s * 1.16)
    return made
