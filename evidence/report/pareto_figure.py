"""Risk against time: a point a run, those that nothing dominates joined by the front."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evidence.comparison import Comparison
from evidence.report.drawing import BLUE, INK, MUTED, figure, plain_axes, time_axis

__all__ = ["pareto_figure"]

_WIDTH_IN, _HEIGHT_IN = 10.0, 3.8
# Of names: their size, about how wide a letter is, how far from their point, and on which side and how much above it.
_SIZE_PT, _LETTER_PT, _BESIDE_PT, _DOT_PT = 8.5, 5.0, 7.0, 4.0
_PLACES = [(side, up) for up in (4.0, -12.0, 18.0, 32.0, 46.0, 60.0) for side in ("left", "right")]


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
    ahead = [row for row in rows if not row.dominated_by and not row.perhaps_by]
    front = sorted((row.values["promoted_s"], row.values["failed_share"]) for row in ahead)
    axes.plot([x for x, _ in front], [y for _, y in front], color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    longest_s = max(row.values["promoted_s"] for row in rows)
    axes.set_xlim(-0.03 * longest_s, longest_s * 1.16 + 0.1)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_ylabel("requests failed", color=INK)
    time_axis(axes, "promoted release takes", longest_s * 1.16)
    _name(axes, {row.name: (row.values["promoted_s"], comparison.release[row.name].failed_share.value) for row in rows})
    return made


def _name(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """A name beside each point, in the first place around it where it covers neither a point nor another name."""
    inch = axes.figure.dpi / 72.0
    spots = {name: axes.transData.transform(point) / inch for name, point in points.items()}
    floor = float(axes.transAxes.transform((0.0, 0.0))[1]) / inch
    taken = [(x - _DOT_PT, y - _DOT_PT, x + _DOT_PT, y + _DOT_PT) for x, y in spots.values()]
    for name, (x, y) in spots.items():
        wide = _LETTER_PT * len(name)
        places = []
        for side, up in _PLACES:
            left = x + _BESIDE_PT if side == "left" else x - _BESIDE_PT - wide
            places.append((side, up, (left, y + up, left + wide, y + up + _SIZE_PT)))
        free = [each for each in places if each[2][1] > floor and not any(_meet(each[2], box) for box in taken)]
        side, up, box = (free or places)[0]
        taken.append(box)
        over = (_BESIDE_PT if side == "left" else -_BESIDE_PT, up)
        axes.annotate(
            name, points[name], xytext=over, textcoords="offset points", ha=side, fontsize=_SIZE_PT, color=INK
        )


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
