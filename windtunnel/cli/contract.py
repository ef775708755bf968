"""``windtunnel contract``: whether the new version keeps the old one's contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import (
    DefectOption,
    GoodOption,
    JsonOption,
    ScenarioArgument,
    SeedOption,
    StateOption,
    defects_to_switch_on,
)
from windtunnel.cli.output import emit_json, emit_text, say

if TYPE_CHECKING:
    from chaos.contract.check import ContractReport

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("contract")(contract)


def contract(
    scenario: ScenarioArgument,
    defect: DefectOption = None,
    good: GoodOption = False,
    seed: SeedOption = 1,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare both versions' OpenAPI documents, and replay their consumers' calls. Exit code 1 if any breaks."""
    from scenarios.loading import load
    from windtunnel import contracting

    defects = defects_to_switch_on(defect, good=good)
    loaded, _ = load(scenario)
    report = contracting.contract(loaded, defects=defects, seed=seed, state_dir=state, say=say)
    if as_json:
        emit_json(report.to_json())
    else:
        emit_text(_text(report))
    if not report.kept:
        raise typer.Exit(ExitCode.FAIL)


def _text(report: ContractReport) -> str:
    head = f"{report.service} {report.old} -> {report.new}: contract {'kept' if report.kept else 'BROKEN'}"
    calls = (
        f"{report.calls} consumers' calls replayed against both versions, {len(report.differences)} answered otherwise"
    )
    return "\n".join([head, *(f"  {line}" for line in report.lines()), calls])
