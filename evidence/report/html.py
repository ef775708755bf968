"""One self-contained HTML file: tables and figures in the page, nothing fetched, readable on a phone, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.figure import Figure

from evidence.attainable import Attainable
from evidence.beside import Beside, predicted_beside_measured
from evidence.caveats import caveats_compared
from evidence.comparison import Comparison
from evidence.errors import JudgeError
from evidence.events import EventKind
from evidence.header import World
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.report.attainable import attainable_tables, attainable_tiles
from evidence.report.attainable_figure import attainable_figure
from evidence.report.beside_tables import beside_table, published_table
from evidence.report.comparison_tables import comparison_table, comparison_tables
from evidence.report.content import RunContent, comparison_of
from evidence.report.diagnosis import diagnosis_table, example_text
from evidence.report.drawing import svg_text
from evidence.report.graph_figure import graph_figure
from evidence.report.judges import judges_table
from evidence.report.pareto_figure import pareto_figure
from evidence.report.process import process_table
from evidence.report.reach import reach_text
from evidence.report.rto_figure import rto_figure
from evidence.report.run_tables import checks_table, events_table, facts_table
from evidence.report.statements import statement_lines
from evidence.report.summary import Tile, comparison_tiles, run_tiles, side_by_side_tiles
from evidence.report.table import Table
from evidence.report.timeline_figure import timeline_figure
from evidence.tables import ClientCells

__all__ = ["attainable_html", "comparison_html", "run_html", "side_by_side_html"]


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the page: a table, a figure, or both, `text` and `points` below; `folded` parts open on demand."""

    title: str
    lead: str = ""
    figure: Markup | None = None
    table: Table | None = None
    text: str = ""
    points: Sequence[str] = ()
    folded: bool = False


def run_html(run: RunContent) -> str:
    """The page of one run, a simulation or a drill."""
    sections = []
    if run.measures:
        table = run.result_table()
        sections.append(_Section(table.title, table=table))
    sections += [_Section(table.title, table=table) for table in run.release_tables()]
    sections += _caveats(run.caveats())
    if published := run.published():
        table = published_table(published)
        sections.append(_Section(table.title, table=table))
    if judges := run.judges():
        table = judges_table(judges)
        sections.append(_Section(table.title, table=table))
    if process := run.process():
        table = process_table(process)
        sections.append(_Section(table.title, table=table))
    sections += _diagnosis(run)
    if run.header.world is World.SIMULATION and run.measures:
        sections.append(_rto_section({run.header.strategy: run.measures}))
    sections += [_Section("Checks", table=checks_table(run.verdict)), *_timelines(run)]
    sections.append(_graph_section(run, run))
    sections.append(_facts(run))
    return _page([run], run_tiles(run), sections)


def comparison_html(runs: Sequence[RunContent]) -> str:
    """The page of several strategies' simulations; raises JudgeError as comparison_of does."""
    comparison = comparison_of(runs)
    measures = {run.header.label: run.measures for run in runs}
    verdicts = {run.header.label: run.verdict for run in runs}
    table = comparison_table(comparison)
    sections = [_Section(table.title, table=table, points=statement_lines(comparison))]
    sections += _caveats(_said_of(runs))
    sections += _pareto_sections(comparison)
    sections.append(_rto_section(measures))
    sections += [_Section(f"Checks of {run.header.label}", table=checks_table(run.verdict)) for run in runs]
    for run in runs:
        sections += _timelines(run, folded=True)
    sections += [_facts(run) for run in runs]
    return _page(runs, comparison_tiles(comparison, verdicts), sections)


def attainable_html(runs: Sequence[RunContent], found: Attainable) -> str:
    """The page of what is attainable, from the simulations that it was found in."""
    holding, costs = attainable_tables(found)
    lead = "Dots: blue at 95 %, red at 99 % of the releases. A line ends at what can be promised; an arrow has no end. "
    lead += "What is 0 s everywhere is left out."
    figure = _drawn(attainable_figure(found), "RTO and RPO that are attainable, by strategy")
    sections = [
        _Section("What could be promised", lead=lead, figure=figure),
        _Section(holding.title, table=holding),
        _Section(costs.title, table=costs),
        *_caveats(_said_of(runs)),
        _rto_section({run.header.label: run.measures for run in runs}),
        *(_facts(run) for run in runs),
    ]
    return _page(runs, attainable_tiles(found), sections)


