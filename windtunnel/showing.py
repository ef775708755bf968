"""What a notebook shows of an outcome: tables as Markdown and figures as PNG, by the methods that Jupyter looks for.

In a plain shell a table prints as text. The figures are those of the reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evidence.assess import scenario_of
from evidence.beside import predicted_beside_measured
from evidence.errors import JudgeError
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.record import RunRecord
from evidence.report import beside_tables as tables
from evidence.report.comparison_tables import comparison_table
from evidence.report.table import Table
from evidence.tables import ClientCells
from windtunnel.simulating import ComparisonOutcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ShownFigure", "ShownTable", "beside_table", "rto_distribution", "strategies_table", "timeline"]

_WIDTH_PX = 880


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table of a report."""

    table: Table

    def __repr__(self) -> str:
        return self.table.text()

    def _repr_markdown_(self) -> str:
        return self.table.markdown()


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure of a report; `figure` is matplotlib's, to be changed or saved."""

    title: str
    figure: Figure

    def __repr__(self) -> str:
        return f"<figure: {self.title}>"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        from evidence.report.drawing import png_bytes

        return png_bytes(self.figure), {"width": _WIDTH_PX}


def strategies_table(compared: ComparisonOutcome) -> ShownTable:
    """Strategies side by side, with intervals, each against the best of its function."""
    return ShownTable(replace(comparison_table(compared.comparison), title=""))


def beside_table(simulation: RunRecord, drill: RunRecord) -> ShownTable:
    """Predicted beside measured. Raises JudgeError as evidence.beside.predicted_beside_measured."""
    return ShownTable(replace(tables.beside_table(predicted_beside_measured(simulation, drill)), title=""))


def rto_distribution(compared: ComparisonOutcome, function: str) -> ShownFigure:
    """Share of replications in which the function had recovered after so many seconds, a line a strategy.

    Raises JudgeError for a function that the scenario does not have.
    """
    from evidence.report.rto_figure import rto_figure

    if function not in compared.comparison.functions:
        known = ", ".join(compared.comparison.functions)
        raise JudgeError(f"function(={function}) must be one of scenario {compared.comparison.scenario}'s: {known}")
    measures: dict[str, list[FunctionMeasure]] = {
        label: [row for row in each.result.measures if row.function == function]
        for label, each in compared.by_label.items()
    }
    return ShownFigure(f"RTO of {function} by strategy", rto_figure(measures))


def timeline(record: RunRecord, replication: int) -> ShownFigure:
    """One replication whose timeline the record keeps (`record.header.timelines`): the release above, health below.

    Raises JudgeError for one that is not kept, RecordError when the record cannot be read.
    """
    from evidence.report.timeline_figure import timeline_figure

    header = record.header
    if replication not in header.timelines:
        kept = ", ".join(map(str, header.timelines)) or "(none)"
        raise JudgeError(f"replication(={replication}) must be one whose timeline is kept: {kept}")
    plan = MeasurePlan.of(scenario_of(record), header.edges_s)
    samples = record.samples().of_replication(replication)
    cells = ClientCells.of(samples, plan.function_names, plan.resolution_s, len(plan.edges) + 1)
    events = [event for event in record.events() if event.replication == replication]
    title = f"replication {replication} of {header.scenario.name}, {header.strategy}"
    return ShownFigure(title, timeline_figure(plan, events, cells))
