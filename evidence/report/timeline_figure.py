"""Timeline of one run: the release and its faults above, the health of every function below, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from evidence.episodes import find_episodes
from evidence.events import Event, EventKind
from evidence.health import fit, sliding_sum
from evidence.measure_plan import MeasurePlan
from evidence.measuring import function_health
from evidence.report.drawing import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PAPER,
    PURPLE,
    RED,
    figure,
    plain_axes,
    text_width,
    time_axis,
)
from evidence.report.lanes_figure import Span, draw_lanes, lanes_of
from evidence.report.table import seconds
from evidence.tables import ClientCells
from evidence.timeline import Timeline

__all__ = ["label_impacts", "timeline_figure"]

_WIDTH_IN = 10.0
_LEFT, _RIGHT = 0.105, 0.985
_LANE_IN = 0.39


def timeline_figure(plan: MeasurePlan, events: Sequence[Event], cells: ClientCells) -> Figure:
    """One replication or drill. Health is that of the sliding windows that the judge uses."""
    timeline = Timeline.of(events)
    end_s = timeline.load_end_s(plan.duration_s)
    lanes = lanes_of(timeline, end_s)
    rows = [_LANE_IN * (len(lanes) + 1)]
    for one in plan.functions:
        rows += [1.0, 0.9] if one.criteria.quantiles else [1.0]
    height_in = sum(rows) + 0.28 * len(rows) + 0.75
    made = figure(_WIDTH_IN, height_in)
    grid = made.add_gridspec(
        len(rows),
        1,
        height_ratios=rows,
        left=_LEFT,
        right=_RIGHT,
        top=1 - 0.12 / height_in,
        bottom=0.5 / height_in,
        hspace=0.28,
    )
    above = made.add_subplot(grid[0])
    panels = [made.add_subplot(grid[row], sharex=above) for row in range(1, len(rows))]
    above.set_xlim(0, end_s)
    draw_lanes(above, timeline, lanes)
    left = list(panels)
    for place, one in enumerate(plan.functions):
        good = function_health(plan, place, cells, end_s)
        episodes = find_episodes(good, plan.window_cells, plan.consecutive, plan.resolution_s)
        spans = [(e.start_s, e.end_s, seconds(e.length_s, censored=e.censored)) for e in episodes]
        axes = left.pop(0)
        _draw_failed(axes, plan, place, cells, len(good))
        _shade(axes, spans, end_s)
        label_impacts(axes, spans, end_s)
        if one.criteria.quantiles:
            axes = left.pop(0)
            _draw_latency(axes, plan, place, cells, len(good))
            _shade(axes, spans, end_s)
    for axes in panels:
        for time_s, colour in _moments(timeline):
            axes.axvline(time_s, color=colour, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    for axes in (above, *panels[:-1]):
        axes.tick_params(labelbottom=False)
    time_axis(panels[-1], "time since the start of the load", end_s)
    return made


def _moments(timeline: Timeline) -> list[tuple[float, str]]:
    marked = ((EventKind.GUARDRAIL_TRIP, PURPLE), (EventKind.ROLLBACK_START, BLUE), (EventKind.ROLLBACK_END, GREEN))
    return [(event.time_s, colour) for kind, colour in marked for event in timeline.all(kind)[:1]]


def _shade(axes: Axes, spans: Sequence[Span], end_s: float) -> None:
    for start_s, stop_s, _ in spans:
        axes.axvspan(start_s, min(stop_s, end_s), color=RED, alpha=0.12, linewidth=0)


def label_impacts(axes: Axes, spans: Sequence[Span], end_s: float) -> None:
    """Of impacts close to each other only the longer one is named: the text of another would lie across it."""
    taken: list[tuple[float, float]] = []
    for start_s, stop_s, text in sorted(spans, key=lambda span: span[0] - span[1]):
        width_s = text_width(axes, f"impact {text}", 8.0)
        right = start_s + width_s <= end_s
        at_s = start_s if right else min(stop_s, end_s)
        from_s = at_s if right else at_s - width_s
        if any(from_s < other_until_s and other_s < from_s + width_s for other_s, other_until_s in taken):
            continue
        taken.append((from_s, from_s + width_s))
        axes.annotate(
            f"impact {text}",
            (at_s, 1.0),
            xytext=(0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom",
            fontsize=8.0,
            color=RED,
            fontweight="bold",
        )


def _window_ends_s(plan: MeasurePlan, cells: int) -> NDArray[np.float64]:
    """A window's value stands at the end of its last cell: nothing is shown before it could be known."""
    return np.asarray((np.arange(cells) + 1) * plan.resolution_s, dtype=np.float64)


def _draw_failed(axes: Axes, plan: MeasurePlan, place: int, cells: ClientCells, count: int) -> None:
    one = plan.functions[place]
    requests = sliding_sum(fit(cells.requests[:, place].sum(axis=1), count), plan.window_cells)
    failed = sliding_sum(fit(cells.failed[:, place].sum(axis=(1, 2)), count), plan.window_cells)
    share = np.where(requests > 0, failed / np.maximum(requests, 1), np.nan)
    times = _window_ends_s(plan, count)
    axes.fill_between(times, 0, share, step="pre", color=RED, alpha=0.30, linewidth=0)
    axes.step(times, share, where="pre", color=RED, linewidth=1.3)
    limit = 1.0 - one.criteria.success
    top = max(float(np.nanmax(share, initial=0.0)) * 1.35, limit * 3, 0.01)
    axes.set_ylim(0, top)
    word = "<" if one.criteria.success_op == ">" else "≤"
    _draw_limit(axes, limit, f"good: failed {word} {limit * 100:.3g} %")
    plain_axes(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g} %"))
    axes.locator_params(axis="y", nbins=4)
    axes.set_ylabel(f"{one.name}\nfailed", color=INK, fontsize=8.5)


def _draw_limit(axes: Axes, limit: float, text: str) -> None:
    """A dotted line at the limit of good, its meaning at the right end."""
    axes.axhline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 1.5)))
    axes.annotate(
        text,
        (1.0, limit),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7.5,
        color=MUTED,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
    )


def _draw_latency(axes: Axes, plan: MeasurePlan, place: int, cells: ClientCells, count: int) -> None:
    """The highest bounded quantile, as the upper edge of its histogram bin."""
    one = plan.functions[place]
    quantile, _, limit_s = max(one.criteria.quantiles)
    counts = sliding_sum(fit(cells.latency[:, place].sum(axis=1), count), plan.window_cells)
    total = counts.sum(axis=1)
    needed = np.maximum(1, np.ceil(np.round(quantile * total, 9)))
    bins = (np.cumsum(counts, axis=1) >= needed[:, None]).argmax(axis=1)
    upper_s = np.append(plan.edges, plan.edges[-1])
    latency_s = np.where(total > 0, upper_s[bins], np.nan)
    axes.step(_window_ends_s(plan, count), latency_s, where="pre", color=BLUE, linewidth=1.3)
    axes.set_yscale("log")
    known = latency_s[np.isfinite(latency_s)]
    low = min(float(known.min()), limit_s) if known.size else limit_s
    high = max(float(known.max()), limit_s) if known.size else limit_s
    axes.set_ylim(low / 1.6, high * 2.2)
    _draw_limit(axes, limit_s, f"good: p{quantile * 100:.0f} ≤ {_seconds(limit_s)}")
    plain_axes(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _seconds(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.set_ylabel(f"{one.name}\np{quantile * 100:.0f}", color=INK, fontsize=8.5)


def _seconds(value: float) -> str:
    if value >= 1.0:
        return f"{value:.4g} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"
