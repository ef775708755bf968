"""Reports for a terminal: plain strings, no colours, no box characters."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.beside import Beside
from evidence.comparison import Comparison
from evidence.report.beside_tables import beside_table, published_table
from evidence.report.comparison_tables import comparison_table, comparison_tables
from evidence.report.content import RunContent
from evidence.report.diagnosis import diagnosis_table, example_text
from evidence.report.judges import judges_table
from evidence.report.process import process_table
from evidence.report.reach import reach_text
from evidence.report.run_tables import NOTHING_EXPECTED, checks_table
from evidence.report.statements import statement_lines

__all__ = ["beside_text", "comparison_text", "run_text"]


def run_text(run: RunContent) -> str:
    """One run: verdict, measures, checks."""
    parts = [f"{run.header.scenario.name}, {run.header.strategy}, {run.header.world.value}: {run.verdict.status.value}"]
    if not run.verdict.checks:
        parts[0] += f" ({NOTHING_EXPECTED})"
    if run.measures:
        parts.append(run.result_table().text())
    parts += [table.text() for table in run.release_tables()]
    if published := run.published():
        parts.append(published_table(published).text())
    if judges := run.judges():
        parts.append(judges_table(judges).text())
    if process := run.process():
        parts.append(process_table(process).text())
    if diagnosis := run.diagnosis():
        parts += [diagnosis_table(diagnosis).text(), example_text(diagnosis.causes[0])]
    if run.verdict.checks:
        parts.append(checks_table(run.verdict).text())
    parts += [f"Caveat: {line}" for line in run.caveats()]
    return "\n\n".join([*parts, reach_text(run.scenario)]) + "\n"


def comparison_text(comparison: Comparison, caveats: Sequence[str] = ()) -> str:
    """Strategies or variants side by side, and what that allows to say."""
    tables = [comparison_table(comparison), *comparison_tables(comparison)]
    lines = "\n".join([*statement_lines(comparison), *(f"Caveat: {line}" for line in caveats)])
    return "\n\n".join([*(table.text() for table in tables), lines]).rstrip() + "\n"


def beside_text(beside: Beside) -> str:
    """Predicted beside measured."""
    return beside_table(beside).text() + "\n"
