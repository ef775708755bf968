"""Distribution of the RTO achieved against its objective: one panel a function, one line a strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evidence.measures import FunctionMeasure
from evidence.report.drawing import GRID, INK, MUTED, ORANGE, SERIES, figure, plain_axes, spread, time_axis
from evidence.report.table import seconds

__all__ = ["rto_figure"]

_WIDTH_IN = 10.0
_PANEL_IN = 2.9


@dataclass(frozen=True, slots=True)
class _Curve:
    label: str
    times_s: np.ndarray[tuple[int], np.dtype[np.float64]]
    shares: np.ndarray[tuple[int], np.dtype[np.float64]]
    censored_s: np.ndarray[tuple[int], np.dtype[np.float64]]


def rto_figure(measures: Mapping[str, Sequence[FunctionMeasure]], measured: Sequence[FunctionMeasure] = ()) -> Figure:
    """Cumulative share of replications by RTO, strategies by name; `measured` rows of a drill as a line.

    Replications that had not recovered by the end never count as recovered: their curve ends below 100 %, and
    triangles mark how long they had lasted when the run ended.
    """
    functions = list(dict.fromkeys(row.function for rows in measures.values() for row in rows))
    height_in = _PANEL_IN * len(functions) + 0.55
    made = figure(_WIDTH_IN, height_in)
    grid = made.add_gridspec(
        len(functions), 1, left=0.075, right=0.80, top=1 - 0.50 / height_in, bottom=0.5 / height_in, hspace=0.42
    )
    for place, function in enumerate(functions):
        axes = made.add_subplot(grid[place])
        rows = {name: [row for row in table if row.function == function] for name, table in measures.items()}
        actual = next((row for row in measured if row.function == function), None)
        _panel(axes, function, rows, actual)
        time_axis(axes, "RTO achieved" if place == len(functions) - 1 else "", axes.get_xlim()[1])
    return made


def _curve(label: str, rows: Sequence[FunctionMeasure]) -> _Curve:
    known = np.sort([row.rto_s for row in rows if not row.rto_censored])
    shares = np.arange(1, len(known) + 1) / len(rows)
    censored = np.sort([row.rto_s for row in rows if row.rto_censored])
    return _Curve(label, known, shares, censored)


def _panel(
    axes: Axes, function: str, rows: Mapping[str, Sequence[FunctionMeasure]], actual: FunctionMeasure | None
) -> None:
    plain_axes(axes)
    curves = [_curve(name, table) for name, table in rows.items() if table]
    objective_s = next((row.rto_objective_s for table in rows.values() for row in table), None)
    shown = [actual.rto_s] if actual is not None else [0.0]
    shown += [float(values.max()) for c in curves for values in (c.times_s, c.censored_s) if values.size]
    right_s = _right_s(max(shown), objective_s)
    axes.set_xlim(-0.012 * right_s, right_s)
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("replications recovered", color=INK)
    axes.set_title(function, loc="left", color=INK, fontweight="bold", pad=17)
    if objective_s is not None and objective_s < right_s:
        axes.axvspan(objective_s, right_s, color=GRID, alpha=0.45, linewidth=0, zorder=0)
        axes.axvline(objective_s, color=INK, linewidth=1.2)
        _above(axes, objective_s, right_s, f"objective {seconds(objective_s)}", INK)
    elif objective_s is not None:
        _above(axes, right_s, right_s, f"objective {seconds(objective_s)} →", INK)
    if actual is not None:
        axes.axvline(actual.rto_s, color=ORANGE, linewidth=2.0, linestyle=(0, (5, 2)))
        clash = objective_s is not None and abs(min(objective_s, right_s) - actual.rto_s) < 0.22 * right_s
        _above(
            axes,
            actual.rto_s,
            right_s,
            f"drill {seconds(actual.rto_s, censored=actual.rto_censored)}",
            ORANGE,
            raised=False,
            low=clash,
        )
    for curve, colour in zip(curves, SERIES, strict=False):
        _draw(axes, curve, colour, right_s)
    _label(axes, curves, rows, right_s)


def _right_s(longest_s: float, objective_s: float | None) -> float:
    """End of the time axis: the objective is on it unless that would squeeze all there is to see."""
    if objective_s is None or 0.0 < longest_s < objective_s / 4.0:
        return max(longest_s * 1.5, 0.1)
    return max(longest_s, objective_s) * 1.06


def _above(
    axes: Axes, time_s: float, right_s: float, text: str, colour: str, *, raised: bool = True, low: bool = False
) -> None:
    if low:
        left = time_s > 0.75 * right_s
        axes.annotate(
            text,
            (time_s, 0.04),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom",
            fontsize=8.5,
            color=colour,
            fontweight="bold",
        )
        return
    align = "left" if time_s < 0.06 * right_s else "right" if time_s > 0.94 * right_s else "center"
    axes.annotate(
        text,
        (time_s, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=align,
        va="bottom",
        fontsize=8.5,
        color=colour,
        fontweight="normal" if raised else "bold",
    )


def _draw(axes: Axes, curve: _Curve, colour: str, right_s: float) -> None:
    last = curve.shares[-1] if curve.shares.size else 0.0
    times = np.concatenate([[0.0], curve.times_s, [right_s]])
    shares = np.concatenate([[0.0], curve.shares, [last]])
    axes.step(times, shares, where="post", color=colour, linewidth=1.8, solid_joinstyle="round")
    if curve.censored_s.size:
        level = np.full(curve.censored_s.size, last)
        axes.plot(
            curve.censored_s,
            level,
            marker=">",
            markersize=6,
            color=colour,
            markerfacecolor="none",
            linestyle="none",
            alpha=0.8,
        )


def _label(axes: Axes, curves: Sequence[_Curve], rows: Mapping[str, Sequence[FunctionMeasure]], right_s: float) -> None:
    """Labels to the right of the lines' ends, moved apart where they would overlap."""
    ends = [float(curve.shares[-1]) if curve.shares.size else 0.0 for curve in curves]
    # Equal ends keep the order of the strategies, from above.
    wanted = [end - place * 1e-6 for place, end in enumerate(ends)]
    gap = 0.20 if any(curve.censored_s.size for curve in curves) else 0.115
    places = spread(wanted, gap, 0.02, 1.0)
    for curve, colour, end, place in zip(curves, SERIES, ends, places, strict=False):
        table = rows[curve.label]
        met = sum(row.met_rto is True for row in table) / len(table)
        text = f"{curve.label}  {_percent(met)} within"
        if curve.censored_s.size:
            text += f"\n{curve.censored_s.size} of {len(table)} not recovered"
        axes.annotate(
            text,
            (right_s, end),
            xytext=(right_s * 1.035, place),
            annotation_clip=False,
            ha="left",
            va="center",
            fontsize=8.5,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 1.6,
                "relpos": (0.0, 0.5),
                "shrinkA": 2,
                "shrinkB": 0,
            },
        )
    axes.tick_params(axis="x", colors=MUTED, labelcolor=INK)


def _percent(share: float) -> str:
    """Never rounded up to 100 %."""
    return "100 %" if share == 1.0 else f"{math.floor(share * 1000) / 10:.1f} %"
