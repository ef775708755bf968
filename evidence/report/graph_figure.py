"""Dependency graph with the blast radius: what the release could hit, and what it did."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from evidence.reach import dependency_graph, reach_of
from evidence.report.drawing import INK, MUTED, ORANGE, PAPER, RED, figure
from scenarios.models import Scenario

__all__ = ["graph_figure"]

_BOX_W, _BOX_H = 1.55, 0.62
_STEP_X, _STEP_Y = 2.25, 0.98
_Node = tuple[str, str]


def graph_figure(scenario: Scenario, hit: Mapping[str, str], breached: Mapping[str, str]) -> Figure:
    """Functions on the left, what they depend on to the right.

    `hit` gives unhealthy services, `breached` functions with impact, each with a short text such as "34 % of runs".
    """
    graph = dependency_graph(scenario)
    places = _places(graph)
    columns = max(x for x, _ in places.values()) + 1
    rows = max(sum(1 for x, _ in places.values() if x == column) for column in range(int(columns)))
    width, height = (columns - 1) * _STEP_X + _BOX_W + 0.3, (rows - 1) * _STEP_Y + _BOX_H + 0.95
    scale = min(1.0, 10.0 / width)
    made = figure(width * scale, height * scale)
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(-0.15, width - 0.15)
    axes.set_ylim(-0.65, height - 0.65)
    axes.invert_yaxis()
    axes.axis("off")
    spots = _spots(places, rows)
    reached: set[_Node] = set()
    for each in scenario.release.changes:
        reach = reach_of(scenario, each.service)
        reached |= {("function", name) for name in reach.functions}
        reached |= {("service", name) for name in reach.services}
        reached |= {("store", name) for name in reach.stores}
    for caller, callee in graph.edges:
        on_path = caller in reached and callee in reached
        _arrow(axes, spots[caller], spots[callee], ORANGE if on_path else MUTED, scale)
    notes = {("service", name): text for name, text in hit.items()}
    notes |= {("function", name): text for name, text in breached.items()}
    for node, spot in spots.items():
        _box(axes, node, spot, scenario, node in reached, notes.get(node), scale)
    _legend(axes, scale)
    return made


def _places(graph: nx.DiGraph) -> dict[_Node, tuple[int, int]]:
    """Column = longest way from a function (cycles broken by hand), row = order within the column."""
    acyclic = nx.DiGraph(graph)
    while not nx.is_directed_acyclic_graph(acyclic):
        acyclic.remove_edge(*nx.find_cycle(acyclic)[-1][:2])
    depth: dict[_Node, int] = {}
    for node in nx.topological_sort(acyclic):
        above = [depth[caller] + 1 for caller in acyclic.predecessors(node)]
        depth[node] = max(above, default=0 if node[0] == "function" else 1)
    columns: dict[int, list[_Node]] = {}
    for node in graph.nodes:
        columns.setdefault(depth[node], []).append(node)
    row: dict[_Node, float] = {}
    for column in sorted(columns):
        # Beside its callers: the mean of their rows keeps lines short and crossings few.
        def beside(node: _Node) -> float:
            rows = [row[caller] for caller in acyclic.predecessors(node) if caller in row]
            return sum(rows) / len(rows) if rows else 0.0

        columns[column].sort(key=beside)
        for place, node in enumerate(columns[column]):
            row[node] = place - (len(columns[column]) - 1) / 2
    return {node: (column, place) for column, nodes in columns.items() for place, node in enumerate(nodes)}


def _spots(places: Mapping[_Node, tuple[int, int]], rows: int) -> dict[_Node, tuple[float, float]]:
    """Lower left corners; each column centred."""
    sizes: dict[int, int] = {}
    for column, _ in places.values():
        sizes[column] = sizes.get(column, 0) + 1
    return {
        node: (column * _STEP_X, (place + (rows - sizes[column]) / 2) * _STEP_Y)
        for node, (column, place) in places.items()
    }


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, scale: float) -> None:
    tail = (start[0] + _BOX_W, start[1] + _BOX_H / 2)
    head = (end[0] - 0.02, end[1] + _BOX_H / 2)
    bend = 0.0 if end[0] - start[0] <= _STEP_X * 1.01 else 0.16
    axes.add_patch(
        FancyArrowPatch(
            tail,
            head,
            arrowstyle="-|>",
            mutation_scale=11 * scale,
            color=colour,
            linewidth=1.5 * scale,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )


def _box(
    axes: Axes,
    node: _Node,
    spot: tuple[float, float],
    scenario: Scenario,
    reached: bool,
    note: str | None,
    scale: float,
) -> None:
    kind, name = node
    change = scenario.release.change_of(name) if kind == "service" else None
    changed = change is not None
    edge = RED if note else ORANGE if reached else MUTED
    rounding = 0.28 if kind == "function" else 0.06
    axes.add_patch(
        FancyBboxPatch(
            spot,
            _BOX_W,
            _BOX_H,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=PAPER,
            edgecolor="none",
            zorder=2,
        )
    )
    axes.add_patch(
        FancyBboxPatch(
            spot,
            _BOX_W,
            _BOX_H,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=(edge, 0.22 if note else 0.10 if reached else 0.0),
            edgecolor=edge,
            linewidth=(2.0 if note or changed else 1.1) * scale,
            linestyle="--" if kind == "store" else "-",
            zorder=3,
        )
    )
    middle = spot[0] + _BOX_W / 2
    lines = [(note or kind, RED if note else MUTED)]
    if change is not None:
        lines = [(f"{change.old} → {change.new}", INK), (note or "changed", RED if note else MUTED)]
    size = 9.0 * scale * min(1.0, 17 / max(len(name), 1))
    axes.text(
        middle,
        spot[1] + (0.18 if changed else 0.23),
        name,
        ha="center",
        va="center",
        fontsize=size,
        color=INK,
        fontweight="bold" if changed or note else "normal",
        zorder=4,
    )
    for place, (text, colour) in enumerate(lines):
        axes.text(
            middle,
            spot[1] + (0.37 + 0.14 * place if changed else 0.45),
            text,
            ha="center",
            va="center",
            zorder=4,
            fontsize=7.2 * scale * min(1.0, 26 / max(len(text), 1)),
            color=colour,
        )


def _legend(axes: Axes, scale: float) -> None:
    x = 0.0
    for colour, text in ((RED, "hit"), (ORANGE, "in reach of the change"), (MUTED, "out of reach")):
        axes.plot([x + 0.06], [-0.42], marker="s", markersize=7 * scale, color=colour, alpha=0.8)
        axes.text(x + 0.2, -0.42, text, ha="left", va="center", fontsize=8 * scale, color=INK)
        x += 0.45 + 0.062 * len(text)
