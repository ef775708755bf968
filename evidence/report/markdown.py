"""Reports in Markdown, for pull requests and wikis."""

from __future__ import annotations

from evidence.beside import Beside
from evidence.comparison import Comparison
from evidence.report.beside_tables import beside_table, published_table
from evidence.report.comparison_tables import comparison_table, comparison_tables
from evidence.report.content import RunContent
from evidence.report.judges import judges_table
from evidence.report.process import process_table
from evidence.report.reach import reach_text
from evidence.report.run_tables import checks_table, events_table, facts_table
from evidence.report.statements import statement_lines

__all__ = ["comparison_markdown", "run_markdown", "side_by_side_markdown"]


def run_markdown(run: RunContent) -> str:
    """One run, with its timeline and where it came from."""
    parts = [_title(run), reach_text(run.scenario)]
    if run.measures:
        parts.append(run.result_table().markdown())
    parts += [table.markdown() for table in run.release_tables()]
    if published := run.published():
        parts.append(published_table(published).markdown())
    if judges := run.judges():
        parts.append(judges_table(judges).markdown())
    if process := run.process():
        parts.append(process_table(process).markdown())
    parts.append(checks_table(run.verdict).markdown())
    if caveats := run.caveats():
        parts.append("\n".join(f"- Caveat: {line}" for line in caveats))
    if run.header.timelines and run.events:
        parts.append(events_table(run.events, run.header.timelines[0]).markdown())
    return "\n\n".join([*parts, facts_table(run.header).markdown()]) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """Strategies or variants side by side, and what that allows to say."""
    tables = [comparison_table(comparison), *comparison_tables(comparison)]
    lines = "\n".join(f"- {line}" for line in statement_lines(comparison))
    return "\n\n".join([*(table.markdown() for table in tables), lines]).rstrip() + "\n"


def side_by_side_markdown(
    simulation: RunContent, drill: RunContent, beside: Beside, comparison: Comparison | None = None
) -> str:
    """Prediction and measurement first, then what each run says alone."""
    parts = [f"# {simulation.header.scenario.name}", beside_table(beside).markdown()]
    if comparison is not None:
        parts.append(comparison_table(comparison).markdown())
    return "\n\n".join(parts) + "\n\n" + run_markdown(drill) + "\n" + run_markdown(simulation)


def _title(run: RunContent) -> str:
    header = run.header
    return f"# {header.scenario.name}, {header.strategy}, {header.world.value}: {run.verdict.status.value}"