def _diagnosis(run: RunContent) -> list[_Section]:
    diagnosis = run.diagnosis()
    if diagnosis is None:
        return []
    table = diagnosis_table(diagnosis, traces=False)  # they begin the examples below, and are too wide for a page
    examples = [
        _Section(f"{cause.where}: {cause.what}", text=example_text(cause), folded=True)
        for cause in diagnosis.causes[: len(table.rows)]
    ]
    return [_Section(table.title, table=table), *examples]


def _said_of(runs: Sequence[RunContent]) -> list[str]:
    return caveats_compared({run.header.label: (run.scenario, run.measures, run.header.defects) for run in runs})


def _caveats(found: Sequence[str]) -> list[_Section]:
    return [_Section("Before these figures are believed", points=found)] if found else []


def _pareto_sections(comparison: Comparison) -> list[_Section]:
    """The release as a whole and by cohort, then risk against time with its figure."""
    tables = comparison_tables(comparison)
    if not tables:
        return []
    drawn = pareto_figure(comparison)
    figure = None if drawn is None else _drawn(drawn, "Risk against time")
    *others, weighed = tables
    lead = "" if figure is None else "Filled: nothing dominates them. Lines: 95 % intervals of the failed share."
    sections = [_Section(weighed.title, lead=lead, figure=figure, table=weighed)]
    return sections + [_Section(table.title, table=table) for table in others]


def side_by_side_html(
    simulation: RunContent,
    drill: RunContent,
    comparison: Comparison | None = None,
    compared: Mapping[str, Sequence[FunctionMeasure]] | None = None,
) -> str:
    """The page of both worlds, prediction beside measurement first.

    `comparison` and `compared`, the measures by strategy, add the strategies. Raises JudgeError as
    predicted_beside_measured does.
    """
    beside: Beside = predicted_beside_measured(simulation.record, drill.record)
    table = beside_table(beside)
    sections = [_Section(table.title, table=table)]
    if comparison is not None:
        table = comparison_table(comparison)
        sections.append(_Section(table.title, table=table))
    curves = compared or {simulation.header.strategy: simulation.measures}
    sections.append(_rto_section(curves, drill.measures))
    sections += _timelines(drill)
    sections.append(_graph_section(simulation, drill))
    sections.append(_Section("Measured in the drill", table=drill.result_table()))
    sections += _diagnosis(drill)
    sections.append(_Section("Checks of the drill", table=checks_table(drill.verdict)))
    sections.append(_Section("Checks of the simulation", table=checks_table(simulation.verdict)))
    sections += _timelines(simulation, folded=True)
    sections += [_facts(drill), _facts(simulation)]
    return _page([drill, simulation], side_by_side_tiles(simulation, drill, beside, comparison), sections)


