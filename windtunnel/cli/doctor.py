"""``windtunnel doctor``."""

from __future__ import annotations

import typer

from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import JsonOption
from windtunnel.cli.output import emit_json, emit_table, emit_text

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("doctor")(doctor)


def doctor(as_json: JsonOption = False) -> None:
    """Try everything that Windtunnel needs.

    Says how to get what is missing; exit code 4 then.
    """
    from windtunnel.doctor.examine import complete, examine

    findings = examine()
    if as_json:
        document = [finding.to_json() for finding in findings]
        emit_json({"complete": complete(findings), "findings": document})
    else:
        emit_table(("", "CHECK", "FOUND"), [(f.status.value, f.name, f.found) for f in findings])
        for finding in findings:
            if finding.remedy:
                emit_text(f"{finding.name}: {finding.remedy}")
        emit_text("Nothing is missing." if complete(findings) else "Something is missing: see above.")
    if not complete(findings):
        raise typer.Exit(ExitCode.ERROR)
