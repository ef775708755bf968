"""How a judged run is shown, and the exit code that it ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windtunnel.cli.output import emit_json, emit_text

if TYPE_CHECKING:
    from evidence.header import Header
    from evidence.record import RunRecord
    from evidence.verdicts import Verdict

__all__ = ["emit_judged", "precision_text", "verdict_text"]


def verdict_text(verdict: Verdict) -> str:
    """One line a check, the verdict last."""
    from evidence.report.run_tables import NOTHING_EXPECTED

    lines = [f"{c.status.value:<12} {c.subject}: {c.name}: {c.reason}" for c in verdict.checks]
    why = "" if lines else f": {NOTHING_EXPECTED}"
    return "\n".join([*lines, f"verdict: {verdict.status.value}{why}"])


def precision_text(header: Header) -> str:
    """Whether the precision asked for was reached, and with how many replications."""
    from evidence.report.table import replications

    return f"{header.reached or header.until} (with {replications(header.replications)})"


def emit_judged(record: RunRecord, verdict: Verdict, *, as_json: bool, **extra: Any) -> None:
    """Print what a run found, its verdict and where its record is; `extra` is for the JSON document alone."""
    from evidence.report.content import gather

    if as_json:
        from evidence.report.json_report import run_json

        found = run_json(gather(record.folder))
        emit_json({"record": str(record.folder), **found, "exit_code": verdict.exit_code, **extra})
    else:
        from evidence.report.text import run_text

        emit_text(run_text(gather(record.folder)))
        emit_text(f"record: {record.folder}")