def _page(runs: Sequence[RunContent], tiles: Sequence[Tile], sections: Sequence[_Section]) -> str:
    environment = Environment(
        loader=PackageLoader("evidence.report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scenario = runs[0].scenario
    return environment.get_template("report.html.j2").render(
        title=scenario.name,
        tiles=tiles,
        description=scenario.description,
        changes=", ".join(f"{each.service} {each.old} to {each.new}" for each in scenario.release.changes),
        played=_played(runs),
        sources=scenario.sources,
        sections=sections,
    )


def _played(runs: Sequence[RunContent]) -> str:
    """How runs were played, in a few words; strategies played in the same way are named together."""
    strategies: dict[str, list[str]] = {}
    for run in runs:
        header = run.header
        defects = "drawn defects" if header.defects is None else ", ".join(header.defects) or "no defect"
        times = f"simulated {run.played:,} times"
        how = f"{'drilled on staging' if header.world is World.STAGING else times} with {defects}"
        strategies.setdefault(how, []).append(header.label)
    return "; ".join(f"{', '.join(names)}: {how}" for how, names in strategies.items())


def _drawn(figure: Figure, label: str) -> Markup:
    # The SVG is ours, made by matplotlib from escaped text; it goes into the page as it is.
    svg = svg_text(figure).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return Markup(svg)  # noqa: S704


def _rto_section(measures: Mapping[str, Sequence[FunctionMeasure]], drill: Sequence[FunctionMeasure] = ()) -> _Section:
    """A panel a function; functions that nothing hurt are named instead, unless that is all of them."""
    everything = [row for rows in (*measures.values(), drill) for row in rows]
    hurt = {row.function for row in everything if row.episodes} or {row.function for row in everything}
    spared = list(dict.fromkeys(row.function for row in everything if row.function not in hurt))
    shown = {name: [row for row in rows if row.function in hurt] for name, rows in measures.items()}
    lead = "Share of replications that had recovered after so many seconds of impact."
    if any(row.rto_censored for row in everything):
        lead += " Triangles: not recovered when the run ended, so the RTO is longer than that."
    if spared:
        lead += f" Never hurt: {', '.join(spared)}."
    figure = rto_figure(shown, [row for row in drill if row.function in hurt])
    return _Section("RTO against its objective", lead=lead, figure=_drawn(figure, "Distribution of the RTO"))


def _timelines(run: RunContent, *, folded: bool = False) -> list[_Section]:
    """The drill's timeline; of a simulation the worst replication that was kept, since it has most to show."""
    header = run.header
    if not header.timelines or not run.record.has("samples"):
        return []
    replication = header.timelines[0]
    title = "Timeline of the drill"
    if header.world is World.SIMULATION:
        kept = [row for row in run.measures if row.replication in header.timelines]
        replication = _worst(kept)
        title = f"Timeline of replication {replication}, the worst of those kept"
    plan = MeasurePlan.of(run.scenario, header.edges_s)
    samples = run.record.samples().of_replication(replication)
    cells = ClientCells.of(samples, plan.function_names, plan.resolution_s, len(plan.edges) + 1)
    events = [event for event in run.events if event.replication == replication]
    lead = (
        f"Every value is that of the window of {header.window_s:g} s which ends there. Shaded: impact, from the cell "
        f"that tipped a window to the start of the first of {header.consecutive} good windows in a row. So the curves "
        "run up to a window behind a recovery."
    )
    figure = _drawn(timeline_figure(plan, events, cells), title)
    shown = [event for event in events if event.kind not in (EventKind.LOAD_START, EventKind.LOAD_END)]
    return [
        _Section(title, lead=lead, figure=figure, folded=folded),
        _Section(f"Events: {title[0].lower()}{title[1:]}", table=events_table(shown), folded=True),
    ]


def _worst(measures: Sequence[FunctionMeasure]) -> int:
    if not measures:
        raise JudgeError("a report needs at least 1 measure (got 0): the record is not whole, see `windtunnel assess`")
    longest = max(measures, key=lambda row: (row.rto_s, row.rto_censored, row.failed, -row.replication))
    return longest.replication


def _graph_section(simulation: RunContent, drill: RunContent) -> _Section:
    """What was hit: in a drill by name, in a simulation by the share of replications."""
    worlds = {run.header.world: run for run in (simulation, drill)}
    hit: dict[str, list[str]] = {}
    breached: dict[str, list[str]] = {}
    for world, run in sorted(worlds.items()):
        n = max(1, len({row.replication for row in run.measures}))
        sick: dict[str, set[int]] = {}
        for row in run.measures:
            for name in row.services_unhealthy or ():
                sick.setdefault(name, set()).add(row.replication)
        bad = {
            name: {row.replication for row in run.measures if row.function == name and row.episodes}
            for name in run.scenario.functions
        }
        for found, into in ((sick, hit), (bad, breached)):
            for name, numbers in found.items():
                if numbers:
                    into.setdefault(name, []).append(_hit_text(world, len(numbers) / n))
    figure = graph_figure(
        drill.scenario,
        {name: ", ".join(texts) for name, texts in hit.items()},
        {name: ", ".join(texts) for name, texts in breached.items()},
    )
    return _Section("Blast radius", lead=reach_text(drill.scenario), figure=_drawn(figure, "Dependency graph"))


def _hit_text(world: World, share: float) -> str:
    if world is World.STAGING:
        return "in the drill"
    return f"in {share * 100:.2g} % of runs" if share < 0.995 else "in all runs"


def _facts(run: RunContent) -> _Section:
    table = facts_table(run.header)
    return _Section(f"{table.title}: {run.header.world.value}", table=table, folded=True)
